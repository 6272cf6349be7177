/*
 * Arrays of float looked at as integers, so that neither the processor's flags nor NaN matter.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "base/floats.h"

#include <stdint.h>
#include <string.h>

#include "base/status.h"

static bool is_finite(const float *value)
{
    uint32_t bits;
    memcpy(&bits, value, 4);
    return (bits & 0x7f800000u) != 0x7f800000u;
}

bool cae_all_finite(const float *values, size_t len, size_t *bad)
{
    enum { BLOCK = 256 };
    for (size_t at = 0; at < len; at += BLOCK) {
        const size_t end = len - at < BLOCK ? len : at + BLOCK;
        /* Bits are compared as integers: flags of the floating-point unit have no effect, and the
         * inner loop has no branch, so that compilers vectorise it. */
        unsigned found = 0;
        for (size_t i = at; i < end; i++) {
            found |= !is_finite(&values[i]);
        }
        if (found == 0) {
            continue;
        }
        while (is_finite(&values[at])) {
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
    /* The bits of magnitudes are in the magnitudes' order; infinity and then NaN are the last. */
    uint32_t largest = 0;
    for (size_t i = 0; i < len; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, 4);
        bits &= 0x7fffffffu;
        largest = bits > largest ? bits : largest;
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
