/*
 * What a cae_model is: a network, its weights in file order and packed for the kernels, the
 * settings, the optimizer's state, a pending gradient and the codec's ranges. Arguments are checked
 * when functions of this folder are called; each leaves the model as it was when it fails.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_MODEL_MODEL_H
#define CAE_MODEL_MODEL_H

#include <stdatomic.h>

#include "cae/cae.h"
#include "codec/quantise.h"
#include "model/settings.h"
#include "net/train.h"
#include "serial/notes.h"

/* A gradient that waits to be applied, and the ranges gathered with it. */
typedef struct cae_pending {
    float *weights; /* NULL: none yet */
    cae_ranges ranges;
    bool valid;      /* there is a gradient */
    bool has_ranges; /* gathered with it, not set from outside */
} cae_pending;

/* The id of the weights, made when it is asked for. Behind a pointer, since a const model may fill
 * it in; threads that do so at once write the same. */
struct cae_model_id {
    atomic_bool known;
    _Atomic uint32_t value; /* set before `known` is */
};

struct cae_model {
    const cae_memory *memory;
    cae_net *net;
    cae_settings settings;
    const cae_kernels *kernels; /* as the settings have it */
    const cae_kernels *exact;   /* for compressed images */
    uint64_t seed;
    float *weights;
    float *packed;
    cae_adam_state optimizer; /* its m and v are NULL until training begins */
    cae_pending pending;
    cae_ranges ranges; /* of the code, as images are compressed; empty: not known */
    cae_ranges recent; /* of the updates since the setting `epoch` last changed */
    cae_notes notes;
    size_t quota; /* processors that threads 0 may use at most; as it was when that was set */
    struct cae_model_id *id;
};

/* A model of this network, which it owns, whose weights are unset. After a failure the network is
 * freed. */
int cae_model_make(cae_model **out, cae_net *net);

void cae_model_destroy(cae_model *m); /* NULL is fine */

int cae_model_duplicate(cae_model **out, const cae_model *m, bool training);

/* To a value that was checked. */
int cae_model_change_setting(cae_model *m, const cae_setting *setting, double value);

void cae_model_draw_weights(cae_model *m, uint64_t seed);

/* The ranges of the code from images, in place of what was there. */
int cae_model_fit_code(cae_model *m, const float *images, size_t count, size_t height,
                       size_t width);

/* To be called after every change of the weights but the optimizer's; and after weights from
 * outside, for which ranges that were gathered with others are forgotten. */
void cae_model_weights_changed(cae_model *m);
void cae_model_weights_replaced(cae_model *m);

/* To be called after every change of the ranges. */
void cae_model_ranges_changed(cae_model *m);
void cae_model_forget_ranges(cae_model *m);

/* Moments of 0, if there are none yet. */
int cae_model_need_moments(cae_model *m);

/* Forgets moments, step and pending gradient. */
void cae_model_reset_optimizer(cae_model *m);

void cae_pending_free(cae_pending *p, const cae_memory *memory);

cae_engine cae_model_engine(const cae_model *m, const cae_kernels *kernels);

#endif
