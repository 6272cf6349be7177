/*
 * The level of the noise in an image, from the image alone.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_IMAGE_NOISE_LEVEL_H
#define CAE_IMAGE_NOISE_LEVEL_H

#include <stddef.h>

/* Planes of finite values. */
typedef struct cae_planes {
    const float *data;
    size_t channels, height, width;
} cae_planes;

/* The standard deviation of white noise that is alike in all channels, on the scale of the values:
 * 0 or more. Takes no memory but 8 KB of the stack. */
float cae_noise_level(const cae_planes *image);

#endif
