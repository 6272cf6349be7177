/*
 * What becomes of the gradient of a batch, which batch.h runs. It is stored for the caller to look
 * at and to apply; but a whole step of a network with dense layers applies their gradients as they
 * are made, once it is known that all weights stay finite.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <string.h>

#include "base/floats.h"
#include "base/size.h"
#include "base/status.h"
#include "net/batch.h"

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

static int gradient_of(cae_batch *b, cae_gradient *out)
{
    const cae_net *net = b->engine->net;
    CAE_TRY(need_weights(net, out));
    if (net->fixed_size) {
        b->total = memset(out->weights, 0, net->parameters * sizeof(float));
    }
    cae_batch_run(b);
    cae_batch_unpack(b, out->weights);
    CAE_TRY(cae_batch_finish(b, out));
    if (!cae_all_finite(out->weights, net->parameters, NULL)) {
        return cae_fail(CAE_E_NONFINITE, "the gradient overflowed");
    }
    return finite_code(net, out) ? CAE_OK : cae_fail(CAE_E_NONFINITE, "the code overflowed");
}

int cae_net_gradient(const cae_engine *e, const float *in, const float *target, size_t count,
                     size_t height, size_t width, cae_gradient *out)
{
    cae_batch b;
    int status = cae_batch_prepare(&b, e, in, target, count, height, width);
    if (status == CAE_OK) {
        status = gradient_of(&b, out);
    }
    cae_batch_free(&b);
    return status;
}

/* ---- A whole step ---------------------------------------------------------------------------- */

/* The floats in which operator `at` defers its gradient; 0: it does not. SIZE_MAX: too many. */
static size_t deferred_len(const cae_batch *b, size_t at)
{
    const cae_plan *plan = b->workers[0].plan;
    const cae_pass p = cae_exec_deferred(b->engine, plan, at, NULL);
    const bool defers = p.op->type->deferred_len != NULL && plan->tensors[at + 1].gradient;
    return defers ? p.op->type->deferred_len(&p) : 0;
}

/* Room for what operators defer; `*fits` says whether there is. Without, b->deferred stays NULL. */
static int make_deferred(cae_batch *b, bool *fits)
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
static double bound_of(const cae_batch *b)
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

static void update_all(const cae_batch *b, const cae_adam_step *scalars, cae_adam_state *state)
{
    const cae_net *net = b->engine->net;
    for (size_t i = 0; i < net->op_len; i++) {
        if (b->deferred[i] != NULL) {
            const cae_weight *w = net->bias_of[i];
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
static int deferred_step(cae_batch *b, const cae_adam *adam, cae_adam_state *state,
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
    cae_batch_run(b);
    CAE_TRY(cae_batch_finish(b, out));
    if (!finite_code(net, out) || !cae_adam_begin(adam, state, bound_of(b), &scalars)) {
        cae_batch_reset(b);
        return CAE_OK;
    }
    if (b->packed_back != NULL) {
        cae_batch_unpack(b, b->total);
    }
    update_all(b, &scalars, state);
    *done = true;
    return CAE_OK;
}

static int step_of(cae_batch *b, const cae_adam *adam, cae_adam_state *state, cae_gradient *out)
{
    bool done = false;
    if (b->engine->net->defers && b->slice == b->count) {
        CAE_TRY(deferred_step(b, adam, state, out, &done));
    }
    if (done) {
        return CAE_OK;
    }
    CAE_TRY(gradient_of(b, out));
    return cae_adam_apply(adam, state, out->weights, b->engine->kernels, b->team);
}

int cae_net_step(const cae_engine *e, const float *in, const float *target, size_t count,
                 size_t height, size_t width, const cae_adam *adam, cae_adam_state *state,
                 cae_gradient *out)
{
    cae_batch b;
    int status = cae_batch_prepare(&b, e, in, target, count, height, width);
    if (status == CAE_OK) {
        status = step_of(&b, adam, state, out);
    }
    cae_batch_free(&b);
    return status;
}
