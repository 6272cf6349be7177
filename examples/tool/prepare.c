/*
 * Cutting and scaling: see prepare.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "prepare.h"

#include <string.h>

#include "message.h"
#include "options.h"

/* ---- Options --------------------------------------------------------------------------------- */

enum { MAX_PLACE = 1 << 24, MAX_SIDE = 1 << 14 }; /* 2^14 squared is what image_new takes */

/* Reads a whole number up to `max` and then the character `end`; false if they are not there. */
static bool take_number(const char **text, size_t max, char end, size_t *number)
{
    const char *at = *text;
    *number = 0;
    if (*at < '0' || *at > '9') {
        return false;
    }
    for (; *at >= '0' && *at <= '9'; at++) {
        *number = 10 * *number + (size_t)(*at - '0');
        if (*number > max) {
            return false;
        }
    }
    *text = at + 1;
    return *at == end;
}

static bool take_sides(const char **text, size_t *width, size_t *height)
{
    return take_number(text, MAX_SIDE, 'x', width) && take_number(text, MAX_SIDE, '\0', height) &&
           *width > 0 && *height > 0;
}

int preparation_parse(struct preparation *p, const char *command, const char *crop,
                      const char *size)
{
    *p = (struct preparation){0};
    const char *text = crop;
    if (crop != NULL && !(take_number(&text, MAX_PLACE, ',', &p->left) &&
                          take_number(&text, MAX_PLACE, ',', &p->top) &&
                          take_sides(&text, &p->crop_width, &p->crop_height))) {
        return usage_error(command,
                           "--crop: \"%s\" is not X,Y,WxH with whole numbers, W and H from 1 to %d",
                           crop, MAX_SIDE);
    }
    text = size;
    if (size != NULL && !take_sides(&text, &p->width, &p->height)) {
        return usage_error(command, "--size: \"%s\" is not WxH with whole numbers from 1 to %d",
                           size, MAX_SIDE);
    }
    return DONE;
}

/* ---- Cutting --------------------------------------------------------------------------------- */

int image_crop(struct image *image, const struct preparation *box, const char *path)
{
    const size_t width = box->crop_width, height = box->crop_height;
    struct image part;
    if (box->left > image->width || width > image->width - box->left || box->top > image->height ||
        height > image->height - box->top) {
        return fail("%s: %zu x %zu does not hold the box %zu,%zu,%zux%zu", path, image->width,
                    image->height, box->left, box->top, width, height);
    }
    if (image_new_whole(&part, image->channels, image->alpha, image->deep, height, width, path) !=
        DONE) {
        return FAILED;
    }
    const size_t row_size = image_row_size(&part), left = row_size / width * box->left;
    for (size_t y = 0; y < height; y++) {
        memcpy(part.pixels + y * row_size,
               image->pixels + (box->top + y) * image_row_size(image) + left, row_size);
    }
    image_replace(image, &part);
    return DONE;
}

/* ---- Scaling --------------------------------------------------------------------------------- */

/* What output pixel `index` of `to` covers of `from` input pixels along one axis: the first and how
 * many, and of each how much, in units of 1/to of a pixel. Seen in these units an input pixel is
 * `to` long, an output pixel `from`. */
struct cover {
    size_t first, len;
    uint64_t start, end; /* the units that it covers */
    uint64_t to;
};

static struct cover cover_of(size_t index, size_t from, size_t to)
{
    const uint64_t start = (uint64_t)index * from;
    struct cover c = {.start = start, .end = start + from, .to = to};
    c.first = (size_t)(start / to);
    c.len = (size_t)((c.end - 1) / to) + 1 - c.first;
    return c;
}

static uint64_t weight(const struct cover *c, size_t pixel)
{
    const uint64_t start = pixel * c->to, end = start + c->to;
    return (end < c->end ? end : c->end) - (start > c->start ? start : c->start);
}

/* The weights of a pixel's cover add up to from x from' of both axes, at most 2^28 by image_new;
 * times 255 the sum is far below 2^64. */
static uint8_t mean_of(const struct image *image, const struct cover *down,
                       const struct cover *along, size_t channel)
{
    uint64_t sum = 0;
    for (size_t y = down->first; y < down->first + down->len; y++) {
        const uint8_t *row = image->pixels + y * image->width * image->channels + channel;
        uint64_t row_sum = 0;
        for (size_t x = along->first; x < along->first + along->len; x++) {
            row_sum += weight(along, x) * row[x * image->channels];
        }
        sum += weight(down, y) * row_sum;
    }
    const uint64_t area = (uint64_t)image->height * image->width;
    return (uint8_t)((2 * sum + area) / (2 * area));
}

int image_resize(struct image *image, size_t width, size_t height, const char *path)
{
    struct image scaled;
    if (image->width == width && image->height == height) {
        return DONE;
    }
    if (image_new(&scaled, image->channels, height, width, path) != DONE) {
        return FAILED;
    }
    uint8_t *pixel = scaled.pixels;
    for (size_t y = 0; y < height; y++) {
        const struct cover down = cover_of(y, image->height, height);
        for (size_t x = 0; x < width; x++) {
            const struct cover along = cover_of(x, image->width, width);
            for (size_t c = 0; c < image->channels; c++) {
                *pixel++ = mean_of(image, &down, &along, c);
            }
        }
    }
    image_replace(image, &scaled);
    return DONE;
}

int image_prepare(struct image *image, const struct preparation *p, size_t channels,
                  const char *path)
{
    if (p->crop_width > 0 && image_crop(image, p, path) != DONE) {
        return FAILED;
    }
    if (p->width > 0 && image_resize(image, p->width, p->height, path) != DONE) {
        return FAILED;
    }
    return image_set_channels(image, channels, path);
}
