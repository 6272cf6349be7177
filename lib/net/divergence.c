/*
 * Which loss block counts which pixel of the code, and the sums; see divergence.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "net/divergence.h"

#include "layers/sample.h"
#include "net/loss.h"

/* ---- Owners ---------------------------------------------------------------------------------- */

/* R of a side of the padded image. 64 bits hold all products here: sides are below 2^25. */
static uint64_t owner_side(const cae_net *net, size_t side)
{
    return side - (net->whole ? 0 : net->unit - 1);
}

/* The image's row or column that owns row or column `at` of `len`. */
static size_t owner_of(const cae_net *net, ptrdiff_t at, size_t len, size_t side)
{
    return (size_t)((uint64_t)at * owner_side(net, side) / len);
}

/* The first that is owned by y or one behind it. */
static ptrdiff_t first_owned(const cae_net *net, ptrdiff_t y, size_t len, size_t side)
{
    const uint64_t rows = owner_side(net, side);
    const uint64_t first = ((uint64_t)y * len + rows - 1) / rows;
    return (ptrdiff_t)(first < len ? first : len);
}

cae_region cae_divergence_codes(const cae_plan *plan, cae_region wanted)
{
    const cae_net *net = plan->net;
    const cae_shape *code = &plan->shapes[net->code];
    const cae_shape *image = &plan->shapes[0];
    return (cae_region){first_owned(net, wanted.y0, code->h, image->h),
                        first_owned(net, wanted.y1, code->h, image->h),
                        first_owned(net, wanted.x0, code->w, image->w),
                        first_owned(net, wanted.x1, code->w, image->w)};
}

/* ---- Sums ------------------------------------------------------------------------------------ */

static double divergence_at(const float *pixel, size_t channels)
{
    double sum = 0;
    for (size_t c = 0; c < channels; c++) {
        const double mean = (double)pixel[c];
        const float log_variance = pixel[channels + c];
        sum += mean * mean + cae_variance(log_variance) - (double)log_variance - 1;
    }
    return 0.5 * sum;
}

void cae_divergence_of(const cae_plan *plan, void *base, size_t n, size_t across,
                       double *loss_blocks)
{
    const cae_net *net = plan->net;
    const cae_view v = cae_plan_view(plan, cae_net_means(net), base);
    const cae_shape *code = &plan->shapes[net->code];
    const cae_shape *image = &plan->shapes[0];
    const cae_region *r = &plan->codes;
    for (ptrdiff_t y = r->y0; y < r->y1; y++) {
        const size_t row = owner_of(net, y, code->h, image->h) / CAE_LOSS_BLOCK;
        for (ptrdiff_t x = r->x0; x < r->x1; x++) {
            const size_t column = owner_of(net, x, code->w, image->w) / CAE_LOSS_BLOCK;
            loss_blocks[row * across + column] += divergence_at(cae_view_at(&v, n, y, x), code->c);
        }
    }
}
