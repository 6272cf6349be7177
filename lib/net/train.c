/*
 * A batch of images run forward and backward, and what becomes of its gradient. The workers of a
 * team take chunks of two images, whose gradients are added in order; chunks are part of the
 * numbers. A network with a dense layer is run on slices of the batch instead, with the team inside
 * the operators. The gradient is stored; but a whole step applies those of dense layers as they are
 * made, once it is known that all weights stay finite.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "net/train.h"

#include <float.h>
#include <string.h>

#include "base/floats.h"
#include "base/size.h"
#include "base/status.h"
#include "net/loss.h"

enum {
    CHUNK = 2, /* images: part of the numbers (docs/numerics.md) */
    SLICE = 64 /* images that run at once, at the most */
};

struct worker {
    cae_plan *plan;
    void *base;
    float *sums;                 /* a chunk's gradient; with a dense layer: empty */
    double *loss_blocks;         /* of one image */
    float *low, *high, *symbols; /* one block, of so many channels as the code has */
};

struct batch {
    const cae_engine *engine;
    cae_planar images, target;
    const float *sigma; /* see cae_pairs */
    size_t count;
    cae_shape *shapes;
    cae_plan *plan;     /* of a slice; the first worker's then */
    float *packed_back; /* NULL: no operator packs its weights */
    float *total;       /* as packed; with a dense layer the caller's, zeroed; NULL: all defer */
    float **deferred;   /* by operator; NULL: every gradient is stored */
    float *deferred_floats;
    double sum;        /* of the losses */
    float largest;     /* magnitude in the gradient that is stored */
    float scale;       /* of the difference in the gradient of the output */
    double term_scale; /* see cae_training */
    size_t slice;
    cae_team *team;
    size_t team_size;
    size_t op_workers; /* of the team, that operators use: all, or 1 where workers run by images */
    struct worker *workers; /* one, with a dense layer */
    size_t worker_len;
    size_t loss_block_len;
    size_t block_size;
    size_t spare; /* bytes of the memory limit that one worker leaves */
};

/* ---- One chunk ------------------------------------------------------------------------------- */

/* Of the symbols: what a code is in training is not what a file will hold. */
static void gather_ranges(const struct worker *w, const cae_latent *latent, const cae_view *encoded,
                          size_t channels, size_t images)
{
    const cae_region *r = &encoded->region;
    for (size_t n = 0; n < images; n++) {
        for (ptrdiff_t y = r->y0; y < r->y1; y++) {
            for (ptrdiff_t x = r->x0; x < r->x1; x++) {
                const float *v = cae_view_at(encoded, n, y, x);
                if (latent != NULL) {
                    latent->symbols(v, channels, w->symbols);
                    v = w->symbols;
                }
                for (size_t c = 0; c < channels; c++) {
                    /* Adding +0 turns -0 into it: which zero came first must not matter. */
                    const float value = v[c] + 0.0f;
                    w->low[c] = value < w->low[c] ? value : w->low[c];
                    w->high[c] = value > w->high[c] ? value : w->high[c];
                }
            }
        }
    }
}

/* The code's term for image n of the pass, as it counts in the loss. */
static double weighted_term(const struct batch *b, const struct worker *w, size_t n)
{
    if (b->engine->net->latent == NULL) {
        return 0;
    }
    memset(w->loss_blocks, 0, b->loss_block_len * sizeof(double));
    cae_loss_add_term(w->plan, w->base, n, cae_div_up(b->target.w, CAE_LOSS_BLOCK), w->loss_blocks);
    return b->engine->term_weight * cae_loss_sum(w->loss_blocks, b->loss_block_len);
}

/* Forward, loss and backward of plan->images images; losses[n] receives the sum of image n. */
static void train_images(struct batch *b, struct worker *w, float *sums, size_t first,
                         double *losses)
{
    cae_plan *plan = w->plan;
    const cae_net *net = plan->net;
    cae_engine engine = *b->engine;
    engine.sigma = b->sigma;
    engine.training.first = first;
    engine.training.term_scale = b->term_scale;
    const cae_source in = cae_source_planar(&b->images);
    cae_exec_load(&engine, plan, w->base, &in, first);
    cae_exec_forward(&engine, plan, w->base);
    const cae_view encoded = cae_plan_view(plan, cae_net_encoded(net), w->base);
    if (net->coded) {
        gather_ranges(w, net->latent, &encoded, b->shapes[net->code].c, plan->images);
    }
    cae_exec_begin_gradient(plan, w->base, plan->to);
    const cae_view y = cae_plan_view(plan, plan->to, w->base);
    const cae_view dy = cae_plan_gradient(plan, plan->to, w->base);
    for (size_t n = 0; n < plan->images; n++) {
        cae_loss_of(&y, n, &b->target, first, b->sigma, w->loss_blocks, &dy, b->scale);
        losses[n] = cae_loss_sum(w->loss_blocks, b->loss_block_len) + weighted_term(b, w, n);
    }
    cae_exec_backward(&engine, plan, w->base, b->packed_back, sums, b->deferred);
}

/* One image after the other, so that the loss does not depend on chunks and slices. */
static void add_losses(struct batch *b, const double *losses, size_t len)
{
    for (size_t n = 0; n < len; n++) {
        b->sum += losses[n];
    }
}

static void chunk_job(void *arg, size_t chunk, size_t worker)
{
    struct batch *b = arg;
    struct worker *w = &b->workers[worker];
    const size_t len = b->engine->net->packed_len;
    const size_t first = chunk * CHUNK;
    const size_t end = cae_size_min(first + CHUNK, b->count);
    double losses[CHUNK];
    memset(w->sums, 0, len * sizeof(float));
    for (size_t n = first; n < end; n++) {
        train_images(b, w, w->sums, n, &losses[n - first]);
    }
    cae_team_await_turn(b->team, chunk);
    b->engine->kernels->add(b->total, w->sums, len);
    add_losses(b, losses, end - first);
    cae_team_pass_turn(b->team, chunk);
}

static void run_slices(struct batch *b)
{
    struct worker *w = &b->workers[0];
    const cae_region whole = cae_region_whole(&b->shapes[b->engine->net->op_len]);
    for (size_t first = 0; first < b->count; first += b->slice) {
        const size_t images = cae_size_min(b->slice, b->count - first);
        double losses[SLICE];
        if (images != w->plan->images) {
            cae_plan_make(w->plan, CAE_WHOLE, b->shapes, whole, images, true, b->op_workers);
        }
        w->plan->team = b->team;
        train_images(b, w, b->total, first, losses);
        add_losses(b, losses, images);
    }
}

static void clear_ranges(const struct batch *b, const struct worker *w)
{
    for (size_t c = 0; c < b->shapes[b->engine->net->code].c; c++) {
        w->low[c] = FLT_MAX;
        w->high[c] = -FLT_MAX;
    }
}

static void reset(struct batch *b)
{
    const cae_memory *memory = b->engine->net->memory;
    for (size_t i = 0; i < b->worker_len; i++) {
        clear_ranges(b, &b->workers[i]);
    }
    cae_release(memory, b->deferred);
    cae_release(memory, b->deferred_floats);
    b->deferred = NULL;
    b->deferred_floats = NULL;
    b->sum = 0;
}

static void run_batch(struct batch *b)
{
    if (b->engine->net->fixed_size) {
        run_slices(b);
    } else {
        cae_team_run(b->team, cae_div_up(b->count, CHUNK), chunk_job, b);
    }
}

/* ---- Preparation ----------------------------------------------------------------------------- */

static int too_large(const struct batch *b)
{
    return cae_fail(CAE_E_LIMIT,
                    "training on images of %zu x %zu (height x width) needs more than the "
                    "memory_limit of %zu bytes",
                    b->images.h, b->images.w, b->engine->memory_limit);
}

/* Bytes of a worker's ranges, and of one pixel's symbols where they are not the code itself. */
static size_t ranges_size(const struct batch *b)
{
    const cae_net *net = b->engine->net;
    return b->shapes[net->code].c * (net->latent != NULL ? 3 : 2) * sizeof(float);
}

/* How many workers, or how large a slice, memory allows. */
static int fit(struct batch *b, cae_plan *plan)
{
    const cae_net *net = b->engine->net;
    const cae_region whole = cae_region_whole(&b->shapes[net->op_len]);
    const size_t limit = b->engine->memory_limit;
    const size_t sums = net->packed_len * sizeof(float);
    /* The packing for the way back and the total; and for every worker, beside its block, a plan,
     * loss blocks, ranges and the sums of its chunk. */
    const size_t packed = (b->engine->packed != NULL ? sums : 0) + (net->fixed_size ? 0 : sums);
    const size_t threads = cae_net_workers(net, b->shapes, b->count, b->engine->threads);
    const size_t extra = cae_plan_overhead(net, 1, net->fixed_size ? threads : 1) +
                         b->loss_block_len * sizeof(double) + ranges_size(b) +
                         (net->fixed_size ? 0 : sums);
    if (packed > limit || extra > limit - packed) {
        return too_large(b);
    }
    b->slice = net->fixed_size ? cae_size_min(b->count, SLICE) : 1;
    b->op_workers = net->fixed_size ? threads : 1;
    for (;; b->slice /= 2) {
        cae_plan_make(plan, CAE_WHOLE, b->shapes, whole, b->slice, true, b->op_workers);
        if (plan->size <= limit - packed - extra) {
            break;
        }
        if (b->slice == 1) {
            return too_large(b);
        }
    }
    b->block_size = plan->size;
    b->spare = limit - packed - extra - b->block_size;
    const size_t most = net->fixed_size ? 1 : cae_size_min(threads, cae_div_up(b->count, CHUNK));
    b->worker_len = cae_size_min(most, (limit - packed) / (b->block_size + extra));
    b->team_size = net->fixed_size ? threads : b->worker_len;
    return CAE_OK;
}

static int make_worker(struct batch *b, struct worker *w)
{
    const cae_net *net = b->engine->net;
    const cae_region whole = cae_region_whole(&b->shapes[net->op_len]);
    const size_t channels = b->shapes[net->code].c;
    if (b->plan != NULL) {
        w->plan = b->plan;
        b->plan = NULL;
    } else {
        CAE_TRY(cae_plan_new(&w->plan, net));
        cae_plan_make(w->plan, CAE_WHOLE, b->shapes, whole, b->slice, true, b->op_workers);
    }
    w->base = cae_alloc(net->memory, b->block_size, 1);
    w->sums = cae_alloc(net->memory, net->fixed_size ? 0 : net->packed_len, sizeof(float));
    w->loss_blocks = cae_alloc(net->memory, b->loss_block_len, sizeof(double));
    w->low = cae_alloc(net->memory, ranges_size(b), 1);
    if (w->base == NULL || w->sums == NULL || w->loss_blocks == NULL || w->low == NULL) {
        return CAE_E_NOMEM;
    }
    w->high = w->low + channels;
    w->symbols = w->high + channels; /* used only with a latent */
    clear_ranges(b, w);
    return CAE_OK;
}

/* The memory, and then the team. */
static int start(struct batch *b)
{
    const cae_net *net = b->engine->net;
    b->workers = cae_alloc_zeroed(net->memory, b->worker_len, sizeof(b->workers[0]));
    if (b->workers == NULL) {
        b->worker_len = 0;
        return CAE_E_NOMEM;
    }
    if (b->engine->packed != NULL) {
        b->packed_back = cae_alloc(net->memory, net->packed_len, sizeof(float));
        if (b->packed_back == NULL) {
            return CAE_E_NOMEM;
        }
    }
    for (size_t i = 0; i < b->worker_len; i++) {
        CAE_TRY(make_worker(b, &b->workers[i]));
    }
    if (!net->fixed_size) {
        b->total = cae_alloc_zeroed(net->memory, net->packed_len, sizeof(float));
        if (b->total == NULL) {
            return CAE_E_NOMEM;
        }
    }
    b->team = cae_team_start(net->memory, b->team_size);
    if (b->packed_back != NULL) {
        cae_pack_weights(net, b->engine->weights, b->packed_back, true, b->team);
    }
    return CAE_OK;
}

static int prepare(struct batch *b, const cae_engine *e, const cae_pairs *pairs)
{
    const cae_net *net = e->net;
    const cae_planar image = {pairs->input, net->input.c, pairs->height, pairs->width};
    const double values =
        (double)pairs->count * (double)image.c * (double)image.h * (double)image.w;
    *b = (struct batch){.engine = e,
                        .images = image,
                        .target = {pairs->target, image.c, image.h, image.w},
                        .sigma = pairs->sigma,
                        .count = pairs->count,
                        .scale = (float)(2.0 / values),
                        .term_scale = e->term_weight / values};
    b->shapes = cae_alloc(net->memory, net->op_len + 1, sizeof(b->shapes[0]));
    if (b->shapes == NULL) {
        return CAE_E_NOMEM;
    }
    CAE_TRY(cae_net_shapes(net, image.h, image.w, b->shapes));
    CAE_TRY(cae_planar_check(&b->images, b->count, "input"));
    if (pairs->target != pairs->input) {
        CAE_TRY(cae_planar_check(&b->target, b->count, "target"));
    }
    b->loss_block_len = cae_loss_blocks(image.h, image.w);
    CAE_TRY(cae_plan_new(&b->plan, net));
    CAE_TRY(fit(b, b->plan));
    return start(b);
}

static void free_batch(struct batch *b)
{
    const cae_memory *memory = b->engine->net->memory;
    for (size_t i = 0; i < b->worker_len; i++) {
        struct worker *w = &b->workers[i];
        cae_plan_free(w->plan);
        cae_release(memory, w->base);
        cae_release(memory, w->sums);
        cae_release(memory, w->loss_blocks);
        cae_release(memory, w->low);
    }
    cae_plan_free(b->plan);
    cae_release(memory, b->workers);
    cae_release(memory, b->packed_back);
    cae_release(memory, b->deferred);
    cae_release(memory, b->deferred_floats);
    cae_release(memory, b->engine->net->fixed_size ? NULL : b->total);
    cae_release(memory, b->shapes);
    cae_team_stop(b->team);
}

/* ---- The result ------------------------------------------------------------------------------ */

struct unpacking {
    const struct batch *b;
    float *weights;
};

/* One tensor. Where the total stands in its place already, it goes by way of a copy: the way back
 * has been walked, so its packing is free. */
static void unpack_job(void *arg, size_t i, size_t worker)
{
    const struct unpacking *j = arg;
    const struct batch *b = j->b;
    const cae_net *net = b->engine->net;
    const cae_weight *w = &net->weights[i];
    const cae_op *op = &net->ops[w->op];
    const float *from = b->total + w->packed;
    (void)worker;
    if (!w->is_bias && op->type->unpack != NULL) {
        if (net->fixed_size) {
            from = memcpy(b->packed_back + w->packed, from, w->len * sizeof(float));
        }
        op->type->unpack(op, &net->shapes[op->input[0]], from, j->weights + w->offset);
    } else if (!net->fixed_size) {
        memcpy(j->weights + w->offset, from, w->len * sizeof(float));
    }
}

/* From the layers' own order to PyTorch's layouts. */
static void unpack(const struct batch *b, float *weights)
{
    struct unpacking j = {b, weights};
    cae_team_run(b->team, b->engine->net->weight_len, unpack_job, &j);
}

static void join_ranges(const struct batch *b, cae_gradient *out)
{
    const size_t channels = b->shapes[b->engine->net->code].c;
    for (size_t c = 0; c < channels; c++) {
        out->low[c] = FLT_MAX;
        out->high[c] = -FLT_MAX;
        for (size_t i = 0; i < b->worker_len; i++) {
            const struct worker *w = &b->workers[i];
            out->low[c] = w->low[c] < out->low[c] ? w->low[c] : out->low[c];
            out->high[c] = w->high[c] > out->high[c] ? w->high[c] : out->high[c];
        }
    }
}

static int finish(const struct batch *b, cae_gradient *out)
{
    join_ranges(b, out);
    return cae_loss_mean(b->sum, b->count, &b->target, &out->loss);
}

/* ---- The gradient ---------------------------------------------------------------------------- */

static bool finite_code(const cae_net *net, const cae_gradient *g)
{
    const size_t channels = net->shapes[net->code].c;
    return cae_all_finite(g->low, channels, NULL) && cae_all_finite(g->high, channels, NULL);
}

static int need_weights(const cae_net *net, cae_gradient *out)
{
    if (out->weights == NULL) {
        out->weights = cae_alloc(net->memory, net->parameters, sizeof(float));
    }
    return out->weights != NULL ? CAE_OK : CAE_E_NOMEM;
}

static int gradient_of(struct batch *b, cae_gradient *out)
{
    const cae_net *net = b->engine->net;
    CAE_TRY(need_weights(net, out));
    if (net->fixed_size) {
        b->total = memset(out->weights, 0, net->parameters * sizeof(float));
    }
    run_batch(b);
    unpack(b, out->weights);
    CAE_TRY(finish(b, out));
    b->largest = cae_largest(out->weights, net->parameters);
    if (!(b->largest <= FLT_MAX)) {
        return cae_fail(CAE_E_NONFINITE, "the gradient overflowed");
    }
    return finite_code(net, out) ? CAE_OK : cae_fail(CAE_E_NONFINITE, "the code overflowed");
}

int cae_net_gradient(const cae_engine *e, const cae_pairs *pairs, cae_gradient *out)
{
    struct batch b;
    int status = prepare(&b, e, pairs);
    if (status == CAE_OK) {
        status = gradient_of(&b, out);
    }
    free_batch(&b);
    return status;
}

/* ---- A whole step ---------------------------------------------------------------------------- */

/* The floats in which operator `at` defers its gradient; 0: it does not. SIZE_MAX: too many. */
static size_t deferred_len(const struct batch *b, size_t at)
{
    const cae_plan *plan = b->workers[0].plan;
    const cae_pass p = cae_exec_deferred(b->engine, plan, at, NULL);
    const bool defers = p.op->type->deferred_len != NULL && plan->tensors[at + 1].gradient;
    return defers ? p.op->type->deferred_len(&p) : 0;
}

/* Room for what operators defer; `*fits` says whether there is. Without, b->deferred stays NULL. */
static int make_deferred(struct batch *b, bool *fits)
{
    const cae_net *net = b->engine->net;
    const size_t pointers = net->op_len * sizeof(b->deferred[0]);
    size_t len = 0;
    for (size_t i = 0; i < net->op_len; i++) {
        len = cae_size_add(len, deferred_len(b, i));
    }
    *fits = cae_size_add(cae_size_mul(len, sizeof(float)), pointers) <= b->spare;
    if (!*fits) {
        return CAE_OK;
    }
    b->deferred = cae_alloc_zeroed(net->memory, net->op_len, sizeof(b->deferred[0]));
    b->deferred_floats = cae_alloc(net->memory, len, sizeof(float));
    if (b->deferred == NULL || b->deferred_floats == NULL) {
        return CAE_E_NOMEM;
    }
    float *at = b->deferred_floats;
    for (size_t i = 0; i < net->op_len; i++) {
        const size_t wanted = deferred_len(b, i);
        b->deferred[i] = wanted > 0 ? at : NULL;
        at += wanted;
    }
    return CAE_OK;
}

/* What no element of the gradient exceeds; NaN or infinity when that is not known. */
static double bound_of(const struct batch *b)
{
    const cae_net *net = b->engine->net;
    double sum = 0;
    for (size_t i = 0; i < net->op_len; i++) {
        if (b->deferred[i] != NULL) {
            const cae_pass p = cae_exec_deferred(b->engine, b->workers[0].plan, i, b->deferred[i]);
            sum += p.op->type->bound(&p);
        }
    }
    for (size_t i = 0; i < net->weight_len; i++) {
        const cae_weight *w = &net->weights[i];
        if (b->deferred[w->op] == NULL) {
            sum += (double)cae_largest(b->total + w->offset, w->len);
        }
    }
    return sum;
}

static void update_all(const struct batch *b, const cae_adam_step *scalars, cae_adam_state *state)
{
    const cae_net *net = b->engine->net;
    for (size_t i = 0; i < net->op_len; i++) {
        if (b->deferred[i] != NULL) {
            const cae_weight *w = net->pair_of[i];
            const cae_update u = {scalars, state, w[1].offset, w[0].offset};
            const cae_pass p = cae_exec_deferred(b->engine, b->workers[0].plan, i, b->deferred[i]);
            p.op->type->update(&p, &u);
        }
    }
    for (size_t i = 0; i < net->weight_len; i++) {
        const cae_weight *w = &net->weights[i];
        if (b->deferred[w->op] == NULL) {
            cae_adam_update(scalars, state, w->offset, b->total + w->offset, w->len,
                            b->engine->kernels);
        }
    }
}

/* A step that stores none of the gradients that can be deferred, if it can be made: *done says so.
 * All backward passes, and the decision, come before the first write: they read the weights. */
static int deferred_step(struct batch *b, const cae_adam *adam, cae_adam_state *state,
                         cae_gradient *out, bool *done)
{
    const cae_net *net = b->engine->net;
    cae_adam_step scalars;
    bool fits = false;
    CAE_TRY(make_deferred(b, &fits));
    if (!fits) {
        return CAE_OK;
    }
    if (net->stores) {
        CAE_TRY(need_weights(net, out));
    }
    b->total = out->weights;
    for (size_t i = 0; i < net->weight_len; i++) {
        const cae_weight *w = &net->weights[i];
        if (b->deferred[w->op] == NULL) {
            memset(b->total + w->offset, 0, w->len * sizeof(float));
        }
    }
    run_batch(b);
    CAE_TRY(finish(b, out));
    if (!finite_code(net, out) || !cae_adam_begin(adam, state, bound_of(b), &scalars)) {
        reset(b);
        return CAE_OK;
    }
    if (b->packed_back != NULL) {
        unpack(b, b->total);
    }
    update_all(b, &scalars, state);
    *done = true;
    return CAE_OK;
}

static int step_of(struct batch *b, const cae_adam *adam, cae_adam_state *state, cae_gradient *out)
{
    bool done = false;
    if (b->engine->net->defers && b->slice == b->count) {
        CAE_TRY(deferred_step(b, adam, state, out, &done));
    }
    if (done) {
        return CAE_OK;
    }
    CAE_TRY(gradient_of(b, out));
    return cae_adam_apply(adam, state, out->weights, b->largest, b->engine->kernels, b->team);
}

int cae_net_step(const cae_engine *e, const cae_pairs *pairs, const cae_adam *adam,
                 cae_adam_state *state, float *packed, cae_gradient *out)
{
    struct batch b;
    int status = prepare(&b, e, pairs);
    if (status == CAE_OK) {
        status = step_of(&b, adam, state, out);
    }
    if (status == CAE_OK && packed != NULL) {
        cae_pack_weights(e->net, state->weights, packed, false, b.team);
    }
    free_batch(&b);
    return status;
}
