/*
 * The gradient of the weights of (transposed) convolutions: products over the pixels of the coarse
 * map, row by row. See conv_geometry.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "layers/conv_passes.h"

#include "layers/conv_weights.h"

/* Floats of both maps that are worked on at a time: what stays in the first level of cache while
 * all taps run over it; but pixels enough to pay for loading and storing the sums. The bits do
 * not depend on it. */
enum { ROW_BLOCK = 6144, PIXELS = 128 };

size_t cae_conv_wgrad_scratch(const cae_pass *p)
{
    return cae_size_mul4(ROW_BLOCK, 2, sizeof(ptrdiff_t), p->workers);
}

/* Some rows of the coarse map of one image, and where the first of them meets tap (0, 0). */
struct rows {
    const cae_pass *pass;
    ptrdiff_t *x_entry, *dy_entry; /* batch entries are rows: where x and dy begin in them */
    size_t len, width;             /* rows, and pixels in each */
    const float *x, *dy;
    ptrdiff_t x_pixel, dy_pixel; /* from one coarse pixel to the next */
};

static struct rows rows_of(const cae_pass *p, size_t worker, size_t image, ptrdiff_t y0,
                           ptrdiff_t y1)
{
    const cae_op *op = p->op;
    const ptrdiff_t stride = (ptrdiff_t)op->stride;
    const ptrdiff_t pad = (ptrdiff_t)op->pad;
    const bool x_is_fine = !op->type->transposed;
    const cae_view *x = &p->x[0];
    const cae_view *dy = &p->dy;
    const ptrdiff_t x_step = x_is_fine ? stride : 1;
    const ptrdiff_t dy_step = x_is_fine ? 1 : stride;
    const ptrdiff_t x_pad = x_is_fine ? pad : 0;
    const ptrdiff_t dy_pad = x_is_fine ? 0 : pad;
    ptrdiff_t *table = (ptrdiff_t *)p->scratch + worker * 2 * ROW_BLOCK;
    const struct rows r = {.pass = p,
                           .x_entry = table,
                           .dy_entry = table + ROW_BLOCK,
                           .len = (size_t)(y1 - y0),
                           .width = cae_region_width(x_is_fine ? &dy->region : &x->region),
                           .x = cae_view_at(x, image, y0 * x_step - x_pad, -x_pad),
                           .dy = cae_view_at(dy, image, y0 * dy_step - dy_pad, -dy_pad),
                           .x_pixel = x_step * (ptrdiff_t)x->c,
                           .dy_pixel = dy_step * (ptrdiff_t)dy->c};
    for (size_t i = 0; i < r.len; i++) {
        r.x_entry[i] = (ptrdiff_t)i * x_step * x->row;
        r.dy_entry[i] = (ptrdiff_t)i * dy_step * dy->row;
    }
    return r;
}

/*
 * Adds what row `ky` of the kernel makes of these rows. With many channels in dy, rows of the
 * product are values of x and columns are of dy; a row of taps lies in the fine map, so that it
 * widens the rows (kx, i) or the columns (kx, o). With few, rows are of dy and columns, (kx, i), of
 * x; or rows are all taps at once.
 */
static void kernel_row(const struct rows *r, size_t ky)
{
    const cae_pass *p = r->pass;
    const size_t kernel = p->op->kernel;
    const size_t in = p->in[0].c;
    const size_t out = p->out.c;
    const bool x_is_fine = !p->op->type->transposed;
    const cae_gradient_steps steps = cae_conv_gradient_steps(p->op, &p->in[0]);
    const float *x = r->x + (x_is_fine ? (ptrdiff_t)ky * p->x[0].row : 0);
    const float *dy = r->dy + (x_is_fine ? 0 : (ptrdiff_t)ky * p->dy.row);
    cae_gemm m = {.k = r->width,
                  .entries = r->len,
                  .a_row = 1,
                  .b_panel = CAE_PANEL,
                  .b_over = true,
                  .c = p->weight_grad + ky * steps.ky,
                  .start = CAE_START_C};
    if (out >= CAE_FEW) {
        m.m = x_is_fine ? kernel * in : in;
        m.n = x_is_fine ? out : kernel * out;
        m.c_row = (ptrdiff_t)steps.i;
        m.a = x;
        m.a_entry = r->x_entry;
        m.a_k = r->x_pixel;
        m.b = dy;
        m.b_entry = r->dy_entry;
        m.b_k = r->dy_pixel;
        p->kernels->gemm(&m);
        return;
    }
    m.a = dy;
    m.a_entry = r->dy_entry;
    m.a_k = r->dy_pixel;
    m.b = x;
    m.b_entry = r->x_entry;
    m.b_k = r->x_pixel;
    if (x_is_fine) {
        m.m = out;
        m.n = kernel * in;
        m.c_row = (ptrdiff_t)steps.o;
        p->kernels->gemm(&m);
        return;
    }
    if (ky > 0) {
        return; /* the first row's turn made all */
    }
    for (size_t o = 0; o < out; o++) {
        m.m = kernel * kernel;
        m.n = in;
        m.line = kernel;
        m.a = dy + o;
        m.a_line = p->dy.row;
        m.a_row = (ptrdiff_t)out;
        m.c = p->weight_grad + o * steps.o;
        m.c_line = (ptrdiff_t)steps.ky;
        m.c_row = (ptrdiff_t)steps.kx;
        p->kernels->gemm(&m);
    }
}

/* All rows of one image for rows [ky0, ky1) of the kernel, a block of rows at a time. */
static void weights_image(const cae_pass *p, size_t worker, size_t image, size_t ky0, size_t ky1)
{
    const cae_view *coarse = p->op->type->transposed ? &p->x[0] : &p->dy;
    const size_t width = cae_size_max(1, cae_region_width(&coarse->region));
    const ptrdiff_t block = (ptrdiff_t)cae_size_max(cae_div_up(PIXELS, width),
                                                    ROW_BLOCK / (width * (p->x[0].c + p->dy.c)));
    const ptrdiff_t height = coarse->region.y1;
    for (ptrdiff_t y = 0; y < height; y += block) {
        const struct rows r = rows_of(p, worker, image, y, height - y < block ? height : y + block);
        for (size_t ky = ky0; ky < ky1; ky++) {
            kernel_row(&r, ky);
        }
    }
}

static void weights_job(void *arg, size_t ky, size_t worker)
{
    const cae_pass *p = arg;
    for (size_t image = 0; image < p->images; image++) {
        weights_image(p, worker, image, ky, ky + 1);
    }
}

void cae_conv_bias_grad(const cae_pass *p)
{
    const cae_view *dy = &p->dy;
    for (size_t image = 0; image < p->images; image++) {
        for (ptrdiff_t y = dy->region.y0; y < dy->region.y1; y++) {
            p->kernels->sum_rows(p->bias_grad, cae_view_at(dy, image, y, dy->region.x0),
                                 cae_region_width(&dy->region), dy->c, (ptrdiff_t)dy->c);
        }
    }
}

void cae_conv_wgrad(const cae_pass *p)
{
    cae_conv_bias_grad(p);
    if (p->team != NULL) {
        cae_pass shared = *p;
        cae_team_run(p->team, p->op->kernel, weights_job, &shared);
        return;
    }
    for (size_t image = 0; image < p->images; image++) {
        weights_image(p, 0, image, 0, p->op->kernel);
    }
}
