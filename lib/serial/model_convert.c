/*
 * Conversion of tensors' bytes between the file's order and the machine's.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "serial/model_convert.h"

#include <string.h>

#include "base/bytes.h"
#include "base/floats.h"

static bool is_16_bit(cae_dtype dtype)
{
    return dtype == CAE_F16 || dtype == CAE_BF16;
}

void cae_model_from_file(void *values, cae_dtype dtype, size_t len)
{
    uint8_t *at = values;
    if (dtype == CAE_F32) {
        cae_floats_from_file(values, values, len);
    } else if (is_16_bit(dtype)) {
        for (size_t i = 0; i < len; i++, at += 2) {
            const uint16_t bits = (uint16_t)(at[0] | at[1] << 8);
            memcpy(at, &bits, 2);
        }
    } else if (dtype == CAE_F64 || dtype == CAE_I64) {
        for (size_t i = 0; i < len; i++, at += 8) {
            const uint64_t bits = cae_load_u64(at);
            memcpy(at, &bits, 8);
        }
    }
}

/* IEEE 754 binary16 to the binary32 of the same value. */
static uint32_t widen_half(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t exponent = half >> 10 & 0x1f;
    uint32_t fraction = half & 0x3ff;
    if (exponent == 0x1f) {
        return sign | 0x7f800000 | fraction << 13;
    }
    if (exponent > 0) {
        return sign | (exponent + 127 - 15) << 23 | fraction << 13;
    }
    if (fraction == 0) {
        return sign;
    }
    uint32_t shift = 0; /* fraction x 2^-24, which as a float is normal */
    while ((fraction & 0x400) == 0) {
        fraction <<= 1;
        shift++;
    }
    return sign | (127 - 14 - shift) << 23 | (fraction & 0x3ff) << 13;
}

void cae_model_to_floats(float *to, const void *values, cae_dtype dtype, size_t len)
{
    const uint8_t *at = values;
    if (dtype == CAE_F32) {
        memcpy(to, values, len * sizeof(*to));
    } else if (dtype == CAE_F64) {
        for (size_t i = 0; i < len; i++) {
            double value;
            memcpy(&value, at + 8 * i, 8);
            to[i] = (float)value;
        }
    } else {
        for (size_t i = 0; i < len; i++) {
            uint16_t half;
            memcpy(&half, at + 2 * i, 2);
            const uint32_t bits = dtype == CAE_F16 ? widen_half(half) : (uint32_t)half << 16;
            memcpy(&to[i], &bits, 4);
        }
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
    const uint8_t *at = values;
    if (is_16_bit(dtype)) {
        const uint16_t infinite = dtype == CAE_F16 ? 0x7c00 : 0x7f80;
        for (size_t i = 0; i < len; i++) {
            uint16_t bits;
            memcpy(&bits, at + 2 * i, 2);
            if ((bits & infinite) == infinite) {
                return i;
            }
        }
    }
    if (dtype == CAE_F64) {
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
