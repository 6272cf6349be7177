/*
 * Convolution: y(o) at (y, x) = bias(o) + the sum over taps (ky, kx) and input channels i of
 * x(i) at (y * stride - pad + ky, x * stride - pad + kx) * weight[o][i][ky][kx]. Weights are packed
 * per direction; gradients of the weights are summed in the forward packing.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "base/status.h"
#include "layers/taps.h"
#include "layers/types.h"

static int shape(const cae_layer *l, const cae_shape in[2], cae_shape *out)
{
    const size_t h = in[0].h + 2 * l->pad;
    const size_t w = in[0].w + 2 * l->pad;
    if (h < l->kernel || w < l->kernel) {
        return cae_fail(CAE_E_SHAPE, "a kernel of %zu is larger than the padded input, %zu x %zu",
                        l->kernel, h, w);
    }
    *out = (cae_shape){l->size.c, (h - l->kernel) / l->stride + 1, (w - l->kernel) / l->stride + 1};
    return CAE_OK;
}

static cae_region needs(const cae_layer *l, size_t which, cae_region out, const cae_shape *in)
{
    (void)which;
    (void)in;
    return cae_taps_fine(l, out);
}

static cae_region needs_back(const cae_layer *l, const cae_shape *in)
{
    return cae_taps_coarse(l, cae_region_whole(in));
}

static bool parameters(const cae_layer *l, const cae_shape *in, cae_parameter p[2])
{
    return cae_taps_parameters(l, in, false, p);
}

static cae_packing forward_packing(const cae_layer *l, const cae_shape *in)
{
    const size_t taps = l->kernel * l->kernel;
    return (cae_packing){l->size.c, in->c, taps, in->c * taps, taps};
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
    const cae_packing p = {in->c, l->size.c, taps, taps, in->c * taps};
    cae_taps_pack(&p, weight, packed);
}

static void forward(const cae_pass *p)
{
    cae_taps_to_coarse(p, &p->x[0], &p->y, p->weight, CAE_START_COLUMN_BIAS, p->bias);
}

static void backward(const cae_pass *p)
{
    cae_taps_bias(p);
    cae_taps_weights(p, true);
    if (p->dx_wanted[0]) {
        cae_taps_to_fine(p, &p->dy, &p->dx[0], p->weight_back,
                         p->dx_begun[0] ? CAE_START_C : CAE_START_ZERO, NULL);
    }
}

const cae_layer_type cae_layer_conv = {
    .word = "conv",
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
