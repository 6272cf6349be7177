/*
 * Making, loading and recognising models: see model.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "message.h"

enum { MAX_TEXT_SIZE = 65536 }; /* the library's limit of an architecture text */

static int say_unknown(const char *name)
{
    char presets[256] = "";
    for (size_t i = 0; cae_preset_name(i) != NULL; i++) {
        const size_t used = strlen(presets);
        snprintf(presets + used, sizeof presets - used, " %s", cae_preset_name(i));
    }
    return fail("%s: no such file, and no preset: those are%s", name, presets);
}

static int make_from_file(cae_model **model, const char *path, uint64_t seed)
{
    uint8_t *text = NULL;
    size_t size = 0;
    if (access(path, F_OK) != 0) {
        return say_unknown(path);
    }
    int result = file_read(path, MAX_TEXT_SIZE, FILE_REFUSE_MORE, &text, &size);
    if (result == DONE && memchr(text, 0, size) != NULL) {
        result = fail("%s: not an architecture text (it contains a zero byte)", path);
    }
    if (result == DONE && cae_model_new(model, (const char *)text, seed) != CAE_OK) {
        result = fail("%s: %s", path, cae_last_error());
    }
    free(text);
    return result;
}

int model_make(cae_model **model, const char *name, uint64_t seed)
{
    if (cae_preset_text(name) == NULL) {
        return make_from_file(model, name, seed);
    }
    return cae_model_new(model, name, seed) == CAE_OK ? DONE
                                                      : fail("%s: %s", name, cae_last_error());
}

int model_load(cae_model **model, const char *path)
{
    if (cae_model_load(model, path) != CAE_OK) {
        return fail("%s: %s", path, cae_last_error());
    }
    return model_set(*model, "threads", 0);
}

int model_resume(cae_model **model, const char *path, const char *name)
{
    cae_model *earlier = NULL;
    if (access(path, F_OK) != 0) {
        return fail("%s: nothing to resume: %s; leave --resume out to start", path,
                    strerror(errno));
    }
    if (model_load(&earlier, path) != DONE) {
        return FAILED;
    }
    if (strcmp(cae_model_architecture(earlier), cae_model_architecture(*model)) != 0) {
        cae_model_free(earlier);
        return fail("%s: cannot resume: this is not a model of --model %s", path, name);
    }
    cae_model_free(*model);
    *model = earlier;
    return DONE;
}

int model_check_epoch(const cae_model *model, const char *path, uint64_t epoch_steps)
{
    const uint64_t step = (uint64_t)model_get(model, "step");
    const double epoch = model_get(model, "epoch");
    return step / epoch_steps == (uint64_t)epoch
               ? DONE
               : fail("%s: cannot resume: it was trained with other --data, --limit or --batch: "
                      "step %llu was in epoch %.0f, and would be in %llu now",
                      path, (unsigned long long)step, epoch + 1,
                      (unsigned long long)(step / epoch_steps + 1));
}

int model_shape(const cae_model *model, const char *name, size_t shape[3])
{
    if (cae_model_shape(model, shape) != CAE_OK) {
        return fail("%s: %s", name, cae_last_error());
    }
    if (shape[0] != 1 && shape[0] != 3) {
        return fail("%s: the model takes %zu channels; this command knows 1 (grey) and 3 (RGB)",
                    name, shape[0]);
    }
    return DONE;
}

int model_set(cae_model *model, const char *key, double value)
{
    return cae_model_set(model, key, value) == CAE_OK ? DONE
                                                      : fail("%s: %s", key, cae_last_error());
}

double model_get(const cae_model *model, const char *key)
{
    double value = 0;
    cae_model_get(model, key, &value);
    return value;
}

const char *model_preset(const cae_model *model)
{
    for (size_t i = 0; cae_preset_name(i) != NULL; i++) {
        if (strcmp(cae_model_architecture(model), cae_preset_text(cae_preset_name(i))) == 0) {
            return cae_preset_name(i);
        }
    }
    return NULL;
}

bool model_is_sampled(const cae_model *model)
{
    return strstr(cae_model_architecture(model), "\ncode sampled\n") != NULL;
}

double model_trained_sigma(const cae_model *model, bool *known)
{
    const char *text = cae_model_note(model, MODEL_NOTE_NOISE);
    char *end = NULL;
    const double sigma =
        text != NULL && strspn(text, "0123456789.e-") == strlen(text) ? strtod(text, &end) : -1;
    *known = end != NULL && end != text && *end == '\0' && sigma >= 0 && sigma <= 255;
    return *known ? sigma : model_default_sigma(model);
}

double model_default_sigma(const cae_model *model)
{
    const char *preset = model_preset(model);
    return preset != NULL && strstr(preset, "-denoise") != NULL ? 25 : 0;
}
