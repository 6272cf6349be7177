/*
 * Each layer and pass by itself, in its place: a round is one run forward and backward through a
 * network, layer by layer, as training does it, with the clock read around every layer. So caches
 * hold what they hold in training, and the times add up to a step's. Rounds of two kinds take
 * turns: in one a layer's backward pass is whole, in the other it is run twice, for the gradient of
 * the weights and for that of the input.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "model/model.h"
#include "net/loss.h"

/* Seconds of one layer in one round. */
struct times {
    double forward, weights, data, backward;
};

struct layers {
    cae_model *model;
    cae_engine engine;
    cae_shape *shapes;
    cae_plan *plan;
    void *base;
    float *packed_back, *sums, *images;
    double *loss_blocks;
    size_t count;
    size_t round;
    bool halves;         /* in every round */
    struct times *times; /* of the round under way */
    double clock_cost;   /* of reading the clock once */
};

static double since(const struct layers *l, double start)
{
    const double spent = bench_cpu() - start - l->clock_cost;
    return spent > 0 ? spent : 0;
}

static double cost_of_clock(void)
{
    double least = 1;
    for (int i = 0; i < 1000; i++) {
        const double start = bench_cpu();
        const double cost = bench_cpu() - start;
        least = cost < least ? cost : least;
    }
    return least;
}

/* ---- A round --------------------------------------------------------------------------------- */

static void run_forward(struct layers *l)
{
    const cae_planar images = {l->images, l->shapes[0].c, l->shapes[0].h, l->shapes[0].w};
    const cae_source source = cae_source_planar(&images);
    cae_exec_load(&l->engine, l->plan, l->base, &source, 0);
    for (size_t i = 0; i < l->plan->to; i++) {
        const double start = bench_cpu();
        cae_exec_forward_op(&l->engine, l->plan, l->base, i);
        l->times[i].forward = since(l, start);
    }
}

static void run_loss(struct layers *l)
{
    const cae_planar target = {l->images, l->shapes[0].c, l->shapes[0].h, l->shapes[0].w};
    cae_exec_begin_gradient(l->plan, l->base, l->plan->to);
    const cae_view y = cae_plan_view(l->plan, l->plan->to, l->base);
    const cae_view dy = cae_plan_gradient(l->plan, l->plan->to, l->base);
    for (size_t n = 0; n < l->count; n++) {
        cae_loss_of(&y, n, &target, 0, NULL, l->loss_blocks, &dy, 1e-3f);
    }
}

static double time_backward(struct layers *l, size_t layer, bool weights)
{
    const double start = bench_cpu();
    cae_exec_backward_op(&l->engine, l->plan, l->base, layer, l->packed_back,
                         weights ? l->sums : NULL, NULL);
    return since(l, start);
}

/* The two halves of a backward pass. The weights' comes first: it leaves the gradient of the input
 * for the other, which is the one to begin it. */
static void run_halves(struct layers *l, size_t layer)
{
    const cae_op *op = &l->plan->net->ops[layer];
    bool wanted[2] = {false, false};
    for (size_t k = 0; k < op->input_len; k++) {
        wanted[k] = l->plan->tensors[op->input[k]].gradient;
    }
    if (op->type->parameters != NULL) {
        for (size_t k = 0; k < op->input_len; k++) {
            l->plan->tensors[op->input[k]].gradient = false;
        }
        l->times[layer].weights = time_backward(l, layer, true);
        for (size_t k = 0; k < op->input_len; k++) {
            l->plan->tensors[op->input[k]].gradient = wanted[k];
        }
    }
    if (wanted[0] || wanted[1]) {
        l->times[layer].data = time_backward(l, layer, false);
    }
}

static bool run_round(void *arg)
{
    struct layers *l = arg;
    const size_t op_len = l->plan->to;
    const bool halves = l->round++ % 2 == 0 || l->halves;
    memset(l->times, 0, op_len * sizeof(l->times[0]));
    memset(l->sums, 0, l->engine.net->packed_len * sizeof(float));
    run_forward(l);
    run_loss(l);
    for (size_t i = op_len; i-- > 0;) {
        if (halves) {
            run_halves(l, i);
        } else {
            l->times[i].backward = time_backward(l, i, true);
        }
    }
    for (size_t t = 0; t <= op_len; t++) {
        l->plan->tensors[t].begun = false;
    }
    return true;
}

/* ---- Around it ------------------------------------------------------------------------------- */

static bool prepare(struct layers *l, const char *text, size_t count)
{
    l->count = count;
    l->clock_cost = cost_of_clock();
    if (cae_model_new(&l->model, text, 1) != CAE_OK) {
        return false;
    }
    const cae_net *net = l->model->net;
    l->engine = cae_model_engine(l->model, l->model->kernels);
    l->shapes = bench_need(net->op_len + 1, sizeof(l->shapes[0]));
    if (cae_net_shapes(net, net->input.h, net->input.w, l->shapes) != CAE_OK ||
        cae_plan_new(&l->plan, net) != CAE_OK) {
        return false;
    }
    cae_plan_make(l->plan, CAE_WHOLE, l->shapes, cae_region_whole(&l->shapes[net->op_len]), count,
                  true, 1);
    l->base = cae_alloc_zeroed(net->memory, l->plan->size, 1);
    l->packed_back = cae_alloc_zeroed(net->memory, net->packed_len, sizeof(float));
    l->sums = cae_alloc_zeroed(net->memory, net->packed_len, sizeof(float));
    l->loss_blocks = bench_need(cae_loss_blocks(net->input.h, net->input.w), sizeof(double));
    l->times = bench_need(net->op_len, sizeof(l->times[0]));
    l->images = bench_noise(count * net->input.c * net->input.h * net->input.w, 3);
    if (l->base == NULL || l->packed_back == NULL || l->sums == NULL) {
        return false;
    }
    if (l->engine.packed != NULL) {
        cae_pack_weights(net, l->engine.weights, l->packed_back, true, NULL);
    }
    return true;
}

static void release(struct layers *l)
{
    const cae_memory *memory = cae_memory_default();
    cae_plan_free(l->plan);
    cae_release(memory, l->base);
    cae_release(memory, l->packed_back);
    cae_release(memory, l->sums);
    free(l->shapes);
    free(l->loss_blocks);
    free(l->times);
    free(l->images);
    cae_model_free(l->model);
}

/* The share of values above zero in what layer `layer` made. */
static double share_alive(const struct layers *l, size_t layer)
{
    const cae_view y = cae_plan_view(l->plan, layer + 1, l->base);
    size_t alive = 0, all = 0;
    for (size_t n = 0; n < l->count; n++) {
        for (ptrdiff_t row = y.region.y0; row < y.region.y1; row++) {
            const float *v = cae_view_at(&y, n, row, y.region.x0);
            for (size_t i = 0; i < cae_region_width(&y.region) * y.c; i++, all++) {
                alive += v[i] > 0;
            }
        }
    }
    return all > 0 ? (double)alive / (double)all : 0;
}

static void print_line(const char *word, const cae_shape *in, const cae_shape *out,
                       const cae_op *options, double alive)
{
    printf("{\"type\":\"%s\",\"in\":[%zu,%zu,%zu],\"out\":[%zu,%zu,%zu],\"kernel\":%zu,"
           "\"stride\":%zu,\"pad\":%zu,\"alive\":%.4f}",
           word, in->c, in->h, in->w, out->c, out->h, out->w, options->kernel, options->stride,
           options->pad, alive);
}

/* A convolution that is fused with a pool is two lines here as in the text. */
static void print_layers(struct layers *l)
{
    const cae_net *net = l->model->net;
    run_forward(l);
    printf("\"layers\":[");
    for (size_t i = 0; i < net->op_len; i++) {
        const cae_op *op = &net->ops[i];
        const cae_shape in[2] = {l->shapes[op->input[0]], l->shapes[op->input[1]]};
        const cae_shape *made = &l->shapes[i + 1];
        const double alive = share_alive(l, i);
        printf("%s", i > 0 ? "," : "");
        if (op->type == &cae_op_conv_pool) {
            const cae_op *pool = op->detail;
            cae_shape between;
            (void)cae_op_conv.shape(op, in, &between);
            print_line("conv", &in[0], &between, op, alive);
            printf(",");
            print_line(pool->type->word, &between, made, pool, alive);
        } else {
            print_line(op->type->word, &in[0], made, op, alive);
        }
    }
    printf("]");
}

static void print_round(const struct layers *l, const bench_window *w)
{
    printf("{\"window\":");
    bench_print_windows(w, 1);
    printf(",\"times\":[");
    for (size_t i = 0; i < l->plan->to; i++) {
        const struct times *t = &l->times[i];
        printf("%s[%.9f,%.9f,%.9f,%.9f]%s", i > 0 ? "," : "", t->forward, t->weights, t->data,
               t->backward, l->plan->net->ops[i].type == &cae_op_conv_pool ? ",[0,0,0,0]" : "");
    }
    printf("]}");
}

static void run_rounds(struct layers *l, size_t rounds)
{
    (void)run_round(l); /* warm */
    l->round = 0;
    bench_probe last = bench_probe_one();
    printf("\"rounds\":[");
    for (size_t i = 0; i < rounds; i++) {
        bench_window w = {.before = last};
        const double wall = bench_wall();
        const double cpu = bench_cpu();
        (void)run_round(l);
        w.cpu = bench_cpu() - cpu;
        w.wall = bench_wall() - wall;
        w.after = last = bench_probe_one();
        printf("%s", i > 0 ? "," : "");
        print_round(l, &w);
    }
    printf("]");
}

/* layers TEXT COUNT ROUNDS [halves]: the text is a preset's name, or its lines with ';' between
 * them. `halves`: no whole rounds. */
const char *bench_layers(char **words)
{
    struct layers l = {.model = NULL};
    if (words[3] == NULL) {
        return "wanted: TEXT COUNT ROUNDS [halves]";
    }
    l.halves = words[4] != NULL && strcmp(words[4], "halves") == 0;
    for (char *c = words[1]; *c != '\0'; c++) {
        *c = *c == ';' ? '\n' : *c;
    }
    const bool good = prepare(&l, words[1], bench_number(words[2]));
    if (good) {
        printf("{");
        run_rounds(&l, bench_number(words[3]));
        printf(",");
        print_layers(&l);
        printf("}");
    }
    release(&l);
    return good ? NULL : cae_last_error();
}
