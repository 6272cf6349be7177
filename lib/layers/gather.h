/*
 * The two passes of (transposed) convolution that gather: every pixel written is a sum over taps of
 * the other map. See taps.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LAYERS_GATHER_H
#define CAE_LAYERS_GATHER_H

#include "base/memory.h"
#include "layers/taps.h"

/* y from x, activation included; or, backward, dx from dy. Spread over the team by images. */
void cae_gather(const cae_pass *p, bool backward);

/* Bytes of scratch memory; SIZE_MAX when that overflows. */
size_t cae_gather_scratch(const cae_layer *l, const cae_pass *pass, bool backward);

#endif
