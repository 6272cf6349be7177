/*
 * A model in training; see training.h. A gradient waits in the model until it is applied; a call
 * that fails leaves it there.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "model/training.h"

#include <string.h>

#include "base/floats.h"
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

/* The ranges after an update. The first one takes away what a model has that was never trained: it
 * was not gathered, and the weights are others now. So does an update by a gradient that was not
 * computed here, whose images are not known. */
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

/* The update by this gradient has been made, and the weights are packed. */
static void take_over(cae_model *m, cae_pending *p)
{
    update_ranges(m, p);
    p->valid = false;
    p->has_ranges = false;
    cae_model_ranges_changed(m);
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

/* The end of a call: whose buffers stay, and its loss. */
static int end(cae_model *m, cae_pending *fresh, int status, float value, float *loss)
{
    replace_pending(m, fresh, status == CAE_OK);
    if (status == CAE_OK && loss != NULL) {
        *loss = value;
    }
    return status;
}

int cae_model_gradient(cae_model *m, const cae_pairs *pairs, float *loss)
{
    const cae_engine engine = cae_model_engine(m, m->kernels);
    cae_pending fresh = borrow(m);
    cae_gradient g = {0};
    int status = need_pending(m, &fresh);
    if (status == CAE_OK) {
        g = (cae_gradient){fresh.weights, fresh.ranges.lo, fresh.ranges.hi, 0};
        status = cae_net_gradient(&engine, pairs, &g);
    }
    fresh.valid = fresh.has_ranges = status == CAE_OK;
    return end(m, &fresh, status, g.loss, loss);
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
    CAE_TRY(cae_model_need_moments(m));
    const cae_engine engine = cae_model_engine(m, m->kernels);
    cae_team *team = cae_team_start(m->memory, cae_adam_workers(m->optimizer.len, engine.threads));
    const float *gradient = m->pending.weights;
    const int status = cae_adam_apply(&m->settings.adam, &m->optimizer, gradient,
                                      cae_largest(gradient, m->optimizer.len), m->kernels, team);
    if (status == CAE_OK && m->packed != NULL) {
        cae_pack_weights(m->net, m->weights, m->packed, false, team);
    }
    cae_team_stop(team);
    CAE_TRY(status);
    take_over(m, &m->pending);
    return CAE_OK;
}

int cae_model_step(cae_model *m, const cae_pairs *pairs, float *loss)
{
    const cae_engine engine = cae_model_engine(m, m->kernels);
    cae_pending fresh = borrow(m);
    cae_gradient g = {0};
    int status = need_ranges(m, &fresh);
    if (status == CAE_OK) {
        status = cae_model_need_moments(m);
    }
    if (status == CAE_OK) {
        g = (cae_gradient){fresh.weights, fresh.ranges.lo, fresh.ranges.hi, 0};
        status = cae_net_step(&engine, pairs, &m->settings.adam, &m->optimizer, m->packed, &g);
        fresh.weights = g.weights;
    }
    if (status == CAE_OK) {
        fresh.has_ranges = true;
        take_over(m, &fresh);
    }
    fresh.valid = false;
    return end(m, &fresh, status, g.loss, loss);
}
