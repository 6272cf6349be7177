/*
 * The mean squared error. Its sum has a fixed shape that tiles and strips cannot change: an image
 * is cut into loss blocks of 64 x 64 pixels; within a loss block the squares are added in double,
 * channel by channel, row by row; loss blocks are added in row-major order, then images in order.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_NET_LOSS_H
#define CAE_NET_LOSS_H

#include "net/exec.h"

enum { CAE_LOSS_BLOCK = 64 };

/* The number of loss blocks of an h x w image. */
size_t cae_loss_blocks(size_t h, size_t w);

/* Writes the sums of the loss blocks that lie within the region of y (whole loss blocks, or cut by
 * the image's edge) for image n of y against image `first + n` of the target. `sigma` has the noise
 * level of each image, or is NULL. With a level s, y stands for y s + 1/2, and squares count 1 / s:
 * the loss of a good de-noiser grows about as s does, so all levels weigh alike. With dy, also sets
 * dy = (y - target) * scale, and 0 beyond the image; with a level, (y s + 1/2 - target) * scale,
 * where the chain rule's s and the weight's 1 / s cancel. */
void cae_loss_of(const cae_view *y, size_t n, const cae_planar *target, size_t first,
                 const float *sigma, double *loss_blocks, const cae_view *dy, float scale);

/* Adds the term of the code, where there is one, of the pixels that the strip which has been run
 * counts, of image n of the run. `across`: loss blocks in a row. */
void cae_loss_add_term(const cae_plan *plan, void *base, size_t n, size_t across,
                       double *loss_blocks);

/* The sum of loss blocks in order. */
double cae_loss_sum(const double *loss_blocks, size_t len);

/* The mean over count images of such a size; CAE_E_NONFINITE when a float cannot hold it. */
int cae_loss_mean(double sum, size_t count, const cae_planar *image, float *mean);

#endif
