/*
 * The settings of a model: one table of names and ranges.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "model/settings.h"

#include <float.h>
#include <stddef.h>
#include <string.h>

#include "base/status.h"

/* The largest double below 1, and the largest whole number that every double below it can be. */
#define BELOW_ONE     0.99999999999999988897769753748
#define LARGEST_WHOLE 9007199254740992.0

#define SETTING(name, member, ...)                        \
    {                                                     \
        name, offsetof(cae_settings, member), __VA_ARGS__ \
    }

enum { NONE = 0, WHOLE = CAE_SETTING_WHOLE, LATENT = CAE_SETTING_LATENT };

/* Name, member, range, initial value, traits, version of the format that saves it. */
static const cae_setting settings[] = {
    SETTING("learning_rate", adam.learning_rate, 0, 1e6, 1e-3, NONE, 1),
    SETTING("beta1", adam.beta1, 0, BELOW_ONE, 0.9, NONE, 1),
    SETTING("beta2", adam.beta2, 0, BELOW_ONE, 0.999, NONE, 1),
    SETTING("epsilon", adam.epsilon, 1e-30, 1, 1e-8, NONE, 1),
    SETTING("weight_decay", adam.weight_decay, 0, 1e6, 0, NONE, 1),
    SETTING("threads", threads, 0, 1024, 1, WHOLE, 0),
    SETTING("reproducible", reproducible, 0, 1, 0, WHOLE, 1),
    SETTING("memory_limit", memory_limit, 65536, LARGEST_WHOLE, 1073741824.0, WHOLE, 0),
    SETTING("epoch", epoch, 0, LARGEST_WHOLE, 0, WHOLE, 0), /* saved as a counter */
    SETTING("kl_weight", kl_weight, 0, 1e6, 0.3, LATENT, 1),
};

enum { SETTINGS = sizeof(settings) / sizeof(settings[0]) };

_Static_assert((int)SETTINGS <= (int)CAE_SETTINGS_MOST, "lists of settings are made for so many");

const cae_setting *cae_setting_at(size_t index)
{
    return index < SETTINGS ? &settings[index] : NULL;
}

const cae_setting *cae_setting_find(const char *key)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        if (strcmp(key, settings[i].key) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

bool cae_setting_saved(const cae_setting *s, const cae_net *net)
{
    return s->version > 0 && (!(s->traits & CAE_SETTING_LATENT) ||
                              (net->latent != NULL && strcmp(s->key, net->latent->setting) == 0));
}

double *cae_setting_value(cae_settings *values, const cae_setting *setting)
{
    return (double *)(void *)((char *)values + setting->offset);
}

int cae_setting_check(const cae_setting *s, double value)
{
    if (!(value >= s->min && value <= s->max)) {
        return cae_fail(CAE_E_ARGUMENT, "setting %s: %g is not between %g and %g", s->key, value,
                        s->min, s->max);
    }
    /* In range, so that the conversion is defined. */
    if ((s->traits & CAE_SETTING_WHOLE) && (double)(uint64_t)value != value) {
        return cae_fail(CAE_E_ARGUMENT, "setting %s: %g is not a whole number", s->key, value);
    }
#if FLT_EVAL_METHOD != 0
    if (s->offset == offsetof(cae_settings, reproducible) && value != 0) {
        return cae_fail(CAE_E_UNSUPPORTED,
                        "setting reproducible: this build computes with excess precision");
    }
#endif
    return CAE_OK;
}
