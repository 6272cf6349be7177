/*
 * PGM and PPM: see pnmio.h. Every read goes through a cursor that never passes the data's end.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "pnmio.h"

#include <string.h>

#include "message.h"

struct cursor {
    const uint8_t *at, *end;
};

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

bool pnmio_recognise(const uint8_t *data, size_t size)
{
    return size >= 3 && data[0] == 'P' && strchr("2356", data[1]) != NULL &&
           (is_space(data[2]) || data[2] == '#');
}

/* Skips a comment, which runs from # to the end of the line and takes it along: for netpbm it is
 * one white space. */
static void skip_comment(struct cursor *c)
{
    while (c->at < c->end && *c->at != '\n' && *c->at != '\r') {
        c->at++;
    }
    c->at += c->at < c->end;
}

static void skip_space(struct cursor *c)
{
    while (c->at < c->end && (is_space(*c->at) || *c->at == '#')) {
        if (*c->at == '#') {
            skip_comment(c);
        } else {
            c->at++;
        }
    }
}

/* Skips exactly one white space, which parts the header from the values; false if there is none. */
static bool skip_one_space(struct cursor *c)
{
    const uint8_t *before = c->at;
    if (c->at < c->end && *c->at == '#') {
        skip_comment(c);
    } else if (c->at < c->end && is_space(*c->at)) {
        c->at++;
    }
    return c->at > before;
}

/* Reads a decimal number up to `max`; false when there is none. */
static bool read_number(struct cursor *c, size_t max, size_t *number)
{
    skip_space(c);
    if (c->at == c->end || !is_digit(*c->at)) {
        return false;
    }
    *number = 0;
    for (; c->at < c->end && is_digit(*c->at); c->at++) {
        *number = 10 * *number + (size_t)(*c->at - '0');
        if (*number > max) {
            return false;
        }
    }
    return true;
}

/* The next value: a number, or one or two bytes, the higher first. */
static bool read_value(struct cursor *c, bool plain, size_t max, size_t *value)
{
    if (plain) {
        return read_number(c, max, value);
    }
    const size_t size = max > 255 ? 2 : 1;
    if ((size_t)(c->end - c->at) < size) {
        return false;
    }
    *value = size == 2 ? (size_t)c->at[0] << 8 | c->at[1] : c->at[0];
    c->at += size;
    return *value <= max;
}

static int read_pixels(struct image *image, struct cursor *c, bool plain, size_t max,
                       const char *path)
{
    const size_t len = image_len(image);
    for (size_t i = 0; i < len; i++) {
        size_t value = 0;
        if (!read_value(c, plain, max, &value)) {
            return fail("%s: pixel value %zu of %zu is missing or above %zu", path, i + 1, len,
                        max);
        }
        if (image->deep) {
            const uint16_t deep = (uint16_t)(((uint64_t)value * 65535 + max / 2) / max);
            memcpy(image->pixels + 2 * i, &deep, sizeof deep);
        } else {
            image->pixels[i] = (uint8_t)((value * 255 + max / 2) / max);
        }
    }
    return DONE;
}

int pnmio_read(struct image *image, const uint8_t *data, size_t size, const char *path, bool whole)
{
    struct cursor c = {data + 2, data + size};
    const size_t max_number = 1 << 30; /* image_new and the next line limit further */
    size_t width = 0, height = 0, max = 0;
    if (!read_number(&c, max_number, &width) || !read_number(&c, max_number, &height) ||
        !read_number(&c, 65535, &max) || max == 0 || !skip_one_space(&c)) {
        return fail("%s: damaged PGM or PPM header", path);
    }
    const bool plain = data[1] == '2' || data[1] == '3';
    if (image_new_whole(image, data[1] == '2' || data[1] == '5' ? 1 : 3, false, whole && max > 255,
                        height, width, path) != DONE) {
        return FAILED;
    }
    if (max > 255 && !whole) {
        image->changes |= IMAGE_WAS_16_BIT;
    }
    return read_pixels(image, &c, plain, max, path);
}

/* Value by value: those of 16 bits with the higher byte first, alpha not at all. */
static bool write_values(const struct image *image, size_t colours, FILE *file)
{
    const size_t pixels = image->height * image->width;
    for (size_t i = 0; i < pixels; i++) {
        for (size_t c = 0; c < colours; c++) {
            const size_t at = i * image->channels + c;
            uint16_t value = image->pixels[image->deep ? 2 * at : at];
            if (image->deep) {
                memcpy(&value, image->pixels + 2 * at, sizeof value);
            }
            if ((image->deep && putc(value >> 8, file) == EOF) || putc(value & 255, file) == EOF) {
                return false;
            }
        }
    }
    return true;
}

int pnmio_write(const struct image *image, FILE *file, const char *path)
{
    const size_t colours = image->channels - image->alpha;
    if (image->alpha) {
        note("%s: a PGM or PPM has no transparency: it is dropped", path);
    }
    bool ok = fprintf(file, "P%c\n%zu %zu\n%u\n", colours == 1 ? '5' : '6', image->width,
                      image->height, image->deep ? 65535u : 255u) >= 0;
    if (!image->deep && !image->alpha) {
        const size_t len = image_len(image);
        ok = ok && fwrite(image->pixels, 1, len, file) == len;
    } else {
        ok = ok && write_values(image, colours, file);
    }
    return ok ? DONE : fail("%s: cannot write", path);
}
