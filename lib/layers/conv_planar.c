/*
 * The rows of the map that is read are turned into planes, in a line buffer of as many rows as one
 * row of output meets.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "layers/conv_planar.h"

#include "base/memory.h"
#include "layers/conv_geometry.h"

/* The line buffer: `rows` rows of the map read, each as [phase][channel][cols],
 * pixel x of the row being number x / phases of phase x % phases. */
struct line_buffer {
    size_t rows, phases, cols;
    size_t floats; /* of all of it */
};

static struct line_buffer line_buffer_of(const cae_op *op, const cae_packing *p, size_t out_width,
                                         bool to_coarse)
{
    struct line_buffer r = {.rows = to_coarse ? op->kernel : cae_div_up(op->kernel, op->stride),
                            .phases = to_coarse ? op->stride : 1};
    /* Columns of the map read that `out_width` adjacent ones see, all phases alike. */
    r.cols = to_coarse ? out_width + cae_div_up(op->kernel, op->stride)
                       : (out_width + op->kernel) / op->stride + 2;
    /* An odd number of cache lines, or the planes of one row would meet in a few sets. */
    r.cols = cae_div_up(r.cols, CAE_PANEL) * CAE_PANEL;
    r.cols += r.cols / CAE_PANEL % 2 == 0 ? CAE_PANEL : 0;
    r.floats = cae_size_mul4(r.rows, r.phases, r.cols, p->in);
    return r;
}

size_t cae_conv_planar_size(const cae_op *op, const cae_packing *p, size_t out_width,
                            bool to_coarse)
{
    const struct line_buffer r = line_buffer_of(op, p, out_width, to_coarse);
    const size_t line = cae_size_add(cae_size_mul(p->out, out_width), CAE_PANEL);
    const size_t floats = cae_size_add(r.floats, line);
    return cae_size_align(cae_size_mul(floats, sizeof(float)), CAE_ALIGN);
}

/* One image's run over the rows of its output. */
struct planar {
    const cae_conv_gemm_job *g;
    size_t image;
    cae_batch_entries entries;
    struct line_buffer buffer;
    float *data;
    float *line;      /* [channel][pixel] */
    size_t line_step; /* from one channel to the next */
    ptrdiff_t x0;     /* column of the map read that planes begin with */
    ptrdiff_t next;   /* row of the map read that is not in the buffer yet */
};

static float *buffer_row(const struct planar *p, ptrdiff_t y)
{
    /* Rows may be negative: the halo. */
    const ptrdiff_t rows = (ptrdiff_t)p->buffer.rows;
    const size_t slot = (size_t)((y % rows + rows) % rows);
    return p->data + slot * p->buffer.phases * p->buffer.cols * p->g->packing.in;
}

/* Turns row y of the map read into planes; `width` pixels of it. */
static void load_row(const struct planar *p, ptrdiff_t y, size_t width)
{
    const cae_view *from = p->g->from;
    const size_t phases = p->buffer.phases;
    const size_t plane = p->buffer.cols * from->c;
    for (size_t phase = 0; phase < phases && phase < width; phase++) {
        p->g->pass->kernels->transpose(buffer_row(p, y) + phase * plane, (ptrdiff_t)p->buffer.cols,
                                       cae_view_at(from, p->image, y, p->x0) + phase * from->c,
                                       (ptrdiff_t)(phases * from->c),
                                       cae_div_up(width - phase, phases), from->c);
    }
}

/* Rows y0 .. y1 - 1 of the map read are in the buffer afterwards. */
static void load_rows(struct planar *p, ptrdiff_t y0, ptrdiff_t y1, size_t width)
{
    p->next = p->next > y0 ? p->next : y0;
    for (; p->next < y1; p->next++) {
        load_row(p, p->next, width);
    }
}

/* Writes row y of the output, every `step`th pixel from x on: sums over the table's entries. */
static void write_pixels(const struct planar *p, ptrdiff_t y, ptrdiff_t x, size_t step)
{
    const cae_conv_gemm_job *g = p->g;
    const cae_packing *packing = &g->packing;
    const size_t width = cae_div_up((size_t)(g->to->region.x1 - x), step);
    float *to = cae_view_at(g->to, p->image, y, x);
    const size_t to_step = step * packing->out;
    /* Pixels that are adjacent floats need no line of their own. */
    const bool direct = to_step == 1;
    float *const line = direct ? to : p->line;
    const cae_gemm m = {.m = packing->out,
                        .n = width,
                        .k = packing->in,
                        .entries = p->entries.len,
                        .a = g->packed,
                        .a_entry = p->entries.weight,
                        .a_row = (ptrdiff_t)(packing->taps * packing->in),
                        .a_k = 1,
                        .b = p->data,
                        .b_entry = p->entries.map,
                        .b_k = (ptrdiff_t)p->buffer.cols,
                        .b_panel = CAE_PANEL,
                        .b_over = true,
                        .c = line,
                        .c_row = (ptrdiff_t)p->line_step,
                        .start = g->bias != NULL ? CAE_START_ROW_BIAS : g->start,
                        .bias = g->bias};
    if (!direct && g->start == CAE_START_C) {
        for (size_t o = 0; o < packing->out; o++) {
            for (size_t i = 0; i < width; i++) {
                line[o * p->line_step + i] = to[i * to_step + o];
            }
        }
    }
    g->pass->kernels->gemm(&m);
    for (size_t o = 0; o < packing->out; o++) {
        float *values = line + o * p->line_step;
        g->pass->kernels->activate(g->activation, values, width);
        if (direct) {
            continue;
        }
        for (size_t i = 0; i < width; i++) {
            to[i * to_step + o] = values[i];
        }
    }
}

/* Adds the batch entry that begins at float `from` of the buffer and meets tap number `tap`. */
static void add_entry(struct planar *p, ptrdiff_t from, size_t tap)
{
    cae_batch_entries *s = &p->entries;
    s->map[s->len] = from;
    s->weight[s->len++] = s->tap[tap];
}

static void to_coarse(struct planar *p)
{
    const cae_op *op = p->g->pass->op;
    const cae_region *out = &p->g->to->region;
    const cae_region need = cae_conv_fine(op, *out);
    const ptrdiff_t stride = (ptrdiff_t)op->stride;
    const size_t plane = p->buffer.cols * p->g->packing.in;
    p->x0 = need.x0;
    p->next = need.y0;
    for (ptrdiff_t y = out->y0; y < out->y1; y++) {
        const ptrdiff_t first = y * stride - (ptrdiff_t)op->pad;
        load_rows(p, first, first + (ptrdiff_t)op->kernel, cae_region_width(&need));
        p->entries.len = 0;
        for (size_t ky = 0; ky < op->kernel; ky++) {
            const ptrdiff_t row = buffer_row(p, first + (ptrdiff_t)ky) - p->data;
            for (size_t kx = 0; kx < op->kernel; kx++) {
                const size_t column = kx % op->stride * plane + kx / op->stride;
                add_entry(p, row + (ptrdiff_t)column, ky * op->kernel + kx);
            }
        }
        write_pixels(p, y, out->x0, 1);
    }
}

/* The batch entries of a phase whose first pixel's first tap meets row `y` and column `x` of the
 * planes, from the last taps down. */
static void find_entries(struct planar *p, ptrdiff_t y, size_t y_phase, ptrdiff_t x, size_t x_phase)
{
    const cae_op *op = p->g->pass->op;
    p->entries.len = 0;
    for (size_t i = cae_phase_taps(op, y_phase); i-- > 0;) {
        const ptrdiff_t row = buffer_row(p, y - (ptrdiff_t)i) - p->data;
        for (size_t j = cae_phase_taps(op, x_phase); j-- > 0;) {
            add_entry(p, row + x - (ptrdiff_t)j,
                      (y_phase + i * op->stride) * op->kernel + x_phase + j * op->stride);
        }
    }
}

static void to_fine(struct planar *p)
{
    const cae_op *op = p->g->pass->op;
    const cae_region *out = &p->g->to->region;
    const cae_region need = cae_conv_coarse(op, *out);
    const ptrdiff_t stride = (ptrdiff_t)op->stride;
    const ptrdiff_t pad = (ptrdiff_t)op->pad;
    p->x0 = need.x0;
    p->next = need.y0;
    for (ptrdiff_t y = out->y0; y < out->y1; y++) {
        const cae_region row = cae_conv_coarse(op, (cae_region){y, y + 1, out->x0, out->x1});
        load_rows(p, row.y0, row.y1, cae_region_width(&need));
        for (ptrdiff_t x = out->x0; x < out->x1 && x < out->x0 + stride; x++) {
            find_entries(p, (y + pad) / stride, (size_t)(y + pad) % op->stride,
                         (x + pad) / stride - p->x0, (size_t)(x + pad) % op->stride);
            write_pixels(p, y, x, op->stride);
        }
    }
}

void cae_conv_planar_image(const cae_conv_gemm_job *g, size_t image, cae_batch_entries entries,
                           void *scratch)
{
    const size_t width = cae_region_width(&g->to->region);
    struct planar p = {.g = g,
                       .image = image,
                       .entries = entries,
                       .buffer = line_buffer_of(g->pass->op, &g->packing, width, g->to_coarse),
                       .data = scratch,
                       .line_step = width};
    p.line = p.data + p.buffer.floats;
    for (size_t tap = 0; tap < g->packing.taps; tap++) { /* where each tap's weights begin */
        const size_t kernel = g->packing.kernel;
        const size_t number = cae_packing_tap(&g->packing, tap / kernel, tap % kernel);
        entries.tap[tap] = (ptrdiff_t)(number * g->packing.in);
    }
    if (g->to_coarse) {
        to_coarse(&p);
    } else {
        to_fine(&p);
    }
}
