/*
 * All kernels, written once over the simd vectors of a tier (simd_*.h) and compiled once per tier
 * by tier_*.c. kernels.h has the contracts; reference.c is the plain code whose results this file
 * must equal bit for bit. The rest of a row that does not fill a vector uses the same vectors with
 * a tail mask, so there is no second arithmetic to keep equal.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "base/assert.h"
#include "kernels/kernels.h"

#define INLINE  static inline __attribute__((always_inline))
#define OUTLINE static __attribute__((noinline))

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* ---- Short rows ------------------------------------------------------------------------------ */

INLINE vec load_some(const float *p, size_t n)
{
    if (n >= LANES) {
        return v_load(p);
    }
    const v_mask mask = v_mask_of(n);
    return v_load_masked(p, &mask);
}

INLINE void store_some(float *p, vec v, size_t n)
{
    if (n >= LANES) {
        v_store(p, v);
    } else {
        const v_mask mask = v_mask_of(n);
        v_store_masked(p, v, &mask);
    }
}

INLINE vec load_some_u32(const uint32_t *p, size_t n)
{
    if (n >= LANES) {
        return v_load_u32(p);
    }
    const v_mask mask = v_mask_of(n);
    return v_load_masked_u32(p, &mask);
}

INLINE void store_some_u32(uint32_t *p, vec v, size_t n)
{
    uint32_t lanes[LANES];
    if (n >= LANES) {
        v_store_u32(p, v);
        return;
    }
    v_store_u32(lanes, v);
    for (size_t i = 0; i < n; i++) {
        p[i] = lanes[i];
    }
}

/* A vector, or with a mask the first lanes of one. */
INLINE vec load_vector(const float *p, const v_mask *mask)
{
    return mask != NULL ? v_load_masked(p, mask) : v_load(p);
}

INLINE void store_vector(float *p, vec x, const v_mask *mask)
{
    if (mask != NULL) {
        v_store_masked(p, x, mask);
    } else {
        v_store(p, x);
    }
}

INLINE vec load_vector_u32(const uint32_t *p, const v_mask *mask)
{
    return mask != NULL ? v_load_masked_u32(p, mask) : v_load_u32(p);
}

/* ---- Activations ----------------------------------------------------------------------------- */

INLINE vec select(vec mask, vec yes, vec no)
{
    return v_or(v_and(mask, yes), v_andnot(mask, no));
}

INLINE vec magnitude(vec x)
{
    return v_andnot(v_set(-0.0f), x);
}

/* See exponential() in reference.c, step by step. */
INLINE vec exponential(vec x)
{
    x = select(v_greater(v_set(-87.0f), x), v_set(-87.0f), x);
    x = select(v_greater(x, v_set(88.0f)), v_set(88.0f), x);
    const vec magic = v_set(12582912.0f);
    const vec t = v_madd(x, v_set(1.44269504f), magic);
    const vec n = v_sub(t, magic);
    vec r = v_madd(n, v_set(-0.693359375f), x);
    r = v_madd(n, v_set(2.12194440e-4f), r);
    vec p = v_set(1.9875691500e-4f);
    p = v_madd(p, r, v_set(1.3981999507e-3f));
    p = v_madd(p, r, v_set(8.3334519073e-3f));
    p = v_madd(p, r, v_set(4.1665795894e-2f));
    p = v_madd(p, r, v_set(1.6666665459e-1f));
    p = v_madd(p, r, v_set(5.0000001201e-1f));
    p = v_madd(p, v_mul(r, r), r);
    return v_mul(v_add(p, v_set(1.0f)), v_exp2_magic(t));
}

INLINE vec hyperbolic_tangent(vec x)
{
    const vec one = v_set(1.0f);
    const vec a = magnitude(x);
    const vec z = v_mul(x, x);
    vec p = v_set(-5.70498872745e-3f);
    p = v_madd(p, z, v_set(2.06390887954e-2f));
    p = v_madd(p, z, v_set(-5.37397155531e-2f));
    p = v_madd(p, z, v_set(1.33314422036e-1f));
    p = v_madd(p, z, v_set(-3.33332819422e-1f));
    const vec small = v_madd(v_mul(p, z), x, x);
    const vec e = exponential(v_mul(a, v_set(-2.0f)));
    const vec large = v_div(v_sub(one, e), v_add(one, e));
    const vec sign = v_and(x, v_set(-0.0f));
    return select(v_greater(a, v_set(0.625f)), v_or(large, sign), small);
}

INLINE vec activate_vector(const cae_activation activation, vec x)
{
    const vec zero = v_set(0.0f);
    const vec one = v_set(1.0f);
    switch (activation) {
    case CAE_RELU:
        return v_andnot(v_greater(zero, x), x);
    case CAE_LEAKY:
        return select(v_greater(zero, x), v_mul(x, v_set(0.01f)), x);
    case CAE_TANH:
        return hyperbolic_tangent(x);
    case CAE_SIGMOID:
        return v_div(one, v_add(one, exponential(v_sub(zero, x))));
    default:
        return x;
    }
}

INLINE vec activate_back_vector(const cae_activation activation, vec y, vec dy)
{
    const vec zero = v_set(0.0f);
    const vec one = v_set(1.0f);
    switch (activation) {
    case CAE_RELU:
        return v_and(v_greater(y, zero), dy);
    case CAE_LEAKY:
        return select(v_greater(zero, y), v_mul(dy, v_set(0.01f)), dy);
    case CAE_TANH:
        return v_mul(dy, v_sub(one, v_mul(y, y)));
    case CAE_SIGMOID:
        return v_mul(dy, v_mul(y, v_sub(one, y)));
    default:
        return dy;
    }
}

INLINE void activate_all(const cae_activation activation, float *y, size_t len)
{
    for (size_t i = 0; i < len; i += LANES) {
        store_some(y + i, activate_vector(activation, load_some(y + i, len - i)), len - i);
    }
}

INLINE void activate_back_all(const cae_activation activation, const float *y, float *dy,
                              size_t len)
{
    for (size_t i = 0; i < len; i += LANES) {
        const vec d =
            activate_back_vector(activation, load_some(y + i, len - i), load_some(dy + i, len - i));
        store_some(dy + i, d, len - i);
    }
}

/* The choice is outside of the loop: one loop per activation. */
static void activate(cae_activation activation, float *y, size_t len)
{
    CAE_ASSERT(activation < CAE_ACTIVATIONS);
    switch (activation) {
    case CAE_RELU:
        activate_all(CAE_RELU, y, len);
        break;
    case CAE_LEAKY:
        activate_all(CAE_LEAKY, y, len);
        break;
    case CAE_TANH:
        activate_all(CAE_TANH, y, len);
        break;
    case CAE_SIGMOID:
        activate_all(CAE_SIGMOID, y, len);
        break;
    default:
        break;
    }
}

static void activate_back(cae_activation activation, const float *y, float *dy, size_t len)
{
    CAE_ASSERT(activation < CAE_ACTIVATIONS);
    switch (activation) {
    case CAE_RELU:
        activate_back_all(CAE_RELU, y, dy, len);
        break;
    case CAE_LEAKY:
        activate_back_all(CAE_LEAKY, y, dy, len);
        break;
    case CAE_TANH:
        activate_back_all(CAE_TANH, y, dy, len);
        break;
    case CAE_SIGMOID:
        activate_back_all(CAE_SIGMOID, y, dy, len);
        break;
    default:
        break;
    }
}

/* ---- Products -------------------------------------------------------------------------------- */

#include "kernels/vector_gemm.h"

/* ---- Sums ------------------------------------------------------------------------------------ */

static void add(float *y, const float *x, size_t len)
{
    for (size_t i = 0; i < len; i += LANES) {
        const size_t n = len - i;
        store_some(y + i, v_add(load_some(y + i, n), load_some(x + i, n)), n);
    }
}

/* Four vectors at a time: in the latency of one addition four can be started. */
static void sum_rows(float *sum, const float *x, size_t rows, size_t cols, ptrdiff_t stride)
{
    size_t j = 0;
    for (; cols - j >= 4 * LANES; j += 4 * LANES) {
        vec acc[4] = {v_load(sum + j), v_load(sum + j + LANES), v_load(sum + j + 2 * LANES),
                      v_load(sum + j + 3 * LANES)};
        const float *row = x + j;
        for (size_t i = 0; i < rows; i++, row += stride) {
            acc[0] = v_add(acc[0], v_load(row));
            acc[1] = v_add(acc[1], v_load(row + LANES));
            acc[2] = v_add(acc[2], v_load(row + 2 * LANES));
            acc[3] = v_add(acc[3], v_load(row + 3 * LANES));
        }
        v_store(sum + j, acc[0]);
        v_store(sum + j + LANES, acc[1]);
        v_store(sum + j + 2 * LANES, acc[2]);
        v_store(sum + j + 3 * LANES, acc[3]);
    }
    for (; j < cols; j += LANES) {
        const size_t n = cols - j;
        vec acc = load_some(sum + j, n);
        const float *row = x + j;
        for (size_t i = 0; i < rows; i++, row += stride) {
            acc = v_add(acc, load_some(row, n));
        }
        store_some(sum + j, acc, n);
    }
}

/* ---- Max pooling ----------------------------------------------------------------------------- */

INLINE void pool_tap(const cae_pool *p, size_t t, const float *x, size_t n, vec *best, vec *where)
{
    const vec v = load_some(x + p->tap[t], n);
    const vec greater = v_greater(v, *best);
    *best = select(greater, v, *best);
    *where = select(greater, v_set_u32(p->id[t]), *where);
}

INLINE void pool_vector(const cae_pool *p, const float *x, float *y, uint32_t *argmax, size_t n,
                        const bool four)
{
    vec best = load_some(x + p->tap[0], n);
    vec where = v_set_u32(p->id[0]);
    if (four) {
        pool_tap(p, 1, x, n, &best, &where);
        pool_tap(p, 2, x, n, &best, &where);
        pool_tap(p, 3, x, n, &best, &where);
    } else {
        for (size_t t = 1; t < p->taps; t++) {
            pool_tap(p, t, x, n, &best, &where);
        }
    }
    store_some(y, best, n);
    if (argmax != NULL) {
        store_some_u32(argmax, where, n);
    }
}

INLINE void pool_pixels(const cae_pool *p, const float *x, float *y, uint32_t *argmax,
                        const bool four)
{
    const size_t channels = p->channels;
    for (size_t i = 0; i < p->pixels; i++, x += p->x_step, y += channels) {
        size_t j = 0;
        for (; channels - j >= LANES; j += LANES) {
            pool_vector(p, x + j, y + j, argmax != NULL ? argmax + j : NULL, LANES, four);
        }
        if (j < channels) {
            pool_vector(p, x + j, y + j, argmax != NULL ? argmax + j : NULL, channels - j, four);
        }
        if (argmax != NULL) {
            argmax += channels;
        }
    }
}

/* Windows of 2 x 2 are the most frequent. */
static void pool(const cae_pool *p, const float *x, float *y, uint32_t *argmax)
{
    CAE_ASSERT(p->taps >= 1);
    if (p->taps == 4 && argmax != NULL) {
        pool_pixels(p, x, y, argmax, true);
    } else if (p->taps == 4) {
        pool_pixels(p, x, y, NULL, true);
    } else {
        pool_pixels(p, x, y, argmax, false);
    }
}

static void pool_back(const cae_pool *p, const float *dy, const uint32_t *argmax, float *dx)
{
    for (size_t i = 0; i < p->pixels; i++) {
        for (size_t j = 0; j < p->channels; j += LANES) {
            const size_t at = i * p->channels + j;
            const size_t n = p->channels - j;
            const vec d = load_some(dy + at, n);
            const vec where = load_some_u32(argmax + at, n);
            for (size_t t = 0; t < p->taps; t++) {
                float *to = dx + (ptrdiff_t)i * p->x_step + p->tap[t] + (ptrdiff_t)j;
                const vec mask = v_equal_u32(where, v_set_u32(p->id[t]));
                store_some(to, v_add(load_some(to, n), v_and(mask, d)), n);
            }
        }
    }
}

/* ---- Sparse pool gradients ------------------------------------------------------------------- */

#include "kernels/vector_sparse.h"

/* ---- Adam ------------------------------------------------------------------------------------ */

/* 0 for magnitudes below the smallest normal float: denormals would make later steps slow. */
INLINE vec flush(vec x)
{
    return v_andnot(v_greater(v_set(1.17549435e-38f), magnitude(x)), x);
}

INLINE vec adam_vector(const cae_adam_step *s, float *w, float *m, float *v, const float *g,
                       size_t n, bool write)
{
    const vec grad = load_some(g, n);
    const vec m1 =
        flush(v_madd(grad, v_set(s->one_minus_beta1), v_mul(v_set(s->beta1), load_some(m, n))));
    const vec v1 = flush(v_madd(v_mul(grad, v_set(s->one_minus_beta2)), grad,
                                v_mul(v_set(s->beta2), load_some(v, n))));
    const vec root = v_madd(v_sqrt(v1), v_set(s->v_scale), v_set(s->epsilon));
    const vec w1 =
        v_madd(v_set(-s->step), v_div(m1, root), v_mul(load_some(w, n), v_set(s->decay)));
    if (write) {
        store_some(w, w1, n);
        store_some(m, m1, n);
        store_some(v, v1, n);
    }
    /* x - x is 0 if x is finite and NaN otherwise; NaN stays in a sum. */
    return v_add(v_add(v_sub(w1, w1), v_sub(m1, m1)), v_sub(v1, v1));
}

/* Works on a copy of the scalars, which no store can alias. */
INLINE vec adam_row(const cae_adam_step *scalars, float *w, float *m, float *v, const float *g,
                    size_t len, bool write)
{
    const cae_adam_step s = *scalars;
    vec poison = v_set(0.0f);
    size_t i = 0;
    for (; i + LANES <= len; i += LANES) {
        poison = v_add(poison, adam_vector(&s, w + i, m + i, v + i, g + i, LANES, write));
    }
    if (i < len) {
        poison = v_add(poison, adam_vector(&s, w + i, m + i, v + i, g + i, len - i, write));
    }
    return poison;
}

/* One copy of the code, for the kernel below and for dense_step. */
OUTLINE vec adam_write(const cae_adam_step *s, float *w, float *m, float *v, const float *g,
                       size_t len)
{
    return adam_row(s, w, m, v, g, len, true);
}

static bool adam(const cae_adam_step *s, float *w, float *m, float *v, const float *g, size_t len,
                 bool write)
{
    float lanes[LANES];
    v_store(lanes, write ? adam_write(s, w, m, v, g, len) : adam_row(s, w, m, v, g, len, false));
    bool finite = true;
    for (size_t i = 0; i < LANES; i++) {
        finite = finite && lanes[i] == 0.0f;
    }
    return finite;
}

#include "kernels/vector_dense.h"

/* ---- The table ------------------------------------------------------------------------------- */

#define CAE_KERNEL_TABLE(tier_name, is_exact)                                                     \
    {                                                                                             \
        .name = tier_name, .exact = is_exact, .lanes = LANES, .gemm = gemm,                       \
        .transpose = transpose, .activate = activate, .activate_back = activate_back, .add = add, \
        .sum_rows = sum_rows, .pool = pool, .pool_back = pool_back,                               \
        .occupancy_bits = occupancy_bits, .sparse_weights = sparse_weights,                       \
        .sparse_data = sparse_data, .adam = adam, .dense_step = dense_step                        \
    }
