/*
 * A convolution behind which a max pool picks: the pool alone reads its output, and its windows do
 * not overlap. The two then run as one, and that output never stands whole in memory. Forward makes
 * a band of its rows at a time, which the pool picks from while it is in cache. Its gradient has
 * one pixel per window and channel, so it is never spread out, and the backward passes walk the
 * picks (cae_picks in kernels.h). For such a layer, marked by cae_layer.picked, y, dy and arg of a
 * pass are the pool's.
 *
 * Its weights for the way back, and their gradient, stand as [ky][out][kx][in]: a row of the kernel
 * is adjacent, as the pixels are that it meets.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LAYERS_PICKS_H
#define CAE_LAYERS_PICKS_H

#include "layers/layer.h"

/* Whether `pool`, the only reader of layer `l`, lets l's gradient be kept by windows. */
bool cae_picks_apply(const cae_layer *l, const cae_layer *pool);

void cae_picks_pack(const cae_layer *l, const cae_shape *in, const float *weight, float *packed);
void cae_picks_unpack(const cae_layer *l, const cae_shape *in, const float *packed, float *weight);

/* Bytes of scratch memory for a pass; SIZE_MAX when that overflows. */
size_t cae_picks_scratch(const cae_layer *l, const cae_pass *pass, bool backward);
void cae_picks_forward(const cae_pass *p);
void cae_picks_backward(const cae_pass *p);

#endif
