/*
 * Arithmetic that GNU C's vector extension has by itself, for the simd vectors of all tiers;
 * included by their simd_*.h, behind LANES and `vec`, a vector of so many floats. Loads, stores and
 * logic of floats are not here: written so, gcc moves them to the integer units of x86.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdint.h>
#include <string.h>

typedef int32_t lanes_i32 __attribute__((vector_size(4 * LANES)));
typedef uint32_t lanes_u32 __attribute__((vector_size(4 * LANES)));

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
    return (vec)((lanes_u32){0} + x);
}

static inline vec v_equal_u32(vec a, vec b)
{
    return (vec)((lanes_i32)a == (lanes_i32)b);
}
