/*
 * Transposed convolution, the gradient of a convolution with respect to its input: input pixel (y,
 * x) adds x(i) * weight[i][o][ky][kx] to output pixel (y * stride - pad + ky, x * stride - pad +
 * kx). Computed as an implicit GEMM, so that each output element is one sum: see conv_geometry.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "base/status.h"
#include "layers/conv_geometry.h"
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

const cae_layer_type cae_layer_tconv = {
    .word = "tconv",
    .takes = CAE_TAKES_CHANNELS | CAE_TAKES_KERNEL | CAE_TAKES_STRIDE_PAD | CAE_TAKES_ACTIVATION,
    .transposed = true,
    .activates = true,
    .shape = shape,
    .needs = cae_conv_needs,
    .needs_back = cae_conv_needs_back,
    .parameters = cae_conv_parameters,
    .pack = cae_conv_pack,
    .pack_back = cae_conv_pack_back,
    .unpack = cae_conv_unpack,
    .scratch = cae_conv_scratch,
    .forward = cae_conv_forward,
    .backward = cae_conv_backward,
};
