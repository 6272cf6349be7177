/*
 * Convolution: y(o) at (y, x) = bias(o) + the sum over taps (ky, kx) and input channels i of
 * x(i) at (y * stride - pad + ky, x * stride - pad + kx) * weight[o][i][ky][kx].
 *
 * Transposed convolution, the gradient of a convolution with respect to its input: input pixel
 * (y, x) adds x(i) * weight[i][o][ky][kx] to output pixel
 * (y * stride - pad + ky, x * stride - pad + kx). It is computed as an implicit GEMM, so that
 * each output element is one sum.
 *
 * The two are one computation with the maps exchanged (conv_geometry.h); here is which pass runs
 * what.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "layers/conv_passes.h"
#include "layers/conv_geometry.h"
#include "layers/conv_weights.h"

static size_t scratch(const cae_pass *p, bool training)
{
    const size_t forward = cae_conv_gemm_scratch(p, false);
    if (!training) {
        return forward;
    }
    return cae_size_max(forward,
                        cae_size_max(cae_conv_wgrad_scratch(p), cae_conv_gemm_scratch(p, true)));
}

static void forward(const cae_pass *p)
{
    cae_conv_gemm(p, false);
}

static void backward(const cae_pass *p)
{
    if (p->weight_grad != NULL) {
        cae_conv_wgrad(p);
    }
    if (p->dx_wanted[0]) {
        cae_conv_gemm(p, true);
    }
}

enum {
    TAKES = CAE_TAKES_CHANNELS | CAE_TAKES_KERNEL | CAE_TAKES_STRIDE_PAD | CAE_TAKES_ACTIVATION
};

const cae_op_type cae_op_conv = {
    .word = "conv",
    .takes = TAKES,
    .activates = true,
    .shape = cae_conv_shape,
    .needs = cae_conv_needs,
    .needs_back = cae_conv_needs_back,
    .parameters = cae_conv_parameters,
    .pack = cae_conv_pack,
    .pack_back = cae_conv_pack_back,
    .unpack = cae_conv_unpack,
    .scratch = scratch,
    .forward = forward,
    .backward = backward,
};

const cae_op_type cae_op_tconv = {
    .word = "tconv",
    .takes = TAKES,
    .transposed = true,
    .activates = true,
    .shape = cae_tconv_shape,
    .needs = cae_conv_needs,
    .needs_back = cae_conv_needs_back,
    .parameters = cae_conv_parameters,
    .pack = cae_conv_pack,
    .pack_back = cae_conv_pack_back,
    .unpack = cae_conv_unpack,
    .scratch = scratch,
    .forward = forward,
    .backward = backward,
};
