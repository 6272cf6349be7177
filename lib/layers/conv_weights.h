/*
 * The weights of (transposed) convolutions: their parameters, their packing for the implicit GEMM,
 * and the order in which their gradient is summed.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LAYERS_CONV_WEIGHTS_H
#define CAE_LAYERS_CONV_WEIGHTS_H

#include "base/size.h"
#include "layers/op.h"

/* Members of the rows of the table. */
void cae_conv_parameters(const cae_op *op, const cae_shape *in, cae_parameter p[2]);
void cae_conv_pack(const cae_op *op, const cae_shape *in, const float *weight, float *packed);
void cae_conv_pack_back(const cae_op *op, const cae_shape *in, const float *weight, float *packed);
void cae_conv_unpack(const cae_op *op, const cae_shape *in, const float *sums, float *weight);

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

/* Forward from the input's channels to the output's, or backward from these to the input's. */
cae_packing cae_conv_packing(const cae_op *op, const cae_shape *in, bool backward);

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

cae_gradient_steps cae_conv_gradient_steps(const cae_op *op, const cae_shape *in);

#endif
