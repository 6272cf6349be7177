/*
 * The exported functions that tell of the library itself: version, messages, presets, settings.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "api/check.h"
#include "base/status.h"

#define TEXT_OF(x)                        #x
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *cae_version_string(void)
{
    return VERSION_TEXT(CAE_VERSION_MAJOR, CAE_VERSION_MINOR, CAE_VERSION_PATCH);
}

uint32_t cae_version(void)
{
    return CAE_VERSION_MAJOR << 16 | CAE_VERSION_MINOR << 8 | CAE_VERSION_PATCH;
}

const char *cae_strerror(int status)
{
    static const char *const words[] = {
        "success",
        "invalid argument",
        "out of memory",
        "input/output error",
        "damaged or foreign data",
        "made by a newer format",
        "made with another model",
        "sizes do not fit",
        "not a finite number",
        "over a limit",
        "buffer too small",
        "not supported",
        "cancelled",
        "syntax error in the architecture text",
    };
    const int last = (int)(sizeof(words) / sizeof(words[0])) - 1;
    return status <= 0 && status >= -last ? words[-status] : "unknown status";
}

const char *cae_last_error(void)
{
    return cae_message();
}

const char *cae_preset_name(size_t index)
{
    return cae_net_preset_name(index);
}

const char *cae_preset_text(const char *name)
{
    return name != NULL ? cae_net_preset_text(name) : NULL;
}

int cae_setting_info(size_t index, const char **key, double *min, double *max, double *initial)
{
    CAE_TRY(cae_check_processor());
    const cae_setting *s = cae_setting_at(index);
    if (s == NULL) {
        return cae_fail(CAE_E_ARGUMENT, "there is no setting number %zu", index);
    }
    if (key != NULL) {
        *key = s->key;
    }
    if (min != NULL) {
        *min = s->min;
    }
    if (max != NULL) {
        *max = s->max;
    }
    if (initial != NULL) {
        *initial = s->initial;
    }
    return CAE_OK;
}
