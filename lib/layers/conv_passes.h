/*
 * The passes of (transposed) convolutions, and the fused operator; see conv_geometry.h. Sizes of
 * scratch memory are in bytes, SIZE_MAX when that overflows.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LAYERS_CONV_PASSES_H
#define CAE_LAYERS_CONV_PASSES_H

#include "layers/op.h"

/* conv_gemm.c: the two passes that are implicit GEMMs (im2row without the copy), in which every
 * pixel written is a sum over taps of the other map. y from x, activation included; or, backward,
 * dx from dy. Spread over the team by images. */
void cae_conv_gemm(const cae_pass *p, bool backward);
size_t cae_conv_gemm_scratch(const cae_pass *p, bool backward);

/* conv_wgrad.c: the gradients of weights and bias, added to what is there; that of the bias. */
void cae_conv_wgrad(const cae_pass *p);
size_t cae_conv_wgrad_scratch(const cae_pass *p);
void cae_conv_bias_grad(const cae_pass *p);

/* conv_pool.c: whether `pool`, the only reader of convolution `op`, can be fused with it. */
bool cae_conv_pool_applies(const cae_op *op, const cae_op *pool);

#endif
