/*
 * Images as the tool holds them: 8 bits, 1 or 3 interleaved channels, rows without gaps; only the
 * command that asks for whole images sees 16 bits and alpha. Loading by content (PNG, JPEG, PGM,
 * PPM), saving by the name's ending, and the way to and from the library's planar floats.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_IMAGES_H
#define CAE_TOOL_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What loading did to an image, to be said once. */
enum {
    IMAGE_LOST_ALPHA = 1,
    IMAGE_WAS_16_BIT = 2,
    IMAGE_TURNED_GREY = 4,
    IMAGE_TURNED_UPRIGHT = 8,
    IMAGE_FLAWED = 16
};

struct image {
    size_t channels, height, width; /* alpha is a channel, the last one */
    bool alpha;
    bool deep;       /* values are uint16_t, 0 .. 65535, in the machine's byte order */
    uint8_t *pixels; /* height x width x channels */
    unsigned changes;
    unsigned orientation; /* how the pixels are stored, as EXIF counts; 0 or 1: upright */
    char flaw[96];        /* what is wrong with the file without costing a pixel; mostly "" */
};

/* Makes room for an image, checking its size first. On failure says so, with `path` in front. */
int image_new(struct image *image, size_t channels, size_t height, size_t width, const char *path);
void image_free(struct image *image);

/* The same with alpha as one of the channels, or of 16 bits. */
int image_new_whole(struct image *image, size_t channels, bool alpha, bool deep, size_t height,
                    size_t width, const char *path);

/* The number of pixel values: channels x height x width. */
size_t image_len(const struct image *image);

/* One of the values of the pixels, on [0,1]. */
double image_value(const struct image *image, size_t index);

/* The bytes of a row. */
size_t image_row_size(const struct image *image);

/* Reads an image of any of the formats, told apart by content, and turns it upright. The first is
 * for files that the program found in a folder, and takes regular ones alone; the second for one
 * that the user named, and takes pipes too; the third is the second with 16 bits and alpha, where
 * the file has them. */
int image_load(struct image *image, const char *path);
int image_load_input(struct image *image, const char *path);
int image_load_whole(struct image *image, const char *path);

/* Whether a name ends so, in upper or lower case, and has more in front. */
bool image_name_ends(const char *name, const char *ending);

/* .pgm, .ppm and .pnm make a PGM or PPM; .png, or no ending, makes a PNG. */
int image_save(const struct image *image, const char *path);

/* Fails if no format is asked for and the name ends otherwise: an image of that kind is not what
 * would be written. */
int image_check_name(const char *path, const char *format);

/* The same in a format of the user's choice: "png", "pgm", "ppm" or "pnm"; NULL for none. For the
 * first function any other text is a usage error. */
int image_check_format(const char *command, const char *format);
int image_save_as(const struct image *image, const char *path, const char *format);
#define FORMAT_HELP "png, pgm, ppm or pnm; else by the name's ending, PNG if it tells nothing"

/* Grey, with alpha or without, to three equal channels with it or without; for whole images too. */
int image_repeat_grey(struct image *image, const char *path);

/* Colour to one channel by (77 R + 150 G + 29 B + 128) >> 8; grey to three by repeating it. */
int image_set_channels(struct image *image, size_t channels, const char *path);

/* Turns an image that is stored as EXIF's orientation says. */
int image_turn_upright(struct image *image, const char *path);

/* Puts `other`, made from it, in the place of an image. */
void image_replace(struct image *image, struct image *other);

/* Says what loading did to an image, each kind only if it is not in *said yet. */
void image_note_changes(const struct image *image, const char *path, unsigned *said);

/* Pixels to planar floats v / 255, and back: times 255, rounded, clipped. */
void image_to_floats(const struct image *image, float *values);
void image_from_floats(struct image *image, const float *values);

#endif
