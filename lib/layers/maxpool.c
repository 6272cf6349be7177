/*
 * Max pooling. Padding never wins: windows see only what lies within the input, so a window at the
 * border has fewer taps. The first maximum in row-major order takes the gradient.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "base/assert.h"
#include "base/size.h"
#include "base/status.h"
#include "layers/conv_geometry.h"

static int shape(const cae_op *op, const cae_shape in[2], cae_shape *out)
{
    const size_t h = in[0].h + 2 * op->pad;
    const size_t w = in[0].w + 2 * op->pad;
    if (2 * op->pad > op->kernel) {
        return cae_op_error(op, cae_fail(CAE_E_SHAPE, "pad %zu is more than half the window of %zu",
                                         op->pad, op->kernel));
    }
    if (h < op->kernel || w < op->kernel) {
        return cae_op_error(
            op, cae_fail(CAE_E_SHAPE, "a window of %zu is larger than the padded input, %zu x %zu",
                         op->kernel, h, w));
    }
    *out =
        (cae_shape){in[0].c, (h - op->kernel) / op->stride + 1, (w - op->kernel) / op->stride + 1};
    return CAE_OK;
}

static cae_region needs(const cae_op *op, size_t which, cae_region out, const cae_shape *in)
{
    (void)which;
    return cae_region_clip(cae_conv_fine(op, out), in);
}

static size_t scratch(const cae_pass *pass, bool training)
{
    const size_t side = pass->op->kernel;
    (void)training;
    return cae_size_mul4(side, side, sizeof(ptrdiff_t) + sizeof(uint32_t), pass->workers);
}

struct job {
    const cae_pass *pass;
    const cae_view *out;
    const cae_view *in;
    bool backward;
};

/* A run of pixels of an output row whose windows are cut alike. */
static void run_pixels(const struct job *j, size_t image, size_t worker, cae_region out)
{
    const cae_pass *p = j->pass;
    const cae_op *op = p->op;
    const size_t taps = op->kernel * op->kernel;
    ptrdiff_t *tap = (ptrdiff_t *)p->scratch + worker * taps;
    uint32_t *id = (uint32_t *)((ptrdiff_t *)p->scratch + p->workers * taps) + worker * taps;
    const cae_region first = {out.y0, out.y1, out.x0, out.x0 + 1};
    const cae_region whole = cae_conv_fine(op, first);
    const cae_region seen = cae_region_clip(whole, &p->in[0]);
    cae_pool pool = {.pixels = cae_region_width(&out),
                     .channels = j->in->c,
                     .tap = tap,
                     .id = id,
                     .x_step = (ptrdiff_t)(op->stride * j->in->c)};
    for (ptrdiff_t y = seen.y0; y < seen.y1; y++) {
        for (ptrdiff_t x = seen.x0; x < seen.x1; x++) {
            tap[pool.taps] = (y - seen.y0) * j->in->row + (x - seen.x0) * (ptrdiff_t)j->in->c;
            id[pool.taps++] =
                (uint32_t)((size_t)(y - whole.y0) * op->kernel + (size_t)(x - whole.x0));
        }
    }
    const size_t pixel = (image * p->out.h + (size_t)out.y0) * p->out.w + (size_t)out.x0;
    uint32_t *argmax = p->argmax != NULL ? p->argmax + pixel * p->out.c : NULL;
    float *in_at = cae_view_at(j->in, image, seen.y0, seen.x0);
    float *out_at = cae_view_at(j->out, image, out.y0, out.x0);
    if (j->backward) {
        p->kernels->pool_back(&pool, out_at, argmax, in_at);
    } else {
        p->kernels->pool(&pool, in_at, out_at, argmax);
    }
}

/* Row by row: windows cut at the left and at the right one by one, those between in one run. */
static void pool_job(void *arg, size_t image, size_t worker)
{
    const struct job *j = arg;
    const cae_op *op = j->pass->op;
    const cae_region *r = &j->out->region;
    const ptrdiff_t s = (ptrdiff_t)op->stride;
    const ptrdiff_t k = (ptrdiff_t)op->kernel;
    const ptrdiff_t pad = (ptrdiff_t)op->pad;
    /* Output columns [left, right) see whole windows. */
    const ptrdiff_t left = cae_div_ceil(pad, s);
    const ptrdiff_t right = cae_div_floor((ptrdiff_t)j->pass->in[0].w + pad - k, s) + 1;
    for (ptrdiff_t y = r->y0; y < r->y1; y++) {
        for (ptrdiff_t x = r->x0; x < r->x1;) {
            const ptrdiff_t stop = right < r->x1 ? right : r->x1;
            const ptrdiff_t end = x >= left && x < stop ? stop : x + 1;
            run_pixels(j, image, worker, (cae_region){y, y + 1, x, end});
            x = end;
        }
    }
}

static void forward(const cae_pass *p)
{
    struct job j = {p, &p->y, &p->x[0], false};
    cae_team_run(p->team, p->images, pool_job, &j);
}

static void backward(const cae_pass *p)
{
    struct job j = {p, &p->dy, &p->dx[0], true};
    CAE_ASSERT(p->argmax != NULL);
    if (!p->dx_wanted[0]) {
        return;
    }
    if (!p->dx_begun[0]) {
        cae_view_zero(&p->dx[0], p->images);
    }
    cae_team_run(p->team, p->images, pool_job, &j);
}

const cae_op_type cae_op_maxpool = {
    .word = "maxpool",
    .takes = CAE_TAKES_WINDOW | CAE_TAKES_STRIDE_PAD,
    .argmax = true,
    .shape = shape,
    .needs = needs,
    .scratch = scratch,
    .forward = forward,
    .backward = backward,
};
