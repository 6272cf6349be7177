/*
 * Images in memory: room, channels, floats; see images.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "images.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

enum { MAX_SIDE = 1 << 24 };                      /* the library's limit of a side */
static const size_t max_pixels = (size_t)1 << 28; /* 16384 x 16384 */

/* ---- Room ------------------------------------------------------------------------------------ */

int image_new_whole(struct image *image, size_t channels, bool alpha, bool deep, size_t height,
                    size_t width, const char *path)
{
    *image = (struct image){
        .channels = channels, .height = height, .width = width, .alpha = alpha, .deep = deep};
    if (height == 0 || width == 0) {
        return fail("%s: the image is empty (%zu x %zu)", path, width, height);
    }
    if (height > MAX_SIDE || width > MAX_SIDE || width > max_pixels / height) {
        return fail("%s: %zu x %zu is too large: the limit is %zu pixels", path, width, height,
                    max_pixels);
    }
    image->pixels = malloc(image->height * image_row_size(image));
    return image->pixels != NULL ? DONE : fail("%s: out of memory", path);
}

int image_new(struct image *image, size_t channels, size_t height, size_t width, const char *path)
{
    return image_new_whole(image, channels, false, false, height, width, path);
}

void image_free(struct image *image)
{
    free(image->pixels);
    *image = (struct image){0};
}

size_t image_len(const struct image *image)
{
    return image->channels * image->height * image->width;
}

static size_t value_size(const struct image *image)
{
    return image->deep ? sizeof(uint16_t) : 1;
}

double image_value(const struct image *image, size_t index)
{
    uint16_t deep = 0;
    if (!image->deep) {
        return image->pixels[index] / 255.0;
    }
    memcpy(&deep, image->pixels + 2 * index, sizeof deep);
    return deep / 65535.0;
}

size_t image_row_size(const struct image *image)
{
    return image->width * image->channels * value_size(image);
}

void image_replace(struct image *image, struct image *other)
{
    other->changes |= image->changes;
    memcpy(other->flaw, image->flaw, sizeof other->flaw);
    image_free(image);
    *image = *other;
}

/* ---- Turning --------------------------------------------------------------------------------- */

/* The rows are stored from the bottom to the top, each from right to left, or columns in the place
 * of rows. */
static bool is_upside_down(unsigned orientation)
{
    return orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
}

static bool is_back_to_front(unsigned orientation)
{
    return orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
}

int image_turn_upright(struct image *image, const char *path)
{
    const unsigned orientation = image->orientation;
    if (orientation < 2 || orientation > 8) {
        return DONE;
    }
    const bool sideways = orientation >= 5;
    const size_t pixel_size = image->channels * value_size(image);
    struct image turned;
    if (image_new_whole(&turned, image->channels, image->alpha, image->deep,
                        sideways ? image->width : image->height,
                        sideways ? image->height : image->width, path) != DONE) {
        return FAILED;
    }
    uint8_t *pixel = turned.pixels;
    for (size_t y = 0; y < turned.height; y++) {
        for (size_t x = 0; x < turned.width; x++) {
            size_t row = sideways ? x : y, column = sideways ? y : x;
            row = is_upside_down(orientation) ? image->height - 1 - row : row;
            column = is_back_to_front(orientation) ? image->width - 1 - column : column;
            memcpy(pixel, image->pixels + (row * image->width + column) * pixel_size, pixel_size);
            pixel += pixel_size;
        }
    }
    turned.changes = IMAGE_TURNED_UPRIGHT;
    image_replace(image, &turned);
    return DONE;
}

/* ---- Channels -------------------------------------------------------------------------------- */

static void turn_grey(const struct image *from, struct image *to)
{
    const size_t len = image_len(to);
    for (size_t i = 0; i < len; i++) {
        const uint8_t *rgb = from->pixels + 3 * i;
        to->pixels[i] = (uint8_t)((77u * rgb[0] + 150u * rgb[1] + 29u * rgb[2] + 128u) >> 8);
    }
    to->changes |= IMAGE_TURNED_GREY;
}

static void repeat_grey(const struct image *from, struct image *to)
{
    const size_t len = image_len(from);
    for (size_t i = 0; i < len; i++) {
        memset(to->pixels + 3 * i, from->pixels[i], 3);
    }
}

int image_repeat_grey(struct image *image, const char *path)
{
    struct image other;
    const size_t size = value_size(image), pixels = image->height * image->width;
    if (image_new_whole(&other, image->channels + 2, image->alpha, image->deep, image->height,
                        image->width, path) != DONE) {
        return FAILED;
    }
    const uint8_t *from = image->pixels;
    uint8_t *to = other.pixels;
    for (size_t i = 0; i < pixels; i++, from += image->channels * size) {
        for (size_t c = 0; c < other.channels; c++, to += size) {
            memcpy(to, from + (c < 3 ? 0 : size), size);
        }
    }
    image_replace(image, &other);
    return DONE;
}

int image_set_channels(struct image *image, size_t channels, const char *path)
{
    if (image->channels == channels) {
        return DONE;
    }
    struct image other;
    if (image_new(&other, channels, image->height, image->width, path) != DONE) {
        return FAILED;
    }
    if (channels == 1) {
        turn_grey(image, &other);
    } else {
        repeat_grey(image, &other);
    }
    image_replace(image, &other);
    return DONE;
}

void image_note_changes(const struct image *image, const char *path, unsigned *said)
{
    const unsigned flawed = image->flaw[0] != '\0' ? IMAGE_FLAWED : 0;
    const unsigned changes = (image->changes | flawed) & ~*said;
    if (changes & IMAGE_FLAWED) {
        note("%s: read in spite of a flaw that costs no pixel: %s", path, image->flaw);
    }
    if (changes & IMAGE_TURNED_UPRIGHT) {
        note("%s: turned upright, as its EXIF data say", path);
    }
    if (changes & IMAGE_LOST_ALPHA) {
        note("%s: transparency is dropped", path);
    }
    if (changes & IMAGE_WAS_16_BIT) {
        note("%s: 16 bits are rounded to 8", path);
    }
    if (changes & IMAGE_TURNED_GREY) {
        note("%s: the model has one channel: colour is turned into grey", path);
    }
    *said |= changes;
}

/* ---- Floats ---------------------------------------------------------------------------------- */

void image_to_floats(const struct image *image, float *values)
{
    const size_t len = image->height * image->width, channels = image->channels;
    for (size_t c = 0; c < channels; c++) {
        for (size_t i = 0; i < len; i++) {
            *values++ = (float)image->pixels[i * channels + c] / 255.0f;
        }
    }
}

static uint8_t pixel_from_float(float value)
{
    /* In double the product is exact, so that only the rounding at .5 rounds. */
    const double pixel = floor(255.0 * (double)value + 0.5);
    return pixel > 0 ? (pixel < 255 ? (uint8_t)pixel : 255) : 0;
}

void image_from_floats(struct image *image, const float *values)
{
    const size_t len = image->height * image->width, channels = image->channels;
    for (size_t c = 0; c < channels; c++) {
        for (size_t i = 0; i < len; i++) {
            image->pixels[i * channels + c] = pixel_from_float(*values++);
        }
    }
}
