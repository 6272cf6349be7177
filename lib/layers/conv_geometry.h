/*
 * What convolution and transposed convolution share. With `fine` the larger map and `coarse` the
 * smaller one (the output of a convolution, the input of a transposed one), tap (ky, kx) ties pixel
 * (y, x) of coarse to pixel (y * stride - pad + ky, x * stride - pad + kx) of fine. From that
 * follow three passes, each a batch-reduce gemm:
 *
 *     to coarse   coarse from fine:  convolution forward, transposed convolution's backward data
 *     to fine     fine from coarse:  transposed convolution forward, convolution's backward data
 *     weights     the gradient of the weights of both
 *
 * The first two add over the pixels that they read, row by row from left to right, and over each
 * pixel's channels; terms on padding are added, as zeros from the view's halo. To the coarse map
 * that means rising taps, to the fine one falling ones. The first two are conv_gemm.c, the third
 * conv_wgrad.c; what changes behind a max pool is conv_pool.c.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LAYERS_CONV_GEOMETRY_H
#define CAE_LAYERS_CONV_GEOMETRY_H

#include "base/size.h"
#include "layers/layer.h"

/* Members of the two layer types. Which of the maps is the input, `type->transposed` says. */
cae_region cae_conv_needs(const cae_layer *l, size_t which, cae_region out, const cae_shape *in);
cae_region cae_conv_needs_back(const cae_layer *l, const cae_shape *in);
bool cae_conv_parameters(const cae_layer *l, const cae_shape *in, cae_parameter p[2]);
void cae_conv_pack(const cae_layer *l, const cae_shape *in, const float *weight, float *packed);
void cae_conv_pack_back(const cae_layer *l, const cae_shape *in, const float *weight,
                        float *packed);
void cae_conv_unpack(const cae_layer *l, const cae_shape *in, const float *packed, float *weight);
size_t cae_conv_scratch(const cae_layer *l, const cae_pass *pass, bool training);
void cae_conv_forward(const cae_pass *p);
void cae_conv_backward(const cae_pass *p);

/* Fine pixels that coarse pixels `r` are tied to, and the reverse. */
cae_region cae_conv_fine(const cae_layer *l, cae_region r);
cae_region cae_conv_coarse(const cae_layer *l, cae_region r);

/*
 * Packed weights, for an implicit GEMM that writes `out` channels and reads `in`: panels of 16
 * channels written, the last as narrow as it is, each [tap][in][width]. With fewer than CAE_FEW
 * channels written vectors run over pixels instead, and the weights stand as [out][tap][in], which
 * is the same with panels of one channel. Element (o, i, ky, kx) is weight[o * o_step + i * i_step
 * + ky * kernel + kx].
 *
 * Taps stand in the order in which the product meets them: row by row, and a row's as they are, or
 * `falling` and by phases: pixels of the fine map that see taps kx % stride = 0 of the coarse one
 * come first, then 1, ..., so that the taps of a pixel are adjacent in weights as in pixels.
 */
enum { CAE_FEW = 8 };

typedef struct cae_packing {
    size_t out, in, kernel, stride, taps;
    size_t o_step, i_step;
    bool falling;
} cae_packing;

/* Forward from the input's channels to the layer's, or backward from the layer's to the input's. */
cae_packing cae_conv_packing(const cae_layer *l, const cae_shape *in, bool backward);

/* Number of tap (ky, kx) in the packing. */
size_t cae_packing_tap(const cae_packing *p, size_t ky, size_t kx);

static inline size_t cae_packing_panel(const cae_packing *p)
{
    return p->out < CAE_FEW ? 1 : CAE_PANEL;
}

static inline size_t cae_packing_panels(const cae_packing *p)
{
    return cae_div_up(p->out, cae_packing_panel(p));
}

static inline size_t cae_packing_width(const cae_packing *p, size_t panel)
{
    return cae_size_min(cae_packing_panel(p), p->out - panel * cae_packing_panel(p));
}

/*
 * Where element (o, i, ky, kx) of the weights' gradient stands while it is summed: at the sum of
 * each number times its step; as made by products whose rows and columns take in a row of taps.
 */
typedef struct cae_gradient_steps {
    size_t o, i, ky, kx;
} cae_gradient_steps;

cae_gradient_steps cae_conv_gradient_steps(const cae_layer *l, const cae_shape *in);

/* The gradients of weights and bias, added to what is there. */
size_t cae_conv_wgrad_scratch(const cae_layer *l, const cae_pass *pass);
void cae_conv_wgrad(const cae_pass *p);

/* bias_grad += dy, over images, rows and columns. */
void cae_conv_bias_grad(const cae_pass *p);

#endif
