/*
 * The model of tests/golden as tensors in memory, for tests of the model file, with Check.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TESTS_SUPPORT_SAMPLE_MODEL_H
#define CAE_TESTS_SUPPORT_SAMPLE_MODEL_H

#include "serial/model_file.h"

enum {
    SAMPLE_WEIGHTS = 6 /* with the codec's tables */,
    SAMPLE_ALL = 23 /* with training state */
};

/* The first SAMPLE_WEIGHTS tensors give weights.safetensors, all of them training.safetensors; they
 * are in no useful order. Belongs to this file. */
const cae_file_model *sample_model(size_t len);

/* Saves the sample model to a path. */
int sample_save(size_t len, const char *path);

/* What a path holds: 'o' for weights.safetensors, the old file of the tests, 'n' for the new one,
 * training.safetensors; '-' for nothing, '?' for anything else. */
char sample_which(const char *path);

/* Opens and closes a file of exactly these bytes; returns the status. Fails the test when anything
 * is left behind. */
int model_open_status(const void *data, size_t size, cae_file_profile profile);

#endif
