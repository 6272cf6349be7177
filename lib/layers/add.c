/*
 * add NAME: the element-wise sum of the current tensor and a marked one, current + marked.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "base/status.h"
#include "layers/op.h"

static int shape(const cae_op *op, const cae_shape in[2], cae_shape *out)
{
    if (in[0].c != in[1].c || in[0].h != in[1].h || in[0].w != in[1].w) {
        return cae_op_error(
            op, cae_fail(CAE_E_SHAPE,
                         "cannot add %zu x %zu x %zu (channels, height, width) to %zu x %zu x %zu",
                         in[1].c, in[1].h, in[1].w, in[0].c, in[0].h, in[0].w));
    }
    *out = in[0];
    return CAE_OK;
}

static void forward(const cae_pass *p)
{
    cae_view_copy(&p->y, 0, &p->x[0], 0, p->y.c, p->images);
    cae_view_add(p->kernels, &p->y, &p->x[1], p->images);
}

static void backward(const cae_pass *p)
{
    for (size_t i = 0; i < 2; i++) {
        if (p->dx_wanted[i] && p->dx_begun[i]) {
            cae_view_add(p->kernels, &p->dx[i], &p->dy, p->images);
        } else if (p->dx_wanted[i]) {
            cae_view_copy(&p->dx[i], 0, &p->dy, 0, p->dy.c, p->images);
        }
    }
}

const cae_op_type cae_op_add = {
    .word = "add",
    .takes = CAE_TAKES_NAME | CAE_TAKES_ACTIVATION,
    .shape = shape,
    .needs = cae_op_needs_same,
    .forward = forward,
    .backward = backward,
};
