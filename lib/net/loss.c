/*
 * Sums by loss blocks: of squares, and of the code's term.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "net/loss.h"

#include "base/floats.h"
#include "base/size.h"
#include "base/status.h"

size_t cae_loss_blocks(size_t h, size_t w)
{
    return cae_div_up(h, CAE_LOSS_BLOCK) * cae_div_up(w, CAE_LOSS_BLOCK);
}

/* Continues a sum over a row of one channel: `len` pixels of y, of the target and, unless it is
 * NULL, of dy. With a noise level the error is that of the image which y stands for. */
static double add_row(double sum, const float *y, const float *target, float *dy, size_t step,
                      size_t len, float scale, const float *sigma)
{
    for (size_t x = 0; x < len; x++) {
        const float value = y[x * step];
        const float d = (sigma != NULL ? cae_net_restored(value, *sigma) : value) - target[x];
        sum += (double)d * (double)d;
        if (dy != NULL) {
            dy[x * step] = d * scale;
        }
    }
    return sum;
}

void cae_loss_of(const cae_view *y, size_t n, const cae_planar *target, size_t first,
                 const float *sigma, double *loss_blocks, const cae_view *dy, float scale)
{
    const float *level = sigma != NULL ? sigma + first + n : NULL;
    const cae_shape own = {y->c, target->h, target->w};
    const cae_region r = cae_region_clip(y->region, &own);
    const size_t across = cae_div_up(target->w, CAE_LOSS_BLOCK);
    if (dy != NULL && (r.y1 < dy->region.y1 || r.x1 < dy->region.x1)) {
        const cae_view one = {cae_view_at(dy, n, dy->region.y0, dy->region.x0), dy->region, dy->c,
                              dy->row, dy->image};
        cae_view_zero(&one, 1);
    }
    for (ptrdiff_t y0 = r.y0; y0 < r.y1; y0 += CAE_LOSS_BLOCK) {
        for (ptrdiff_t x0 = r.x0; x0 < r.x1; x0 += CAE_LOSS_BLOCK) {
            const ptrdiff_t y1 = r.y1 - y0 < CAE_LOSS_BLOCK ? r.y1 : y0 + CAE_LOSS_BLOCK;
            const ptrdiff_t x1 = r.x1 - x0 < CAE_LOSS_BLOCK ? r.x1 : x0 + CAE_LOSS_BLOCK;
            double sum = 0;
            for (size_t c = 0; c < y->c; c++) {
                const float *plane =
                    target->data + ((first + n) * y->c + c) * target->h * target->w;
                for (ptrdiff_t row = y0; row < y1; row++) {
                    sum = add_row(sum, cae_view_at(y, n, row, x0) + c,
                                  plane + (size_t)row * target->w + (size_t)x0,
                                  dy != NULL ? cae_view_at(dy, n, row, x0) + c : NULL, y->c,
                                  (size_t)(x1 - x0), scale, level);
                }
            }
            loss_blocks[(size_t)(y0 / CAE_LOSS_BLOCK) * across + (size_t)(x0 / CAE_LOSS_BLOCK)] =
                level != NULL ? sum / (double)*level : sum;
        }
    }
}

void cae_loss_add_term(const cae_plan *plan, void *base, size_t n, size_t across,
                       double *loss_blocks)
{
    const cae_net *net = plan->net;
    const cae_latent_grid grid = cae_net_grid(net, plan->shapes);
    const cae_view encoded = cae_plan_view(plan, cae_net_encoded(net), base);
    const cae_view code = cae_plan_view(plan, net->code, base);
    const cae_latent_sums to = {loss_blocks, CAE_LOSS_BLOCK, across};
    cae_latent_add(net->latent, &grid, &encoded, &code, n, plan->counted, &to);
}

double cae_loss_sum(const double *loss_blocks, size_t len)
{
    double sum = 0;
    for (size_t i = 0; i < len; i++) {
        sum += loss_blocks[i];
    }
    return sum;
}

int cae_loss_mean(double sum, size_t count, const cae_planar *image, float *mean)
{
    *mean = (float)(sum / ((double)count * (double)image->c * (double)image->h * (double)image->w));
    return cae_all_finite(mean, 1, NULL) ? CAE_OK
                                         : cae_fail(CAE_E_NONFINITE, "the loss overflowed");
}
