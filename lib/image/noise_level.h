/*
 * The level of the noise in an image, from the image alone.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_IMAGE_NOISE_LEVEL_H
#define CAE_IMAGE_NOISE_LEVEL_H

#include "net/exec.h"

/* What de-noising takes for the level at least where it is estimated: there is nothing to remove
 * below it, and the network divides by it. */
static const float cae_noise_least = 0.5f / 255;

/* The standard deviation of white noise that is alike in all `channels` of image number `image`, of
 * finite values, on their scale: 0 or more. Takes no memory but 8 KB of the stack. */
float cae_noise_level(const cae_source *images, size_t image, size_t channels);

#endif
