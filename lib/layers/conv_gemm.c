/*
 * Implicit GEMM: a row of the product is a pixel, a column a channel. That is for many channels;
 * with few, conv_planar.c does the same sums.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "layers/conv_passes.h"

#include "base/assert.h"
#include "layers/conv_geometry.h"
#include "layers/conv_planar.h"

/* Floats of the map read for one product with many channels: what stays in the second level of
 * cache while all panels of channels run over it. No bits depend on it. */
enum { MAP_BLOCK = 65536 };

/* A convolution goes forward from the fine map to the coarse one, and backward the other way; a
 * transposed one the reverse. */
static bool writes_coarse(const cae_op *op, bool backward)
{
    return op->type->transposed == backward;
}

/* Bytes of one worker's tables. A kernel has at most 2^28 taps: nothing overflows. */
static size_t tables_size(const cae_packing *p)
{
    return cae_size_align(p->taps * 3 * sizeof(ptrdiff_t), CAE_ALIGN);
}

size_t cae_conv_gemm_scratch(const cae_pass *pass, bool backward)
{
    const cae_op *op = pass->op;
    const cae_packing p = cae_conv_packing(op, &pass->in[0], backward);
    const size_t width = backward ? pass->in[0].w : cae_region_width(&pass->y.region);
    const size_t planar =
        p.out < CAE_FEW ? cae_conv_planar_size(op, &p, width, writes_coarse(op, backward)) : 0;
    return cae_size_mul(cae_size_add(planar, tables_size(&p)), pass->workers);
}

/* ---- Pixels and channels --------------------------------------------------------------------- */

/* Pixels of the output that share one table of batch entries. */
struct pixels {
    const float *from; /* what the first entry of the first pixel reads */
    float *to;
    ptrdiff_t from_row, to_row;
    ptrdiff_t from_pixel, to_pixel;
    size_t height, width;
    size_t merged; /* taps that lie in one entry */
};

/* Whether a product applies it to what it stores. */
static bool in_store(cae_activation a)
{
    return a == CAE_RELU || a == CAE_LEAKY;
}

static void multiply_pixels(const cae_conv_gemm_job *g, const cae_batch_entries *s,
                            const struct pixels *r)
{
    const cae_packing *p = &g->packing;
    const size_t in = p->in;
    const size_t line = cae_size_max(1, (size_t)(r->from_row < 0 ? -r->from_row : r->from_row));
    const size_t block = cae_size_max(1, MAP_BLOCK / line);
    cae_gemm m = {.k = in * r->merged,
                  .entries = s->len,
                  .line = r->width,
                  .a_entry = s->map,
                  .a_line = r->from_row,
                  .a_row = r->from_pixel,
                  .a_k = 1,
                  .b_entry = s->weight,
                  .b_panel = CAE_PANEL,
                  .b_over = true,
                  .c_line = r->to_row,
                  .c_row = r->to_pixel,
                  .start = g->start,
                  .activation = in_store(g->activation) ? g->activation : CAE_NONE};
    for (size_t y = 0; y < r->height; y += block) {
        m.m = cae_size_min(block, r->height - y) * r->width;
        m.a = r->from + (ptrdiff_t)y * r->from_row;
        for (size_t panel = 0; panel < cae_packing_panels(p); panel++) {
            m.n = cae_packing_width(p, panel);
            m.b = g->packed + panel * CAE_PANEL * p->taps * in;
            m.b_k = (ptrdiff_t)m.n;
            m.bias = g->bias != NULL ? g->bias + panel * CAE_PANEL : NULL;
            m.c = r->to + (ptrdiff_t)y * r->to_row + panel * CAE_PANEL;
            for (size_t i = 0; i < s->len; i++) {
                s->weight[i] = s->tap[i] * (ptrdiff_t)(in * m.n);
            }
            g->pass->kernels->gemm(&m);
        }
    }
}

/* Taps of a kernel's row meet adjacent pixels: a row is one batch entry. */
static void to_coarse_image(const cae_conv_gemm_job *g, size_t image, cae_batch_entries s)
{
    const cae_op *op = g->pass->op;
    const ptrdiff_t stride = (ptrdiff_t)op->stride;
    const ptrdiff_t pad = (ptrdiff_t)op->pad;
    const cae_region *out = &g->to->region;
    for (size_t ky = 0; ky < op->kernel; ky++) {
        s.map[ky] = (ptrdiff_t)ky * g->from->row;
        s.tap[ky] = (ptrdiff_t)(ky * op->kernel);
    }
    s.len = op->kernel;
    const struct pixels pixels = {
        .from = cae_view_at(g->from, image, out->y0 * stride - pad, out->x0 * stride - pad),
        .to = cae_view_at(g->to, image, out->y0, out->x0),
        .from_row = stride * g->from->row,
        .to_row = g->to->row,
        .from_pixel = stride * (ptrdiff_t)g->from->c,
        .to_pixel = (ptrdiff_t)g->to->c,
        .height = cae_region_height(out),
        .width = cae_region_width(out),
        .merged = op->kernel};
    multiply_pixels(g, &s, &pixels);
}

/* Fine pixels fall into stride x stride phases by (y + pad) mod stride: pixels of one phase see the
 * same taps of adjacent coarse pixels. A row of these is one batch entry, from the last tap down.
 * This is the phase of the fine pixel (y, x), its first in the region. */
static void fine_phase(const cae_conv_gemm_job *g, size_t image, cae_batch_entries s, ptrdiff_t y,
                       ptrdiff_t x)
{
    const cae_op *op = g->pass->op;
    const ptrdiff_t stride = (ptrdiff_t)op->stride;
    const ptrdiff_t pad = (ptrdiff_t)op->pad;
    const cae_region *out = &g->to->region;
    const size_t y_phase = (size_t)(y + pad) % op->stride;
    const size_t x_phase = (size_t)(x + pad) % op->stride;
    const size_t across = cae_phase_taps(op, x_phase);
    for (size_t i = across > 0 ? cae_phase_taps(op, y_phase) : 0; i-- > 0;) {
        s.map[s.len] = -(ptrdiff_t)i * g->from->row - (ptrdiff_t)((across - 1) * g->from->c);
        s.tap[s.len++] = (ptrdiff_t)cae_packing_tap(&g->packing, y_phase + i * op->stride,
                                                    x_phase + (across - 1) * op->stride);
    }
    /* From the coarse pixel that meets the phase's first tap. */
    const struct pixels pixels = {
        .from = cae_view_at(g->from, image, (y + pad) / stride, (x + pad) / stride),
        .to = cae_view_at(g->to, image, y, x),
        .from_row = g->from->row,
        .to_row = stride * g->to->row,
        .from_pixel = (ptrdiff_t)g->from->c,
        .to_pixel = stride * (ptrdiff_t)g->to->c,
        .height = cae_div_up((size_t)(out->y1 - y), op->stride),
        .width = cae_div_up((size_t)(out->x1 - x), op->stride),
        .merged = across};
    multiply_pixels(g, &s, &pixels);
}

static void to_fine_image(const cae_conv_gemm_job *g, size_t image, const cae_batch_entries *s)
{
    const ptrdiff_t stride = (ptrdiff_t)g->pass->op->stride;
    const cae_region *out = &g->to->region;
    for (ptrdiff_t y = out->y0; y < out->y1 && y < out->y0 + stride; y++) {
        for (ptrdiff_t x = out->x0; x < out->x1 && x < out->x0 + stride; x++) {
            fine_phase(g, image, *s, y, x);
        }
    }
}

/* ---- Both ------------------------------------------------------------------------------------ */

/* Scratch: the tables of all workers, and then, for the planar path, what each of them needs. */
static void image_job(void *arg, size_t image, size_t worker)
{
    const cae_conv_gemm_job *g = arg;
    const cae_region *r = &g->to->region;
    const size_t size = tables_size(&g->packing);
    const size_t taps = g->packing.taps;
    char *scratch = g->pass->scratch;
    ptrdiff_t *table = (ptrdiff_t *)(void *)(scratch + worker * size);
    const cae_batch_entries s = {table, table + taps, table + 2 * taps, 0};
    if (r->y0 >= r->y1 || r->x0 >= r->x1) {
        return;
    }
    if (g->packing.out < CAE_FEW) {
        const size_t own =
            cae_conv_planar_size(g->pass->op, &g->packing, cae_region_width(r), g->to_coarse);
        cae_conv_planar_image(g, image, s, scratch + g->pass->workers * size + worker * own);
        return;
    }
    if (g->to_coarse) {
        to_coarse_image(g, image, s);
    } else {
        to_fine_image(g, image, &s);
    }
    if (!in_store(g->activation)) {
        cae_view_activate(g->pass->kernels, g->activation, g->to, image);
    }
}

void cae_conv_gemm(const cae_pass *p, bool backward)
{
    cae_conv_gemm_job g = {.pass = p,
                           .from = backward ? &p->dy : &p->x[0],
                           .to = backward ? &p->dx[0] : &p->y,
                           .packed = backward ? p->weight_back : p->weight,
                           .packing = cae_conv_packing(p->op, &p->in[0], backward),
                           .to_coarse = writes_coarse(p->op, backward)};
    CAE_ASSERT(g.packed != NULL && g.from->c == g.packing.in && g.to->c == g.packing.out);
    if (backward) {
        CAE_ASSERT(p->dx_wanted[0]);
        g.start = p->dx_begun[0] ? CAE_START_C : CAE_START_ZERO;
    } else {
        g.start = CAE_START_COLUMN_BIAS;
        g.bias = p->bias;
        g.activation = p->op->activation;
    }
    cae_team_run(p->team, p->images, image_job, &g);
}
