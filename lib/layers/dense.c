/*
 * Dense (fully connected): y[o] = bias[o] + the sum over i of weight[o][i] * x[i], the input read
 * in planar order (c, h, w) as PyTorch's Flatten does, the output shaped likewise. The weight
 * stays in its file layout, [out][in], in all three passes: forward runs vectors over the images
 * of the batch, the two backward passes over the inputs. Sums over i, o and images run in rising
 * order.
 *
 * The weight is larger than every cache, and each of its passes should cost no more than reading it
 * once: rows are walked along, not across. A backward pass with `deferred` leaves what the weight's
 * gradient is a product of, and `update` makes the gradient and Adam's step in one go.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <string.h>

#include "base/floats.h"
#include "base/size.h"
#include "base/status.h"
#include "layers/op.h"

/* How much of a matrix is worked on at a time, so that it stays in cache. No bits depend on it. */
enum {
    OUT_BLOCK = 96,    /* outputs per job, forward */
    IN_BLOCK = 4096,   /* terms of a sum per visit, forward */
    DX_COLUMNS = 512,  /* inputs per job, backward to the input */
    DX_ROWS = 128,     /* terms of a sum per visit */
    DW_COLUMNS = 1024, /* inputs per job, backward to the weights */
    STEP_OUT = 48,     /* outputs per job of an update */
    COPY_VALUES = 128  /* of an image, per job of a copy between views and matrices */
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

static int shape(const cae_op *op, const cae_shape in[2], cae_shape *out)
{
    (void)in;
    *out = op->size;
    return CAE_OK;
}

static cae_region needs(const cae_op *op, size_t which, cae_region out, const cae_shape *in)
{
    (void)op;
    (void)which;
    (void)out;
    return cae_region_whole(in);
}

static void parameters(const cae_op *op, const cae_shape *in, cae_parameter p[2])
{
    const size_t inputs = cae_size_mul4(in->c, in->h, in->w, 1);
    const size_t outputs = cae_size_mul4(op->size.c, op->size.h, op->size.w, 1);
    p[0] = (cae_parameter){"weight", 2, {outputs, inputs, 1, 1}, inputs};
    p[1] = (cae_parameter){"bias", 1, {outputs, 1, 1, 1}, inputs};
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* Columns of a matrix whose vectors, of `lanes` floats, run over the images. A few are filled up to
 * whole vectors: columns that are not read cost less than single floats. */
static size_t columns_of(size_t images, size_t lanes)
{
    return images == 1 ? 1 : cae_div_up(images, lanes) * lanes;
}

static size_t panels_of(size_t inputs)
{
    return cae_div_up(inputs, CAE_PANEL) * CAE_PANEL;
}

/* What the weight's gradient is a product of: x in panels [input / 16][image][16] and dy as
 * [output][image]; and the gradient of the bias. */
struct factors {
    float *x, *dy, *bias_grad;
};

/* SIZE_MAX when that overflows. */
static size_t factors_len(const cae_pass *p)
{
    const size_t values = panels_of(inputs_of(p)) + outputs_of(p); /* below 2^30 */
    return cae_size_add(cae_size_mul(values, p->images), outputs_of(p));
}

static struct factors factors_at(const cae_pass *p, float *at)
{
    float *dy = at + panels_of(inputs_of(p)) * p->images;
    return (struct factors){.x = at, .dy = dy, .bias_grad = dy + outputs_of(p) * p->images};
}

/* Scratch. Forward, x and y as [input][image] and [output][image]; backward, dy and then dx as
 * [image][value], and the factors when they are not deferred. */
static size_t scratch(const cae_pass *p, bool training)
{
    const size_t values =
        cae_size_mul(inputs_of(p) + outputs_of(p), columns_of(p->images, CAE_PANEL));
    const size_t factors = training ? factors_len(p) : 0;
    return cae_size_mul(cae_size_add(values, factors), sizeof(float));
}

/* What the workers of a run share. */
struct job {
    const cae_pass *pass;
    float *x, *y; /* forward: as [value][column] */
    size_t columns;
    struct factors f;     /* backward and update */
    float *rows;          /* backward: dy, x or dx as [image][value] */
    const cae_update *to; /* update */
};

/* ---- Between views and planar values --------------------------------------------------------- */

/* Value i of image n stands at values[n * n_step + i * i_step]. */
struct planar {
    float *values;
    size_t n_step, i_step;
};

struct copy {
    const cae_view *view;
    struct planar planar;
    size_t images;
    bool to_view;
};

/* Rows of values y of channels c, numbered c * height + y, that one job copies. */
static size_t rows_per_job(const cae_view *v)
{
    return cae_div_up(COPY_VALUES, cae_region_width(&v->region));
}

/* Some rows of all images, so that where values of all images are adjacent a job has whole lines of
 * the cache, which it fills before they leave it. */
static void copy_rows(void *arg, size_t job, size_t worker)
{
    const struct copy *j = arg;
    const cae_view *v = j->view;
    const cae_region *r = &v->region;
    const size_t height = (size_t)(r->y1 - r->y0), width = cae_region_width(r);
    const size_t first = job * rows_per_job(v);
    const size_t end = cae_size_min(first + rows_per_job(v), v->c * height);
    (void)worker;
    for (size_t n = 0; n < j->images; n++) {
        const struct planar *p = &j->planar;
        float *value = p->values + n * p->n_step + first * width * p->i_step;
        for (size_t row = first; row < end; row++) {
            const ptrdiff_t y = r->y0 + (ptrdiff_t)(row % height);
            float *pixel = cae_view_at(v, n, y, r->x0) + row / height;
            for (size_t x = 0; x < width; x++, pixel += v->c, value += p->i_step) {
                if (j->to_view) {
                    *pixel = *value;
                } else {
                    *value = *pixel;
                }
            }
        }
    }
}

static void copy(const cae_pass *p, const cae_view *v, struct planar planar, bool to_view)
{
    struct copy j = {v, planar, p->images, to_view};
    const size_t rows = v->c * (size_t)(v->region.y1 - v->region.y0);
    cae_team_run(p->team, cae_div_up(rows, rows_per_job(v)), copy_rows, &j);
}

static void gather(const cae_pass *p, const cae_view *v, struct planar planar)
{
    copy(p, v, planar, false);
}

static void scatter(const cae_pass *p, const cae_view *v, struct planar planar)
{
    copy(p, v, planar, true);
}

/* ---- Forward --------------------------------------------------------------------------------- */

static void forward_job(void *arg, size_t job, size_t worker)
{
    const struct job *j = arg;
    const cae_pass *p = j->pass;
    const size_t inputs = inputs_of(p);
    const size_t first = job * OUT_BLOCK;
    (void)worker;
    cae_gemm m = {.m = cae_size_min(OUT_BLOCK, outputs_of(p) - first),
                  .n = j->columns,
                  .entries = 1,
                  .a_entry = &no_offset,
                  .a_row = (ptrdiff_t)inputs,
                  .a_k = 1,
                  .b_entry = &no_offset,
                  .b_k = (ptrdiff_t)j->columns,
                  .b_panel = CAE_PANEL,
                  .c = j->y + first * j->columns,
                  .c_row = (ptrdiff_t)j->columns,
                  .start = CAE_START_ROW_BIAS,
                  .bias = p->bias + first};
    for (size_t i = 0; i < inputs; i += IN_BLOCK) {
        m.k = cae_size_min(IN_BLOCK, inputs - i);
        m.a = p->weight + first * inputs + i;
        m.b = j->x + i * j->columns;
        p->kernels->gemm(&m);
        m.start = CAE_START_C;
    }
}

static void forward(const cae_pass *p)
{
    struct job j = {
        .pass = p, .x = p->scratch, .columns = columns_of(p->images, p->kernels->lanes)};
    const size_t x_len = inputs_of(p) * j.columns;
    j.y = j.x + x_len;
    if (j.columns > p->images) {
        memset(j.x, 0, x_len * sizeof(float));
    }
    gather(p, &p->x[0], (struct planar){j.x, 1, j.columns});
    cae_team_run(p->team, cae_div_up(outputs_of(p), OUT_BLOCK), forward_job, &j);
    scatter(p, &p->y, (struct planar){j.y, 1, j.columns});
}

/* ---- Backward -------------------------------------------------------------------------------- */

/* Copies `rows` x `columns` of a matrix into panels [panel][row][16]. */
static void pack_panels(float *packed, const float *from, size_t rows, size_t columns, size_t step)
{
    for (size_t r = 0; r < rows; r++, from += step) {
        float *to = packed + r * CAE_PANEL;
        size_t c = 0;
        for (; c + CAE_PANEL <= columns; c += CAE_PANEL, to += rows * CAE_PANEL) {
            memcpy(to, from + c, CAE_PANEL * sizeof(float));
        }
        if (c < columns) {
            memcpy(to, from + c, (columns - c) * sizeof(float));
            memset(to + columns - c, 0, (CAE_PANEL - columns + c) * sizeof(float));
        }
    }
}

/* Copies `rows` x `columns` of a matrix, at most 16 columns, to where they are adjacent, and asks
 * for the 16 columns behind them. */
static inline void pack_panel(float *packed, const float *from, size_t rows, size_t columns,
                              size_t step)
{
    for (size_t r = 0; r < rows; r++, from += step, packed += CAE_PANEL) {
        __builtin_prefetch(from + CAE_PANEL);
        memcpy(packed, from, columns * sizeof(float));
    }
}

/* dx[n][i] for a block of inputs i: rows of the weight are the B of the product. A panel of them
 * lies in lines that are whole rows apart, which the first-level cache cannot hold together; as a
 * copy it can, for as long as all images need it. */
static void dx_job(void *arg, size_t job, size_t worker)
{
    const struct job *j = arg;
    const cae_pass *p = j->pass;
    const size_t inputs = inputs_of(p);
    const size_t outputs = outputs_of(p);
    const size_t first = job * DX_COLUMNS;
    const size_t end = cae_size_min(first + DX_COLUMNS, inputs);
    float panel[DX_ROWS * CAE_PANEL];
    (void)worker;
    cae_gemm m = {.m = p->images,
                  .entries = 1,
                  .a_entry = &no_offset,
                  .a_row = 1,
                  .a_k = (ptrdiff_t)p->images,
                  .b = panel,
                  .b_entry = &no_offset,
                  .b_k = CAE_PANEL,
                  .b_panel = CAE_PANEL,
                  .c_row = (ptrdiff_t)inputs,
                  .start = p->dx_begun[0] ? CAE_START_C : CAE_START_ZERO};
    for (size_t o = 0; o < outputs; o += DX_ROWS) {
        m.k = cae_size_min(DX_ROWS, outputs - o);
        m.a = j->f.dy + o * p->images;
        for (size_t i = first; i < end; i += CAE_PANEL) {
            const float *weight = p->weight + o * inputs + i;
            m.n = cae_size_min(CAE_PANEL, end - i);
            m.c = j->rows + i;
            if (m.n == CAE_PANEL) { /* of a known size, the copy is a load and a store */
                pack_panel(panel, weight, m.k, CAE_PANEL, inputs);
            } else {
                pack_panel(panel, weight, m.k, m.n, inputs);
            }
            p->kernels->gemm(&m);
        }
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
    (void)worker;
    const cae_gemm m = {.m = outputs_of(p),
                        .n = cae_size_min(DW_COLUMNS, inputs - first),
                        .k = p->images,
                        .entries = 1,
                        .a = j->f.dy,
                        .a_entry = &no_offset,
                        .a_row = (ptrdiff_t)p->images,
                        .a_k = 1,
                        .b = j->f.x + first * p->images,
                        .b_entry = &no_offset,
                        .b_k = CAE_PANEL,
                        .b_panel = (ptrdiff_t)(p->images * CAE_PANEL),
                        .c = p->weight_grad + first,
                        .c_row = (ptrdiff_t)inputs,
                        .start = CAE_START_C};
    p->kernels->gemm(&m);
}

static void backward_to_weights(struct job *j)
{
    const cae_pass *p = j->pass;
    const size_t inputs = inputs_of(p);
    const size_t outputs = outputs_of(p);
    float *bias_grad = p->bias_grad;
    if (p->deferred != NULL) {
        bias_grad = j->f.bias_grad;
        memset(bias_grad, 0, outputs * sizeof(float));
    }
    /* `rows` holds dy. */
    p->kernels->sum_rows(bias_grad, j->rows, p->images, outputs, (ptrdiff_t)outputs);
    gather(p, &p->x[0], (struct planar){j->rows, inputs, 1});
    pack_panels(j->f.x, j->rows, p->images, inputs, inputs);
    if (p->deferred == NULL) {
        cae_team_run(p->team, cae_div_up(inputs, DW_COLUMNS), dw_job, j);
    }
}

static void backward(const cae_pass *p)
{
    const size_t inputs = inputs_of(p);
    const size_t outputs = outputs_of(p);
    struct job j = {.pass = p, .rows = p->scratch};
    float *behind = j.rows + cae_size_max(inputs, outputs) * p->images;
    j.f = factors_at(p, p->deferred != NULL ? p->deferred : behind);
    gather(p, &p->dy, (struct planar){j.f.dy, 1, p->images});
    if (p->deferred != NULL || p->weight_grad != NULL) {
        gather(p, &p->dy, (struct planar){j.rows, outputs, 1});
        backward_to_weights(&j);
    }
    if (p->dx_wanted[0]) {
        if (p->dx_begun[0]) {
            gather(p, &p->dx[0], (struct planar){j.rows, inputs, 1});
        }
        cae_team_run(p->team, cae_div_up(inputs, DX_COLUMNS), dx_job, &j);
        scatter(p, &p->dx[0], (struct planar){j.rows, inputs, 1});
    }
}

/* ---- Update ---------------------------------------------------------------------------------- */

/* |g| <= the sum over images of |dy| |x|, for the bias with |x| = 1; 2 makes up for rounding. NaN
 * and infinity go through. */
static double bound(const cae_pass *p)
{
    const struct factors f = factors_at(p, p->deferred);
    const double x = (double)cae_largest(f.x, panels_of(inputs_of(p)) * p->images);
    const double dy = (double)cae_largest(f.dy, outputs_of(p) * p->images);
    return 2 * (double)p->images * dy * (x + 1);
}

static void update_job(void *arg, size_t job, size_t worker)
{
    const struct job *j = arg;
    const cae_pass *p = j->pass;
    const size_t inputs = inputs_of(p);
    const size_t first = job * STEP_OUT;
    const cae_adam_state *state = j->to->state;
    const size_t at = j->to->weight + first * inputs;
    (void)worker;
    const cae_dense_step d = {.rows = cae_size_min(STEP_OUT, outputs_of(p) - first),
                              .cols = inputs,
                              .images = p->images,
                              .dy = j->f.dy + first * p->images,
                              .x = j->f.x,
                              .w = state->weights + at,
                              .m = state->m + at,
                              .v = state->v + at,
                              .row = inputs};
    p->kernels->dense_step(j->to->step, &d);
}

static void update(const cae_pass *p, const cae_update *u)
{
    struct job j = {.pass = p, .f = factors_at(p, p->deferred), .to = u};
    cae_team_run(p->team, cae_div_up(outputs_of(p), STEP_OUT), update_job, &j);
    cae_adam_update(u->step, u->state, u->bias, j.f.bias_grad, outputs_of(p), p->kernels);
}

const cae_op_type cae_op_dense = {
    .word = "dense",
    .takes = CAE_TAKES_SHAPE | CAE_TAKES_ACTIVATION,
    .fixed_size = true,
    .shape = shape,
    .needs = needs,
    .parameters = parameters,
    .scratch = scratch,
    .forward = forward,
    .backward = backward,
    .deferred_len = factors_len,
    .bound = bound,
    .update = update,
};
