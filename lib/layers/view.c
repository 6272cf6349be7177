/*
 * The arithmetic of regions and views that operators share, and their errors.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <string.h>

#include "base/status.h"
#include "layers/op.h"

int cae_op_error(const cae_op *op, int status)
{
    return cae_fail(status, "line %zu: %s", op->line, cae_message());
}

int cae_op_caps(const cae_op *op, const cae_shape *out)
{
    if (out->c <= CAE_MAX_CHANNELS && out->h <= CAE_MAX_SIDE && out->w <= CAE_MAX_SIDE) {
        return CAE_OK;
    }
    return cae_fail(CAE_E_LIMIT,
                    "line %zu: an output of %zu x %zu x %zu (channels, height, width) is over the "
                    "caps of 65536, 2^24 and 2^24",
                    op->line, out->c, out->h, out->w);
}

cae_region cae_op_needs_same(const cae_op *op, size_t which, cae_region out, const cae_shape *in)
{
    (void)op;
    (void)which;
    (void)in;
    return out;
}

ptrdiff_t cae_div_floor(ptrdiff_t a, ptrdiff_t b)
{
    return a / b - (a % b < 0);
}

ptrdiff_t cae_div_ceil(ptrdiff_t a, ptrdiff_t b)
{
    return a / b + (a % b > 0);
}

static ptrdiff_t clamp(ptrdiff_t v, size_t limit)
{
    return v < 0 ? 0 : v > (ptrdiff_t)limit ? (ptrdiff_t)limit : v;
}

cae_region cae_region_clip(cae_region r, const cae_shape *s)
{
    return (cae_region){clamp(r.y0, s->h), clamp(r.y1, s->h), clamp(r.x0, s->w), clamp(r.x1, s->w)};
}

static ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

static ptrdiff_t larger(ptrdiff_t a, ptrdiff_t b)
{
    return a > b ? a : b;
}

cae_region cae_region_join(cae_region a, cae_region b)
{
    return (cae_region){smaller(a.y0, b.y0), larger(a.y1, b.y1), smaller(a.x0, b.x0),
                        larger(a.x1, b.x1)};
}

/* Floats in a row of the region. */
static size_t row_len(const cae_view *v)
{
    return cae_region_width(&v->region) * v->c;
}

void cae_view_zero(const cae_view *v, size_t images)
{
    for (size_t n = 0; n < images; n++) {
        for (ptrdiff_t y = v->region.y0; y < v->region.y1; y++) {
            memset(cae_view_at(v, n, y, v->region.x0), 0, row_len(v) * sizeof(float));
        }
    }
}

void cae_view_copy(const cae_view *to, size_t to_c, const cae_view *from, size_t from_c,
                   size_t channels, size_t images)
{
    const cae_region *r = &to->region;
    for (size_t n = 0; n < images; n++) {
        for (ptrdiff_t y = r->y0; y < r->y1; y++) {
            float *t = cae_view_at(to, n, y, r->x0) + to_c;
            const float *f = cae_view_at(from, n, y, r->x0) + from_c;
            for (ptrdiff_t x = r->x0; x < r->x1; x++, t += to->c, f += from->c) {
                memcpy(t, f, channels * sizeof(float));
            }
        }
    }
}

void cae_view_add(const cae_kernels *k, const cae_view *to, const cae_view *from, size_t images)
{
    const cae_region *r = &to->region;
    for (size_t n = 0; n < images; n++) {
        for (ptrdiff_t y = r->y0; y < r->y1; y++) {
            k->add(cae_view_at(to, n, y, r->x0), cae_view_at(from, n, y, r->x0), row_len(to));
        }
    }
}

void cae_view_activate(const cae_kernels *k, cae_activation a, const cae_view *v, size_t image)
{
    const cae_region *r = &v->region;
    for (ptrdiff_t y = r->y0; y < r->y1; y++) {
        k->activate(a, cae_view_at(v, image, y, r->x0), row_len(v));
    }
}
