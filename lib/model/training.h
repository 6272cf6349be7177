/*
 * A model in training: gradients, and updates by them.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_MODEL_TRAINING_H
#define CAE_MODEL_TRAINING_H

#include "model/model.h"

int cae_model_gradient(cae_model *m, const cae_pairs *pairs, float *loss);

/* A pending gradient with these values, as many as the network has parameters. */
int cae_model_set_gradient(cae_model *m, const float *values);

/* Needs a pending gradient. */
int cae_model_apply(cae_model *m);

int cae_model_step(cae_model *m, const cae_pairs *pairs, float *loss);

#endif
