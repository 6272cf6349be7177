/*
 * Simd vectors of the avx2 and fma tiers: 8 lanes. The two differ in v_madd alone: under -mfma it
 * is one rounding, otherwise two.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef __AVX2__
#error "this file must be compiled with -mavx2"
#endif

#include <immintrin.h>

enum { LANES = 8 };
#define REGISTERS 16

typedef __m256 vec;

#include "kernels/simd_common.h"

static inline vec v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

static inline void v_store(float *p, vec v)
{
    _mm256_storeu_ps(p, v);
}

static inline vec v_set(float x)
{
    return _mm256_set1_ps(x);
}

static inline vec v_madd(vec a, vec b, vec c)
{
#ifdef __FMA__
    return _mm256_fmadd_ps(a, b, c);
#else
    return _mm256_add_ps(_mm256_mul_ps(a, b), c);
#endif
}

static inline vec v_sqrt(vec a)
{
    return _mm256_sqrt_ps(a);
}

static inline vec v_and(vec a, vec b)
{
    return _mm256_and_ps(a, b);
}

static inline vec v_or(vec a, vec b)
{
    return _mm256_or_ps(a, b);
}

static inline vec v_andnot(vec mask, vec a)
{
    return _mm256_andnot_ps(mask, a);
}

/* All bits set where a > b; not where either is NaN. */
static inline vec v_greater(vec a, vec b)
{
    return _mm256_cmp_ps(a, b, _CMP_GT_OQ);
}

/* All bits set where a == b; not where either is NaN. */
static inline vec v_equal(vec a, vec b)
{
    return _mm256_cmp_ps(a, b, _CMP_EQ_OQ);
}

/* Bit i: the sign of lane i. */
static inline unsigned v_signs(vec a)
{
    return (unsigned)_mm256_movemask_ps(a);
}

/* The first n lanes, 1 <= n <= LANES; the others are 0 and are not stored. */
typedef struct v_mask {
    __m256i lanes;
    size_t n;
} v_mask;

static inline v_mask v_mask_of(size_t n)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return (v_mask){_mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane), n};
}

static inline vec v_load_masked(const float *p, const v_mask *mask)
{
    return _mm256_maskload_ps(p, mask->lanes);
}

static inline vec v_load_masked_u32(const uint32_t *p, const v_mask *mask)
{
    return _mm256_castsi256_ps(_mm256_maskload_epi32((const int *)(const void *)p, mask->lanes));
}

/* In halves of halves: a masked store is microcode on many processors. One copy of it is enough. */
static __attribute__((noinline)) void v_store_masked(float *p, vec v, const v_mask *mask)
{
    if (mask->n >= LANES) {
        v_store(p, v);
        return;
    }
    __m128 x = _mm256_castps256_ps128(v);
    if (mask->n & 4) {
        _mm_storeu_ps(p, x);
        x = _mm256_extractf128_ps(v, 1);
        p += 4;
    }
    if (mask->n & 2) {
        _mm_storel_pi((__m64 *)(void *)p, x);
        x = _mm_movehl_ps(x, x);
        p += 2;
    }
    if (mask->n & 1) {
        _mm_store_ss(p, x);
    }
}

/* Rows become columns: pairs of floats, then pairs of pairs, then halves. */
static inline void v_transpose(vec row[LANES])
{
    vec pair[LANES];
    vec four[LANES];
    for (int i = 0; i < LANES; i += 2) {
        pair[i] = _mm256_unpacklo_ps(row[i], row[i + 1]);
        pair[i + 1] = _mm256_unpackhi_ps(row[i], row[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
        four[i] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0x44);
        four[i + 1] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0xee);
        four[i + 2] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0x44);
        four[i + 3] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0xee);
    }
    for (int i = 0; i < LANES / 2; i++) {
        row[i] = _mm256_permute2f128_ps(four[i], four[i + 4], 0x20);
        row[i + 4] = _mm256_permute2f128_ps(four[i], four[i + 4], 0x31);
    }
}
