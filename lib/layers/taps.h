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

/* Fine pixels that coarse pixels `r` are tied to, and the reverse. */
cae_region cae_taps_fine(const cae_layer *l, cae_region r);
cae_region cae_taps_coarse(const cae_layer *l, cae_region r);

/* packed = the panels for `out` output and `in` input channels from a tensor whose element (o, i,
 * tap) is weight[o * o_step + i * i_step + tap]; and back. */
typedef struct cae_packing {
    size_t out, in, taps, o_step, i_step;
} cae_packing;

void cae_taps_pack(const cae_packing *p, const float *weight, float *packed);
void cae_taps_unpack(const cae_packing *p, const float *packed, float *weight);

/* Runs over all images. `from` and `to` are coarse and fine as the name says; `start` and bias as
 * in gemm (column bias or none). */
void cae_taps_to_coarse(const cae_pass *p, const cae_view *from, const cae_view *to,
                        const float *packed, cae_gemm_start start, const float *bias);
void cae_taps_to_fine(const cae_pass *p, const cae_view *from, const cae_view *to,
                      const float *packed, cae_gemm_start start, const float *bias);

/* weight_grad[panel][tap][i][o] += the sum over images, rows and columns of coarse, in that
 * order, of x(i) * dy(o), where the coarse pixel meets the fine one of that tap. */
void cae_taps_weights(const cae_pass *p, bool x_is_fine);

/* bias_grad += dy, summed over images, rows and columns in that order. */
void cae_taps_bias(const cae_pass *p);

size_t cae_taps_scratch(const cae_layer *l, const cae_pass *pass, bool training);

/* Weight and bias of a layer with kernel x kernel taps; `transposed` swaps the first two
 * dimensions. */
bool cae_taps_parameters(const cae_layer *l, const cae_shape *in, bool transposed,
                         cae_parameter p[2]);

#endif
