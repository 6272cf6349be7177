/*
 * A tile made in strips against the same tile made at once, bit for bit: every network of the
 * gradient tests that takes any size, every part of it, strips of all heights, tiles of several
 * sizes. Memory begins as NaN, so that a row used before it is made, or after it is gone, is seen;
 * and no row is made twice.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "gradient_nets.h"
#include "model/model.h"
#include "net/infer.h"
#include "unit.h"

enum { CANARY = 64 };

struct trial {
    cae_model *model;
    cae_engine engine;
    cae_part part;
    cae_shape *shapes;
    cae_shape in, out; /* of the part, in the image's own size */
    float *input, *once, *strips;
    cae_plan *plan;
};

static size_t len_of(const cae_shape *s)
{
    return s->c * s->h * s->w;
}

static void *need(size_t count, size_t size)
{
    void *block = calloc(count, size);
    ck_assert_ptr_nonnull(block);
    return block;
}

struct planar {
    float *data;
    cae_shape shape;
};

static void write_row(void *to, size_t n, size_t c, size_t y, size_t x0, size_t x1,
                      const float *row)
{
    const struct planar *p = to;
    ck_assert_uint_eq(n, 0);
    memcpy(p->data + (c * p->shape.h + y) * p->shape.w + x0, row, (x1 - x0) * sizeof(*row));
}

/* Counts what every tensor has been given of rows so far. */
static bool makes_rows_once(const cae_plan *plan, void *base, size_t *rows)
{
    bool once = true;
    for (size_t t = plan->from; t <= plan->to; t++) {
        const cae_view fresh = cae_plan_new_rows(plan, t, base);
        rows[t] += cae_region_height(&fresh.region);
        once = once && rows[t] <= plan->shapes[t].h;
    }
    return once;
}

/* Runs what is planned into the planar result `to`. */
static void run_plan(struct trial *t, float *to)
{
    const size_t size = t->plan->size;
    unsigned char *base = NULL;
    unsigned char canary[CANARY];
    size_t *rows = need(t->model->net->op_len + 1, sizeof(*rows));
    ck_assert_int_eq(posix_memalign((void **)&base, CAE_ALIGN, size + CANARY), 0);
    memset(base, 0xff, size + CANARY);
    memset(canary, 0xff, CANARY);
    const cae_planar images = {t->input, t->in.c, t->in.h, t->in.w};
    const cae_source source = cae_source_planar(&images);
    struct planar result = {to, t->out};
    const cae_sink sink = {write_row, &result, t->out.h, t->out.w};
    while (cae_plan_next(t->plan, base)) {
        ck_assert(makes_rows_once(t->plan, base, rows));
        cae_exec_load(&t->engine, t->plan, base, &source, 0);
        cae_exec_forward(&t->engine, t->plan, base);
        ck_assert(cae_exec_store(&t->engine, t->plan, base, &sink, 0));
    }
    ck_assert_mem_eq(base + size, canary, CANARY);
    free(base);
    free(rows);
}

static void open_trial(struct trial *t, const char *text, cae_part part, size_t h, size_t w)
{
    *t = (struct trial){.part = part};
    ck_assert_int_eq(cae_model_new(&t->model, text, 3), CAE_OK);
    static const float sigma = 0.1f;
    t->engine = cae_model_engine(t->model, t->model->kernels);
    const cae_net *net = t->model->net;
    t->engine.sigma = net->noise ? &sigma : NULL;
    t->shapes = need(net->op_len + 1, sizeof(*t->shapes));
    ck_assert_int_eq(cae_net_shapes(net, h, w, t->shapes), CAE_OK);
    const cae_shape image = {net->input.c, h, w};
    t->in = part == CAE_DECODE ? t->shapes[net->code] : image;
    t->out = part == CAE_ENCODE ? t->shapes[net->code] : image;
    t->input = need(len_of(&t->in), sizeof(float));
    t->once = need(len_of(&t->out), sizeof(float));
    t->strips = need(len_of(&t->out), sizeof(float));
    for (size_t i = 0; i < len_of(&t->in); i++) {
        t->input[i] = (float)(i * 2654435761u % 65521) / 65521.0f;
    }
    ck_assert_int_eq(cae_plan_new(&t->plan, net), CAE_OK);
    cae_plan_make(t->plan, part, t->shapes, cae_region_whole(&t->out), 1, false, 1);
    run_plan(t, t->once);
}

static void close_trial(struct trial *t)
{
    cae_plan_free(t->plan);
    cae_model_free(t->model);
    free(t->shapes);
    free(t->input);
    free(t->once);
    free(t->strips);
}

/* The whole result from tiles of height x width, in strips. */
static void check_tiles(struct trial *t, size_t height, size_t width, size_t strip)
{
    const cae_region whole = cae_region_whole(&t->out);
    memset(t->strips, 0xff, len_of(&t->out) * sizeof(float));
    for (ptrdiff_t y = 0; y < whole.y1; y += (ptrdiff_t)height) {
        for (ptrdiff_t x = 0; x < whole.x1; x += (ptrdiff_t)width) {
            const cae_region tile = {y, y + (ptrdiff_t)height, x, x + (ptrdiff_t)width};
            cae_plan_strips(t->plan, t->part, t->shapes, cae_region_clip(tile, &t->out), strip, 1);
            run_plan(t, t->strips);
        }
    }
    ck_assert_mem_eq(t->strips, t->once, len_of(&t->out) * sizeof(float));
}

/* Whether the network takes images of that size. */
static bool takes(const cae_net *net, size_t h, size_t w)
{
    cae_shape *shapes = need(net->op_len + 1, sizeof(*shapes));
    const int status = cae_net_shapes(net, h, w, shapes);
    free(shapes);
    return status == CAE_OK;
}

static void check_part(const char *text, cae_part part, size_t h, size_t w)
{
    struct trial t;
    open_trial(&t, text, part, h, w);
    for (size_t strip = 1; strip < t.out.h; strip += strip < 9 ? 1 : 7) {
        check_tiles(&t, t.out.h, t.out.w, strip);
        check_tiles(&t, t.out.h, 5, strip);
        check_tiles(&t, 6, t.out.w, strip);
    }
    close_trial(&t);
}

/* Returns at how many sizes. */
static size_t check_net(const char *text)
{
    static const size_t sizes[][2] = {{64, 7}, {41, 16}, {19, 1}};
    size_t taken = 0;
    cae_model *m = NULL;
    ck_assert_int_eq(cae_model_new(&m, text, 3), CAE_OK);
    for (size_t k = 0; k < 3; k++) {
        const size_t h = sizes[k][0];
        const size_t w = sizes[k][1];
        if (m->net->fixed_size || !takes(m->net, h, w)) {
            continue;
        }
        taken++;
        check_part(text, CAE_WHOLE, h, w);
        if (m->net->noise) {
            continue; /* what has no sense without the level has no parts */
        }
        check_part(text, CAE_ENCODE, h, w);
        if (!m->net->skip_crosses) {
            check_part(text, CAE_DECODE, h, w);
        }
    }
    cae_model_free(m);
    return taken;
}

START_TEST(strips_give_the_bits_of_the_whole)
{
    size_t taken = 0;
    for (size_t i = 0; i < gradient_net_len; i++) {
        taken += check_net(gradient_nets[i].text);
    }
    ck_assert_uint_gt(taken, 60);
}
END_TEST

/* Rows that are kept until a loss block is complete stand as they were made. */
START_TEST(a_loss_block_is_there_when_it_is_complete)
{
    enum { LOSS_BLOCK = 16, H = 56, W = 9 };
    static const char text[] = "input 1 8 8\nconv 3 kernel 3 pad 1 relu\nmaxpool 2\ncode\n"
                               "tconv 1 kernel 4 stride 2 pad 1\n";
    struct trial t;
    open_trial(&t, text, CAE_WHOLE, H, W);
    for (size_t strip = 1; strip <= 2 * LOSS_BLOCK; strip *= 2) {
        size_t loss_blocks = 0;
        cae_plan_strips(t.plan, CAE_WHOLE, t.shapes, cae_region_whole(&t.out), strip, LOSS_BLOCK);
        unsigned char *base = NULL;
        ck_assert_int_eq(posix_memalign((void **)&base, CAE_ALIGN, t.plan->size), 0);
        const cae_planar images = {t.input, 1, H, W};
        const cae_source source = cae_source_planar(&images);
        while (cae_plan_next(t.plan, base)) {
            cae_exec_load(&t.engine, t.plan, base, &source, 0);
            cae_exec_forward(&t.engine, t.plan, base);
            const cae_view y = cae_plan_view(t.plan, t.plan->to, base);
            ck_assert_int_eq(y.region.y0 % LOSS_BLOCK, 0);
            for (ptrdiff_t row = y.region.y0; row < y.region.y1; row++) {
                ck_assert_mem_eq(cae_view_at(&y, 0, row, 0), t.once + row * W, W * sizeof(float));
            }
            loss_blocks += y.region.y1 % LOSS_BLOCK == 0 || y.region.y1 == H;
        }
        ck_assert_uint_eq(loss_blocks, strip > LOSS_BLOCK ? 2 : 4);
        free(base);
    }
    close_trial(&t);
}
END_TEST

/* However high the image is, a tile takes no more memory. */
START_TEST(memory_does_not_grow_with_the_height)
{
    struct trial t;
    size_t size = 0;
    open_trial(&t, cae_net_preset_text("cae-denoise"), CAE_WHOLE, 64, 64);
    const size_t whole = t.plan->size;
    for (size_t h = 128; h <= 65536; h *= 8) {
        ck_assert_int_eq(cae_net_shapes(t.model->net, h, 64, t.shapes), CAE_OK);
        cae_plan_strips(t.plan, CAE_WHOLE, t.shapes, (cae_region){0, (ptrdiff_t)h, 0, 64}, 8, 1);
        ck_assert_uint_le(t.plan->size, whole);
        ck_assert(size == 0 || t.plan->size == size);
        size = t.plan->size;
    }
    close_trial(&t);
}
END_TEST

/* A row is held as long as a row below it that is yet to be made reads it, no longer: two rows of
 * what a 3 x 3 kernel reads. What a fused pool reads is no tensor: three of them. */
START_TEST(rows_are_kept_while_they_are_needed)
{
    struct trial t;
    unsigned char *base = NULL;
    open_trial(&t, cae_net_preset_text("cae-denoise"), CAE_WHOLE, 256, 64);
    cae_plan_strips(t.plan, CAE_WHOLE, t.shapes, cae_region_whole(&t.out), 8, 1);
    ck_assert_int_eq(posix_memalign((void **)&base, CAE_ALIGN, t.plan->size), 0);
    for (size_t strip = 0; strip < 16; strip++) {
        ck_assert(cae_plan_next(t.plan, base));
    }
    const cae_tensor_plan *tensors = t.plan->tensors;
    ck_assert_uint_eq(t.model->net->line_len - t.model->net->op_len, 3);
    for (size_t read = 0; read < 3; read++) {
        ck_assert_int_eq(tensors[read].new_y0 - tensors[read].with_halo.y0, 2);
    }
    free(base);
    close_trial(&t);
}
END_TEST

START_TEST(sixteen_mebibytes_suffice_at_any_size)
{
    static const size_t sizes[][2] = {{1, 1},       {64, 64},      {1 << 20, 1},
                                      {1, 1 << 20}, {64, 1 << 20}, {20000, 20000}};
    static const char *const names[] = {"cae-compress", "cae-denoise"};
    for (size_t i = 0; i < 2; i++) {
        cae_model *m = NULL;
        ck_assert_int_eq(cae_model_new(&m, cae_net_preset_text(names[i]), 3), CAE_OK);
        cae_engine engine = cae_model_engine(m, m->kernels);
        engine.memory_limit = (size_t)16 << 20;
        for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
            for (int part = CAE_WHOLE; part <= CAE_DECODE; part++) {
                cae_run *run = NULL;
                ck_assert_int_eq(
                    cae_run_new(&run, &engine, (cae_part)part, false, 1, sizes[k][0], sizes[k][1]),
                    CAE_OK);
                ck_assert_int_eq(cae_run_fit(run, 0), CAE_OK);
                cae_run_free(run);
            }
        }
        cae_model_free(m);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        strips_give_the_bits_of_the_whole,     a_loss_block_is_there_when_it_is_complete,
        rows_are_kept_while_they_are_needed,   memory_does_not_grow_with_the_height,
        sixteen_mebibytes_suffice_at_any_size, NULL};
    return unit_run("strips", tests);
}
