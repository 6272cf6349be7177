/*
 * Simd vectors of the portable tier: 4 lanes of GNU C's vector extension, which every processor
 * that gcc and clang know compiles to what it has, down to single floats.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 4 };
#define REGISTERS 16

typedef float vec __attribute__((vector_size(16)));
typedef int32_t lanes_i32 __attribute__((vector_size(16)));
typedef uint32_t lanes_u32 __attribute__((vector_size(16)));

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

static inline vec v_add(vec a, vec b)
{
    return a + b;
}

static inline vec v_sub(vec a, vec b)
{
    return a - b;
}

static inline vec v_mul(vec a, vec b)
{
    return a * b;
}

static inline vec v_div(vec a, vec b)
{
    return a / b;
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

/* 2^n for t = 1.5 * 2^23 + n: the low bits of t hold n. */
static inline vec v_exp2_magic(vec t)
{
    return (vec)(((lanes_u32)t << 23) + 0x3f800000u);
}

static inline vec v_load_u32(const uint32_t *p)
{
    vec v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline void v_store_u32(uint32_t *p, vec v)
{
    memcpy(p, &v, sizeof(v));
}

static inline vec v_set_u32(uint32_t x)
{
    return (vec)(lanes_u32){x, x, x, x};
}

static inline vec v_equal_u32(vec a, vec b)
{
    return (vec)((lanes_i32)a == (lanes_i32)b);
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
