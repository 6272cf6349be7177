/*
 * The run of a batch. A network without a dense layer is run image by image: the batch is cut into
 * chunks of two images, the workers of a team take chunks as they come, and each chunk's gradient
 * is added to the total in the order of the chunks. A network with a dense layer is run on slices
 * of the batch, with the team inside the layers, adding to the total as it goes. Chunks are part of
 * the numbers (docs/numerics.md); slices, threads and memory are not. What becomes of the gradient
 * is train.c's.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "net/batch.h"

#include <float.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "net/loss.h"

enum { CHUNK = 2 }; /* images */

/* ---- One chunk ------------------------------------------------------------------------------- */

/* Of the symbols: what a code is in training is not what a file will hold. */
static void gather_ranges(const cae_batch_worker *w, const cae_latent *latent,
                          const cae_view *encoded, size_t channels, size_t images)
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
static double weighted_term(const cae_batch *b, const cae_batch_worker *w, size_t n)
{
    if (b->engine->net->latent == NULL) {
        return 0;
    }
    memset(w->loss_blocks, 0, b->loss_block_len * sizeof(double));
    cae_loss_add_term(w->plan, w->base, n, cae_div_up(b->target.w, CAE_LOSS_BLOCK), w->loss_blocks);
    return b->engine->term_weight * cae_loss_sum(w->loss_blocks, b->loss_block_len);
}

/* Forward, loss and backward of plan->images images; losses[n] receives the sum of image n. */
static void train_images(cae_batch *b, cae_batch_worker *w, float *sums, size_t first,
                         double *losses)
{
    cae_plan *plan = w->plan;
    const cae_net *net = plan->net;
    cae_engine engine = *b->engine;
    engine.latent.first = first;
    engine.latent.term_scale = b->term_scale;
    const cae_source in = cae_source_planar(&b->images);
    cae_exec_load(plan, w->base, &in, first);
    cae_exec_forward(&engine, plan, w->base);
    const cae_view encoded = cae_plan_view(plan, cae_net_encoded(net), w->base);
    gather_ranges(w, net->latent, &encoded, b->shapes[net->code].c, plan->images);
    cae_exec_begin_gradient(plan, w->base, plan->to);
    const cae_view y = cae_plan_view(plan, plan->to, w->base);
    const cae_view dy = cae_plan_gradient(plan, plan->to, w->base);
    for (size_t n = 0; n < plan->images; n++) {
        cae_loss_of(&y, n, &b->target, first, w->loss_blocks, &dy, b->scale);
        losses[n] = cae_loss_sum(w->loss_blocks, b->loss_block_len) + weighted_term(b, w, n);
    }
    cae_exec_backward(&engine, plan, w->base, b->packed_back, sums, b->deferred);
}

/* One image after the other, so that the loss does not depend on chunks and slices. */
static void add_losses(cae_batch *b, const double *losses, size_t len)
{
    for (size_t n = 0; n < len; n++) {
        b->sum += losses[n];
    }
}

static void chunk_job(void *arg, size_t chunk, size_t worker)
{
    cae_batch *b = arg;
    cae_batch_worker *w = &b->workers[worker];
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

static void run_slices(cae_batch *b)
{
    cae_batch_worker *w = &b->workers[0];
    const cae_region whole = cae_region_whole(&b->shapes[b->engine->net->op_len]);
    for (size_t first = 0; first < b->count; first += b->slice) {
        const size_t images = cae_size_min(b->slice, b->count - first);
        double losses[CAE_BATCH_SLICE];
        if (images != w->plan->images) {
            cae_plan_make(w->plan, CAE_WHOLE, b->shapes, whole, images, true, b->op_workers);
        }
        w->plan->team = b->team;
        train_images(b, w, b->total, first, losses);
        add_losses(b, losses, images);
    }
}

static void clear_ranges(const cae_batch *b, const cae_batch_worker *w)
{
    for (size_t c = 0; c < b->shapes[b->engine->net->code].c; c++) {
        w->low[c] = FLT_MAX;
        w->high[c] = -FLT_MAX;
    }
}

void cae_batch_reset(cae_batch *b)
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

void cae_batch_run(cae_batch *b)
{
    if (b->engine->net->fixed_size) {
        run_slices(b);
    } else {
        cae_team_run(b->team, cae_div_up(b->count, CHUNK), chunk_job, b);
    }
}

/* ---- Preparation ----------------------------------------------------------------------------- */

static int too_large(const cae_batch *b)
{
    return cae_fail(CAE_E_LIMIT,
                    "training on images of %zu x %zu (height x width) needs more than the "
                    "memory_limit of %zu bytes",
                    b->images.h, b->images.w, b->engine->memory_limit);
}

/* How many workers, or how large a slice, memory allows. */
static int fit(cae_batch *b, cae_plan *plan)
{
    const cae_net *net = b->engine->net;
    const cae_region whole = cae_region_whole(&b->shapes[net->op_len]);
    const size_t limit = b->engine->memory_limit;
    const size_t sums = net->packed_len * sizeof(float);
    /* The packing for the way back and the total; and for every worker, beside its block, a plan,
     * loss blocks, ranges and the sums of its chunk. */
    const size_t packed = (b->engine->packed != NULL ? sums : 0) + (net->fixed_size ? 0 : sums);
    const size_t extra = cae_plan_overhead(net, 1) + b->loss_block_len * sizeof(double) +
                         b->shapes[net->code].c * 3 * sizeof(float) + (net->fixed_size ? 0 : sums);
    if (packed > limit || extra > limit - packed) {
        return too_large(b);
    }
    b->slice = net->fixed_size ? cae_size_min(b->count, CAE_BATCH_SLICE) : 1;
    const size_t threads = cae_net_workers(net, b->shapes, b->count, b->engine->threads);
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

static int make_worker(cae_batch *b, cae_batch_worker *w)
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
    w->low = cae_alloc(net->memory, channels, 3 * sizeof(float));
    if (w->base == NULL || w->sums == NULL || w->loss_blocks == NULL || w->low == NULL) {
        return CAE_E_NOMEM;
    }
    w->high = w->low + channels;
    w->symbols = w->high + channels;
    clear_ranges(b, w);
    return CAE_OK;
}

/* The memory, and then the team. */
static int start(cae_batch *b)
{
    const cae_net *net = b->engine->net;
    b->workers = cae_alloc_zeroed(net->memory, b->worker_len, sizeof(b->workers[0]));
    if (b->workers == NULL) {
        return CAE_E_NOMEM;
    }
    if (b->engine->packed != NULL) {
        b->packed_back = cae_alloc(net->memory, net->packed_len, sizeof(float));
        if (b->packed_back == NULL) {
            return CAE_E_NOMEM;
        }
        cae_pack_weights(net, b->engine->weights, b->packed_back, true);
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
    return CAE_OK;
}

int cae_batch_prepare(cae_batch *b, const cae_engine *e, const float *in, const float *target,
                      size_t count, size_t height, size_t width)
{
    const cae_net *net = e->net;
    const size_t c = net->input.c;
    const double values = (double)count * (double)c * (double)height * (double)width;
    *b = (cae_batch){.engine = e,
                     .images = {in, c, height, width},
                     .target = {target, c, height, width},
                     .count = count,
                     .scale = (float)(2.0 / values),
                     .term_scale = e->term_weight / values};
    b->shapes = cae_alloc(net->memory, net->op_len + 1, sizeof(b->shapes[0]));
    if (b->shapes == NULL) {
        return CAE_E_NOMEM;
    }
    CAE_TRY(cae_net_shapes(net, height, width, b->shapes));
    CAE_TRY(cae_planar_check(&b->images, count, "input"));
    if (target != in) {
        CAE_TRY(cae_planar_check(&b->target, count, "target"));
    }
    b->loss_block_len = cae_loss_blocks(height, width);
    CAE_TRY(cae_plan_new(&b->plan, net));
    CAE_TRY(fit(b, b->plan));
    return start(b);
}

void cae_batch_free(cae_batch *b)
{
    const cae_memory *memory = b->engine->net->memory;
    for (size_t i = 0; b->workers != NULL && i < b->worker_len; i++) {
        cae_batch_worker *w = &b->workers[i];
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

/* From the layers' own order to PyTorch's layouts, tensor by tensor; where the total stands in its
 * place already, by way of a copy: the way back has been walked, so its packing is free. */
void cae_batch_unpack(const cae_batch *b, float *weights)
{
    const cae_net *net = b->engine->net;
    for (size_t i = 0; i < net->weight_len; i++) {
        const cae_weight *w = &net->weights[i];
        const cae_op *op = &net->ops[w->op];
        const float *from = b->total + w->packed;
        if (!w->is_bias && op->type->unpack != NULL) {
            if (net->fixed_size) {
                from = memcpy(b->packed_back, from, w->len * sizeof(float));
            }
            op->type->unpack(op, &net->shapes[op->input[0]], from, weights + w->offset);
        } else if (!net->fixed_size) {
            memcpy(weights + w->offset, from, w->len * sizeof(float));
        }
    }
}

static void join_ranges(const cae_batch *b, cae_gradient *out)
{
    const size_t channels = b->shapes[b->engine->net->code].c;
    for (size_t c = 0; c < channels; c++) {
        out->low[c] = FLT_MAX;
        out->high[c] = -FLT_MAX;
        for (size_t i = 0; i < b->worker_len; i++) {
            const cae_batch_worker *w = &b->workers[i];
            out->low[c] = w->low[c] < out->low[c] ? w->low[c] : out->low[c];
            out->high[c] = w->high[c] > out->high[c] ? w->high[c] : out->high[c];
        }
    }
}

int cae_batch_finish(const cae_batch *b, cae_gradient *out)
{
    join_ranges(b, out);
    return cae_loss_mean(b->sum, b->count, &b->target, &out->loss);
}
