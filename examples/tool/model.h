/*
 * Models as the tool uses them: made from a preset's name or a text file, loaded from a file, and
 * recognised by their architecture. Failures are printed here, with the file's name in front.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_MODEL_H
#define CAE_TOOL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cae/cae.h>

#include "noise.h"

/* Makes a new model of a preset or of the architecture text in the file `name`. */
int model_make(cae_model **model, const char *name, uint64_t seed);

/* The same with the weights of another file, a plain safetensors file of another program or a model
 * of libcae, whose names may have the prefixes of wrappers; it may come through a pipe, or be the
 * name of a shipped model. `name` may be NULL for the architecture of the model `from`, and its
 * notes except those that identify a run. */
int model_make_from(cae_model **model, const char *name, const char *from, uint64_t seed);

/* Whether `path` stands for a model that came with the library: there is no such file, and it is a
 * name as such models have. */
bool model_is_shipped(const char *path);

/* Loads the model of that name; its settings are as they are in the file. */
int model_load_shipped(cae_model **model, const char *name);

/* Loads a model from a file, a pipe or, as "-", standard input, or one that came with the library,
 * by its name, and lets it use all processors; results do not depend on how many. */
int model_load(cae_model **model, const char *path);

/* Fails when a save to `path` would fail, by doing all of it but replacing the old file. NULL
 * stands for a model that is not there yet. */
int model_check_target(const cae_model *model, const char *path);

/* Saves a model, with its training state, that could not be saved to `path`: beside it as NAME.1
 * and so on, or in the current folder, or in that for temporary files. Says where, or that it is
 * lost. */
bool model_keep(const cae_model *model, const char *path);

/* Puts the model of an earlier run, saved at `path`, in the place of *model, a fresh one of `name`,
 * whose architecture it must have, or NULL. */
int model_resume(cae_model **model, const char *path, const char *name);

/* Fails when the run that saved the model had another number of steps per epoch. */
int model_check_epoch(const cae_model *model, const char *path, uint64_t epoch_steps);

/* shape = channels, height, width of the training size; channels other than 1 and 3 are refused. */
int model_shape(const cae_model *model, const char *name, size_t shape[3]);

int model_set(cae_model *model, const char *key, double value);
double model_get(const cae_model *model, const char *key);

/* After cae_compress has failed: the command that gives a model the ranges it lacks, if it does. */
void model_tell_fit(void);

/* The preset that has this model's architecture, or NULL. */
const char *model_preset(const cae_model *model);

/* Whether it is a variational autoencoder: one with the line `code sampled`. */
bool model_is_sampled(const cae_model *model);

/* Whether its network takes a noise level. */
bool model_takes_noise(const cae_model *model);

/* The noise to train a model with: 5-75 where the network takes a level, 25 for the presets
 * "*-denoise", else 0; and the level to measure it with. */
struct noise model_default_noise(const cae_model *model);
double model_default_sigma(const cae_model *model);

/* The note that keeps the noise a model was trained with. */
#define MODEL_NOTE_NOISE "cae.noise"

/* The noise to measure a model with: that of its training, of a range 25 or what is nearest to it;
 * where it is not known, the default. */
double model_trained_sigma(const cae_model *model, bool *known);

#endif
