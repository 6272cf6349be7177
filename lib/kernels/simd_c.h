/*
 * Simd vectors of the portable tier: 4 lanes of GNU C's vector extension, which every processor
 * that gcc and clang know compiles to what it has, down to single floats.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <math.h>

enum { LANES = 4 };
#define REGISTERS 16

typedef float vec __attribute__((vector_size(4 * LANES)));

#include "kernels/simd_common.h"

static inline vec v_load(const float *p)
{
    vec v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline void v_store(float *p, vec v)
{
    memcpy(p, &v, sizeof(v));
}

static inline vec v_set(float x)
{
    return (vec){x, x, x, x};
}

static inline vec v_madd(vec a, vec b, vec c)
{
    return a * b + c;
}

static inline vec v_sqrt(vec a)
{
    return (vec){sqrtf(a[0]), sqrtf(a[1]), sqrtf(a[2]), sqrtf(a[3])};
}

static inline vec v_and(vec a, vec b)
{
    return (vec)((lanes_i32)a & (lanes_i32)b);
}

static inline vec v_or(vec a, vec b)
{
    return (vec)((lanes_i32)a | (lanes_i32)b);
}

static inline vec v_andnot(vec mask, vec a)
{
    return (vec)(~(lanes_i32)mask & (lanes_i32)a);
}

/* All bits set where a > b; not where either is NaN. */
static inline vec v_greater(vec a, vec b)
{
    return (vec)(a > b);
}

/* All bits set where a == b; not where either is NaN. */
static inline vec v_equal(vec a, vec b)
{
    return (vec)(a == b);
}

/* Bit i: the sign of lane i. */
static inline unsigned v_signs(vec a)
{
    const lanes_u32 bits = (lanes_u32)a >> 31;
    return bits[0] | bits[1] << 1 | bits[2] << 2 | bits[3] << 3;
}

#include "kernels/simd_tails.h"

static inline vec v_load_masked(const float *p, const v_mask *n)
{
    return (vec){p[0], *n > 1 ? p[1] : 0, *n > 2 ? p[2] : 0, *n > 3 ? p[3] : 0};
}

/* Rows become columns. */
static inline void v_transpose(vec row[LANES])
{
    const vec a = row[0];
    const vec b = row[1];
    const vec c = row[2];
    const vec d = row[3];
    for (int i = 0; i < LANES; i++) {
        row[i] = (vec){a[i], b[i], c[i], d[i]};
    }
}
