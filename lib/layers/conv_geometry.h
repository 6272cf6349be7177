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
 * conv_wgrad.c; conv_pool.c is a convolution fused with the max pool behind it.
 * docs/architecture.md draws the two maps.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LAYERS_CONV_GEOMETRY_H
#define CAE_LAYERS_CONV_GEOMETRY_H

#include "layers/op.h"

/* Members of the rows of the table. Which of the maps is the input, `type->transposed` says. */
int cae_conv_shape(const cae_op *op, const cae_shape in[2], cae_shape *out);
int cae_tconv_shape(const cae_op *op, const cae_shape in[2], cae_shape *out);
cae_region cae_conv_needs(const cae_op *op, size_t which, cae_region out, const cae_shape *in);
cae_region cae_conv_needs_back(const cae_op *op, const cae_shape *in);

/* Fine pixels that coarse pixels `r` are tied to, and the reverse. */
cae_region cae_conv_fine(const cae_op *op, cae_region r);
cae_region cae_conv_coarse(const cae_op *op, cae_region r);

/* Fine pixels fall into stride x stride phases by (y + pad) mod stride, x likewise: pixels of one
 * phase see the same taps. The number of taps in a row or column of the kernel that a phase sees:
 * phase, phase + stride, ... */
static inline size_t cae_phase_taps(const cae_op *op, size_t phase)
{
    return phase < op->kernel ? (op->kernel - 1 - phase) / op->stride + 1 : 0;
}

#endif
