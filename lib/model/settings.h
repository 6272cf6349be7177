/*
 * The settings of a model. Every setting is a double; one table has their names and ranges.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_MODEL_SETTINGS_H
#define CAE_MODEL_SETTINGS_H

#include "net/net.h"
#include "optim/adam.h"

typedef struct cae_settings {
    cae_adam adam;
    double threads, reproducible, memory_limit, epoch, kl_weight;
} cae_settings;

enum {
    CAE_SETTING_WHOLE = 1, /* no fractions */
    CAE_SETTING_LATENT = 2 /* of models whose code names it (latent.h); saved with theirs alone */
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

#endif
