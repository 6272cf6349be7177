/*
 * Tensors' values as floats, and which of them are none; see model_convert.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "serial/model_convert.h"

#include <string.h>

#include "base/floats.h"

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

/* The bits of value i of an array, each value of 2 or 8 bytes. */
static uint64_t bits_at(const void *values, size_t size, size_t i)
{
    const uint8_t *at = (const uint8_t *)values + size * i;
    uint16_t narrow;
    uint64_t wide;
    if (size == 2) {
        memcpy(&narrow, at, sizeof(narrow));
        return narrow;
    }
    memcpy(&wide, at, sizeof(wide));
    return wide;
}

void cae_model_to_floats(float *to, const void *values, cae_dtype dtype, size_t len)
{
    if (dtype == CAE_DTYPE_F32) {
        memcpy(to, values, len * sizeof(*to));
        return;
    }
    for (size_t i = 0; i < len; i++) {
        const uint64_t bits = bits_at(values, cae_dtype_size(dtype), i);
        if (dtype == CAE_DTYPE_F64) {
            double value;
            memcpy(&value, &bits, sizeof(value));
            to[i] = (float)value;
        } else {
            const uint16_t half = (uint16_t)bits;
            const uint32_t wide = dtype == CAE_DTYPE_F16 ? widen_half(half) : (uint32_t)half << 16;
            memcpy(&to[i], &wide, sizeof(wide));
        }
    }
}

size_t cae_model_first_nonfinite(const void *values, cae_dtype dtype, size_t len)
{
    size_t bad = len;
    if (dtype == CAE_DTYPE_F32) {
        return cae_all_finite(values, len, &bad) ? len : bad;
    }
    const uint64_t exponent = dtype == CAE_DTYPE_F16    ? 0x7c00
                              : dtype == CAE_DTYPE_BF16 ? 0x7f80
                              : dtype == CAE_DTYPE_F64  ? 0x7ff0000000000000u
                                                        : 0;
    if (exponent == 0) {
        return len;
    }
    for (size_t i = 0; i < len; i++) {
        if ((bits_at(values, cae_dtype_size(dtype), i) & exponent) == exponent) {
            return i;
        }
    }
    return len;
}
