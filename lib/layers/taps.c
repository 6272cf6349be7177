/*
 * The passes of convolution and transposed convolution as gemms over segments; see taps.h. Work is
 * spread over the team by images, and by taps for the gradient of the weights: whoever computes an
 * element sums it whole, in order.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "layers/taps.h"

#include "base/size.h"
#include "layers/picks.h"

/* Rows of both maps that the weights' gradient works on at a time, in floats: what stays in the
 * first level of cache while all taps run over it. */
enum { ROW_BLOCK = 6144 };

/* Fine pixels that coarse pixels `r` are tied to, and the reverse. */
static cae_region fine_of(const cae_layer *l, cae_region r)
{
    const ptrdiff_t s = (ptrdiff_t)l->stride;
    const ptrdiff_t p = (ptrdiff_t)l->pad;
    const ptrdiff_t k = (ptrdiff_t)l->kernel;
    return (cae_region){r.y0 * s - p, (r.y1 - 1) * s - p + k, r.x0 * s - p, (r.x1 - 1) * s - p + k};
}

static cae_region coarse_of(const cae_layer *l, cae_region r)
{
    /* y_fine = y * s - p + ky with 0 <= ky < k, solved for y. */
    const ptrdiff_t s = (ptrdiff_t)l->stride;
    const ptrdiff_t p = (ptrdiff_t)l->pad;
    const ptrdiff_t k = (ptrdiff_t)l->kernel;
    return (cae_region){cae_div_ceil(r.y0 + p - k + 1, s), cae_div_floor(r.y1 - 1 + p, s) + 1,
                        cae_div_ceil(r.x0 + p - k + 1, s), cae_div_floor(r.x1 - 1 + p, s) + 1};
}

cae_region cae_taps_needs(const cae_layer *l, size_t which, cae_region out, const cae_shape *in)
{
    (void)which;
    (void)in;
    return l->type->transposed ? coarse_of(l, out) : fine_of(l, out);
}

cae_region cae_taps_needs_back(const cae_layer *l, const cae_shape *in)
{
    const cae_region whole = cae_region_whole(in);
    return l->type->transposed ? fine_of(l, whole) : coarse_of(l, whole);
}

/* ---- Parameters and their packing ------------------------------------------------------------ */

/* PyTorch's layouts: [out][in][kh][kw], and [in][out][kh][kw] when transposed. */
bool cae_taps_parameters(const cae_layer *l, const cae_shape *in, cae_parameter p[2])
{
    const size_t first = l->type->transposed ? in->c : l->size.c;
    const size_t second = l->type->transposed ? l->size.c : in->c;
    p[0] = (cae_parameter){
        .name = "weight", .rank = 4, .shape = {first, second, l->kernel, l->kernel}};
    p[1] = (cae_parameter){.name = "bias", .rank = 1, .shape = {l->size.c, 1, 1, 1}};
    /* PyTorch's rule for both: the second dimension times the taps. */
    if (!cae_size_mul4(second, l->kernel, l->kernel, 1, &p[0].fan_in)) {
        return false;
    }
    p[1].fan_in = p[0].fan_in;
    return true;
}

static size_t panel_width(size_t channels, size_t panel)
{
    return cae_size_min(CAE_PANEL, channels - panel * CAE_PANEL);
}

static size_t panels_of(size_t channels)
{
    return cae_div_up(channels, CAE_PANEL);
}

/* What a gather writes and reads, and where element (o, i, tap) of its weight stands:
 * weight[o * o_step + i * i_step + tap]. */
struct packing {
    size_t out, in, taps, o_step, i_step;
};

/* Forward from the input's channels to the layer's, or backward from the layer's to the input's. */
static struct packing packing_of(const cae_layer *l, const cae_shape *in, bool backward)
{
    const size_t taps = l->kernel * l->kernel;
    /* The channels of the layer's input and output, and how far apart each stands in the weight. */
    const size_t x_step = l->type->transposed ? l->size.c * taps : taps;
    const size_t y_step = l->type->transposed ? taps : in->c * taps;
    return backward ? (struct packing){in->c, l->size.c, taps, x_step, y_step}
                    : (struct packing){l->size.c, in->c, taps, y_step, x_step};
}

static void pack(const struct packing *p, const float *weight, float *packed)
{
    for (size_t panel = 0; panel < panels_of(p->out); panel++) {
        const size_t width = panel_width(p->out, panel);
        for (size_t tap = 0; tap < p->taps; tap++) {
            for (size_t i = 0; i < p->in; i++) {
                const float *from = weight + panel * CAE_PANEL * p->o_step + i * p->i_step + tap;
                for (size_t o = 0; o < width; o++) {
                    *packed++ = from[o * p->o_step];
                }
            }
        }
    }
}

void cae_taps_pack(const cae_layer *l, const cae_shape *in, const float *weight, float *packed)
{
    const struct packing p = packing_of(l, in, false);
    pack(&p, weight, packed);
}

void cae_taps_pack_back(const cae_layer *l, const cae_shape *in, const float *weight, float *packed)
{
    const struct packing p = packing_of(l, in, true);
    if (l->picked != 0) {
        cae_picks_pack(l, in, weight, packed);
    } else {
        pack(&p, weight, packed);
    }
}

void cae_taps_unpack(const cae_layer *l, const cae_shape *in, const float *packed, float *weight)
{
    const struct packing p = packing_of(l, in, false);
    if (l->picked != 0) {
        cae_picks_unpack(l, in, packed, weight);
        return;
    }
    for (size_t panel = 0; panel < panels_of(p.out); panel++) {
        const size_t width = panel_width(p.out, panel);
        for (size_t tap = 0; tap < p.taps; tap++) {
            for (size_t i = 0; i < p.in; i++) {
                float *to = weight + panel * CAE_PANEL * p.o_step + i * p.i_step + tap;
                for (size_t o = 0; o < width; o++) {
                    to[o * p.o_step] = *packed++;
                }
            }
        }
    }
}

/* ---- Gathers --------------------------------------------------------------------------------- */

/* A worker's table of segments: where A starts, which tap it is, where B starts. */
struct segments {
    ptrdiff_t *a, *tap, *b;
    size_t len;
};

/* The weights' gradient has rows of the coarse map for segments, at most ROW_BLOCK of them. */
static size_t table_len(const cae_layer *l, bool training)
{
    const size_t taps = l->kernel * l->kernel;
    return training ? cae_size_max(taps, ROW_BLOCK) : taps;
}

size_t cae_taps_scratch(const cae_layer *l, const cae_pass *pass, bool training)
{
    size_t bytes = 0;
    if (!cae_size_mul4(table_len(l, training), 3, sizeof(ptrdiff_t), cae_team_size(pass->team),
                       &bytes)) {
        return SIZE_MAX;
    }
    return training && l->picked != 0 ? cae_size_max(bytes, cae_picks_scratch(l, pass)) : bytes;
}

static struct segments table_of(const cae_pass *p, size_t worker)
{
    const size_t len = table_len(p->layer, p->weight_grad != NULL);
    ptrdiff_t *table = (ptrdiff_t *)p->scratch + worker * 3 * len;
    return (struct segments){table, table + len, table + 2 * len, 0};
}

/* What the jobs of a gather share. */
struct gather {
    const cae_pass *pass;
    const cae_view *from, *to;
    const float *packed;
    cae_gemm_start start;
    const float *bias;
};

/* Rows of output that share one table of segments. */
struct rows {
    const float *from; /* what the first segment of the first pixel reads */
    float *to;
    ptrdiff_t from_row, to_row;     /* to the next row */
    ptrdiff_t from_pixel, to_pixel; /* to the next pixel */
    size_t height, width;
};

static void gather_rows(const struct gather *g, const struct segments *s, const struct rows *r)
{
    const size_t k = g->pass->layer->kernel;
    const size_t in = g->from->c;
    cae_gemm m = {.m = r->width,
                  .k = in,
                  .segments = s->len,
                  .a_segment = s->a,
                  .a_row = r->from_pixel,
                  .a_k = 1,
                  .b_segment = s->b,
                  .b_panel = CAE_PANEL,
                  .c_row = r->to_pixel,
                  .start = g->start};
    for (size_t panel = 0; panel < panels_of(g->to->c); panel++) {
        m.n = panel_width(g->to->c, panel);
        m.b = g->packed + panel * CAE_PANEL * k * k * in;
        m.b_k = (ptrdiff_t)m.n;
        m.bias = g->bias != NULL ? g->bias + panel * CAE_PANEL : NULL;
        for (size_t i = 0; i < s->len; i++) {
            s->b[i] = s->tap[i] * (ptrdiff_t)(in * m.n);
        }
        for (size_t y = 0; y < r->height; y++) {
            m.a = r->from + (ptrdiff_t)y * r->from_row;
            m.c = r->to + (ptrdiff_t)y * r->to_row + panel * CAE_PANEL;
            g->pass->kernels->gemm(&m);
        }
    }
}

static void to_coarse_job(void *arg, size_t image, size_t worker)
{
    const struct gather *g = arg;
    const cae_layer *l = g->pass->layer;
    const ptrdiff_t stride = (ptrdiff_t)l->stride;
    const ptrdiff_t pad = (ptrdiff_t)l->pad;
    const cae_region *out = &g->to->region;
    struct segments s = table_of(g->pass, worker);
    for (size_t ky = 0; ky < l->kernel; ky++) {
        for (size_t kx = 0; kx < l->kernel; kx++) {
            s.a[s.len] = (ptrdiff_t)ky * g->from->row + (ptrdiff_t)(kx * g->from->c);
            s.tap[s.len] = (ptrdiff_t)s.len;
            s.len++;
        }
    }
    const struct rows rows = {
        .from = cae_view_at(g->from, image, out->y0 * stride - pad, out->x0 * stride - pad),
        .to = cae_view_at(g->to, image, out->y0, out->x0),
        .from_row = stride * g->from->row,
        .to_row = g->to->row,
        .from_pixel = stride * (ptrdiff_t)g->from->c,
        .to_pixel = (ptrdiff_t)g->to->c,
        .height = cae_region_height(out),
        .width = cae_region_width(out)};
    gather_rows(g, &s, &rows);
}

/* Fine pixels fall into stride x stride phases by (y + pad) mod stride: pixels of one phase see the
 * same taps, ky = phase, phase + stride, ..., of adjacent coarse pixels. This is the phase of the
 * fine pixel (y, x), its first in the region. */
static void fine_phase(const struct gather *g, size_t image, struct segments s, ptrdiff_t y,
                       ptrdiff_t x)
{
    const cae_layer *l = g->pass->layer;
    const ptrdiff_t stride = (ptrdiff_t)l->stride;
    const ptrdiff_t pad = (ptrdiff_t)l->pad;
    const cae_region *out = &g->to->region;
    for (size_t ky = (size_t)(y + pad) % l->stride; ky < l->kernel; ky += l->stride) {
        for (size_t kx = (size_t)(x + pad) % l->stride; kx < l->kernel; kx += l->stride) {
            s.a[s.len] = -(ptrdiff_t)(ky / l->stride) * g->from->row -
                         (ptrdiff_t)(kx / l->stride * g->from->c);
            s.tap[s.len] = (ptrdiff_t)(ky * l->kernel + kx);
            s.len++;
        }
    }
    /* From the coarse pixel that meets the phase's first tap. */
    const struct rows rows = {
        .from = cae_view_at(g->from, image, (y + pad) / stride, (x + pad) / stride),
        .to = cae_view_at(g->to, image, y, x),
        .from_row = g->from->row,
        .to_row = stride * g->to->row,
        .from_pixel = (ptrdiff_t)g->from->c,
        .to_pixel = stride * (ptrdiff_t)g->to->c,
        .height = cae_div_up((size_t)(out->y1 - y), l->stride),
        .width = cae_div_up((size_t)(out->x1 - x), l->stride)};
    gather_rows(g, &s, &rows);
}

static void to_fine_job(void *arg, size_t image, size_t worker)
{
    const struct gather *g = arg;
    const ptrdiff_t stride = (ptrdiff_t)g->pass->layer->stride;
    const cae_region *out = &g->to->region;
    for (ptrdiff_t y = out->y0; y < out->y1 && y < out->y0 + stride; y++) {
        for (ptrdiff_t x = out->x0; x < out->x1 && x < out->x0 + stride; x++) {
            fine_phase(g, image, table_of(g->pass, worker), y, x);
        }
    }
}

/* Runs over all images; to the coarse map or to the fine one. */
static void run_gather(struct gather *g, bool to_coarse)
{
    cae_team_run(g->pass->team, g->pass->images, to_coarse ? to_coarse_job : to_fine_job, g);
}

void cae_taps_forward(const cae_pass *p)
{
    struct gather g = {p, &p->x[0], &p->y, p->weight, CAE_START_COLUMN_BIAS, p->bias};
    run_gather(&g, !p->layer->type->transposed);
}

/* ---- Gradients of the parameters ------------------------------------------------------------- */

/* weight_grad[panel][tap][i][o] += the sum over images, rows and columns of the coarse map, in that
 * order, of x(i) * dy(o), where the coarse pixel meets the fine one of that tap. */
struct weights {
    const cae_pass *pass;
    bool x_is_fine;
};

/* Adds rows [y0, y1) of the coarse map of one image to one tap. */
static void weights_tap(const struct weights *w, const struct segments *s, size_t image, size_t tap,
                        ptrdiff_t y0, ptrdiff_t y1)
{
    const cae_pass *p = w->pass;
    const cae_layer *l = p->layer;
    const ptrdiff_t stride = (ptrdiff_t)l->stride;
    const cae_view *x = &p->x[0];
    const cae_view *dy = &p->dy;
    const cae_view *coarse = w->x_is_fine ? dy : x;
    const cae_view *fine = w->x_is_fine ? x : dy;
    const ptrdiff_t fine_y = y0 * stride - (ptrdiff_t)l->pad + (ptrdiff_t)(tap / l->kernel);
    const ptrdiff_t fine_x = (ptrdiff_t)(tap % l->kernel) - (ptrdiff_t)l->pad;
    const float *at_coarse = cae_view_at(coarse, image, y0, 0);
    const float *at_fine = cae_view_at(fine, image, fine_y, fine_x);
    const ptrdiff_t x_step = (w->x_is_fine ? stride : 1);
    const ptrdiff_t dy_step = (w->x_is_fine ? 1 : stride);
    for (ptrdiff_t r = 0; r < y1 - y0; r++) {
        s->a[r] = r * x_step * x->row;
        s->b[r] = r * dy_step * dy->row;
    }
    cae_gemm m = {.m = x->c,
                  .k = cae_region_width(&coarse->region),
                  .segments = (size_t)(y1 - y0),
                  .a = w->x_is_fine ? at_fine : at_coarse,
                  .a_segment = s->a,
                  .a_row = 1,
                  .a_k = x_step * (ptrdiff_t)x->c,
                  .b_segment = s->b,
                  .b_k = dy_step * (ptrdiff_t)dy->c,
                  .b_panel = CAE_PANEL,
                  .start = CAE_START_C};
    const size_t taps = l->kernel * l->kernel;
    for (size_t panel = 0; panel < panels_of(dy->c); panel++) {
        m.n = panel_width(dy->c, panel);
        m.b = (w->x_is_fine ? at_coarse : at_fine) + panel * CAE_PANEL;
        m.c = p->weight_grad + (panel * CAE_PANEL * taps + tap * m.n) * x->c;
        m.c_row = (ptrdiff_t)m.n;
        p->kernels->gemm(&m);
    }
}

/* All rows of one image for taps [tap0, tap1), a block of rows at a time. */
static void weights_image(const struct weights *w, size_t worker, size_t image, size_t tap0,
                          size_t tap1)
{
    const cae_pass *p = w->pass;
    const cae_view *coarse = w->x_is_fine ? &p->dy : &p->x[0];
    const struct segments s = table_of(p, worker);
    const size_t row = cae_region_width(&coarse->region) * (p->x[0].c + p->dy.c) + 1;
    const ptrdiff_t block = (ptrdiff_t)cae_size_max(1, ROW_BLOCK / row);
    const ptrdiff_t height = coarse->region.y1;
    for (ptrdiff_t y = 0; y < height; y += block) {
        const ptrdiff_t end = height - y < block ? height : y + block;
        for (size_t tap = tap0; tap < tap1; tap++) {
            weights_tap(w, &s, image, tap, y, end);
        }
    }
}

static void weights_job(void *arg, size_t tap, size_t worker)
{
    const struct weights *w = arg;
    for (size_t image = 0; image < w->pass->images; image++) {
        weights_image(w, worker, image, tap, tap + 1);
    }
}

static void add_weights(const cae_pass *p)
{
    const size_t taps = p->layer->kernel * p->layer->kernel;
    struct weights w = {p, !p->layer->type->transposed};
    if (p->team != NULL) {
        cae_team_run(p->team, taps, weights_job, &w);
        return;
    }
    for (size_t image = 0; image < p->images; image++) {
        weights_image(&w, 0, image, 0, taps);
    }
}

static void add_bias(const cae_pass *p)
{
    const cae_view *dy = &p->dy;
    for (size_t image = 0; image < p->images; image++) {
        for (ptrdiff_t y = dy->region.y0; y < dy->region.y1; y++) {
            p->kernels->sum_rows(p->bias_grad, cae_view_at(dy, image, y, dy->region.x0),
                                 cae_region_width(&dy->region), dy->c, (ptrdiff_t)dy->c);
        }
    }
}

void cae_taps_backward(const cae_pass *p)
{
    if (p->layer->picked != 0) {
        cae_picks_backward(p);
        return;
    }
    if (p->weight_grad != NULL) {
        add_bias(p);
        add_weights(p);
    }
    if (p->dx_wanted[0]) {
        const cae_gemm_start start = p->dx_begun[0] ? CAE_START_C : CAE_START_ZERO;
        struct gather g = {p, &p->dy, &p->dx[0], p->weight_back, start, NULL};
        run_gather(&g, p->layer->type->transposed);
    }
}
