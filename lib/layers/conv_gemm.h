/*
 * The two passes of (transposed) convolution that are implicit GEMMs (im2row without the copy):
 * every pixel written is a sum over taps of the other map. See conv_geometry.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LAYERS_CONV_GEMM_H
#define CAE_LAYERS_CONV_GEMM_H

#include "layers/op.h"

/* y from x, activation included; or, backward, dx from dy. Spread over the team by images. */
void cae_conv_gemm(const cae_pass *p, bool backward);

/* Bytes of scratch memory; SIZE_MAX when that overflows. */
size_t cae_conv_gemm_scratch(const cae_pass *p, bool backward);

#endif
