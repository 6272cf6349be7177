/*
 * Arrays of float looked at as integers, so that neither the processor's flags nor NaN matter.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "base/floats.h"

#include <stdint.h>
#include <string.h>

#include "base/status.h"

enum { BLOCK = 256, INFINITE = 0x7f800000 };

/* The bits of a magnitude, which are in its order; infinity and then NaN are the last. */
static inline int32_t magnitude(const float *value)
{
    int32_t bits;
    memcpy(&bits, value, 4);
    return bits & 0x7fffffff;
}

static inline int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* Of the first BLOCK values, or of `len` if these are fewer. For a whole block the count is known,
 * there is no branch, and maxima do not wait for each other: compilers vectorise that. */
static int32_t largest_in_block(const float *values, size_t len)
{
    enum { CHAIN = BLOCK / 4 };
    int32_t a = 0, b = 0, c = 0, d = 0;
    if (len < BLOCK) {
        for (size_t i = 0; i < len; i++) {
            a = larger(a, magnitude(values + i));
        }
        return a;
    }
    for (size_t i = 0; i < CHAIN; i++) {
        a = larger(a, magnitude(values + i));
        b = larger(b, magnitude(values + CHAIN + i));
        c = larger(c, magnitude(values + 2 * CHAIN + i));
        d = larger(d, magnitude(values + 3 * CHAIN + i));
    }
    return larger(larger(a, b), larger(c, d));
}

bool cae_all_finite(const float *values, size_t len, size_t *bad)
{
    for (size_t at = 0; at < len; at += BLOCK) {
        if (largest_in_block(values + at, len - at) < INFINITE) {
            continue;
        }
        while (magnitude(values + at) < INFINITE) {
            at++;
        }
        if (bad != NULL) {
            *bad = at;
        }
        return false;
    }
    return true;
}

float cae_largest(const float *values, size_t len)
{
    int32_t largest = 0;
    for (size_t at = 0; at < len; at += BLOCK) {
        largest = larger(largest, largest_in_block(values + at, len - at));
    }
    float value;
    memcpy(&value, &largest, 4);
    return value;
}

int cae_check_finite(const float *values, size_t len, const char *name)
{
    size_t bad = 0;
    return cae_all_finite(values, len, &bad)
               ? CAE_OK
               : cae_fail(CAE_E_NONFINITE, "%s: value %zu is NaN or infinite", name, bad);
}
