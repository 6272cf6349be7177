/*
 * Simd vectors of the sse2 tier: 4 lanes, the baseline of x86-64.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef __SSE2__
#error "this file must be compiled with -msse2"
#endif

#include <emmintrin.h>
#include <stdint.h>

enum { LANES = 4 };
#define REGISTERS 16

typedef __m128 vec;

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

static inline vec v_add(vec a, vec b)
{
    return _mm_add_ps(a, b);
}

static inline vec v_sub(vec a, vec b)
{
    return _mm_sub_ps(a, b);
}

static inline vec v_mul(vec a, vec b)
{
    return _mm_mul_ps(a, b);
}

static inline vec v_div(vec a, vec b)
{
    return _mm_div_ps(a, b);
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

/* 2^n for t = 1.5 * 2^23 + n: the low bits of t hold n. */
static inline vec v_exp2_magic(vec t)
{
    const __m128i shifted = _mm_slli_epi32(_mm_castps_si128(t), 23);
    return _mm_castsi128_ps(_mm_add_epi32(shifted, _mm_set1_epi32(0x3f800000)));
}

static inline vec v_load_u32(const uint32_t *p)
{
    return _mm_castsi128_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}

static inline void v_store_u32(uint32_t *p, vec v)
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm_castps_si128(v));
}

static inline vec v_set_u32(uint32_t x)
{
    return _mm_castsi128_ps(_mm_set1_epi32((int32_t)x));
}

static inline vec v_equal_u32(vec a, vec b)
{
    return _mm_castsi128_ps(_mm_cmpeq_epi32(_mm_castps_si128(a), _mm_castps_si128(b)));
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
