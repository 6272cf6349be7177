/*
 * Transposed convolution, the gradient of a convolution with respect to its input: input pixel
 * (y, x) adds x(i) * weight[i][o][ky][kx] to output pixel (y * stride - pad + ky, x * stride -
 * pad + kx). Computed by gathering, so that each output element is one sum: see taps.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "base/status.h"
#include "layers/taps.h"
#include "layers/types.h"

static int side(const cae_layer *l, size_t in, size_t *out)
{
    /* Sides are below 2^24 and strides below 2^16, so this fits. */
    const uint64_t full = (uint64_t)(in - 1) * l->stride + l->kernel;
    if (full <= 2 * (uint64_t)l->pad) {
        return cae_fail(CAE_E_SHAPE, "padding %zu leaves nothing of the output", l->pad);
    }
    const uint64_t left = full - 2 * (uint64_t)l->pad;
    if (left > CAE_MAX_SIDE) {
        return cae_fail(CAE_E_LIMIT, "the output would be %llu pixels wide or high, over 2^24",
                        (unsigned long long)left);
    }
    *out = (size_t)left;
    return CAE_OK;
}

static int shape(const cae_layer *l, const cae_shape in[2], cae_shape *out)
{
    out->c = l->size.c;
    CAE_TRY(side(l, in[0].h, &out->h));
    return side(l, in[0].w, &out->w);
}

static cae_region needs(const cae_layer *l, size_t which, cae_region out, const cae_shape *in)
{
    (void)which;
    (void)in;
    return cae_taps_coarse(l, out);
}

static cae_region needs_back(const cae_layer *l, const cae_shape *in)
{
    return cae_taps_fine(l, cae_region_whole(in));
}

static bool parameters(const cae_layer *l, const cae_shape *in, cae_parameter p[2])
{
    return cae_taps_parameters(l, in, true, p);
}

static cae_packing forward_packing(const cae_layer *l, const cae_shape *in)
{
    const size_t taps = l->kernel * l->kernel;
    return (cae_packing){l->size.c, in->c, taps, taps, l->size.c * taps};
}

static void pack(const cae_layer *l, const cae_shape *in, const float *weight, float *packed)
{
    const cae_packing p = forward_packing(l, in);
    cae_taps_pack(&p, weight, packed);
}

static void unpack(const cae_layer *l, const cae_shape *in, const float *packed, float *weight)
{
    const cae_packing p = forward_packing(l, in);
    cae_taps_unpack(&p, packed, weight);
}

static void pack_back(const cae_layer *l, const cae_shape *in, const float *weight, float *packed)
{
    const size_t taps = l->kernel * l->kernel;
    const cae_packing p = {in->c, l->size.c, taps, l->size.c * taps, taps};
    cae_taps_pack(&p, weight, packed);
}

static void forward(const cae_pass *p)
{
    cae_taps_to_fine(p, &p->x[0], &p->y, p->weight, CAE_START_COLUMN_BIAS, p->bias);
}

static void backward(const cae_pass *p)
{
    cae_taps_bias(p);
    cae_taps_weights(p, false);
    if (p->dx_wanted[0]) {
        cae_taps_to_coarse(p, &p->dy, &p->dx[0], p->weight_back,
                           p->dx_begun[0] ? CAE_START_C : CAE_START_ZERO, NULL);
    }
}

const cae_layer_type cae_layer_tconv = {
    .word = "tconv",
    .takes = CAE_TAKES_CHANNELS | CAE_TAKES_KERNEL | CAE_TAKES_STRIDE_PAD | CAE_TAKES_ACTIVATION,
    .shape = shape,
    .needs = needs,
    .needs_back = needs_back,
    .parameters = parameters,
    .pack = pack,
    .pack_back = pack_back,
    .unpack = unpack,
    .scratch = cae_taps_scratch,
    .forward = forward,
    .backward = backward,
};
