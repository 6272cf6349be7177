/*
 * A convolution fused with the max pool behind it: the pool alone reads what the convolution makes,
 * and its windows do not overlap. What is between the two never stands whole in memory. Forward
 * makes a strip of its rows at a time, which the pool reads while it is in cache. Its gradient has
 * one pixel per window and channel, so it is never spread out, and the backward passes walk this
 * sparse gradient (cae_sparse_grad in kernels.h). y, dy and argmax of a pass are the pool's.
 *
 * The weights for the way back, and their gradient, stand as [ky][out][kx][in]: a row of the kernel
 * is adjacent, as the pixels are that it meets. Work is spread over the team by images, and by rows
 * of the kernel for the weights' gradient.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "layers/conv_passes.h"

#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/size.h"
#include "base/status.h"
#include "layers/conv_geometry.h"
#include "layers/conv_weights.h"

/* How much the weights' pass walks over at a time, while all channels run over it: floats of the
 * input, which should stay in the first level of cache, and terms. No bits depend on it. */
enum { BLOCK_FLOATS = 5120, BLOCK_TERMS = 4096 };

/* How many floats of the convolution's output forward makes at a time, if one row of windows is not
 * more: they should stay in the second level of cache. */
enum { STRIP_FLOATS = 16384 };

bool cae_conv_pool_applies(const cae_op *op, const cae_op *pool)
{
    return op->type == &cae_op_conv && pool->type == &cae_op_maxpool &&
           pool->stride >= pool->kernel && pool->pad == 0;
}

static const cae_op *pool_of(const cae_op *op)
{
    return op->detail;
}

/* ---- Shapes and regions ---------------------------------------------------------------------- */

static int shape(const cae_op *op, const cae_shape in[2], cae_shape *out)
{
    cae_shape between[2] = {{0}};
    CAE_TRY(cae_conv_shape(op, in, &between[0]));
    CAE_TRY(cae_op_caps(op, &between[0]));
    return pool_of(op)->type->shape(pool_of(op), between, out);
}

/* What the convolution makes: the map that the pool reads. */
static cae_shape between_shape(const cae_pass *p)
{
    cae_shape shape = {0};
    (void)cae_conv_shape(p->op, p->in, &shape); /* the network has that shape: it cannot fail */
    return shape;
}

/* The pixels of that map that pixels `out` of the pool read. */
static cae_region windows(const cae_op *pool, cae_region out)
{
    const ptrdiff_t step = (ptrdiff_t)pool->stride;
    const ptrdiff_t more = (ptrdiff_t)pool->kernel - step; /* at most 0 */
    return (cae_region){out.y0 * step, out.y1 * step + more, out.x0 * step, out.x1 * step + more};
}

static cae_region needs(const cae_op *op, size_t which, cae_region out, const cae_shape *in)
{
    return cae_conv_needs(op, which, windows(pool_of(op), out), in);
}

/* ---- Packing --------------------------------------------------------------------------------- */

static void pack_back(const cae_op *op, const cae_shape *in, const float *weight, float *packed)
{
    const size_t k = op->kernel;
    for (size_t ky = 0; ky < k; ky++) {
        for (size_t o = 0; o < op->size.c; o++) {
            for (size_t kx = 0; kx < k; kx++) {
                const float *from = weight + (o * in->c * k + ky) * k + kx;
                for (size_t i = 0; i < in->c; i++) {
                    *packed++ = from[i * k * k];
                }
            }
        }
    }
}

static void unpack(const cae_op *op, const cae_shape *in, const float *packed, float *weight)
{
    const size_t k = op->kernel;
    for (size_t ky = 0; ky < k; ky++) {
        for (size_t o = 0; o < op->size.c; o++) {
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

/* The passes of both for one image and some rows of it. */
static cae_pass conv_pass(const cae_pass *p, size_t image, const cae_view *between, void *scratch)
{
    cae_pass conv = *p;
    conv.team = NULL;
    conv.workers = 1;
    conv.images = 1;
    conv.out = between_shape(p);
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
    cae_pass pool = {.op = pool_of(p->op),
                     .kernels = p->kernels,
                     .workers = 1,
                     .images = 1,
                     .in = {between_shape(p)},
                     .out = p->out,
                     .x = {*between},
                     .y = p->y,
                     .scratch = scratch};
    pool.y.data = cae_view_at(&p->y, image, out.y0, out.x0);
    pool.y.region = out;
    if (p->argmax != NULL) {
        pool.argmax = p->argmax + image * p->out.h * p->out.w * p->out.c;
    }
    return pool;
}

static struct strips strips_of(const cae_pass *p)
{
    const cae_op *pool = pool_of(p->op);
    const cae_region *out = &p->y.region;
    const cae_region one = {0, 1, out->x0, out->x1};
    const cae_view between = {.region = windows(pool, one)};
    struct strips s = {0};
    if (out->x1 <= out->x0 || out->y1 <= out->y0) {
        return s;
    }
    const cae_pass conv_part = conv_pass(p, 0, &between, NULL);
    const cae_pass pool_part = pool_pass(p, 0, &between, one, NULL);
    const size_t row = cae_size_mul4(pool->stride, cae_region_width(&between.region), p->out.c, 1);
    s.rows = cae_size_min(cae_size_max(1, STRIP_FLOATS / row), cae_region_height(out));
    s.conv = cae_size_align(cae_conv_gemm_scratch(&conv_part, false), CAE_ALIGN);
    s.pool = cae_size_align(pool->type->scratch(&pool_part, false), CAE_ALIGN);
    s.between = cae_size_align(cae_size_mul4(row, s.rows, sizeof(float), 1), CAE_ALIGN);
    s.bytes = cae_size_add(cae_size_add(s.conv, s.pool), s.between);
    return s;
}

static void forward_job(void *arg, size_t image, size_t worker)
{
    const cae_pass *p = arg;
    const cae_op *pool = pool_of(p->op);
    const ptrdiff_t end = p->y.region.y1;
    const struct strips s = strips_of(p);
    char *scratch = (char *)p->scratch + worker * s.bytes;
    if (s.rows == 0) {
        return;
    }
    for (ptrdiff_t y = p->y.region.y0; y < end; y += (ptrdiff_t)s.rows) {
        const ptrdiff_t left = end - y;
        const ptrdiff_t y1 = left < (ptrdiff_t)s.rows ? end : y + (ptrdiff_t)s.rows;
        const cae_region out = {y, y1, p->y.region.x0, p->y.region.x1};
        cae_view between = {.data = (float *)(void *)(scratch + s.conv + s.pool),
                            .region = windows(pool, out),
                            .c = p->out.c};
        between.row = (ptrdiff_t)(cae_region_width(&between.region) * between.c);
        const cae_pass conv_part = conv_pass(p, image, &between, scratch);
        const cae_pass pool_part = pool_pass(p, image, &between, out, scratch + s.conv);
        cae_conv_gemm(&conv_part, false);
        pool->type->forward(&pool_part);
    }
}

static void forward(const cae_pass *p)
{
    cae_pass shared = *p;
    cae_team_run(p->team, p->images, forward_job, &shared);
}

/* ---- Scratch of the backward pass ------------------------------------------------------------ */

/* The windows, how many of them the weights' pass takes at a time, and the elements in each part
 * of a worker's scratch. */
struct sizes {
    size_t rows, cols;
    size_t block_rows, block_cols;
    size_t bits, terms, row;
    size_t bytes; /* of one worker */
};

static struct sizes sizes_of(const cae_pass *p)
{
    const cae_op *op = p->op;
    const cae_op *pool = pool_of(op);
    const size_t channels = p->out.c;
    struct sizes s = {.rows = p->out.h, .cols = p->out.w};
    /* Whole rows of windows while they fit, or else a part of one. */
    const size_t pixels = cae_size_mul4(pool->stride, pool->stride, op->stride, op->stride);
    const size_t floats = cae_size_mul(pixels, p->in[0].c);
    const size_t many =
        cae_size_max(1, cae_size_min(BLOCK_FLOATS / floats, BLOCK_TERMS / channels));
    s.block_rows = cae_size_min(cae_size_max(1, many / s.cols), s.rows);
    s.block_cols = cae_size_min(many, s.cols);
    s.bits =
        cae_size_mul4(s.rows, s.cols, pool->kernel * pool->kernel, cae_occupancy_words(channels));
    s.terms = cae_size_mul4(s.block_rows, s.block_cols, channels, 1);
    const size_t across = cae_size_mul(between_shape(p).w - 1, op->stride);
    s.row = cae_size_mul(cae_size_add(across, op->kernel), p->in[0].c);
    s.bytes = cae_size_mul(s.bits, sizeof(uint64_t));
    s.bytes = cae_size_add(s.bytes, cae_size_mul(s.terms, sizeof(cae_sparse_term)));
    s.bytes = cae_size_add(s.bytes, cae_size_mul(s.row, sizeof(float)));
    s.bytes = cae_size_add(s.bytes, channels * sizeof(size_t));
    s.bytes = cae_size_align(s.bytes, CAE_ALIGN);
    return s;
}

static size_t scratch(const cae_pass *p, bool training)
{
    const size_t ahead = strips_of(p).bytes;
    const size_t back = training ? sizes_of(p).bytes : 0;
    return cae_size_mul(cae_size_max(ahead, back), p->workers);
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
    struct work w = {.pass = p, .sizes = sizes_of(p)};
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
                                    .side = pool_of(p->op)->kernel,
                                    .dz = cae_view_at(&p->dy, image, 0, 0),
                                    .dz_row = p->dy.row,
                                    .argmax = p->argmax + image * windows * p->out.c,
                                    .bits = w->bits};
    if (p->dx_wanted[0] || p->op->kernel * p->in[0].c > CAE_SPARSE_FEW) {
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
    const cae_op *op = p->op;
    const cae_view *x = &p->x[0];
    const size_t ids = all->side * all->side;
    const size_t window = y0 * all->cols + x0;
    const ptrdiff_t pixel = (ptrdiff_t)(op->stride * x->c);
    const ptrdiff_t line = (ptrdiff_t)op->stride * x->row;
    const ptrdiff_t step = (ptrdiff_t)pool_of(p->op)->stride;
    cae_sparse_grad part = *all;
    part.rows = cae_size_min(w->sizes.block_rows, all->rows - y0);
    part.cols = cae_size_min(w->sizes.block_cols, all->cols - x0);
    part.dz += (ptrdiff_t)y0 * all->dz_row + (ptrdiff_t)(x0 * all->channels);
    part.argmax += window * all->channels;
    part.bits += window * ids * cae_occupancy_words(all->channels);
    const size_t len = op->kernel * x->c;
    const cae_sparse_weights weights = {
        .kernel_rows = r1 - r0,
        .len = len,
        .x = cae_view_at(x, image, (ptrdiff_t)r0 - (ptrdiff_t)op->pad, -(ptrdiff_t)op->pad) +
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

/* Adds what row `ky` of the kernel makes of row y of the convolution's output. */
static void data_row(const struct work *w, const cae_sparse_grad *sparse, size_t image, size_t ky,
                     ptrdiff_t y)
{
    const cae_pass *p = w->pass;
    const cae_op *op = p->op;
    const size_t step = pool_of(p->op)->stride;
    const ptrdiff_t to_y = y * (ptrdiff_t)op->stride - (ptrdiff_t)op->pad + (ptrdiff_t)ky;
    const size_t c = p->in[0].c;
    /* Of the pixels that the row of coarse pixels meets the first `pad` are padding, as are those
     * beyond the input: `width` pixels are between. */
    const size_t pixels = w->sizes.row / c;
    const size_t width = pixels > op->pad ? cae_size_min(pixels - op->pad, p->in[0].w) : 0;
    float *own = w->row + op->pad * c;
    const cae_sparse_data d = {.y = (size_t)y / step,
                               .py = (size_t)y % step,
                               .len = op->kernel * c,
                               .weight = p->weight_back + ky * sparse->channels * op->kernel * c,
                               .x_step = (ptrdiff_t)(step * op->stride * c),
                               .px_step = (ptrdiff_t)(op->stride * c),
                               .row = w->row};
    if (to_y < 0 || to_y >= (ptrdiff_t)p->in[0].h || d.py >= sparse->side || d.y >= sparse->rows) {
        return;
    }
    /* By way of a row with room for what falls on padding. */
    float *to = cae_view_at(&p->dx[0], image, to_y, 0);
    memset(w->row, 0, w->sizes.row * sizeof(float));
    memcpy(own, to, width * c * sizeof(float));
    p->kernels->sparse_data(sparse, &d);
    memcpy(to, own, width * c * sizeof(float));
}

/* One row of the kernel after the other, so that its weights stay in cache for the whole image; the
 * last first, since a pixel adds over what it reads from top to bottom. */
static void data_image(const struct work *w, const cae_sparse_grad *sparse, size_t image)
{
    const size_t height = between_shape(w->pass).h;
    for (size_t ky = w->pass->op->kernel; ky-- > 0;) {
        for (size_t y = 0; y < height; y++) {
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
            weights_image(&w, &sparse, image, 0, p->op->kernel);
        }
        if (p->dx_wanted[0]) {
            data_image(&w, &sparse, image);
        }
    }
}

static void backward(const cae_pass *p)
{
    CAE_ASSERT(p->op->detail != NULL && p->argmax != NULL);
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
        cae_team_run(p->team, p->op->kernel, weights_job, &shared);
    }
    if (p->dx_wanted[0]) {
        cae_team_run(p->team, p->images, data_job, &shared);
    }
}

const cae_op_type cae_op_conv_pool = {
    .activates = true,
    .argmax = true,
    .shape = shape,
    .needs = needs,
    .parameters = cae_conv_parameters,
    .pack = cae_conv_pack,
    .pack_back = pack_back,
    .unpack = unpack,
    .scratch = scratch,
    .forward = forward,
    .backward = backward,
};
