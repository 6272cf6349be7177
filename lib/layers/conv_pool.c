/*
 * A convolution and the max pool behind it; see conv_pool.h. Work is spread over the team by
 * images, and by rows of the kernel for the weights' gradient.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "layers/conv_pool.h"

#include <string.h>

#include "base/memory.h"
#include "base/size.h"
#include "layers/conv_gemm.h"
#include "layers/types.h"

/* How much the weights' pass walks over at a time, while all channels run over it: floats of the
 * input, which should stay in the first level of cache, and terms. No bits depend on it. */
enum { BLOCK_FLOATS = 5120, BLOCK_TERMS = 4096 };

/* How many floats of the convolution's output forward makes at a time, if one row of windows is not
 * more: they should stay in the second level of cache. */
enum { STRIP_FLOATS = 16384 };

bool cae_conv_pool_applies(const cae_layer *l, const cae_layer *pool)
{
    return l->type == &cae_layer_conv && pool->type == &cae_layer_maxpool &&
           pool->stride >= pool->kernel && pool->pad == 0;
}

/* ---- Packing --------------------------------------------------------------------------------- */

void cae_conv_pool_pack(const cae_layer *l, const cae_shape *in, const float *weight, float *packed)
{
    const size_t k = l->kernel;
    for (size_t ky = 0; ky < k; ky++) {
        for (size_t o = 0; o < l->size.c; o++) {
            for (size_t kx = 0; kx < k; kx++) {
                const float *from = weight + (o * in->c * k + ky) * k + kx;
                for (size_t i = 0; i < in->c; i++) {
                    *packed++ = from[i * k * k];
                }
            }
        }
    }
}

void cae_conv_pool_unpack(const cae_layer *l, const cae_shape *in, const float *packed,
                          float *weight)
{
    const size_t k = l->kernel;
    for (size_t ky = 0; ky < k; ky++) {
        for (size_t o = 0; o < l->size.c; o++) {
            for (size_t kx = 0; kx < k; kx++) {
                float *to = weight + (o * in->c * k + ky) * k + kx;
                for (size_t i = 0; i < in->c; i++) {
                    to[i * k * k] = *packed++;
                }
            }
        }
    }
}

/* ---- Forward --------------------------------------------------------------------------------- */

/* Rows of the pool's output that are made at a time, and the bytes of a worker's scratch: for the
 * convolution, for the pool, and for the rows between them. */
struct strips {
    size_t rows;
    size_t conv, pool, between;
    size_t bytes;
};

/* What the convolution makes for rows [y0, y1) of the pool's output. */
static cae_region between_of(const cae_pass *p, ptrdiff_t y0, ptrdiff_t y1)
{
    const ptrdiff_t step = (ptrdiff_t)p->pool->stride;
    const ptrdiff_t more = (ptrdiff_t)p->pool->kernel - step; /* at most 0 */
    const cae_region *out = &p->y.region;
    return (cae_region){y0 * step, y1 * step + more, out->x0 * step, out->x1 * step + more};
}

/* The passes of both for one image and some rows of it. */
static cae_pass conv_pass(const cae_pass *p, size_t image, const cae_view *between, void *scratch)
{
    cae_pass conv = *p;
    conv.team = NULL;
    conv.images = 1;
    conv.scratch = scratch;
    if (conv.x[0].data != NULL) {
        conv.x[0].data += (ptrdiff_t)image * conv.x[0].image;
    }
    conv.y = *between;
    return conv;
}

static cae_pass pool_pass(const cae_pass *p, size_t image, const cae_view *between, cae_region out,
                          void *scratch)
{
    const size_t step = p->pool->stride;
    const size_t side = p->pool->kernel;
    cae_pass pool = {.layer = p->pool,
                     .kernels = p->kernels,
                     .images = 1,
                     .in = {p->out},
                     .out = {p->out.c, (p->out.h - side) / step + 1, (p->out.w - side) / step + 1},
                     .x = {*between},
                     .y = p->y,
                     .scratch = scratch};
    pool.y.data = cae_view_at(&p->y, image, out.y0, out.x0);
    pool.y.region = out;
    if (p->argmax != NULL) {
        pool.argmax = p->argmax + image * pool.out.h * pool.out.w * pool.out.c;
    }
    return pool;
}

/* False when a product overflows. */
static bool find_strips(struct strips *b, const cae_pass *p)
{
    const cae_region *out = &p->y.region;
    const cae_region one = between_of(p, 0, 1);
    const cae_view nothing = {.region = one};
    const cae_pass conv = conv_pass(p, 0, &nothing, NULL);
    const cae_pass pool = pool_pass(p, 0, &nothing, one, NULL);
    size_t row = 0;
    *b = (struct strips){0};
    if (out->x1 <= out->x0 || out->y1 <= out->y0) {
        return true;
    }
    b->conv = cae_conv_gemm_scratch(p->layer, &conv, false);
    b->pool = p->pool->type->scratch(p->pool, &pool, false);
    if (!cae_size_mul4(p->pool->stride, cae_region_width(&one), p->out.c, 1, &row)) {
        return false;
    }
    b->rows = cae_size_min(cae_size_max(1, STRIP_FLOATS / row), cae_region_height(out));
    if (!cae_size_mul4(row, b->rows, sizeof(float), 1, &b->between) ||
        !cae_size_add(b->conv, CAE_ALIGN - 1, &b->conv) ||
        !cae_size_add(b->pool, CAE_ALIGN - 1, &b->pool) ||
        !cae_size_add(b->between, CAE_ALIGN - 1, &b->between)) {
        return false;
    }
    b->conv -= b->conv % CAE_ALIGN;
    b->pool -= b->pool % CAE_ALIGN;
    b->between -= b->between % CAE_ALIGN;
    return cae_size_add(b->conv, b->pool, &b->bytes) &&
           cae_size_add(b->bytes, b->between, &b->bytes);
}

static void forward_job(void *arg, size_t image, size_t worker)
{
    const cae_pass *p = arg;
    const cae_region *out = &p->y.region;
    struct strips b;
    (void)find_strips(&b, p); /* it has been planned: nothing overflows */
    char *scratch = (char *)p->scratch + worker * b.bytes;
    const ptrdiff_t rows = (ptrdiff_t)b.rows;
    for (ptrdiff_t y = out->y0; rows > 0 && y < out->y1; y += rows) {
        const ptrdiff_t y1 = out->y1 - y < rows ? out->y1 : y + rows;
        cae_view between = {.data = (float *)(void *)(scratch + b.conv + b.pool),
                            .region = between_of(p, y, y1),
                            .c = p->out.c};
        between.row = (ptrdiff_t)(cae_region_width(&between.region) * between.c);
        const cae_pass conv = conv_pass(p, image, &between, scratch);
        const cae_pass pool =
            pool_pass(p, image, &between, (cae_region){y, y1, out->x0, out->x1}, scratch + b.conv);
        cae_conv_gemm(&conv, false);
        p->pool->type->forward(&pool);
    }
}

void cae_conv_pool_forward(const cae_pass *p)
{
    cae_pass shared = *p;
    cae_team_run(p->team, p->images, forward_job, &shared);
}

/* ---- Scratch of the backward pass ------------------------------------------------------------ */

/* The windows, how many of them the weights' pass takes at a time, and the elements in each piece
 * of a worker's scratch. */
struct sizes {
    size_t rows, cols;
    size_t block_rows, block_cols;
    size_t bits, terms, row;
    size_t bytes; /* of one worker */
};

/* Whole rows of windows while they fit, or else a part of one. */
static void set_block(struct sizes *s, const cae_layer *l, const cae_pass *p)
{
    const size_t step = p->pool->stride;
    size_t floats = 0;
    if (!cae_size_mul4(step, step, l->stride, l->stride, &floats) ||
        !cae_size_mul(floats, p->in[0].c, &floats)) {
        floats = SIZE_MAX;
    }
    const size_t windows =
        cae_size_max(1, cae_size_min(BLOCK_FLOATS / floats, BLOCK_TERMS / p->out.c));
    s->block_rows = cae_size_min(cae_size_max(1, windows / s->cols), s->rows);
    s->block_cols = cae_size_min(windows, s->cols);
}

/* False when a product overflows. */
static bool find_sizes(struct sizes *s, const cae_layer *l, const cae_pass *p)
{
    const cae_layer *pool = p->pool;
    const size_t channels = p->out.c;
    size_t term_bytes = 0;
    size_t row_bytes = 0;
    s->rows = (p->out.h - pool->kernel) / pool->stride + 1;
    s->cols = (p->out.w - pool->kernel) / pool->stride + 1;
    set_block(s, l, p);
    if (!cae_size_mul4(s->rows, s->cols, pool->kernel * pool->kernel, cae_occupancy_words(channels),
                       &s->bits) ||
        !cae_size_mul4(s->block_rows, s->block_cols, channels, 1, &s->terms) ||
        !cae_size_mul(p->out.w - 1, l->stride, &s->row) ||
        !cae_size_add(s->row, l->kernel, &s->row) || !cae_size_mul(s->row, p->in[0].c, &s->row) ||
        !cae_size_mul(s->bits, sizeof(uint64_t), &s->bytes) ||
        !cae_size_mul(s->terms, sizeof(cae_sparse_term), &term_bytes) ||
        !cae_size_mul(s->row, sizeof(float), &row_bytes)) {
        return false;
    }
    const size_t lens_and_slack = channels * sizeof(size_t) + CAE_ALIGN;
    if (!cae_size_add(s->bytes, term_bytes, &s->bytes) ||
        !cae_size_add(s->bytes, row_bytes, &s->bytes) ||
        !cae_size_add(s->bytes, lens_and_slack, &s->bytes)) {
        return false;
    }
    s->bytes -= s->bytes % CAE_ALIGN;
    return true;
}

size_t cae_conv_pool_scratch(const cae_layer *l, const cae_pass *pass, bool backward)
{
    struct sizes s;
    struct strips b;
    size_t bytes = 0;
    const bool fits = backward ? find_sizes(&s, l, pass) : find_strips(&b, pass);
    return fits && cae_size_mul(backward ? s.bytes : b.bytes, cae_team_size(pass->team), &bytes)
               ? bytes
               : SIZE_MAX;
}

/* What a worker works with. */
struct work {
    const cae_pass *pass;
    struct sizes sizes;
    uint64_t *bits;
    cae_sparse_term *list;
    size_t *len_of;
    float *row;
};

static struct work work_of(const cae_pass *p, size_t worker)
{
    struct work w = {.pass = p};
    (void)find_sizes(&w.sizes, p->layer, p); /* it has been planned: nothing overflows */
    w.bits = (uint64_t *)(void *)((char *)p->scratch + worker * w.sizes.bytes);
    w.list = (cae_sparse_term *)(void *)(w.bits + w.sizes.bits);
    w.len_of = (size_t *)(void *)(w.list + w.sizes.terms);
    w.row = (float *)(void *)(w.len_of + p->out.c);
    return w;
}

/* The sparse gradient of one image; its bits are written anew. */
static cae_sparse_grad sparse_of(const struct work *w, size_t image)
{
    const cae_pass *p = w->pass;
    const size_t windows = w->sizes.rows * w->sizes.cols;
    const cae_sparse_grad sparse = {.rows = w->sizes.rows,
                                    .cols = w->sizes.cols,
                                    .channels = p->out.c,
                                    .side = p->pool->kernel,
                                    .dz = cae_view_at(&p->dy, image, 0, 0),
                                    .dz_row = p->dy.row,
                                    .argmax = p->argmax + image * windows * p->out.c,
                                    .bits = w->bits};
    if (p->dx_wanted[0] || p->layer->kernel * p->in[0].c > CAE_SPARSE_FEW) {
        p->kernels->occupancy_bits(&sparse, w->bits);
    }
    return sparse;
}

/* ---- Gradients of the parameters ------------------------------------------------------------- */

/* Windows from row y0 and column x0 on, for rows [r0, r1) of the kernel. */
static void weights_block(const struct work *w, const cae_sparse_grad *all, size_t image, size_t y0,
                          size_t x0, size_t r0, size_t r1)
{
    const cae_pass *p = w->pass;
    const cae_layer *l = p->layer;
    const cae_view *x = &p->x[0];
    const size_t ids = all->side * all->side;
    const size_t window = y0 * all->cols + x0;
    const ptrdiff_t pixel = (ptrdiff_t)(l->stride * x->c);
    const ptrdiff_t line = (ptrdiff_t)l->stride * x->row;
    const ptrdiff_t step = (ptrdiff_t)p->pool->stride;
    cae_sparse_grad part = *all;
    part.rows = cae_size_min(w->sizes.block_rows, all->rows - y0);
    part.cols = cae_size_min(w->sizes.block_cols, all->cols - x0);
    part.dz += (ptrdiff_t)y0 * all->dz_row + (ptrdiff_t)(x0 * all->channels);
    part.argmax += window * all->channels;
    part.bits += window * ids * cae_occupancy_words(all->channels);
    const size_t len = l->kernel * x->c;
    const cae_sparse_weights weights = {
        .kernel_rows = r1 - r0,
        .len = len,
        .x = cae_view_at(x, image, (ptrdiff_t)r0 - (ptrdiff_t)l->pad, -(ptrdiff_t)l->pad) +
             (ptrdiff_t)y0 * step * line + (ptrdiff_t)x0 * step * pixel,
        .x_row = x->row,
        .y_step = step * line,
        .x_step = step * pixel,
        .py_step = line,
        .px_step = pixel,
        .grad = p->weight_grad + r0 * all->channels * len,
        .list = w->list,
        .len_of = w->len_of};
    p->kernels->sparse_weights(&part, &weights);
}

static void weights_image(const struct work *w, const cae_sparse_grad *sparse, size_t image,
                          size_t r0, size_t r1)
{
    for (size_t y = 0; y < sparse->rows; y += w->sizes.block_rows) {
        for (size_t x = 0; x < sparse->cols; x += w->sizes.block_cols) {
            weights_block(w, sparse, image, y, x, r0, r1);
        }
    }
}

/* ---- The gradient of the input --------------------------------------------------------------- */

/* The part of a row of the input that a row of coarse pixels meets: `width` pixels of it from
 * column 0, which stands `halo` pixels into the row that the kernel fills. */
struct meeting {
    size_t halo, width;
};

static struct meeting meeting_of(const cae_pass *p, const struct sizes *s)
{
    const size_t pixels = s->row / p->in[0].c;
    const size_t pad = p->layer->pad;
    return (struct meeting){pad, pixels > pad ? cae_size_min(pixels - pad, p->in[0].w) : 0};
}

/* Adds what row `ky` of the kernel makes of row y of the convolution's output. */
static void data_row(const struct work *w, const cae_sparse_grad *sparse, size_t image, size_t ky,
                     ptrdiff_t y)
{
    const cae_pass *p = w->pass;
    const cae_layer *l = p->layer;
    const size_t step = p->pool->stride;
    const ptrdiff_t to_y = y * (ptrdiff_t)l->stride - (ptrdiff_t)l->pad + (ptrdiff_t)ky;
    const size_t c = p->in[0].c;
    const struct meeting m = meeting_of(p, &w->sizes);
    const cae_sparse_data d = {.y = (size_t)y / step,
                               .py = (size_t)y % step,
                               .len = l->kernel * c,
                               .weight = p->weight_back + ky * sparse->channels * l->kernel * c,
                               .x_step = (ptrdiff_t)(step * l->stride * c),
                               .px_step = (ptrdiff_t)(l->stride * c),
                               .row = w->row};
    if (to_y < 0 || to_y >= (ptrdiff_t)p->in[0].h || d.py >= sparse->side || d.y >= sparse->rows) {
        return;
    }
    /* By way of a row with room for what falls on padding. */
    float *to = cae_view_at(&p->dx[0], image, to_y, 0);
    memset(w->row, 0, w->sizes.row * sizeof(float));
    memcpy(w->row + m.halo * c, to, m.width * c * sizeof(float));
    p->kernels->sparse_data(sparse, &d);
    memcpy(to, w->row + m.halo * c, m.width * c * sizeof(float));
}

/* One row of the kernel after the other, so that its weights stay in cache for the whole image; the
 * last first, since a pixel adds over what it reads from top to bottom. */
static void data_image(const struct work *w, const cae_sparse_grad *sparse, size_t image)
{
    for (size_t ky = w->pass->layer->kernel; ky-- > 0;) {
        for (size_t y = 0; y < w->pass->out.h; y++) {
            data_row(w, sparse, image, ky, (ptrdiff_t)y);
        }
    }
}

/* ---- Both ------------------------------------------------------------------------------------ */

static void data_job(void *arg, size_t image, size_t worker)
{
    const cae_pass *p = arg;
    const struct work w = work_of(p, worker);
    const cae_sparse_grad sparse = sparse_of(&w, image);
    data_image(&w, &sparse, image);
}

static void weights_job(void *arg, size_t ky, size_t worker)
{
    const cae_pass *p = arg;
    const struct work w = work_of(p, worker);
    for (size_t image = 0; image < p->images; image++) {
        const cae_sparse_grad sparse = sparse_of(&w, image);
        weights_image(&w, &sparse, image, ky, ky + 1);
    }
}

/* Image by image, so that an image's occupancy bits are written once. */
static void backward_alone(const cae_pass *p)
{
    const struct work w = work_of(p, 0);
    for (size_t image = 0; image < p->images; image++) {
        const cae_sparse_grad sparse = sparse_of(&w, image);
        if (p->weight_grad != NULL) {
            weights_image(&w, &sparse, image, 0, p->layer->kernel);
        }
        if (p->dx_wanted[0]) {
            data_image(&w, &sparse, image);
        }
    }
}

void cae_conv_pool_backward(const cae_pass *p)
{
    cae_pass shared = *p;
    if (p->weight_grad != NULL) {
        cae_conv_bias_grad(p);
    }
    if (p->dx_wanted[0] && !p->dx_begun[0]) {
        cae_view_zero(&p->dx[0], p->images);
    }
    if (p->team == NULL) {
        backward_alone(p);
        return;
    }
    if (p->weight_grad != NULL) {
        cae_team_run(p->team, p->layer->kernel, weights_job, &shared);
    }
    if (p->dx_wanted[0]) {
        cae_team_run(p->team, p->images, data_job, &shared);
    }
}
