/*
 * What convolution and transposed convolution share. With `fine` the larger map and `coarse` the
 * smaller one (the output of a convolution, the input of a transposed one), tap (ky, kx) ties pixel
 * (y, x) of coarse to pixel (y * stride - pad + ky, x * stride - pad + kx) of fine. From that
 * follow three passes, each a gemm over segments:
 *
 *     to_coarse   coarse from fine:  convolution forward, transposed convolution's backward data
 *     to_fine     fine from coarse:  transposed convolution forward, convolution's backward data
 *     weights     the gradient of the weights of both
 *
 * Every sum runs over taps in rising order (ky, then kx) and within a tap over the channels read;
 * terms on padding are added, as zeros from the view's margin.
 *
 * Packed weights: panels of 16 output channels, the last as narrow as it is, each [tap][in][width].
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LAYERS_TAPS_H
#define CAE_LAYERS_TAPS_H

#include "layers/layer.h"

/* Members of the two layer types. Which of the maps is the input, `type->transposed` says. */
cae_region cae_taps_needs(const cae_layer *l, size_t which, cae_region out, const cae_shape *in);
cae_region cae_taps_needs_back(const cae_layer *l, const cae_shape *in);
bool cae_taps_parameters(const cae_layer *l, const cae_shape *in, cae_parameter p[2]);
void cae_taps_pack(const cae_layer *l, const cae_shape *in, const float *weight, float *packed);
void cae_taps_pack_back(const cae_layer *l, const cae_shape *in, const float *weight,
                        float *packed);
void cae_taps_unpack(const cae_layer *l, const cae_shape *in, const float *packed, float *weight);
size_t cae_taps_scratch(const cae_layer *l, const cae_pass *pass, bool training);
void cae_taps_forward(const cae_pass *p);
void cae_taps_backward(const cae_pass *p);

#endif
