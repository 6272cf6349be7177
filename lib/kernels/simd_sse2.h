/*
 * Simd vectors of the sse2 tier: 4 lanes, the baseline of x86-64.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef __SSE2__
#error "this file must be compiled with -msse2"
#endif

#include <emmintrin.h>

enum { LANES = 4 };
#define REGISTERS 16

typedef __m128 vec;

#include "kernels/simd_common.h"

static inline vec v_load(const float *p)
{
    return _mm_loadu_ps(p);
}

static inline void v_store(float *p, vec v)
{
    _mm_storeu_ps(p, v);
}

static inline vec v_set(float x)
{
    return _mm_set1_ps(x);
}

static inline vec v_madd(vec a, vec b, vec c)
{
    return _mm_add_ps(_mm_mul_ps(a, b), c);
}

static inline vec v_sqrt(vec a)
{
    return _mm_sqrt_ps(a);
}

static inline vec v_and(vec a, vec b)
{
    return _mm_and_ps(a, b);
}

static inline vec v_or(vec a, vec b)
{
    return _mm_or_ps(a, b);
}

static inline vec v_andnot(vec mask, vec a)
{
    return _mm_andnot_ps(mask, a);
}

/* All bits set where a > b; not where either is NaN. */
static inline vec v_greater(vec a, vec b)
{
    return _mm_cmpgt_ps(a, b);
}

/* All bits set where a == b; not where either is NaN. */
static inline vec v_equal(vec a, vec b)
{
    return _mm_cmpeq_ps(a, b);
}

/* Bit i: the sign of lane i. */
static inline unsigned v_signs(vec a)
{
    return (unsigned)_mm_movemask_ps(a);
}

#include "kernels/simd_tails.h"

static inline vec v_load_masked(const float *p, const v_mask *n)
{
    const vec x = _mm_load_ss(p);
    switch (*n) {
    case 1:
        return x;
    case 2:
        return _mm_unpacklo_ps(x, _mm_load_ss(p + 1));
    case 3:
        return _mm_movelh_ps(_mm_unpacklo_ps(x, _mm_load_ss(p + 1)), _mm_load_ss(p + 2));
    default:
        return _mm_loadu_ps(p);
    }
}

/* Rows become columns. */
static inline void v_transpose(vec row[LANES])
{
    _MM_TRANSPOSE4_PS(row[0], row[1], row[2], row[3]);
}
