/*
 * Convolution: y(o) at (y, x) = bias(o) + the sum over taps (ky, kx) and input channels i of
 * x(i) at (y * stride - pad + ky, x * stride - pad + kx) * weight[o][i][ky][kx]. Everything
 * but the shape it shares with the transposed convolution: see conv_geometry.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "base/status.h"
#include "layers/conv_geometry.h"
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

const cae_layer_type cae_layer_conv = {
    .word = "conv",
    .takes = CAE_TAKES_CHANNELS | CAE_TAKES_KERNEL | CAE_TAKES_STRIDE_PAD | CAE_TAKES_ACTIVATION,
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
