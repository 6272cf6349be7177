/*
 * The gradients of weights and bias of (transposed) convolutions, added to what is there.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LAYERS_CONV_WGRAD_H
#define CAE_LAYERS_CONV_WGRAD_H

#include "layers/op.h"

/* Bytes of scratch memory; SIZE_MAX when that overflows. */
size_t cae_conv_wgrad_scratch(const cae_pass *p);
void cae_conv_wgrad(const cae_pass *p);

/* bias_grad += dy, over images, rows and columns. */
void cae_conv_bias_grad(const cae_pass *p);

#endif
