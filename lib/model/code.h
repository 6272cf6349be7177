/*
 * What compressed images take from a model beside its network: the ranges of the code, and an id.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_MODEL_CODE_H
#define CAE_MODEL_CODE_H

#include "model/model.h"
#include "serial/image_file.h"

/* The ranges from images, in place of what was there. */
int cae_model_fit_code(cae_model *m, const float *images, size_t count, size_t height,
                       size_t width);

/* The id, of architecture, weights and ranges, as images carry it. */
int cae_model_id(const cae_model *m, uint8_t id[CAE_IMAGE_ID]);

#endif
