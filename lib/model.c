/*
 * A model's life: made, trained, freed. See model.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "model.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "base/size.h"
#include "base/status.h"
#include "image/fit.h"
#include "serial/quota.h"

/* ---- Making ---------------------------------------------------------------------------------- */

static int choose_kernels(cae_model *m)
{
    const char *bad = NULL;
    m->exact = cae_kernels_choose(true, &bad);
    m->kernels = m->settings.reproducible != 0 ? m->exact : cae_kernels_choose(false, &bad);
    if (m->exact == NULL || m->kernels == NULL) {
        return cae_fail(CAE_E_ARGUMENT, "CAE_CPU is '%s'; it can be c, sse2, avx2 or fma", bad);
    }
    return CAE_OK;
}

static void free_ranges(const cae_memory *memory, cae_ranges *r)
{
    cae_release(memory, r->lo);
    cae_release(memory, r->hi);
    *r = (cae_ranges){0};
}

/* Both or none: callers take `lo` for a sign that they are there. */
static int make_ranges(const cae_memory *memory, size_t channels, cae_ranges *r)
{
    r->channels = channels;
    r->lo = cae_alloc(memory, channels, sizeof(float));
    r->hi = cae_alloc(memory, channels, sizeof(float));
    if (r->lo == NULL || r->hi == NULL) {
        free_ranges(memory, r);
        return CAE_E_NOMEM;
    }
    return CAE_OK;
}

/* After a change of the weights or of the ranges. */
static void forget_id(cae_model *m)
{
    atomic_store_explicit(&m->id->known, false, memory_order_relaxed);
}

static bool packs_weights(const cae_net *net)
{
    for (size_t i = 0; i < net->layer_len; i++) {
        if (net->layers[i].type->pack != NULL) {
            return true;
        }
    }
    return false;
}

static int fill(cae_model *m, const char *architecture, const cae_model_file *file)
{
    for (size_t i = 0; cae_setting_at(i) != NULL; i++) {
        *cae_setting_value(&m->settings, cae_setting_at(i)) = cae_setting_at(i)->initial;
    }
    CAE_TRY(choose_kernels(m));
    m->id = cae_alloc(m->memory, 1, sizeof(*m->id));
    if (m->id == NULL) {
        return CAE_E_NOMEM;
    }
    atomic_init(&m->id->known, false);
    atomic_init(&m->id->value, 0);
    const int status = cae_net_new(&m->net, m->memory, architecture);
    if (status == CAE_E_SYNTAX && file != NULL) {
        return cae_fail(
            CAE_E_VERSION,
            "model file: made by a newer libcae, or not by libcae: its architecture, %s",
            cae_message());
    }
    CAE_TRY(status);
    if (file != NULL) {
        CAE_TRY(cae_model_check_file(m->net, file));
    }
    const size_t len = m->net->parameters;
    m->weights = cae_alloc(m->memory, len, sizeof(float));
    if (m->weights == NULL) {
        return CAE_E_NOMEM;
    }
    if (packs_weights(m->net)) {
        m->packed = cae_alloc(m->memory, m->net->packed_len, sizeof(float));
        if (m->packed == NULL) {
            return CAE_E_NOMEM;
        }
    }
    m->optimizer = (cae_adam_state){.weights = m->weights, .len = len};
    const size_t channels = m->net->shapes[m->net->code].c;
    CAE_TRY(make_ranges(m->memory, channels, &m->ranges));
    CAE_TRY(make_ranges(m->memory, channels, &m->recent));
    cae_ranges_reset(&m->ranges);
    cae_ranges_clear(&m->recent);
    return CAE_OK;
}

int cae_model_make(cae_model **out, const char *architecture, const cae_model_file *file)
{
    const cae_memory *memory = cae_memory_default();
    cae_model *m = cae_alloc_zeroed(memory, 1, sizeof(*m));
    if (m == NULL) {
        return CAE_E_NOMEM;
    }
    m->memory = memory;
    const int status = fill(m, architecture, file);
    if (status != CAE_OK) {
        cae_model_free(m);
        return status;
    }
    *out = m;
    return CAE_OK;
}

static void free_pending(const cae_memory *memory, cae_pending *p)
{
    cae_release(memory, p->weights);
    free_ranges(memory, &p->ranges);
    *p = (cae_pending){0};
}

void cae_model_free(cae_model *m)
{
    if (m == NULL) {
        return;
    }
    cae_net_free(m->net);
    cae_release(m->memory, m->id);
    cae_release(m->memory, m->weights);
    cae_release(m->memory, m->packed);
    cae_release(m->memory, m->optimizer.m);
    cae_release(m->memory, m->optimizer.v);
    free_pending(m->memory, &m->pending);
    free_ranges(m->memory, &m->ranges);
    free_ranges(m->memory, &m->recent);
    cae_notes_clear(&m->notes, m->memory);
    cae_release(m->memory, m);
}

/* Weights move while they train, so ranges of long ago are too wide. What a whole epoch has
 * gathered takes their place. */
static void begin_epoch(cae_model *m)
{
    if (!cae_ranges_empty(&m->recent)) {
        cae_ranges_copy(&m->ranges, &m->recent);
        cae_ranges_clear(&m->recent);
        forget_id(m);
    }
}

int cae_model_change_setting(cae_model *m, const cae_setting *setting, double value)
{
    double *at = cae_setting_value(&m->settings, setting);
    const double old = *at;
    *at = value;
    const int status = choose_kernels(m);
    if (status != CAE_OK) {
        *at = old;
    } else if (at == &m->settings.epoch && value != old) {
        begin_epoch(m);
    } else if (at == &m->settings.threads && value == 0) {
        m->quota = cae_quota_processors(""); /* not in every call: it reads files */
    }
    return status;
}

static int duplicate_into(cae_model *copy, const cae_model *m, bool training)
{
    const size_t size = m->net->parameters * sizeof(float);
    copy->settings = m->settings;
    copy->seed = m->seed;
    copy->quota = m->quota;
    CAE_TRY(choose_kernels(copy));
    CAE_TRY(cae_notes_copy(&copy->notes, copy->memory, &m->notes));
    memcpy(copy->weights, m->weights, size);
    cae_ranges_copy(&copy->ranges, &m->ranges);
    if (training && m->optimizer.m != NULL && m->optimizer.v != NULL) {
        CAE_TRY(cae_model_need_moments(copy));
        memcpy(copy->optimizer.m, m->optimizer.m, size);
        memcpy(copy->optimizer.v, m->optimizer.v, size);
    }
    if (training) {
        cae_ranges_copy(&copy->recent, &m->recent);
    }
    copy->optimizer.step = training ? m->optimizer.step : 0;
    cae_model_weights_changed(copy);
    return CAE_OK;
}

int cae_model_duplicate(cae_model **out, const cae_model *m, bool training)
{
    cae_model *copy = NULL;
    CAE_TRY(cae_model_make(&copy, m->net->text, NULL));
    const int status = duplicate_into(copy, m, training);
    if (status != CAE_OK) {
        cae_model_free(copy);
        return status;
    }
    *out = copy;
    return CAE_OK;
}

/* Uniform in +-1/sqrt(fan_in), PyTorch's default for these layers; a stream for each tensor. */
void cae_model_draw_weights(cae_model *m, uint64_t seed)
{
    m->seed = seed;
    for (size_t i = 0; i < m->net->weight_len; i++) {
        const cae_weight *w = &m->net->weights[i];
        const float bound = (float)(1 / sqrt((double)w->parameter.fan_in));
        for (size_t k = 0; k < w->len; k++) {
            const float u = cae_random_uniform(seed, CAE_STREAM_WEIGHTS + i, k);
            m->weights[w->offset + k] = (2.0f * u - 1.0f) * bound;
        }
    }
    cae_model_weights_changed(m);
}

/* What is made of the weights. */
static void follow_weights(cae_model *m)
{
    if (m->packed != NULL) {
        cae_pack_weights(m->net, m->weights, m->packed, false);
    }
    forget_id(m);
}

void cae_model_weights_changed(cae_model *m)
{
    m->optimizer.bounds.known = false;
    follow_weights(m);
}

static void forget_ranges(cae_model *m)
{
    cae_ranges_clear(&m->ranges);
    cae_ranges_clear(&m->recent);
    forget_id(m);
}

void cae_model_weights_replaced(cae_model *m)
{
    forget_ranges(m);
    m->pending.has_ranges = false;
    cae_model_weights_changed(m);
}

cae_engine cae_model_engine(const cae_model *m, const cae_kernels *kernels)
{
    const double limit = m->settings.memory_limit;
    const size_t most = SIZE_MAX / 2; /* no object is larger */
    return (cae_engine){.net = m->net,
                        .kernels = kernels,
                        .weights = m->weights,
                        .packed = m->packed,
                        .threads = m->settings.threads > 0
                                       ? (size_t)m->settings.threads
                                       : cae_size_min(cae_team_processors(), m->quota),
                        .memory_limit = limit < (double)most ? (size_t)limit : most,
                        .sampling = {.seed = m->seed, .step = m->optimizer.step},
                        .kl_weight = m->settings.kl_weight};
}

/* ---- Training -------------------------------------------------------------------------------- */

int cae_model_need_moments(cae_model *m)
{
    cae_adam_state *o = &m->optimizer;
    if (o->m == NULL) {
        o->m = cae_alloc_zeroed(m->memory, o->len, sizeof(float));
    }
    if (o->v == NULL) {
        o->v = cae_alloc_zeroed(m->memory, o->len, sizeof(float));
    }
    return o->m != NULL && o->v != NULL ? CAE_OK : CAE_E_NOMEM;
}

void cae_model_reset_optimizer(cae_model *m)
{
    cae_adam_state *o = &m->optimizer;
    o->step = 0;
    if (o->m != NULL) {
        memset(o->m, 0, o->len * sizeof(float));
    }
    if (o->v != NULL) {
        memset(o->v, 0, o->len * sizeof(float));
    }
    o->bounds.known = false;
    m->pending.valid = false;
}

static int need_ranges(cae_model *m, cae_pending *p)
{
    return p->ranges.lo != NULL ? CAE_OK : make_ranges(m->memory, m->ranges.channels, &p->ranges);
}

int cae_model_need_pending(cae_model *m, cae_pending *p)
{
    if (p->weights == NULL) {
        p->weights = cae_alloc(m->memory, m->net->parameters, sizeof(float));
    }
    return p->weights != NULL ? need_ranges(m, p) : CAE_E_NOMEM;
}

/* Computes into `p`, whose buffers are made if they are missing. */
static int compute(cae_model *m, cae_pending *p, const float *input, const float *target,
                   size_t count, size_t height, size_t width, float *loss)
{
    CAE_TRY(cae_model_need_pending(m, p));
    const cae_engine engine = cae_model_engine(m, m->kernels);
    cae_gradient g = {.weights = p->weights, .low = p->ranges.lo, .high = p->ranges.hi};
    p->valid = false;
    CAE_TRY(cae_net_gradient(&engine, input, target, count, height, width, &g));
    p->valid = true;
    p->has_ranges = true;
    if (loss != NULL) {
        *loss = g.loss;
    }
    return CAE_OK;
}

/* The ranges after an update. The first one takes away what a model has that was never trained: it
 * was not gathered, and the weights are others now. So does an update by a gradient that was not
 * computed here, whose images nobody has seen. */
static void update_ranges(cae_model *m, const cae_pending *p)
{
    if (m->net->skip_crosses) {
        return; /* nothing will be compressed with them */
    }
    if (m->optimizer.step == 1 || !p->has_ranges) {
        forget_ranges(m);
    }
    if (p->has_ranges) {
        cae_ranges_extend(&m->ranges, &p->ranges);
        cae_ranges_extend(&m->recent, &p->ranges);
    }
}

/* The update by this gradient has been made. */
static void take_over(cae_model *m, cae_pending *p)
{
    update_ranges(m, p);
    p->valid = false;
    p->has_ranges = false;
    follow_weights(m);
}

static int apply(cae_model *m, cae_pending *p)
{
    CAE_TRY(cae_model_need_moments(m));
    const cae_engine engine = cae_model_engine(m, m->kernels);
    cae_team *team = cae_team_start(m->memory, cae_adam_workers(m->optimizer.len, engine.threads));
    const int status =
        cae_adam_apply(&m->settings.adam, &m->optimizer, p->weights, m->kernels, team);
    cae_team_stop(team);
    CAE_TRY(status);
    take_over(m, p);
    return CAE_OK;
}

/* compute() and apply() in one go, where the network and the numbers allow it: *done says so. */
static int fuse(cae_model *m, cae_pending *p, const float *input, const float *target, size_t count,
                size_t height, size_t width, float *loss, bool *done)
{
    *done = false;
    if (!cae_net_keeps(m->net, false)) {
        return CAE_OK;
    }
    CAE_TRY(cae_net_keeps(m->net, true) ? need_ranges(m, p) : cae_model_need_pending(m, p));
    CAE_TRY(cae_model_need_moments(m));
    const cae_engine engine = cae_model_engine(m, m->kernels);
    cae_gradient g = {.weights = p->weights, .low = p->ranges.lo, .high = p->ranges.hi};
    p->valid = false;
    CAE_TRY(cae_net_step(&engine, input, target, count, height, width, &m->settings.adam,
                         &m->optimizer, &g, done));
    if (*done) {
        p->has_ranges = true;
        take_over(m, p);
    }
    if (*done && loss != NULL) {
        *loss = g.loss;
    }
    return CAE_OK;
}

/* A gradient that waits must outlive a call that fails, so such a call works on another. */
static void replace_pending(cae_model *m, cae_pending *fresh, bool keep_fresh)
{
    cae_pending *old = &m->pending;
    if (keep_fresh || !old->valid) {
        const cae_pending swap = *old;
        *old = *fresh;
        *fresh = swap;
    }
    free_pending(m->memory, fresh);
}

/* Takes the model's buffers when no gradient waits in them. */
static cae_pending borrow(cae_model *m)
{
    cae_pending fresh = {0};
    if (!m->pending.valid) {
        fresh = m->pending;
        m->pending = (cae_pending){0};
    }
    return fresh;
}

int cae_model_gradient(cae_model *m, const float *input, const float *target, size_t count,
                       size_t height, size_t width, float *loss)
{
    cae_pending fresh = borrow(m);
    const int status = compute(m, &fresh, input, target, count, height, width, loss);
    replace_pending(m, &fresh, status == CAE_OK);
    return status;
}

int cae_model_apply(cae_model *m)
{
    return apply(m, &m->pending);
}

int cae_model_step(cae_model *m, const float *input, const float *target, size_t count,
                   size_t height, size_t width, float *loss)
{
    cae_pending fresh = borrow(m);
    bool done = false;
    int status = fuse(m, &fresh, input, target, count, height, width, loss, &done);
    if (status == CAE_OK && !done) {
        status = compute(m, &fresh, input, target, count, height, width, loss);
    }
    if (status == CAE_OK && !done) {
        status = apply(m, &fresh);
    }
    fresh.valid = fresh.valid && status == CAE_OK;
    replace_pending(m, &fresh, status == CAE_OK);
    return status;
}

/* ---- The code -------------------------------------------------------------------------------- */

int cae_model_fit_code(cae_model *m, const float *images, size_t count, size_t height, size_t width)
{
    cae_ranges fresh = {0};
    CAE_TRY(make_ranges(m->memory, m->ranges.channels, &fresh));
    const cae_engine engine = cae_model_engine(m, m->exact);
    const int status = cae_image_fit(&engine, images, count, height, width, &fresh);
    if (status == CAE_OK) {
        cae_ranges_copy(&m->ranges, &fresh);
        cae_ranges_copy(&m->recent, &fresh); /* or the next epoch would begin with less */
        forget_id(m);
    }
    free_ranges(m->memory, &fresh);
    return status;
}
