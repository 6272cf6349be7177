/*
 * Noisy images to learn from without clean ones: `cae train --self` and `--pairs`. Values are
 * planar floats, since 8 bits would round the images of instruments; each image has a noise level.
 * A network of one channel takes each channel of a colour image as an image of its own, as `cae
 * denoise` does.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_NOISY_SET_H
#define CAE_TOOL_NOISY_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prepare.h"

struct noisy_image {
    char *name;    /* below the folder; the path of a single file */
    float *values; /* channels x height x width, 0 to 1; with a gain, transformed */
    size_t height, width;
    float sigma;          /* the noise of these values, */
    double step;          /* and what they are multiples of; 0: of nothing */
    size_t first, frames; /* its burst: the images with these numbers; without bursts itself */
};

struct noisy_set {
    struct noisy_image *images;
    size_t len, channels;
    char *folder; /* or file */
    bool bursts;
};

struct noisy_reading {
    size_t limit;                   /* of the files of a folder; 0: all */
    const struct preparation *crop; /* to a box alone: scaling would mix neighbours' noise */
    bool bursts;                    /* each folder below, or the folder itself, is one */
    double level;                   /* of 255; 0: estimated, or none beside the gain */
    double gain;                    /* the noise's variance grows by this with the value */
};

/* Reads a folder or, without bursts, one file. Files of a folder that cannot be read are named and
 * left out. Fails when none is left, and for a burst of one frame or of frames of two sizes. */
int noisy_set_load(struct noisy_set *set, const char *path, size_t channels,
                   const struct noisy_reading *how);
void noisy_set_free(struct noisy_set *set);

/* The median of noise_colour.h's ratio over the images that are large enough to tell; 0 where none
 * is. DONE or, out of memory, FAILED. */
int noisy_set_colour(const struct noisy_set *set, double *ratio);

/* The lowest and highest level, of 255. */
void noisy_set_levels(const struct noisy_set *set, double *low, double *high);

/* A number for all sizes and values, the same on every machine: docs/file-formats.md, section 1.8,
 * has the way to it. */
uint32_t noisy_set_crc(const struct noisy_set *set);

#endif
