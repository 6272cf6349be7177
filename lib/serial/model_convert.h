/*
 * The bytes of tensors, shared by the model file's reader and writer: between the machine's order
 * and the file's, checked for finiteness.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_MODEL_CONVERT_H
#define CAE_SERIAL_MODEL_CONVERT_H

#include <stddef.h>
#include <stdint.h>

#include "serial/model_file.h"

/* A buffer of whole elements of every dtype. */
typedef union cae_model_chunk {
    uint8_t bytes[65536];
    float f32[65536 / 4];
    uint16_t u16[65536 / 2];
    uint64_t u64[65536 / 8];
} cae_model_chunk;

/* Converts len elements in place from the file's order to the machine's. Dtypes that no weight can
 * have are not converted. */
void cae_model_from_file(void *values, cae_dtype dtype, size_t len);

/* Converts len elements of the machine's order, F32, F16, BF16 or F64, to floats: exactly, or for
 * F64 to the nearest, which may be infinite. */
void cae_model_to_floats(float *to, const void *values, cae_dtype dtype, size_t len);

/* Converts len elements from the machine's order to the file's; the two must not overlap. */
void cae_model_to_file(uint8_t *bytes, const void *values, cae_dtype dtype, size_t len);

/* The index of the first NaN or infinity among len values of the machine's order; len if there is
 * none. Integers have none. */
size_t cae_model_first_nonfinite(const void *values, cae_dtype dtype, size_t len);

#endif
