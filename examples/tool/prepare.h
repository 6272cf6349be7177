/*
 * What is done to each image between its file and the network: cut to a box, scaled, and given the
 * channels that the network takes, in this order. So the outcome is that of files which were cut
 * and scaled beforehand. Integers throughout: the same pixels on every machine.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_PREPARE_H
#define CAE_TOOL_PREPARE_H

#include "images.h"

struct preparation {
    size_t left, top, crop_width, crop_height; /* no cut if the sides are 0 */
    size_t width, height;                      /* no scaling if 0 */
};

/* The help of the two options. */
#define CROP_HELP "of each image take this part only: left, top, size"
#define SIZE_HELP "then scale it to this size (area average)"

/* Reads the arguments of --crop, X,Y,WxH, and --size, WxH; either may be NULL. DONE, or USAGE after
 * saying so for the (sub)command. */
int preparation_parse(struct preparation *preparation, const char *command, const char *crop,
                      const char *size);

/* Cuts, scales, and turns the image to `channels` (1 or 3). Fails, with `path` in front, when the
 * image does not hold the whole box. */
int image_prepare(struct image *image, const struct preparation *preparation, size_t channels,
                  const char *path);

/* A box that the image must hold. */
int image_crop(struct image *image, const struct preparation *box, const char *path);

/* Scales by area: an output pixel is the mean of the part of the input that it covers, pixels that
 * it covers in part weighing as much as it covers of them, rounded to the nearest, .5 up. Larger
 * than before, pixels are repeated, and mixed where an edge falls inside one. */
int image_resize(struct image *image, size_t width, size_t height, const char *path);

#endif
