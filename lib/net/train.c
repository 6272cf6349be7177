/*
 * The gradient of a batch. A network without a dense layer is run image by image: the batch is cut
 * into chunks of two images, the workers of a team take chunks as they come, and each chunk's
 * gradient is added to the total in the order of the chunks. A network with a dense layer is run on
 * slices of the batch, with the team inside the layers, adding to the total as it goes. Chunks are
 * part of the numbers (docs/numerics.md); slices, threads and memory are not.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <float.h>
#include <string.h>

#include "base/bytes.h"
#include "base/size.h"
#include "base/status.h"
#include "net/divergence.h"
#include "net/loss.h"
#include "net/run.h"

enum {
    CHUNK = 2, /* images */
    SLICE = 64 /* images, at the most */
};

struct worker {
    cae_plan *plan;
    void *base;
    float *sums;   /* a chunk's gradient; without chunks: empty */
    double *cells; /* of one image */
    float *low, *high;
};

struct run {
    const cae_engine *engine;
    cae_source in;
    cae_planar target;
    size_t count;
    cae_shape *shapes;
    float *packed_back; /* NULL: no layer packs its weights */
    float *total; /* as packed; with a dense layer, where the result is wanted; NULL: all keep */
    float **kept; /* by layer; NULL: every gradient is stored */
    float *kept_floats;
    double sum;
    float scale; /* of the difference in the gradient of the output */
    double pull; /* of a sampled code: see cae_sampling */
    size_t slice;
    cae_team *team;
    struct worker *workers;
    size_t worker_len;
    size_t cell_len;
    size_t block_size;
    size_t spare; /* bytes of the memory limit that one worker leaves */
};

/* ---- One piece ------------------------------------------------------------------------------- */

/* Of the means: what a sampled code draws is not what a file will hold. */
static void gather_ranges(const struct worker *w, const cae_view *means, size_t channels,
                          size_t images)
{
    const cae_region *r = &means->region;
    for (size_t n = 0; n < images; n++) {
        for (ptrdiff_t y = r->y0; y < r->y1; y++) {
            for (ptrdiff_t x = r->x0; x < r->x1; x++) {
                const float *v = cae_view_at(means, n, y, x);
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

/* The divergence of image n of the pass, as it counts in the loss. */
static double weighed_divergence(const struct run *r, const struct worker *w, size_t n)
{
    if (!r->engine->net->sampled) {
        return 0;
    }
    memset(w->cells, 0, r->cell_len * sizeof(double));
    cae_divergence_of(w->plan, w->base, n, cae_div_up(r->target.w, CAE_LOSS_CELL), w->cells);
    return r->engine->kl_weight * cae_loss_sum(w->cells, r->cell_len);
}

/* Forward, loss and backward of plan->images images; losses[n] receives the sum of image n. */
static void train_images(struct run *r, struct worker *w, float *sums, size_t first, double *losses)
{
    cae_plan *plan = w->plan;
    const cae_net *net = plan->net;
    cae_engine engine = *r->engine;
    engine.sampling.first = first;
    engine.sampling.pull = r->pull;
    cae_exec_load(plan, w->base, &r->in, first);
    cae_exec_forward(&engine, plan, w->base);
    const cae_view means = cae_plan_view(plan, cae_net_means(net), w->base);
    gather_ranges(w, &means, r->shapes[net->code].c, plan->images);
    cae_exec_begin_gradient(plan, w->base, plan->to);
    const cae_view y = cae_plan_view(plan, plan->to, w->base);
    const cae_view dy = cae_plan_gradient(plan, plan->to, w->base);
    for (size_t n = 0; n < plan->images; n++) {
        cae_loss_of(&y, n, &r->target, first, w->cells, &dy, r->scale);
        losses[n] = cae_loss_sum(w->cells, r->cell_len) + weighed_divergence(r, w, n);
    }
    cae_exec_backward_kept(&engine, plan, w->base, r->packed_back, sums, r->kept);
}

/* One image after the other, so that the loss does not depend on chunks and slices. */
static void add_losses(struct run *r, const double *losses, size_t len)
{
    for (size_t n = 0; n < len; n++) {
        r->sum += losses[n];
    }
}

static void chunk_job(void *arg, size_t chunk, size_t worker)
{
    struct run *r = arg;
    struct worker *w = &r->workers[worker];
    const size_t len = r->engine->net->packed_len;
    const size_t first = chunk * CHUNK;
    const size_t end = cae_size_min(first + CHUNK, r->count);
    double losses[CHUNK];
    memset(w->sums, 0, len * sizeof(float));
    for (size_t n = first; n < end; n++) {
        train_images(r, w, w->sums, n, &losses[n - first]);
    }
    cae_team_await_turn(r->team, chunk);
    r->engine->kernels->add(r->total, w->sums, len);
    add_losses(r, losses, end - first);
    cae_team_pass_turn(r->team, chunk);
}

static void run_slices(struct run *r)
{
    struct worker *w = &r->workers[0];
    const cae_region whole = cae_region_whole(&r->shapes[r->engine->net->layer_len]);
    for (size_t first = 0; first < r->count; first += r->slice) {
        const size_t images = cae_size_min(r->slice, r->count - first);
        double losses[SLICE];
        cae_plan_make(w->plan, CAE_WHOLE, r->shapes, whole, images, true, r->team);
        train_images(r, w, r->total, first, losses);
        add_losses(r, losses, images);
    }
}

/* ---- Preparation ----------------------------------------------------------------------------- */

static int too_large(const struct run *r)
{
    return cae_fail(CAE_E_LIMIT,
                    "training on images of %zu x %zu (height x width) needs more than the "
                    "memory_limit of %zu bytes",
                    r->in.h, r->in.w, r->engine->memory_limit);
}

/* How many workers, or how large a slice, memory allows. */
static int fit(struct run *r, cae_plan *plan)
{
    const cae_net *net = r->engine->net;
    const cae_region whole = cae_region_whole(&r->shapes[net->layer_len]);
    const size_t limit = r->engine->memory_limit;
    const size_t sums = net->packed_len * sizeof(float);
    /* The packing for the way back and the total; and for every worker, beside its block, a plan,
     * cells, ranges and the sums of its chunk. */
    const size_t packed = (r->engine->packed != NULL ? sums : 0) + (net->whole ? 0 : sums);
    const size_t extra = cae_plan_overhead(net, 1) + r->cell_len * sizeof(double) +
                         r->shapes[net->code].c * 2 * sizeof(float) + (net->whole ? 0 : sums);
    if (packed > limit || extra > limit - packed) {
        return too_large(r);
    }
    r->slice = net->whole ? cae_size_min(r->count, SLICE) : 1;
    for (;; r->slice /= 2) {
        cae_plan_make(plan, CAE_WHOLE, r->shapes, whole, r->slice, true, r->team);
        if (plan->size <= limit - packed - extra) {
            break;
        }
        if (r->slice == 1) {
            return too_large(r);
        }
    }
    r->block_size = plan->size;
    r->spare = limit - packed - extra - r->block_size;
    const size_t most =
        net->whole ? 1 : cae_size_min(r->engine->threads, cae_div_up(r->count, CHUNK));
    r->worker_len = cae_size_min(most, (limit - packed) / (r->block_size + extra));
    return CAE_OK;
}

static int make_worker(struct run *r, struct worker *w)
{
    const cae_net *net = r->engine->net;
    const cae_region whole = cae_region_whole(&r->shapes[net->layer_len]);
    const size_t channels = r->shapes[net->code].c;
    CAE_TRY(cae_plan_new(&w->plan, net));
    cae_plan_make(w->plan, CAE_WHOLE, r->shapes, whole, r->slice, true, r->team);
    w->base = cae_alloc(net->memory, r->block_size, 1);
    w->sums = cae_alloc(net->memory, net->whole ? 0 : net->packed_len, sizeof(float));
    w->cells = cae_alloc(net->memory, r->cell_len, sizeof(double));
    w->low = cae_alloc(net->memory, channels, sizeof(float));
    w->high = cae_alloc(net->memory, channels, sizeof(float));
    if (w->base == NULL || w->sums == NULL || w->cells == NULL || w->low == NULL ||
        w->high == NULL) {
        return CAE_E_NOMEM;
    }
    for (size_t c = 0; c < channels; c++) {
        w->low[c] = FLT_MAX;
        w->high[c] = -FLT_MAX;
    }
    return CAE_OK;
}

static int prepare(struct run *r)
{
    const cae_net *net = r->engine->net;
    cae_plan *plan = NULL;
    r->shapes = cae_alloc(net->memory, net->layer_len + 1, sizeof(r->shapes[0]));
    if (r->shapes == NULL) {
        return CAE_E_NOMEM;
    }
    CAE_TRY(cae_net_shapes(net, r->in.h, r->in.w, r->shapes));
    r->cell_len = cae_loss_cells(r->in.h, r->in.w);
    r->team = net->whole ? cae_team_start(net->memory, r->engine->threads) : NULL;
    CAE_TRY(cae_plan_new(&plan, net));
    const int status = fit(r, plan);
    cae_plan_free(plan);
    CAE_TRY(status);
    r->workers = cae_alloc_zeroed(net->memory, r->worker_len, sizeof(r->workers[0]));
    if (r->workers == NULL) {
        return CAE_E_NOMEM;
    }
    if (r->engine->packed != NULL) {
        r->packed_back = cae_alloc(net->memory, net->packed_len, sizeof(float));
        if (r->packed_back == NULL) {
            return CAE_E_NOMEM;
        }
        cae_pack_weights(net, r->engine->weights, r->packed_back, true);
    }
    for (size_t i = 0; i < r->worker_len; i++) {
        CAE_TRY(make_worker(r, &r->workers[i]));
    }
    if (!net->whole) {
        r->total = cae_alloc_zeroed(net->memory, net->packed_len, sizeof(float));
        if (r->total == NULL) {
            return CAE_E_NOMEM;
        }
        r->team = cae_team_start(net->memory, r->worker_len);
    }
    return CAE_OK;
}

static void free_run(struct run *r)
{
    const cae_memory *memory = r->engine->net->memory;
    for (size_t i = 0; r->workers != NULL && i < r->worker_len; i++) {
        struct worker *w = &r->workers[i];
        cae_plan_free(w->plan);
        cae_release(memory, w->base);
        cae_release(memory, w->sums);
        cae_release(memory, w->cells);
        cae_release(memory, w->low);
        cae_release(memory, w->high);
    }
    cae_release(memory, r->workers);
    cae_release(memory, r->packed_back);
    cae_release(memory, r->kept);
    cae_release(memory, r->kept_floats);
    cae_release(memory, r->engine->net->whole ? NULL : r->total);
    cae_release(memory, r->shapes);
    cae_team_stop(r->team);
}

/* ---- The result ------------------------------------------------------------------------------ */

/* From the layers' own order to PyTorch's layouts, tensor by tensor; where the total stands in its
 * place already, by way of a copy: the way back has been walked, so its packing is free. */
static void unpack_total(const struct run *r, float *weights)
{
    const cae_net *net = r->engine->net;
    for (size_t i = 0; i < net->weight_len; i++) {
        const cae_weight *w = &net->weights[i];
        const cae_layer *l = &net->layers[w->layer];
        const float *from = r->total + w->packed;
        if (!w->is_bias && l->type->unpack != NULL) {
            if (net->whole) {
                from = memcpy(r->packed_back, from, w->len * sizeof(float));
            }
            l->type->unpack(l, &net->shapes[l->input[0]], from, weights + w->offset);
        } else if (!net->whole) {
            memcpy(weights + w->offset, from, w->len * sizeof(float));
        }
    }
}

static void join_ranges(const struct run *r, cae_gradient *out)
{
    const size_t channels = r->shapes[r->engine->net->code].c;
    for (size_t c = 0; c < channels; c++) {
        out->low[c] = FLT_MAX;
        out->high[c] = -FLT_MAX;
        for (size_t i = 0; i < r->worker_len; i++) {
            const struct worker *w = &r->workers[i];
            out->low[c] = w->low[c] < out->low[c] ? w->low[c] : out->low[c];
            out->high[c] = w->high[c] > out->high[c] ? w->high[c] : out->high[c];
        }
    }
}

static int gradient(struct run *r, cae_gradient *out)
{
    const cae_net *net = r->engine->net;
    const size_t channels = net->shapes[net->code].c;
    CAE_TRY(prepare(r));
    if (net->whole) {
        r->total = memset(out->weights, 0, net->parameters * sizeof(float));
        run_slices(r);
    } else {
        cae_team_run(r->team, cae_div_up(r->count, CHUNK), chunk_job, r);
    }
    unpack_total(r, out->weights);
    join_ranges(r, out);
    CAE_TRY(cae_loss_mean(r->sum, r->count, &r->target, &out->loss));
    if (!cae_all_finite(out->weights, net->parameters, NULL)) {
        return cae_fail(CAE_E_NONFINITE, "the gradient overflowed");
    }
    if (!cae_all_finite(out->low, channels, NULL) || !cae_all_finite(out->high, channels, NULL)) {
        return cae_fail(CAE_E_NONFINITE, "the code overflowed");
    }
    return CAE_OK;
}

static struct run make_run(const cae_engine *e, const float *in, const float *target, size_t count,
                           size_t height, size_t width, cae_planar *images)
{
    const size_t c = e->net->input.c;
    const double values = (double)count * (double)c * (double)height * (double)width;
    *images = (cae_planar){in, c, height, width};
    return (struct run){.engine = e,
                        .in = cae_source_planar(images),
                        .target = {target, c, height, width},
                        .count = count,
                        .scale = (float)(2.0 / values),
                        .pull = e->kl_weight / values};
}

int cae_net_gradient(const cae_engine *e, const float *in, const float *target, size_t count,
                     size_t height, size_t width, cae_gradient *out)
{
    cae_planar images;
    struct run r = make_run(e, in, target, count, height, width, &images);
    const int status = gradient(&r, out);
    free_run(&r);
    return status;
}

/* ---- A whole step ---------------------------------------------------------------------------- */

/* Room for what layers keep; `*fits` says whether there is. Without, r->kept stays NULL. */
static int make_kept(struct run *r, bool *fits)
{
    const cae_net *net = r->engine->net;
    const size_t pointers = net->layer_len * sizeof(r->kept[0]);
    size_t len = 0;
    size_t size = 0;
    bool counted = true;
    for (size_t i = 0; i < net->layer_len; i++) {
        counted = counted && cae_size_add(len, cae_exec_keep(r->workers[0].plan, i), &len);
    }
    *fits = counted && cae_size_mul(len, sizeof(float), &size) &&
            cae_size_add(size, pointers, &size) && size <= r->spare;
    if (!*fits) {
        return CAE_OK;
    }
    r->kept = cae_alloc_zeroed(net->memory, net->layer_len, sizeof(r->kept[0]));
    r->kept_floats = cae_alloc(net->memory, len, sizeof(float));
    if (r->kept == NULL || r->kept_floats == NULL) {
        return CAE_E_NOMEM;
    }
    float *at = r->kept_floats;
    for (size_t i = 0; i < net->layer_len; i++) {
        const size_t wanted = cae_exec_keep(r->workers[0].plan, i);
        r->kept[i] = wanted > 0 ? at : NULL;
        at += wanted;
    }
    return CAE_OK;
}

/* What no element of the gradient exceeds; NaN or infinity when that is not known. */
static double bound_of(const struct run *r)
{
    const cae_net *net = r->engine->net;
    double sum = 0;
    for (size_t i = 0; i < net->layer_len; i++) {
        if (r->kept[i] != NULL) {
            sum += cae_exec_bound(r->engine, r->workers[0].plan, i, r->kept[i]);
        }
    }
    for (size_t i = 0; i < net->weight_len; i++) {
        const cae_weight *w = &net->weights[i];
        if (r->kept[w->layer] == NULL) {
            sum += (double)cae_largest(r->total + w->offset, w->len);
        }
    }
    return sum;
}

static void update_all(const struct run *r, const cae_step *s, const cae_adam_step *scalars)
{
    const cae_net *net = r->engine->net;
    for (size_t i = 0; i < net->layer_len; i++) {
        const size_t weight = net->slots[i].weight;
        const size_t bias = net->slots[i].bias;
        if (r->kept[i] != NULL) {
            const cae_update u = {scalars,       s->weights + weight, s->m + weight,
                                  s->v + weight, s->weights + bias,   s->m + bias,
                                  s->v + bias};
            cae_exec_update(r->engine, r->workers[0].plan, i, r->kept[i], &u);
        }
    }
    for (size_t i = 0; i < net->weight_len; i++) {
        const cae_weight *w = &net->weights[i];
        if (r->kept[w->layer] == NULL) {
            (void)r->engine->kernels->adam(scalars, s->weights + w->offset, s->m + w->offset,
                                           s->v + w->offset, r->total + w->offset, w->len, true);
        }
    }
}

/* All backward passes, and the decision, come before the first write: they read the weights. */
static int step_of(struct run *r, const cae_step *s, cae_gradient *out, bool *done)
{
    const cae_net *net = r->engine->net;
    const size_t channels = net->shapes[net->code].c;
    cae_adam_step scalars;
    bool fits = false;
    CAE_TRY(prepare(r));
    if (r->slice == r->count) {
        CAE_TRY(make_kept(r, &fits));
    }
    if (!fits) {
        return CAE_OK;
    }
    r->total = out->weights;
    for (size_t i = 0; i < net->weight_len; i++) {
        const cae_weight *w = &net->weights[i];
        if (r->kept[w->layer] == NULL) {
            memset(r->total + w->offset, 0, w->len * sizeof(float));
        }
    }
    run_slices(r);
    join_ranges(r, out);
    CAE_TRY(cae_loss_mean(r->sum, r->count, &r->target, &out->loss));
    if (!cae_all_finite(out->low, channels, NULL) || !cae_all_finite(out->high, channels, NULL) ||
        !s->begin(s->arg, bound_of(r), &scalars)) {
        return CAE_OK;
    }
    if (r->packed_back != NULL) {
        unpack_total(r, r->total);
    }
    update_all(r, s, &scalars);
    *done = true;
    return CAE_OK;
}

int cae_net_step(const cae_engine *e, const float *in, const float *target, size_t count,
                 size_t height, size_t width, const cae_step *step, cae_gradient *out, bool *done)
{
    cae_planar images;
    struct run r = make_run(e, in, target, count, height, width, &images);
    *done = false;
    if (count > SLICE) {
        return CAE_OK;
    }
    const int status = step_of(&r, step, out, done);
    free_run(&r);
    return status;
}
