/*
 * Which pixels of the two maps of a convolution belong together, and the shapes that follow.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "layers/conv_geometry.h"

#include "base/status.h"

/* ---- Shapes ---------------------------------------------------------------------------------- */

int cae_conv_shape(const cae_op *op, const cae_shape in[2], cae_shape *out)
{
    const size_t h = in[0].h + 2 * op->pad;
    const size_t w = in[0].w + 2 * op->pad;
    if (h < op->kernel || w < op->kernel) {
        return cae_op_error(
            op, cae_fail(CAE_E_SHAPE, "a kernel of %zu is larger than the padded input, %zu x %zu",
                         op->kernel, h, w));
    }
    *out = (cae_shape){op->size.c, (h - op->kernel) / op->stride + 1,
                       (w - op->kernel) / op->stride + 1};
    return CAE_OK;
}

static int tconv_side(const cae_op *op, size_t in, size_t *out)
{
    /* Sides are below 2^24 and strides below 2^16, so this fits. */
    const uint64_t full = (uint64_t)(in - 1) * op->stride + op->kernel;
    if (full <= 2 * (uint64_t)op->pad) {
        return cae_op_error(
            op, cae_fail(CAE_E_SHAPE, "padding %zu leaves nothing of the output", op->pad));
    }
    const uint64_t left = full - 2 * (uint64_t)op->pad;
    if (left > CAE_MAX_SIDE) {
        return cae_op_error(op, cae_fail(CAE_E_LIMIT,
                                         "the output would be %llu pixels wide or high, over 2^24",
                                         (unsigned long long)left));
    }
    *out = (size_t)left;
    return CAE_OK;
}

int cae_tconv_shape(const cae_op *op, const cae_shape in[2], cae_shape *out)
{
    out->c = op->size.c;
    CAE_TRY(tconv_side(op, in[0].h, &out->h));
    return tconv_side(op, in[0].w, &out->w);
}

/* ---- Regions --------------------------------------------------------------------------------- */

cae_region cae_conv_fine(const cae_op *op, cae_region r)
{
    const ptrdiff_t s = (ptrdiff_t)op->stride;
    const ptrdiff_t p = (ptrdiff_t)op->pad;
    const ptrdiff_t k = (ptrdiff_t)op->kernel;
    return (cae_region){r.y0 * s - p, (r.y1 - 1) * s - p + k, r.x0 * s - p, (r.x1 - 1) * s - p + k};
}

cae_region cae_conv_coarse(const cae_op *op, cae_region r)
{
    /* y_fine = y * s - p + ky with 0 <= ky < k, solved for y. */
    const ptrdiff_t s = (ptrdiff_t)op->stride;
    const ptrdiff_t p = (ptrdiff_t)op->pad;
    const ptrdiff_t k = (ptrdiff_t)op->kernel;
    return (cae_region){cae_div_ceil(r.y0 + p - k + 1, s), cae_div_floor(r.y1 - 1 + p, s) + 1,
                        cae_div_ceil(r.x0 + p - k + 1, s), cae_div_floor(r.x1 - 1 + p, s) + 1};
}

cae_region cae_conv_needs(const cae_op *op, size_t which, cae_region out, const cae_shape *in)
{
    (void)which;
    (void)in;
    return op->type->transposed ? cae_conv_coarse(op, out) : cae_conv_fine(op, out);
}

cae_region cae_conv_needs_back(const cae_op *op, const cae_shape *in)
{
    const cae_region whole = cae_region_whole(in);
    return op->type->transposed ? cae_conv_fine(op, whole) : cae_conv_coarse(op, whole);
}
