/*
 * The divergence of a sampled code from the standard normal distribution, the second part of its
 * loss. A code is made in tiles and strips, some of it twice, and yet every pixel must count once
 * and in one order. So each pixel of the code has an *owner*, a pixel of the image; whoever makes a
 * part of the image counts the codes that it owns, into the loss blocks of loss.h.
 *
 * The owner of row y of a code of H rows is row floor(y R / H) of the image; R is the padded
 * image's height less what may be padding, the unit less 1. Columns likewise.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_NET_DIVERGENCE_H
#define CAE_NET_DIVERGENCE_H

#include "net/plan.h"

/* The pixels of the code that are owned by `wanted`, a part of the image. From one part to the
 * next below it, neither rows nor columns move up. */
cae_region cae_divergence_codes(const cae_plan *plan, cae_region wanted);

/* Adds to the loss blocks what the strip that has been run counts of image n: for every pixel of
 * plan->codes in turn, row by row, 1/2 sum(mean^2 + exp(log variance) - log variance - 1) over
 * channels (Kingma & Welling 2014, appendix B), in double. `across`: loss blocks in a row. */
void cae_divergence_of(const cae_plan *plan, void *base, size_t n, size_t across,
                       double *loss_blocks);

#endif
