/*
 * `cae train --keep-best`: the model of the lowest val_mse, in a file beside --out. What it
 * measured is a note of the model, so that a run that goes on knows what there was to surpass.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_TRAIN_BEST_H
#define CAE_TOOL_TRAIN_BEST_H

#include <stdbool.h>
#include <stdint.h>

#include <cae/cae.h>

#include "image_set.h"
#include "noise.h"

struct train_best {
    char *path;   /* NULL: not wanted */
    double mse;   /* INFINITY: none yet */
    char of[128]; /* what was measured on, as the note has it */
};

/* Finds the path for a model `out`: OUT.best, or NAME.best.EXT for NAME.EXT; and tries whether the
 * model can be saved there. */
int train_best_open(struct train_best *best, const cae_model *model, const char *out);

/* What is measured on. With `resumed`, the model's note of an earlier run on the same is the one to
 * surpass. */
int train_best_start(struct train_best *best, const cae_model *model, bool resumed,
                     const struct image_set *set, const struct noise *noise);

/* Whether mse, measured after `step`, is lower; the model's note then says so. */
bool train_best_is(struct train_best *best, cae_model *model, double mse, uint64_t step);

/* Saves the model; what fails is a note. */
void train_best_save(const struct train_best *best, const cae_model *model);

void train_best_free(struct train_best *best);

#endif
