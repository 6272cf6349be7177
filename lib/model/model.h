/*
 * What a cae_model is: a network, its weights in file order and packed for the kernels, the
 * settings, the optimizer's state, a pending gradient and the codec's ranges. The functions here
 * are what lib/api calls once arguments are checked; each leaves the model as it was when it fails.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_MODEL_MODEL_H
#define CAE_MODEL_MODEL_H

#include <stdatomic.h>

#include "cae/cae.h"
#include "codec/quantise.h"
#include "net/run.h"
#include "optim/adam.h"
#include "serial/model_file.h"

/* Every setting is a double; the table in settings.c has their names and ranges. */
typedef struct cae_settings {
    cae_adam adam;
    double threads, reproducible, memory_limit, epoch, kl_weight;
} cae_settings;

enum {
    CAE_SETTING_WHOLE = 1,  /* no fractions */
    CAE_SETTING_SAMPLED = 2 /* of models with a sampled code; saved with theirs alone */
};

enum { CAE_SETTINGS_MOST = 16 /* rows of the table */ };

typedef struct cae_setting {
    const char *key;
    size_t offset; /* in cae_settings */
    double min, max, initial;
    unsigned traits;
    /* The version of model files that brought it: from then on saved with the training state, as
     * train.<key>, F64. 0: it is not saved. */
    unsigned version;
} cae_setting;

/* NULL past the end; by name: NULL when there is none. */
const cae_setting *cae_setting_at(size_t index);
const cae_setting *cae_setting_find(const char *key);
double *cae_setting_value(cae_settings *settings, const cae_setting *setting);

/* Whether the training state of such a network has it. */
bool cae_setting_saved(const cae_setting *setting, const cae_net *net);

/* CAE_E_ARGUMENT when the value is out of range, CAE_E_UNSUPPORTED when this machine cannot. */
int cae_setting_check(const cae_setting *setting, double value);

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
    _Atomic uint32_t value; /* its bytes, little-endian; set before `known` is */
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

/* A model of this text whose weights are unset. With a file to be read into it, what the file
 * holds is compared with what the text asks for before anything of the weights' size is
 * allocated. */
int cae_model_make(cae_model **out, const char *architecture, const cae_model_file *file);

int cae_model_duplicate(cae_model **out, const cae_model *m, bool training);

/* To a value that was checked. */
int cae_model_change_setting(cae_model *m, const cae_setting *setting, double value);

void cae_model_draw_weights(cae_model *m, uint64_t seed);

/* To be called after every change of the weights. */
void cae_model_weights_changed(cae_model *m);

/* The same, and forgets ranges that were gathered with others: after weights from outside. */
void cae_model_weights_replaced(cae_model *m);

/* Moments of 0, if there are none yet. */
int cae_model_need_moments(cae_model *m);

cae_engine cae_model_engine(const cae_model *m, const cae_kernels *kernels);

/* Buffers for a gradient and its ranges, if there are none yet. */
int cae_model_need_pending(cae_model *m, cae_pending *p);

/* Forgets moments, step and pending gradient. */
void cae_model_reset_optimizer(cae_model *m);

int cae_model_gradient(cae_model *m, const float *input, const float *target, size_t count,
                       size_t height, size_t width, float *loss);
int cae_model_apply(cae_model *m);
int cae_model_step(cae_model *m, const float *input, const float *target, size_t count,
                   size_t height, size_t width, float *loss);

/* The codec's ranges from images, in place of what was there. */
int cae_model_fit_code(cae_model *m, const float *images, size_t count, size_t height,
                       size_t width);

/* ---- Files (file.c) ---- */

/* Whether the file has just the tensors of this network, in shape. */
int cae_model_check_file(const cae_net *net, const cae_model_file *file);

int cae_model_read(cae_model **out, const cae_model_file *file);

/* The weights of a file opened as plain or as a model (import.c), flags as for
 * cae_model_import_weights. */
int cae_model_import(cae_model *m, const cae_model_file *file, uint32_t flags);

/* Calls `write` with the model as a list of tensors. */
typedef int (*cae_write_model)(void *to, const cae_memory *memory, const cae_file_model *file);
int cae_model_write(const cae_model *m, uint32_t flags, cae_write_model write, void *to);

/* The id for compressed images, of weights and ranges. */
int cae_model_id(const cae_model *m, uint8_t id[CAE_FILE_ID]);

#endif
