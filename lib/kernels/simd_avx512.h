/*
 * Simd vectors of the two avx512 tables: 16 lanes, a panel of columns. They differ in v_madd alone:
 * one rounding where CAE_FUSED is defined, otherwise two. AVX-512 has no flag like -mno-fma that
 * keeps a compiler from fusing: a rule over the disassembly shows that it has not.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) || \
    !defined(__AVX512VL__)
#error "this file must be compiled with -mavx512f -mavx512bw -mavx512dq -mavx512vl"
#endif

#include <immintrin.h>

enum { LANES = 16 };
#define REGISTERS 32

typedef __m512 vec;

#include "kernels/simd_common.h"

static inline vec v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline void v_store(float *p, vec v)
{
    _mm512_storeu_ps(p, v);
}

static inline vec v_set(float x)
{
    return _mm512_set1_ps(x);
}

static inline vec v_madd(vec a, vec b, vec c)
{
#ifdef CAE_FUSED
    return _mm512_fmadd_ps(a, b, c);
#else
    return _mm512_add_ps(_mm512_mul_ps(a, b), c);
#endif
}

static inline vec v_sqrt(vec a)
{
    return _mm512_sqrt_ps(a);
}

static inline vec v_and(vec a, vec b)
{
    return _mm512_and_ps(a, b);
}

static inline vec v_or(vec a, vec b)
{
    return _mm512_or_ps(a, b);
}

static inline vec v_andnot(vec mask, vec a)
{
    return _mm512_andnot_ps(mask, a);
}

/* All bits of a lane set where its bit of the mask is. */
static inline vec v_from_bits(__mmask16 bits)
{
    return _mm512_castsi512_ps(_mm512_movm_epi32(bits));
}

/* All bits set where a > b; not where either is NaN. */
static inline vec v_greater(vec a, vec b)
{
    return v_from_bits(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ));
}

/* All bits set where a == b; not where either is NaN. */
static inline vec v_equal(vec a, vec b)
{
    return v_from_bits(_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ));
}

/* Bit i: the sign of lane i. */
static inline unsigned v_signs(vec a)
{
    return (unsigned)_mm512_movepi32_mask(_mm512_castps_si512(a));
}

/* The first n lanes, 1 <= n <= LANES; the others are 0 and are not stored. */
typedef __mmask16 v_mask;

static inline v_mask v_mask_of(size_t n)
{
    return (__mmask16)(0xffffu >> (LANES - n));
}

static inline vec v_load_masked(const float *p, const v_mask *mask)
{
    return _mm512_maskz_loadu_ps(*mask, p);
}

static inline vec v_load_masked_u32(const uint32_t *p, const v_mask *mask)
{
    return _mm512_castsi512_ps(_mm512_maskz_loadu_epi32(*mask, p));
}

static inline void v_store_masked(float *p, vec v, const v_mask *mask)
{
    _mm512_mask_storeu_ps(p, *mask, v);
}

/* Rows become columns: pairs of floats, pairs of pairs, then quarters twice. */
static inline void v_transpose(vec row[LANES])
{
    vec pair[LANES];
    vec four[LANES];
    for (int i = 0; i < LANES; i += 2) {
        pair[i] = _mm512_unpacklo_ps(row[i], row[i + 1]);
        pair[i + 1] = _mm512_unpackhi_ps(row[i], row[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
        four[i] = _mm512_shuffle_ps(pair[i], pair[i + 2], 0x44);
        four[i + 1] = _mm512_shuffle_ps(pair[i], pair[i + 2], 0xee);
        four[i + 2] = _mm512_shuffle_ps(pair[i + 1], pair[i + 3], 0x44);
        four[i + 3] = _mm512_shuffle_ps(pair[i + 1], pair[i + 3], 0xee);
    }
    /* Quarter q of four[4 * g + i] is column 4 * q + i of rows 4 * g ... */
    for (int i = 0; i < 4; i++) {
        const vec low01 = _mm512_shuffle_f32x4(four[i], four[i + 4], 0x44);
        const vec high01 = _mm512_shuffle_f32x4(four[i], four[i + 4], 0xee);
        const vec low23 = _mm512_shuffle_f32x4(four[i + 8], four[i + 12], 0x44);
        const vec high23 = _mm512_shuffle_f32x4(four[i + 8], four[i + 12], 0xee);
        row[i] = _mm512_shuffle_f32x4(low01, low23, 0x88);
        row[i + 4] = _mm512_shuffle_f32x4(low01, low23, 0xdd);
        row[i + 8] = _mm512_shuffle_f32x4(high01, high23, 0x88);
        row[i + 12] = _mm512_shuffle_f32x4(high01, high23, 0xdd);
    }
}
