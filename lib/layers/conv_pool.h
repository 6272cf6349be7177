/*
 * A convolution fused with the max pool behind it: the pool alone reads its output, and its windows
 * do not overlap. The two then run as one, and that output never stands whole in memory. Forward
 * makes a strip of its rows at a time, which the pool reads while it is in cache. Its gradient has
 * one pixel per window and channel, so it is never spread out, and the backward passes walk this
 * sparse gradient (cae_sparse_grad in kernels.h). For such a layer, marked by cae_layer.pooled, y,
 * dy and argmax of a pass are the pool's.
 *
 * Its weights for the way back, and their gradient, stand as [ky][out][kx][in]: a row of the kernel
 * is adjacent, as the pixels are that it meets.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LAYERS_CONV_POOL_H
#define CAE_LAYERS_CONV_POOL_H

#include "layers/layer.h"

/* Whether `pool`, the only reader of layer `l`, lets l's gradient be kept by windows. */
bool cae_conv_pool_applies(const cae_layer *l, const cae_layer *pool);

void cae_conv_pool_pack(const cae_layer *l, const cae_shape *in, const float *weight,
                        float *packed);
void cae_conv_pool_unpack(const cae_layer *l, const cae_shape *in, const float *packed,
                          float *weight);

/* Bytes of scratch memory for a pass; SIZE_MAX when that overflows. */
size_t cae_conv_pool_scratch(const cae_layer *l, const cae_pass *pass, bool backward);
void cae_conv_pool_forward(const cae_pass *p);
void cae_conv_pool_backward(const cae_pass *p);

#endif
