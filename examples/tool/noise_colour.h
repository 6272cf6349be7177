/*
 * Whether noise is white, that is, independent from pixel to pixel.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_NOISE_COLOUR_H
#define CAE_TOOL_NOISE_COLOUR_H

#include <stddef.h>

/* The energy of the noise in middle frequencies for that in high ones, found in the smoothest parts
 * of one channel: about 1 if it is white, more if neighbours have noise in common; 0 if the channel
 * is too small to tell. INFINITY if there is none but that of rounding to multiples of `step`,
 * which is white whatever the noise below it is. DONE or, out of memory, FAILED. */
int noise_colour(const float *values, size_t height, size_t width, double step, double *ratio);

/* What is more is not white: docs/denoise.md has the measurements. */
extern const double noise_colour_most;

#endif
