/*
 * concat NAME: the channels of a marked tensor behind those of the current one.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "base/status.h"
#include "layers/op.h"

static int shape(const cae_op *op, const cae_shape in[2], cae_shape *out)
{
    if (in[0].h != in[1].h || in[0].w != in[1].w) {
        return cae_op_error(op, cae_fail(CAE_E_SHAPE, "cannot join %zu x %zu pixels to %zu x %zu",
                                         in[1].h, in[1].w, in[0].h, in[0].w));
    }
    *out = (cae_shape){in[0].c + in[1].c, in[0].h, in[0].w};
    return CAE_OK;
}

static void forward(const cae_pass *p)
{
    cae_view_copy(&p->y, 0, &p->x[0], 0, p->x[0].c, p->images);
    cae_view_copy(&p->y, p->x[0].c, &p->x[1], 0, p->x[1].c, p->images);
}

/* dx += channels of dy from `first` on. Rows of dx are short parts of rows of dy. */
static void add_channels(const cae_pass *p, const cae_view *dx, size_t first)
{
    for (size_t n = 0; n < p->images; n++) {
        for (ptrdiff_t y = dx->region.y0; y < dx->region.y1; y++) {
            for (ptrdiff_t x = dx->region.x0; x < dx->region.x1; x++) {
                p->kernels->add(cae_view_at(dx, n, y, x), cae_view_at(&p->dy, n, y, x) + first,
                                dx->c);
            }
        }
    }
}

static void backward(const cae_pass *p)
{
    const size_t first[2] = {0, p->in[0].c};
    for (size_t i = 0; i < 2; i++) {
        if (p->dx_wanted[i] && p->dx_begun[i]) {
            add_channels(p, &p->dx[i], first[i]);
        } else if (p->dx_wanted[i]) {
            cae_view_copy(&p->dx[i], 0, &p->dy, first[i], p->dx[i].c, p->images);
        }
    }
}

const cae_op_type cae_op_concat = {
    .word = "concat",
    .takes = CAE_TAKES_NAME | CAE_TAKES_ACTIVATION,
    .shape = shape,
    .needs = cae_op_needs_same,
    .forward = forward,
    .backward = backward,
};
