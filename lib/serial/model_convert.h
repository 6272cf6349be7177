/*
 * The values of tensors, shared by the model file's reader and writer: of any dtype, converted to
 * floats and checked for finiteness; and floats rounded to F16.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_MODEL_CONVERT_H
#define CAE_SERIAL_MODEL_CONVERT_H

#include <stddef.h>
#include <stdint.h>

#include "serial/model_file.h"

/* Converts len elements of the machine's order, F32, F16, BF16 or F64, to floats: exactly, or for
 * F64 to the nearest, which may be infinite. */
void cae_model_to_floats(float *to, const void *values, cae_dtype dtype, size_t len);

/* Converts len floats to F16, to nearest, ties to even; those beyond its range become infinite. */
void cae_model_to_halves(uint16_t *to, const float *values, size_t len);

/* The index of the first NaN or infinity among len values of the machine's order; len if there is
 * none. Integers have none. */
size_t cae_model_first_nonfinite(const void *values, cae_dtype dtype, size_t len);

#endif
