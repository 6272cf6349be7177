/*
 * Models made, copied, changed and freed; see model.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "model/model.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "base/size.h"
#include "base/status.h"
#include "image/compress.h"
#include "serial/quota.h"

/* ---- Making ---------------------------------------------------------------------------------- */

static int choose_kernels(cae_model *m)
{
    const char *bad = NULL;
    m->exact = cae_kernels_choose(true, &bad);
    m->kernels = m->settings.reproducible != 0 ? m->exact : cae_kernels_choose(false, &bad);
    if (m->exact == NULL || m->kernels == NULL) {
        return cae_fail(CAE_E_ARGUMENT, "CAE_CPU is '%s', not one of " CAE_TIERS_TEXT, bad);
    }
    return CAE_OK;
}

void cae_model_ranges_changed(cae_model *m)
{
    atomic_store_explicit(&m->id->known, false, memory_order_relaxed);
}

static int fill(cae_model *m)
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
    const size_t len = m->net->parameters;
    m->weights = cae_alloc(m->memory, len, sizeof(float));
    if (m->weights == NULL) {
        return CAE_E_NOMEM;
    }
    if (m->net->packs) {
        m->packed = cae_alloc(m->memory, m->net->packed_len, sizeof(float));
        if (m->packed == NULL) {
            return CAE_E_NOMEM;
        }
    }
    m->optimizer = (cae_adam_state){.weights = m->weights, .len = len};
    const size_t channels = m->net->shapes[m->net->code].c;
    CAE_TRY(cae_ranges_make(&m->ranges, m->memory, channels));
    CAE_TRY(cae_ranges_make(&m->recent, m->memory, channels));
    cae_ranges_reset(&m->ranges);
    cae_ranges_clear(&m->recent);
    return CAE_OK;
}

int cae_model_make(cae_model **out, cae_net *net)
{
    cae_model *m = cae_alloc_zeroed(net->memory, 1, sizeof(*m));
    if (m == NULL) {
        cae_net_free(net);
        return CAE_E_NOMEM;
    }
    m->memory = net->memory;
    m->net = net;
    const int status = fill(m);
    if (status != CAE_OK) {
        cae_model_destroy(m);
        return status;
    }
    *out = m;
    return CAE_OK;
}

void cae_pending_free(cae_pending *p, const cae_memory *memory)
{
    cae_release(memory, p->weights);
    cae_ranges_free(&p->ranges, memory);
    *p = (cae_pending){0};
}

void cae_model_destroy(cae_model *m)
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
    cae_pending_free(&m->pending, m->memory);
    cae_ranges_free(&m->ranges, m->memory);
    cae_ranges_free(&m->recent, m->memory);
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
        cae_model_ranges_changed(m);
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
    cae_net *net = NULL;
    CAE_TRY(cae_net_new(&net, m->memory, m->net->text));
    CAE_TRY(cae_model_make(&copy, net));
    const int status = duplicate_into(copy, m, training);
    if (status != CAE_OK) {
        cae_model_destroy(copy);
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

/* ---- Changes --------------------------------------------------------------------------------- */

void cae_model_weights_changed(cae_model *m)
{
    m->optimizer.bounds.known = false;
    if (m->packed != NULL) {
        cae_pack_weights(m->net, m->weights, m->packed, false, NULL);
    }
    cae_model_ranges_changed(m);
}

void cae_model_forget_ranges(cae_model *m)
{
    cae_ranges_clear(&m->ranges);
    cae_ranges_clear(&m->recent);
    cae_model_ranges_changed(m);
}

void cae_model_weights_replaced(cae_model *m)
{
    cae_model_forget_ranges(m);
    m->pending.has_ranges = false;
    cae_model_weights_changed(m);
}

static double term_weight(const cae_model *m)
{
    cae_settings settings = m->settings;
    const cae_latent *latent = m->net->latent;
    return latent != NULL ? *cae_setting_value(&settings, cae_setting_find(latent->setting)) : 0;
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
                        .training = {.seed = m->seed, .step = m->optimizer.step},
                        .term_weight = term_weight(m)};
}

int cae_model_fit_code(cae_model *m, const float *images, size_t count, size_t height, size_t width)
{
    cae_ranges fresh = {0};
    CAE_TRY(cae_ranges_make(&fresh, m->memory, m->ranges.channels));
    const cae_engine engine = cae_model_engine(m, m->exact);
    const int status = cae_image_fit(&engine, images, count, height, width, &fresh);
    if (status == CAE_OK) {
        cae_ranges_copy(&m->ranges, &fresh);
        cae_ranges_copy(&m->recent, &fresh); /* or the next epoch would begin with less */
        cae_model_ranges_changed(m);
    }
    cae_ranges_free(&fresh, m->memory);
    return status;
}

/* ---- The optimizer's state ------------------------------------------------------------------- */

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
