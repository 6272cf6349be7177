/*
 * A model in training; see training.h. A gradient waits in the model until it is applied; a call
 * that fails leaves it there.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "model/training.h"

#include <string.h>

#include "base/status.h"

static int need_ranges(cae_model *m, cae_pending *p)
{
    return p->ranges.lo != NULL ? CAE_OK
                                : cae_ranges_make(&p->ranges, m->memory, m->ranges.channels);
}

static int need_pending(cae_model *m, cae_pending *p)
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
    CAE_TRY(need_pending(m, p));
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
        cae_model_forget_ranges(m);
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
    cae_model_weights_updated(m);
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
    if (!cae_net_defers(m->net, false)) {
        return CAE_OK;
    }
    CAE_TRY(cae_net_defers(m->net, true) ? need_ranges(m, p) : need_pending(m, p));
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
    cae_pending_free(fresh, m->memory);
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

int cae_model_set_gradient(cae_model *m, const float *values)
{
    cae_pending *p = &m->pending;
    CAE_TRY(need_pending(m, p));
    memcpy(p->weights, values, m->net->parameters * sizeof(float));
    p->has_ranges = p->valid && p->has_ranges;
    p->valid = true;
    return CAE_OK;
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
