/*
 * Keeping the best model: see train_best.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "train_best.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kind.h"
#include "message.h"
#include "model.h"
#include "train_notes.h"

static const char key[] = "cae.best";

static char *path_of(const char *out)
{
    static const char word[] = ".best";
    const char *slash = strrchr(out, '/'), *name = slash != NULL ? slash + 1 : out;
    const char *dot = *name != '\0' ? strrchr(name + 1, '.') : NULL;
    const size_t len = strlen(out), stem = dot != NULL ? (size_t)(dot - out) : len;
    char *path = malloc(len + sizeof word);
    if (path != NULL) {
        snprintf(path, len + sizeof word, "%.*s%s%s", (int)stem, out, word, out + stem);
    }
    return path;
}

int train_best_open(struct train_best *best, const cae_model *model, const char *out)
{
    best->path = path_of(out);
    if (best->path == NULL) {
        return fail("%s: out of memory", out);
    }
    const char *kind = kind_of_file(best->path);
    if (kind != NULL && strcmp(kind, "a model") != 0) {
        return fail("%s: this is %s; --keep-best would replace it", best->path, kind);
    }
    return model_check_target(model, best->path);
}

int train_best_start(struct train_best *best, const cae_model *model, bool resumed,
                     const struct image_set *set, const struct noise *noise)
{
    char levels[NOISE_TEXT];
    uint32_t pixels = 0;
    if (train_set_pixels(set, &pixels) != DONE) {
        return FAILED;
    }
    snprintf(best->of, sizeof best->of, "; noise %s, %zu images, crc32 %08" PRIx32,
             noise_text(noise, levels), set->len, pixels);
    best->mse = INFINITY;
    const char *earlier = resumed ? cae_model_note(model, key) : NULL;
    const char *of = earlier != NULL ? strchr(earlier, ';') : NULL;
    if (earlier == NULL) {
        return DONE;
    }
    if (of == NULL || strcmp(of, best->of) != 0) {
        note("--keep-best: the earlier run measured on other images or with other noise, and its "
             "best is not compared");
        return DONE;
    }
    const double mse = strtod(earlier, NULL);
    if (mse >= 0) {
        best->mse = mse;
    }
    return DONE;
}

bool train_best_is(struct train_best *best, cae_model *model, double mse, uint64_t step)
{
    char number[NUMBER_TEXT], text[NUMBER_TEXT + sizeof best->of + 32];
    if (best->path == NULL || !(mse < best->mse)) {
        return false;
    }
    best->mse = mse;
    number_write(mse, number);
    snprintf(text, sizeof text, "%s at step %" PRIu64 "%s", number, step, best->of);
    if (cae_model_note_set(model, key, text) != CAE_OK) {
        note("--keep-best: %s", cae_last_error());
    }
    return true;
}

void train_best_save(const struct train_best *best, const cae_model *model)
{
    if (cae_model_save(model, best->path, 0) != CAE_OK) {
        note("--keep-best: %s: %s", best->path, cae_last_error());
    }
}

void train_best_free(struct train_best *best)
{
    free(best->path);
    best->path = NULL;
}
