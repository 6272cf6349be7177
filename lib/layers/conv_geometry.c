/*
 * Convolution and transposed convolution: regions, parameters and their packing; see
 * conv_geometry.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "layers/conv_geometry.h"

#include "base/size.h"
#include "layers/conv_gemm.h"
#include "layers/conv_pool.h"

cae_region cae_conv_fine(const cae_layer *l, cae_region r)
{
    const ptrdiff_t s = (ptrdiff_t)l->stride;
    const ptrdiff_t p = (ptrdiff_t)l->pad;
    const ptrdiff_t k = (ptrdiff_t)l->kernel;
    return (cae_region){r.y0 * s - p, (r.y1 - 1) * s - p + k, r.x0 * s - p, (r.x1 - 1) * s - p + k};
}

cae_region cae_conv_coarse(const cae_layer *l, cae_region r)
{
    /* y_fine = y * s - p + ky with 0 <= ky < k, solved for y. */
    const ptrdiff_t s = (ptrdiff_t)l->stride;
    const ptrdiff_t p = (ptrdiff_t)l->pad;
    const ptrdiff_t k = (ptrdiff_t)l->kernel;
    return (cae_region){cae_div_ceil(r.y0 + p - k + 1, s), cae_div_floor(r.y1 - 1 + p, s) + 1,
                        cae_div_ceil(r.x0 + p - k + 1, s), cae_div_floor(r.x1 - 1 + p, s) + 1};
}

cae_region cae_conv_needs(const cae_layer *l, size_t which, cae_region out, const cae_shape *in)
{
    (void)which;
    (void)in;
    return l->type->transposed ? cae_conv_coarse(l, out) : cae_conv_fine(l, out);
}

cae_region cae_conv_needs_back(const cae_layer *l, const cae_shape *in)
{
    const cae_region whole = cae_region_whole(in);
    return l->type->transposed ? cae_conv_fine(l, whole) : cae_conv_coarse(l, whole);
}

/* ---- Parameters and their packing ------------------------------------------------------------ */

/* PyTorch's layouts: [out][in][kh][kw], and [in][out][kh][kw] when transposed. */
bool cae_conv_parameters(const cae_layer *l, const cae_shape *in, cae_parameter p[2])
{
    const size_t first = l->type->transposed ? in->c : l->size.c;
    const size_t second = l->type->transposed ? l->size.c : in->c;
    p[0] = (cae_parameter){
        .name = "weight", .rank = 4, .shape = {first, second, l->kernel, l->kernel}};
    p[1] = (cae_parameter){.name = "bias", .rank = 1, .shape = {l->size.c, 1, 1, 1}};
    /* PyTorch's rule for both: the second dimension times the taps. */
    if (!cae_size_mul4(second, l->kernel, l->kernel, 1, &p[0].fan_in)) {
        return false;
    }
    p[1].fan_in = p[0].fan_in;
    return true;
}

cae_packing cae_conv_packing(const cae_layer *l, const cae_shape *in, bool backward)
{
    const size_t taps = l->kernel * l->kernel;
    /* How far apart the channels of the layer's input and output stand in the weight. */
    const size_t x_step = l->type->transposed ? l->size.c * taps : taps;
    const size_t y_step = l->type->transposed ? taps : in->c * taps;
    return (cae_packing){.out = backward ? in->c : l->size.c,
                         .in = backward ? l->size.c : in->c,
                         .kernel = l->kernel,
                         .stride = l->stride,
                         .taps = taps,
                         .o_step = backward ? x_step : y_step,
                         .i_step = backward ? y_step : x_step,
                         .falling = l->type->transposed != backward};
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

/* A panel's part of a tap: [in][width] packed, and where its first element stands in either. */
struct part {
    size_t width, packed, weight;
};

static struct part part_of(const cae_packing *p, size_t panel, size_t tap)
{
    const size_t first = panel * cae_packing_panel(p);
    const size_t width = cae_packing_width(p, panel);
    const size_t at = cae_packing_tap(p, tap / p->kernel, tap % p->kernel);
    return (struct part){width, (first * p->taps + at * width) * p->in, first * p->o_step + tap};
}

static void pack(const cae_packing *p, const float *weight, float *packed)
{
    for (size_t i = 0; i < cae_packing_panels(p) * p->taps; i++) {
        const struct part part = part_of(p, i / p->taps, i % p->taps);
        float *to = packed + part.packed;
        for (size_t in = 0; in < p->in; in++) {
            for (size_t o = 0; o < part.width; o++) {
                *to++ = weight[part.weight + in * p->i_step + o * p->o_step];
            }
        }
    }
}

void cae_conv_pack(const cae_layer *l, const cae_shape *in, const float *weight, float *packed)
{
    const cae_packing p = cae_conv_packing(l, in, false);
    pack(&p, weight, packed);
}

void cae_conv_pack_back(const cae_layer *l, const cae_shape *in, const float *weight, float *packed)
{
    const cae_packing p = cae_conv_packing(l, in, true);
    if (l->pooled != 0) {
        cae_conv_pool_pack(l, in, weight, packed);
    } else {
        pack(&p, weight, packed);
    }
}

cae_gradient_steps cae_conv_gradient_steps(const cae_layer *l, const cae_shape *in)
{
    const size_t k = l->kernel;
    const size_t out = l->size.c;
    if (out < CAE_FEW) {
        return (cae_gradient_steps){.o = k * k * in->c, .ky = k * in->c, .kx = in->c, .i = 1};
    }
    return l->type->transposed
               ? (cae_gradient_steps){.ky = in->c * k * out, .i = k * out, .kx = out, .o = 1}
               : (cae_gradient_steps){.ky = k * in->c * out, .kx = in->c * out, .i = out, .o = 1};
}

static void unpack(const cae_layer *l, const cae_shape *in, const float *sums, float *weight)
{
    const cae_packing p = cae_conv_packing(l, in, false);
    const cae_gradient_steps s = cae_conv_gradient_steps(l, in);
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

void cae_conv_unpack(const cae_layer *l, const cae_shape *in, const float *packed, float *weight)
{
    if (l->pooled != 0) {
        cae_conv_pool_unpack(l, in, packed, weight);
    } else {
        unpack(l, in, packed, weight);
    }
}

/* ---- Passes ---------------------------------------------------------------------------------- */

size_t cae_conv_scratch(const cae_layer *l, const cae_pass *pass, bool training)
{
    const size_t forward = l->pooled != 0 ? cae_conv_pool_scratch(l, pass, false)
                                          : cae_conv_gemm_scratch(l, pass, false);
    if (!training) {
        return forward;
    }
    const size_t weights = cae_conv_wgrad_scratch(l, pass);
    const size_t back = l->pooled != 0 ? cae_conv_pool_scratch(l, pass, true)
                                       : cae_conv_gemm_scratch(l, pass, true);
    return cae_size_max(forward, cae_size_max(weights, back));
}

void cae_conv_forward(const cae_pass *p)
{
    if (p->layer->pooled != 0) {
        cae_conv_pool_forward(p);
    } else {
        cae_conv_gemm(p, false);
    }
}

void cae_conv_backward(const cae_pass *p)
{
    if (p->layer->pooled != 0) {
        cae_conv_pool_backward(p);
        return;
    }
    if (p->weight_grad != NULL) {
        cae_conv_wgrad(p);
    }
    if (p->dx_wanted[0]) {
        cae_conv_gemm(p, true);
    }
}
