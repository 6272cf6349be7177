/*
 * Gathers as gemms. With many channels to write, a row of the product is a pixel and a column a
 * channel. With few, that would leave vectors empty: rows are channels then and columns pixels, and
 * the rows of the map that is read are turned into planes, a ring of them at a time. Either way an
 * element is the same sum. See gather.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "layers/gather.h"

#include <string.h>

/* Floats of the map read for one product with many channels: what stays in the second level of
 * cache while all panels of channels run over it. No bits depend on it. */
enum { MAP_BLOCK = 65536 };

/* What the jobs of a gather share. */
struct gather {
    const cae_pass *pass;
    const cae_view *from, *to;
    const float *packed;
    cae_packing packing;
    bool to_coarse;
    cae_gemm_start start; /* with many channels; with few, a bias goes by rows */
    const float *bias;
    cae_activation activation;
};

/* Tables of segments: where the map read begins, which tap it is, where the weights begin. */
struct segments {
    ptrdiff_t *map, *tap, *weight;
    size_t len;
};

/* The ring of planes, for few channels: `rows` rows of the map read, each as [phase][channel][cols],
 * pixel x of the row being number x / phases of phase x % phases. */
struct ring {
    size_t rows, phases, cols;
    size_t floats; /* of all of it */
};

static struct ring ring_of(const cae_layer *l, const cae_packing *p, size_t out_width,
                           bool to_coarse)
{
    struct ring r = {.rows = to_coarse ? l->kernel : cae_div_up(l->kernel, l->stride),
                     .phases = to_coarse ? l->stride : 1};
    /* Columns of the map read that `out_width` adjacent ones see, all phases alike. */
    r.cols = to_coarse ? out_width + cae_div_up(l->kernel, l->stride)
                       : (out_width + l->kernel) / l->stride + 2;
    /* An odd number of cache lines, or the planes of one row would meet in a few sets. */
    r.cols = cae_div_up(r.cols, CAE_PANEL) * CAE_PANEL;
    r.cols += r.cols / CAE_PANEL % 2 == 0 ? CAE_PANEL : 0;
    if (!cae_size_mul4(r.rows, r.phases, r.cols, p->in, &r.floats)) {
        r.floats = SIZE_MAX;
    }
    return r;
}

static bool writes_coarse(const cae_layer *l, bool backward)
{
    return l->type->transposed == backward;
}

/* Bytes of one worker's tables. */
static size_t tables_size(const cae_packing *p)
{
    const size_t bytes = p->taps * 3 * sizeof(ptrdiff_t);
    return cae_div_up(bytes, CAE_ALIGN) * CAE_ALIGN;
}

/* Bytes of one worker's planes, and of the line of outputs behind them. */
static size_t planes_size(const cae_layer *l, const cae_packing *p, size_t out_width,
                          bool to_coarse)
{
    const struct ring r = ring_of(l, p, out_width, to_coarse);
    size_t line = 0;
    size_t floats = 0;
    size_t bytes = 0;
    return cae_size_mul(p->out, out_width, &line) && cae_size_add(line, CAE_PANEL, &line) &&
                   cae_size_add(r.floats, line, &floats) &&
                   cae_size_mul(cae_div_up(floats, CAE_PANEL), CAE_ALIGN, &bytes)
               ? bytes
               : SIZE_MAX;
}

size_t cae_gather_scratch(const cae_layer *l, const cae_pass *pass, bool backward)
{
    const cae_packing p = cae_taps_packing(l, &pass->in[0], backward);
    const size_t width = backward ? pass->in[0].w : cae_region_width(&pass->y.region);
    const size_t planes =
        p.out < CAE_FEW ? planes_size(l, &p, width, writes_coarse(l, backward)) : 0;
    size_t bytes = 0;
    return cae_size_add(planes, tables_size(&p), &bytes) &&
                   cae_size_mul(bytes, cae_team_size(pass->team), &bytes)
               ? bytes
               : SIZE_MAX;
}

static struct segments table_of(const struct gather *g, size_t worker)
{
    char *tables = (char *)g->pass->scratch + worker * tables_size(&g->packing);
    const size_t len = g->packing.taps;
    ptrdiff_t *table = (ptrdiff_t *)(void *)tables;
    return (struct segments){table, table + len, table + 2 * len, 0};
}

/* ---- Many channels --------------------------------------------------------------------------- */

/* Pixels of the output that share one table of segments. */
struct pixels {
    const float *from; /* what the first segment of the first pixel reads */
    float *to;
    ptrdiff_t from_row, to_row;
    ptrdiff_t from_pixel, to_pixel;
    size_t height, width;
    size_t merged; /* taps that lie in one segment */
};

static void gather_pixels(const struct gather *g, const struct segments *s, const struct pixels *r)
{
    const cae_packing *p = &g->packing;
    const size_t in = p->in;
    const size_t line = cae_size_max(1, (size_t)(r->from_row < 0 ? -r->from_row : r->from_row));
    const size_t block = cae_size_max(1, MAP_BLOCK / line);
    cae_gemm m = {.k = in * r->merged,
                  .segments = s->len,
                  .line = r->width,
                  .a_segment = s->map,
                  .a_line = r->from_row,
                  .a_row = r->from_pixel,
                  .a_k = 1,
                  .b_segment = s->weight,
                  .b_panel = CAE_PANEL,
                  .b_over = true,
                  .c_line = r->to_row,
                  .c_row = r->to_pixel,
                  .start = g->start,
                  .relu = g->activation == CAE_RELU};
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

/* Taps of a kernel's row meet adjacent pixels: a row is one segment. */
static void to_coarse_image(const struct gather *g, size_t image, struct segments s)
{
    const cae_layer *l = g->pass->layer;
    const ptrdiff_t stride = (ptrdiff_t)l->stride;
    const ptrdiff_t pad = (ptrdiff_t)l->pad;
    const cae_region *out = &g->to->region;
    for (size_t ky = 0; ky < l->kernel; ky++) {
        s.map[ky] = (ptrdiff_t)ky * g->from->row;
        s.tap[ky] = (ptrdiff_t)(ky * l->kernel);
    }
    s.len = l->kernel;
    const struct pixels pixels = {
        .from = cae_view_at(g->from, image, out->y0 * stride - pad, out->x0 * stride - pad),
        .to = cae_view_at(g->to, image, out->y0, out->x0),
        .from_row = stride * g->from->row,
        .to_row = g->to->row,
        .from_pixel = stride * (ptrdiff_t)g->from->c,
        .to_pixel = (ptrdiff_t)g->to->c,
        .height = cae_region_height(out),
        .width = cae_region_width(out),
        .merged = l->kernel};
    gather_pixels(g, &s, &pixels);
}

/* How many taps of a kernel's row or column fine pixels of a phase see: kx = phase, phase + stride,
 * ... */
static size_t phase_taps(const cae_layer *l, size_t phase)
{
    return phase < l->kernel ? (l->kernel - 1 - phase) / l->stride + 1 : 0;
}

/* Fine pixels fall into stride x stride phases by (y + pad) mod stride: pixels of one phase see the
 * same taps of adjacent coarse pixels. A row of these is one segment, from the last tap down. This
 * is the phase of the fine pixel (y, x), its first in the region. */
static void fine_phase(const struct gather *g, size_t image, struct segments s, ptrdiff_t y,
                       ptrdiff_t x)
{
    const cae_layer *l = g->pass->layer;
    const ptrdiff_t stride = (ptrdiff_t)l->stride;
    const ptrdiff_t pad = (ptrdiff_t)l->pad;
    const cae_region *out = &g->to->region;
    const size_t y_phase = (size_t)(y + pad) % l->stride;
    const size_t x_phase = (size_t)(x + pad) % l->stride;
    const size_t across = phase_taps(l, x_phase);
    for (size_t i = phase_taps(l, y_phase); across > 0 && i-- > 0;) {
        s.map[s.len] = -(ptrdiff_t)i * g->from->row - (ptrdiff_t)((across - 1) * g->from->c);
        s.tap[s.len++] = (ptrdiff_t)cae_packing_tap(&g->packing, y_phase + i * l->stride,
                                                    x_phase + (across - 1) * l->stride);
    }
    /* From the coarse pixel that meets the phase's first tap. */
    const struct pixels pixels = {
        .from = cae_view_at(g->from, image, (y + pad) / stride, (x + pad) / stride),
        .to = cae_view_at(g->to, image, y, x),
        .from_row = g->from->row,
        .to_row = stride * g->to->row,
        .from_pixel = (ptrdiff_t)g->from->c,
        .to_pixel = stride * (ptrdiff_t)g->to->c,
        .height = cae_div_up((size_t)(out->y1 - y), l->stride),
        .width = cae_div_up((size_t)(out->x1 - x), l->stride),
        .merged = across};
    gather_pixels(g, &s, &pixels);
}

static void to_fine_image(const struct gather *g, size_t image, const struct segments *s)
{
    const ptrdiff_t stride = (ptrdiff_t)g->pass->layer->stride;
    const cae_region *out = &g->to->region;
    for (ptrdiff_t y = out->y0; y < out->y1 && y < out->y0 + stride; y++) {
        for (ptrdiff_t x = out->x0; x < out->x1 && x < out->x0 + stride; x++) {
            fine_phase(g, image, *s, y, x);
        }
    }
}

/* The activations that a product does not have in its store. */
static void activate_image(const struct gather *g, size_t image)
{
    const cae_region *r = &g->to->region;
    if (g->activation == CAE_NONE || g->activation == CAE_RELU) {
        return;
    }
    for (ptrdiff_t y = r->y0; y < r->y1; y++) {
        g->pass->kernels->activate(g->activation, cae_view_at(g->to, image, y, r->x0),
                                   cae_region_width(r) * g->to->c);
    }
}

/* ---- Few channels ---------------------------------------------------------------------------- */

/* One image's run over the rows of its output. */
struct planes {
    const struct gather *g;
    size_t image;
    struct segments segments;
    struct ring ring;
    float *data;
    float *line;      /* [channel][pixel] */
    size_t line_step; /* from one channel to the next */
    ptrdiff_t x0;     /* column of the map read that planes begin with */
    ptrdiff_t next;   /* row of the map read that is not in the ring yet */
};

static float *ring_row(const struct planes *p, ptrdiff_t y)
{
    /* Rows may be negative: margins. */
    const ptrdiff_t rows = (ptrdiff_t)p->ring.rows;
    const size_t slot = (size_t)((y % rows + rows) % rows);
    return p->data + slot * p->ring.phases * p->ring.cols * p->g->packing.in;
}

/* Turns row y of the map read into planes; `width` pixels of it. */
static void load_row(const struct planes *p, ptrdiff_t y, size_t width)
{
    const cae_view *from = p->g->from;
    const size_t phases = p->ring.phases;
    const size_t plane = p->ring.cols * from->c;
    for (size_t phase = 0; phase < phases && phase < width; phase++) {
        p->g->pass->kernels->transpose(ring_row(p, y) + phase * plane, (ptrdiff_t)p->ring.cols,
                                       cae_view_at(from, p->image, y, p->x0) + phase * from->c,
                                       (ptrdiff_t)(phases * from->c),
                                       cae_div_up(width - phase, phases), from->c);
    }
}

/* Rows y0 .. y1 - 1 of the map read are in the ring afterwards. */
static void load_rows(struct planes *p, ptrdiff_t y0, ptrdiff_t y1, size_t width)
{
    p->next = p->next > y0 ? p->next : y0;
    for (; p->next < y1; p->next++) {
        load_row(p, p->next, width);
    }
}

/* Writes row y of the output, every `step`th pixel from x on: the sums over the table's segments. */
static void write_pixels(const struct planes *p, ptrdiff_t y, ptrdiff_t x, size_t step)
{
    const struct gather *g = p->g;
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
                        .segments = p->segments.len,
                        .a = g->packed,
                        .a_segment = p->segments.weight,
                        .a_row = (ptrdiff_t)(packing->taps * packing->in),
                        .a_k = 1,
                        .b = p->data,
                        .b_segment = p->segments.map,
                        .b_k = (ptrdiff_t)p->ring.cols,
                        .b_panel = CAE_PANEL,
                        .b_over = true,
                        .c = line,
                        .c_row = (ptrdiff_t)p->line_step,
                        .start = g->bias != NULL ? CAE_START_ROW_BIAS : g->start,
                        .bias = g->bias};
    for (size_t o = 0; !direct && g->start == CAE_START_C && o < packing->out; o++) {
        for (size_t i = 0; i < width; i++) {
            line[o * p->line_step + i] = to[i * to_step + o];
        }
    }
    g->pass->kernels->gemm(&m);
    for (size_t o = 0; o < packing->out; o++) {
        float *values = line + o * p->line_step;
        g->pass->kernels->activate(g->activation, values, width);
        for (size_t i = 0; !direct && i < width; i++) {
            to[i * to_step + o] = values[i];
        }
    }
}

/* Adds the segment that begins at float `from` of the ring and meets tap number `tap`. */
static void add_segment(struct planes *p, ptrdiff_t from, size_t tap)
{
    struct segments *s = &p->segments;
    s->map[s->len] = from;
    s->weight[s->len++] = s->tap[tap];
}

/* Where each tap's weights begin. */
static void set_taps(struct planes *p)
{
    const cae_packing *packing = &p->g->packing;
    for (size_t tap = 0; tap < packing->taps; tap++) {
        const size_t at = cae_packing_tap(packing, tap / packing->kernel, tap % packing->kernel);
        p->segments.tap[tap] = (ptrdiff_t)(at * packing->in);
    }
}

static void few_to_coarse(struct planes *p)
{
    const cae_layer *l = p->g->pass->layer;
    const cae_region *out = &p->g->to->region;
    const cae_region need = cae_taps_fine(l, *out);
    const ptrdiff_t stride = (ptrdiff_t)l->stride;
    const size_t plane = p->ring.cols * p->g->packing.in;
    p->x0 = need.x0;
    p->next = need.y0;
    for (ptrdiff_t y = out->y0; y < out->y1; y++) {
        const ptrdiff_t first = y * stride - (ptrdiff_t)l->pad;
        load_rows(p, first, first + (ptrdiff_t)l->kernel, cae_region_width(&need));
        p->segments.len = 0;
        for (size_t ky = 0; ky < l->kernel; ky++) {
            const ptrdiff_t row = ring_row(p, first + (ptrdiff_t)ky) - p->data;
            for (size_t kx = 0; kx < l->kernel; kx++) {
                const size_t column = kx % l->stride * plane + kx / l->stride;
                add_segment(p, row + (ptrdiff_t)column, ky * l->kernel + kx);
            }
        }
        write_pixels(p, y, out->x0, 1);
    }
}

/* The segments of a phase whose first pixel's first tap meets row `y` and column `x` of the planes,
 * from the last taps down. */
static void few_phase(struct planes *p, ptrdiff_t y, size_t y_phase, ptrdiff_t x, size_t x_phase)
{
    const cae_layer *l = p->g->pass->layer;
    p->segments.len = 0;
    for (size_t i = phase_taps(l, y_phase); i-- > 0;) {
        const ptrdiff_t row = ring_row(p, y - (ptrdiff_t)i) - p->data;
        for (size_t j = phase_taps(l, x_phase); j-- > 0;) {
            add_segment(p, row + x - (ptrdiff_t)j,
                        (y_phase + i * l->stride) * l->kernel + x_phase + j * l->stride);
        }
    }
}

static void few_to_fine(struct planes *p)
{
    const cae_layer *l = p->g->pass->layer;
    const cae_region *out = &p->g->to->region;
    const cae_region need = cae_taps_coarse(l, *out);
    const ptrdiff_t stride = (ptrdiff_t)l->stride;
    const ptrdiff_t pad = (ptrdiff_t)l->pad;
    p->x0 = need.x0;
    p->next = need.y0;
    for (ptrdiff_t y = out->y0; y < out->y1; y++) {
        const cae_region row = cae_taps_coarse(l, (cae_region){y, y + 1, out->x0, out->x1});
        load_rows(p, row.y0, row.y1, cae_region_width(&need));
        for (ptrdiff_t x = out->x0; x < out->x1 && x < out->x0 + stride; x++) {
            few_phase(p, (y + pad) / stride, (size_t)(y + pad) % l->stride,
                      (x + pad) / stride - p->x0, (size_t)(x + pad) % l->stride);
            write_pixels(p, y, x, l->stride);
        }
    }
}

static void few_image(const struct gather *g, size_t image, size_t worker)
{
    const cae_layer *l = g->pass->layer;
    const size_t width = cae_region_width(&g->to->region);
    const size_t tables = cae_team_size(g->pass->team) * tables_size(&g->packing);
    char *scratch = (char *)g->pass->scratch + tables +
                    worker * planes_size(l, &g->packing, width, g->to_coarse);
    struct planes p = {.g = g,
                       .image = image,
                       .segments = table_of(g, worker),
                       .ring = ring_of(l, &g->packing, width, g->to_coarse),
                       .data = (float *)(void *)scratch,
                       .line_step = width};
    p.line = p.data + p.ring.floats;
    set_taps(&p);
    if (g->to_coarse) {
        few_to_coarse(&p);
    } else {
        few_to_fine(&p);
    }
}

/* ---- Both ------------------------------------------------------------------------------------ */

static void gather_job(void *arg, size_t image, size_t worker)
{
    const struct gather *g = arg;
    const struct segments s = table_of(g, worker);
    const cae_region *r = &g->to->region;
    if (r->y0 >= r->y1 || r->x0 >= r->x1) {
        return;
    }
    if (g->packing.out < CAE_FEW) {
        few_image(g, image, worker);
    } else if (g->to_coarse) {
        to_coarse_image(g, image, s);
        activate_image(g, image);
    } else {
        to_fine_image(g, image, &s);
        activate_image(g, image);
    }
}

void cae_gather(const cae_pass *p, bool backward)
{
    struct gather g = {.pass = p,
                       .from = backward ? &p->dy : &p->x[0],
                       .to = backward ? &p->dx[0] : &p->y,
                       .packed = backward ? p->weight_back : p->weight,
                       .packing = cae_taps_packing(p->layer, &p->in[0], backward),
                       .to_coarse = writes_coarse(p->layer, backward)};
    if (backward) {
        g.start = p->dx_begun[0] ? CAE_START_C : CAE_START_ZERO;
    } else {
        g.start = CAE_START_COLUMN_BIAS;
        g.bias = p->bias;
        g.activation = p->layer->activation;
    }
    cae_team_run(p->team, p->images, gather_job, &g);
}
