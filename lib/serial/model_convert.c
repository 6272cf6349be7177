/*
 * Tensors' values as floats, and which of them are none; see model_convert.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "serial/model_convert.h"

#include <stdbool.h>
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

/* The nearest binary16 of a binary32, ties to even, infinite where that is beyond the range. */
static uint16_t narrow_float(uint32_t bits)
{
    enum { UNIT = 126, SMALLEST = 102, NORMAL = 113, SHIFT = 13 };
    const uint32_t sign = bits >> 16 & 0x8000;
    const uint32_t magnitude = bits & 0x7fffffff;
    const uint32_t exponent = magnitude >> 23;
    if (magnitude > 0x7f800000) {
        return (uint16_t)(sign | 0x7e00); /* NaN */
    }
    if (magnitude >= 0x477ff000) {
        return (uint16_t)(sign | 0x7c00); /* from 65520 on, halfway to what would be 2^16 */
    }
    if (exponent < SMALLEST) {
        return (uint16_t)sign; /* below 2^-25, half of the smallest */
    }
    /* Normal numbers: the exponent's bias is 112 less. Others are multiples of 2^-24, and the
     * fraction with its leading bit is one of 2^(exponent - 150). */
    const bool normal = exponent >= NORMAL;
    const uint32_t shift = normal ? SHIFT : UNIT - exponent;
    const uint32_t exact =
        normal ? magnitude - ((uint32_t)112 << 23) : (magnitude & 0x7fffff) | 0x800000;
    const uint32_t kept = exact >> shift;
    const uint32_t rest = exact & (((uint32_t)1 << shift) - 1);
    const uint32_t half = (uint32_t)1 << (shift - 1);
    /* A carry out of the fraction raises the exponent, as it should. */
    return (uint16_t)(sign | (kept + (rest > half || (rest == half && (kept & 1) != 0))));
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

void cae_model_to_halves(uint16_t *to, const float *values, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof(bits));
        to[i] = narrow_float(bits);
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
