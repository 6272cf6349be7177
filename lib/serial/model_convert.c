/*
 * Conversion of tensors' bytes; see model_convert.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "serial/model_convert.h"

#include <string.h>

#include "base/bytes.h"

void cae_model_from_file(void *values, cae_dtype dtype, size_t len)
{
    if (dtype == CAE_F32) {
        cae_floats_from_file(values, values, len);
        return;
    }
    uint8_t *at = values;
    for (size_t i = 0; i < len; i++, at += 8) {
        const uint64_t bits = cae_load_u64(at);
        memcpy(at, &bits, 8);
    }
}

void cae_model_to_file(uint8_t *bytes, const void *values, cae_dtype dtype, size_t len)
{
    if (dtype == CAE_F32) {
        cae_floats_to_file(bytes, values, len);
        return;
    }
    const uint8_t *at = values;
    for (size_t i = 0; i < len; i++) {
        uint64_t bits;
        memcpy(&bits, at + 8 * i, 8);
        cae_store_u64(bytes + 8 * i, bits);
    }
}

size_t cae_model_first_nonfinite(const void *values, cae_dtype dtype, size_t len)
{
    static const uint64_t exponent = 0x7ff0000000000000u;
    size_t bad = len;
    if (dtype == CAE_F32) {
        return cae_all_finite(values, len, &bad) ? len : bad;
    }
    if (dtype == CAE_F64) {
        const uint8_t *at = values;
        for (size_t i = 0; i < len; i++) {
            uint64_t bits;
            memcpy(&bits, at + 8 * i, 8);
            if ((bits & exponent) == exponent) {
                return i;
            }
        }
    }
    return len;
}
