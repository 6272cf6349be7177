/*
 * How alike two pictures are: PSNR and SSIM on 8-bit pixels. Pure functions, no files, no messages.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_MEASURE_H
#define CAE_TOOL_MEASURE_H

#include "images.h"

/* Peak signal-to-noise ratio, 10 log10(255^2 / MSE) over all pixel values; infinity for identical
 * images. Both have the same shape. */
double measure_psnr(const struct image *a, const struct image *b);

/* Structural similarity as in Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from
 * error visibility to structural similarity" (2004): 11 x 11 Gaussian window of sigma 1.5,
 * K1 = 0.01, K2 = 0.03, L = 255, mean over the positions where the window lies wholly inside, and
 * over the channels. In a direction where the image has fewer than 11 pixels, the window has as
 * many as the image. NaN when memory ran out. */
double measure_ssim(const struct image *a, const struct image *b);

#endif
