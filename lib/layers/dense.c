/*
 * Dense (fully connected): y[o] = bias[o] + the sum over i of weight[o][i] * x[i], the input read
 * in planar order (c, h, w) as PyTorch's Flatten does, the output shaped likewise. The weight
 * stays in its file layout, [out][in], in all three passes: forward runs vectors over the images
 * of the batch, the two backward passes over the inputs. Sums over i, o and images run in rising
 * order.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "layers/types.h"

/* How much of a matrix is worked on at a time, so that it stays in cache. No bits depend on it. */
enum {
    OUT_BLOCK = 96, /* outputs per job, forward */
    K_BLOCK = 128,  /* terms of a sum per visit */
    DX_COLUMNS = 64,
    DW_COLUMNS = 256
};

static const ptrdiff_t no_offset = 0;

static size_t inputs_of(const cae_pass *p)
{
    return p->in[0].c * p->in[0].h * p->in[0].w;
}

static size_t outputs_of(const cae_pass *p)
{
    return p->out.c * p->out.h * p->out.w;
}

static int shape(const cae_layer *l, const cae_shape in[2], cae_shape *out)
{
    (void)in;
    *out = l->size;
    return CAE_OK;
}

static cae_region needs(const cae_layer *l, size_t which, cae_region out, const cae_shape *in)
{
    (void)l;
    (void)which;
    (void)out;
    return cae_region_whole(in);
}

static bool parameters(const cae_layer *l, const cae_shape *in, cae_parameter p[2])
{
    size_t inputs = 0;
    size_t outputs = 0;
    if (!cae_size_mul4(in->c, in->h, in->w, 1, &inputs) ||
        !cae_size_mul4(l->size.c, l->size.h, l->size.w, 1, &outputs)) {
        return false;
    }
    p[0] = (cae_parameter){"weight", 2, {outputs, inputs, 1, 1}, inputs};
    p[1] = (cae_parameter){"bias", 1, {outputs, 1, 1, 1}, inputs};
    return true;
}

/* Scratch: x and dx as rows [image][input], x transposed [input][image], y likewise in both
 * forms, and a packed block of a matrix for every worker. */
struct buffers {
    float *x, *xt, *y, *yt;
    float *blocks;
    size_t block_len;
};

static size_t block_len(size_t images)
{
    return cae_size_max((size_t)K_BLOCK * DX_COLUMNS, images * DW_COLUMNS);
}

static size_t scratch(const cae_layer *l, const cae_pass *p, bool training)
{
    size_t floats = 0;
    size_t blocks = 0;
    size_t sum = 0;
    (void)l;
    if (!cae_size_add(inputs_of(p), outputs_of(p), &sum) ||
        !cae_size_mul4(sum, p->images, 2 * sizeof(float), 1, &floats)) {
        return SIZE_MAX;
    }
    if (training &&
        !cae_size_mul4(block_len(p->images), cae_team_size(p->team), sizeof(float), 1, &blocks)) {
        return SIZE_MAX;
    }
    return cae_size_add(floats, blocks, &sum) ? sum : SIZE_MAX;
}

static struct buffers buffers_of(const cae_pass *p)
{
    const size_t x_len = inputs_of(p) * p->images;
    const size_t y_len = outputs_of(p) * p->images;
    struct buffers b = {.x = p->scratch, .block_len = block_len(p->images)};
    b.xt = b.x + x_len;
    b.y = b.xt + x_len;
    b.yt = b.y + y_len;
    b.blocks = b.yt + y_len;
    return b;
}

/* Between a view and planar values: element i of image n stands at values[n * n_step + i *
 * i_step]. */
static void gather(const cae_view *v, size_t images, float *values, size_t n_step, size_t i_step)
{
    const cae_region *r = &v->region;
    for (size_t n = 0; n < images; n++) {
        float *to = values + n * n_step;
        for (size_t c = 0; c < v->c; c++) {
            for (ptrdiff_t y = r->y0; y < r->y1; y++) {
                const float *from = cae_view_at(v, n, y, r->x0) + c;
                for (ptrdiff_t x = r->x0; x < r->x1; x++, from += v->c, to += i_step) {
                    *to = *from;
                }
            }
        }
    }
}

static void scatter(const cae_view *v, size_t images, const float *values, size_t n_step,
                    size_t i_step)
{
    const cae_region *r = &v->region;
    for (size_t n = 0; n < images; n++) {
        const float *from = values + n * n_step;
        for (size_t c = 0; c < v->c; c++) {
            for (ptrdiff_t y = r->y0; y < r->y1; y++) {
                float *to = cae_view_at(v, n, y, r->x0) + c;
                for (ptrdiff_t x = r->x0; x < r->x1; x++, to += v->c, from += i_step) {
                    *to = *from;
                }
            }
        }
    }
}

struct job {
    const cae_pass *pass;
    struct buffers b;
};

/* yt[o][n] for a block of outputs. */
static void forward_job(void *arg, size_t job, size_t worker)
{
    const struct job *j = arg;
    const cae_pass *p = j->pass;
    const size_t inputs = inputs_of(p);
    const size_t first = job * OUT_BLOCK;
    (void)worker;
    cae_gemm m = {.m = cae_size_min(OUT_BLOCK, outputs_of(p) - first),
                  .n = p->images,
                  .segments = 1,
                  .a_segment = &no_offset,
                  .a_row = (ptrdiff_t)inputs,
                  .a_k = 1,
                  .b_segment = &no_offset,
                  .b_k = (ptrdiff_t)p->images,
                  .b_panel = CAE_PANEL,
                  .c = j->b.yt + first * p->images,
                  .c_row = (ptrdiff_t)p->images,
                  .start = CAE_START_ROW_BIAS,
                  .bias = p->bias + first};
    for (size_t i = 0; i < inputs; i += K_BLOCK) {
        m.k = cae_size_min(K_BLOCK, inputs - i);
        m.a = p->weight + first * inputs + i;
        m.b = j->b.xt + i * p->images;
        p->kernels->gemm(&m);
        m.start = CAE_START_C;
    }
}

static void forward(const cae_pass *p)
{
    struct job j = {p, buffers_of(p)};
    gather(&p->x[0], p->images, j.b.xt, 1, p->images);
    cae_team_run(p->team, cae_div_up(outputs_of(p), OUT_BLOCK), forward_job, &j);
    scatter(&p->y, p->images, j.b.yt, 1, p->images);
}

/* Copies `rows` x `columns` of a matrix into panels [panel][row][16]. */
static void pack_panels(float *packed, const float *from, size_t rows, size_t columns, size_t step)
{
    for (size_t c = 0; c < columns; c += CAE_PANEL) {
        const size_t width = cae_size_min(CAE_PANEL, columns - c);
        for (size_t r = 0; r < rows; r++, packed += CAE_PANEL) {
            memcpy(packed, from + r * step + c, width * sizeof(float));
        }
    }
}

/* dx[n][i] for a block of inputs i: rows of the weight are the B of the product. */
static void dx_job(void *arg, size_t job, size_t worker)
{
    const struct job *j = arg;
    const cae_pass *p = j->pass;
    const size_t inputs = inputs_of(p);
    const size_t outputs = outputs_of(p);
    const size_t first = job * DX_COLUMNS;
    float *block = j->b.blocks + worker * j->b.block_len;
    cae_gemm m = {.m = p->images,
                  .n = cae_size_min(DX_COLUMNS, inputs - first),
                  .segments = 1,
                  .a_segment = &no_offset,
                  .a_row = (ptrdiff_t)outputs,
                  .a_k = 1,
                  .b = block,
                  .b_segment = &no_offset,
                  .b_k = CAE_PANEL,
                  .c = j->b.x + first,
                  .c_row = (ptrdiff_t)inputs,
                  .start = p->dx_begun[0] ? CAE_START_C : CAE_START_ZERO};
    for (size_t o = 0; o < outputs; o += K_BLOCK) {
        m.k = cae_size_min(K_BLOCK, outputs - o);
        m.b_panel = (ptrdiff_t)(m.k * CAE_PANEL);
        m.a = j->b.y + o;
        pack_panels(block, p->weight + o * inputs + first, m.k, m.n, inputs);
        p->kernels->gemm(&m);
        m.start = CAE_START_C;
    }
}

/* weight_grad[o][i] += dy[n][o] * x[n][i] over images n, for a block of inputs. */
static void dw_job(void *arg, size_t job, size_t worker)
{
    const struct job *j = arg;
    const cae_pass *p = j->pass;
    const size_t inputs = inputs_of(p);
    const size_t first = job * DW_COLUMNS;
    float *block = j->b.blocks + worker * j->b.block_len;
    const cae_gemm m = {.m = outputs_of(p),
                        .n = cae_size_min(DW_COLUMNS, inputs - first),
                        .k = p->images,
                        .segments = 1,
                        .a = j->b.y,
                        .a_segment = &no_offset,
                        .a_row = 1,
                        .a_k = (ptrdiff_t)outputs_of(p),
                        .b = block,
                        .b_segment = &no_offset,
                        .b_k = CAE_PANEL,
                        .b_panel = (ptrdiff_t)(p->images * CAE_PANEL),
                        .c = p->weight_grad + first,
                        .c_row = (ptrdiff_t)inputs,
                        .start = CAE_START_C};
    pack_panels(block, j->b.x + first, p->images, m.n, inputs);
    p->kernels->gemm(&m);
}

static void backward(const cae_pass *p)
{
    struct job j = {p, buffers_of(p)};
    const size_t inputs = inputs_of(p);
    const size_t outputs = outputs_of(p);
    gather(&p->dy, p->images, j.b.y, outputs, 1);
    if (p->weight_grad != NULL) {
        gather(&p->x[0], p->images, j.b.x, inputs, 1);
        p->kernels->sum_rows(p->bias_grad, j.b.y, p->images, outputs, (ptrdiff_t)outputs);
        cae_team_run(p->team, cae_div_up(inputs, DW_COLUMNS), dw_job, &j);
    }
    if (p->dx_wanted[0]) {
        if (p->dx_begun[0]) {
            gather(&p->dx[0], p->images, j.b.x, inputs, 1);
        }
        cae_team_run(p->team, cae_div_up(inputs, DX_COLUMNS), dx_job, &j);
        scatter(&p->dx[0], p->images, j.b.x, inputs, 1);
    }
}

const cae_layer_type cae_layer_dense = {
    .word = "dense",
    .takes = CAE_TAKES_SHAPE | CAE_TAKES_ACTIVATION,
    .whole = true,
    .shape = shape,
    .needs = needs,
    .parameters = parameters,
    .scratch = scratch,
    .forward = forward,
    .backward = backward,
};
