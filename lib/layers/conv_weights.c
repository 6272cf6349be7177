/*
 * The orders in which weights and their gradients stand in memory.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "layers/conv_weights.h"

/* PyTorch's layouts: [out][in][kh][kw], and [in][out][kh][kw] when transposed. */
void cae_conv_parameters(const cae_op *op, const cae_shape *in, cae_parameter p[2])
{
    const size_t first = op->type->transposed ? in->c : op->size.c;
    const size_t second = op->type->transposed ? op->size.c : in->c;
    /* PyTorch's rule for both: the second dimension times the taps. */
    const size_t fan_in = cae_size_mul4(second, op->kernel, op->kernel, 1);
    p[0] = (cae_parameter){"weight", 4, {first, second, op->kernel, op->kernel}, fan_in};
    p[1] = (cae_parameter){"bias", 1, {op->size.c, 1, 1, 1}, fan_in};
}

cae_packing cae_conv_packing(const cae_op *op, const cae_shape *in, bool backward)
{
    const size_t taps = op->kernel * op->kernel;
    /* How far apart the channels of the operator's input and output stand in the weight. */
    const size_t x_step = op->type->transposed ? op->size.c * taps : taps;
    const size_t y_step = op->type->transposed ? taps : in->c * taps;
    return (cae_packing){.out = backward ? in->c : op->size.c,
                         .in = backward ? op->size.c : in->c,
                         .kernel = op->kernel,
                         .stride = op->stride,
                         .taps = taps,
                         .o_step = backward ? x_step : y_step,
                         .i_step = backward ? y_step : x_step,
                         .falling = op->type->transposed != backward};
}

size_t cae_packing_tap(const cae_packing *p, size_t ky, size_t kx)
{
    if (!p->falling) {
        return ky * p->kernel + kx;
    }
    const size_t phase = kx % p->stride;
    /* Each phase has kernel / stride taps, the first kernel % stride phases one more. */
    const size_t each = p->kernel / p->stride;
    const size_t more = p->kernel % p->stride;
    const size_t before = phase * each + cae_size_min(phase, more);
    const size_t len = each + (phase < more ? 1 : 0);
    return (p->kernel - 1 - ky) * p->kernel + before + (len - 1 - kx / p->stride);
}

/* Each panel's part of a tap is [in][width] packed. */
static void pack(const cae_packing *p, const float *weight, float *packed)
{
    for (size_t i = 0; i < cae_packing_panels(p) * p->taps; i++) {
        const size_t panel = i / p->taps;
        const size_t tap = i % p->taps;
        const size_t first = panel * cae_packing_panel(p);
        const size_t width = cae_packing_width(p, panel);
        const size_t at = cae_packing_tap(p, tap / p->kernel, tap % p->kernel);
        float *to = packed + (first * p->taps + at * width) * p->in;
        for (size_t in = 0; in < p->in; in++) {
            for (size_t o = 0; o < width; o++) {
                *to++ = weight[first * p->o_step + tap + in * p->i_step + o * p->o_step];
            }
        }
    }
}

void cae_conv_pack(const cae_op *op, const cae_shape *in, const float *weight, float *packed)
{
    const cae_packing p = cae_conv_packing(op, in, false);
    pack(&p, weight, packed);
}

void cae_conv_pack_back(const cae_op *op, const cae_shape *in, const float *weight, float *packed)
{
    const cae_packing p = cae_conv_packing(op, in, true);
    pack(&p, weight, packed);
}

cae_gradient_steps cae_conv_gradient_steps(const cae_op *op, const cae_shape *in)
{
    const size_t k = op->kernel;
    const size_t out = op->size.c;
    if (out < CAE_FEW) {
        return (cae_gradient_steps){.o = k * k * in->c, .ky = k * in->c, .kx = in->c, .i = 1};
    }
    return op->type->transposed
               ? (cae_gradient_steps){.ky = in->c * k * out, .i = k * out, .kx = out, .o = 1}
               : (cae_gradient_steps){.ky = k * in->c * out, .kx = in->c * out, .i = out, .o = 1};
}

void cae_conv_unpack(const cae_op *op, const cae_shape *in, const float *sums, float *weight)
{
    const cae_packing p = cae_conv_packing(op, in, false);
    const cae_gradient_steps s = cae_conv_gradient_steps(op, in);
    for (size_t o = 0; o < p.out; o++) {
        for (size_t i = 0; i < p.in; i++) {
            const float *from = sums + o * s.o + i * s.i;
            float *to = weight + o * p.o_step + i * p.i_step;
            for (size_t ky = 0; ky < p.kernel; ky++) {
                for (size_t kx = 0; kx < p.kernel; kx++) {
                    *to++ = from[ky * s.ky + kx * s.kx];
                }
            }
        }
    }
}
