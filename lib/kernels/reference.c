/*
 * The plain specification of the kernels: one element after the other, in the order that kernels.h
 * states, without optimisation. Tests compare every tier with it by memcmp. It is compiled twice:
 * madd is a multiplication and an addition, or with CAE_REFERENCE_FMA one fmaf. Only tests link it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

static float madd(float a, float b, float c)
{
#ifdef CAE_REFERENCE_FMA
    return fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

/* Where row i of a matrix in lines begins. */
static ptrdiff_t row_at(const cae_gemm *g, size_t i, ptrdiff_t line_step, ptrdiff_t row_step)
{
    const size_t line = g->line != 0 ? g->line : g->m;
    return (ptrdiff_t)(i / line) * line_step + (ptrdiff_t)(i % line) * row_step;
}

static float start_of(const cae_gemm *g, size_t i, size_t j)
{
    switch (g->start) {
    case CAE_START_C:
        return g->c[row_at(g, i, g->c_line, g->c_row) + (ptrdiff_t)j];
    case CAE_START_COLUMN_BIAS:
        return g->bias[j];
    case CAE_START_ROW_BIAS:
        return g->bias[i];
    default:
        return 0.0f;
    }
}

/*
 * exp(x) for x clamped to [-87, 88]: x = n log 2 + r with n whole and |r| <= log(2)/2, then a
 * polynomial of degree 7 for exp(r) (coefficients of Cephes' expf, S. Moshier) and 2^n by the
 * exponent's bits. log 2 is taken off in two parts, the first exact in few bits. About 2 ulp.
 */
static float exponential(float x)
{
    x = -87.0f > x ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    /* Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits. */
    const float magic = 12582912.0f;
    const float t = madd(x, 1.44269504f, magic);
    const float n = t - magic;
    float r = madd(n, -0.693359375f, x);
    r = madd(n, 2.12194440e-4f, r);
    float p = 1.9875691500e-4f;
    p = madd(p, r, 1.3981999507e-3f);
    p = madd(p, r, 8.3334519073e-3f);
    p = madd(p, r, 4.1665795894e-2f);
    p = madd(p, r, 1.6666665459e-1f);
    p = madd(p, r, 5.0000001201e-1f);
    p = madd(p, r * r, r);
    uint32_t bits;
    memcpy(&bits, &t, sizeof(bits));
    bits = (bits << 23) + 0x3f800000u;
    float scale;
    memcpy(&scale, &bits, sizeof(scale));
    return (p + 1.0f) * scale;
}

/* tanh: up to 0.625 an odd polynomial (Cephes' tanhf), beyond it (1 - e)/(1 + e) with e =
 * exp(-2|x|). */
static float hyperbolic_tangent(float x)
{
    const float a = fabsf(x);
    if (a > 0.625f) {
        const float e = exponential(a * -2.0f);
        return copysignf((1.0f - e) / (1.0f + e), x);
    }
    const float z = x * x;
    float p = -5.70498872745e-3f;
    p = madd(p, z, 2.06390887954e-2f);
    p = madd(p, z, -5.37397155531e-2f);
    p = madd(p, z, 1.33314422036e-1f);
    p = madd(p, z, -3.33332819422e-1f);
    return madd(p * z, x, x);
}

static float activation_of(cae_activation activation, float x)
{
    switch (activation) {
    case CAE_RELU:
        return x < 0.0f ? 0.0f : x;
    case CAE_LEAKY:
        return x < 0.0f ? x * 0.01f : x;
    case CAE_TANH:
        return hyperbolic_tangent(x);
    case CAE_SIGMOID:
        return 1.0f / (1.0f + exponential(0.0f - x));
    default:
        return x;
    }
}

static float gradient_of(cae_activation activation, float y, float dy)
{
    switch (activation) {
    case CAE_RELU:
        return y > 0.0f ? dy : 0.0f;
    case CAE_LEAKY:
        return y < 0.0f ? dy * 0.01f : dy;
    case CAE_TANH:
        return dy * (1.0f - y * y);
    case CAE_SIGMOID:
        return dy * (y * (1.0f - y));
    default:
        return dy;
    }
}

static void gemm(const cae_gemm *g)
{
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = 0; j < g->n; j++) {
            const ptrdiff_t column =
                (ptrdiff_t)(j / CAE_PANEL) * g->b_panel + (ptrdiff_t)(j % CAE_PANEL);
            float acc = start_of(g, i, j);
            for (size_t s = 0; s < g->entries; s++) {
                const float *a = g->a + g->a_entry[s] + row_at(g, i, g->a_line, g->a_row);
                const float *b = g->b + g->b_entry[s] + column;
                for (size_t l = 0; l < g->k; l++) {
                    acc = madd(a[(ptrdiff_t)l * g->a_k], b[(ptrdiff_t)l * g->b_k], acc);
                }
            }
            g->c[row_at(g, i, g->c_line, g->c_row) + (ptrdiff_t)j] =
                activation_of(g->activation, acc);
        }
    }
}

static void transpose(float *to, ptrdiff_t to_row, const float *from, ptrdiff_t from_row,
                      size_t rows, size_t cols)
{
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < cols; j++) {
            to[(ptrdiff_t)j * to_row + (ptrdiff_t)i] = from[(ptrdiff_t)i * from_row + (ptrdiff_t)j];
        }
    }
}

static void activate(cae_activation activation, float *y, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        y[i] = activation_of(activation, y[i]);
    }
}

static void activate_back(cae_activation activation, const float *y, float *dy, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        dy[i] = gradient_of(activation, y[i], dy[i]);
    }
}

static void add(float *y, const float *x, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        y[i] = y[i] + x[i];
    }
}

static void sum_rows(float *sum, const float *x, size_t rows, size_t cols, ptrdiff_t stride)
{
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < cols; j++) {
            sum[j] = sum[j] + x[(ptrdiff_t)i * stride + (ptrdiff_t)j];
        }
    }
}

static void pool(const cae_pool *p, const float *x, float *y, uint32_t *argmax)
{
    for (size_t i = 0; i < p->pixels; i++) {
        for (size_t c = 0; c < p->channels; c++) {
            const float *window = x + (ptrdiff_t)i * p->x_step + (ptrdiff_t)c;
            size_t best = 0;
            for (size_t t = 1; t < p->taps; t++) {
                if (window[p->tap[t]] > window[p->tap[best]]) {
                    best = t;
                }
            }
            y[i * p->channels + c] = window[p->tap[best]];
            if (argmax != NULL) {
                argmax[i * p->channels + c] = p->id[best];
            }
        }
    }
}

static void pool_back(const cae_pool *p, const float *dy, const uint32_t *argmax, float *dx)
{
    for (size_t i = 0; i < p->pixels; i++) {
        for (size_t c = 0; c < p->channels; c++) {
            const size_t at = i * p->channels + c;
            for (size_t t = 0; t < p->taps; t++) {
                float *to = dx + (ptrdiff_t)i * p->x_step + p->tap[t] + (ptrdiff_t)c;
                *to = *to + (p->id[t] == argmax[at] ? dy[at] : 0.0f);
            }
        }
    }
}

/* ---- Sparse pool gradients ------------------------------------------------------------------- */

static float sparse_value(const cae_sparse_grad *p, size_t y, size_t x, size_t c)
{
    return p->dz[(ptrdiff_t)y * p->dz_row + (ptrdiff_t)(x * p->channels + c)];
}

/* Whether channel c of a window has its value, not 0, at pixel `id`. */
static bool is_argmax(const cae_sparse_grad *p, size_t y, size_t x, size_t c, size_t id)
{
    return p->argmax[(y * p->cols + x) * p->channels + c] == id && sparse_value(p, y, x, c) != 0.0f;
}

static void occupancy_bits(const cae_sparse_grad *p, uint64_t *bits)
{
    const size_t ids = p->side * p->side;
    const size_t words = cae_occupancy_words(p->channels);
    for (size_t window = 0; window < p->rows * p->cols; window++) {
        for (size_t id = 0; id < ids; id++) {
            for (size_t word = 0; word < words; word++) {
                uint64_t *to = &bits[(window * ids + id) * words + word];
                *to = 0;
                for (size_t c = word * 64; c < word * 64 + 64 && c < p->channels; c++) {
                    if (is_argmax(p, window / p->cols, window % p->cols, c, id)) {
                        *to |= (uint64_t)1 << (c % 64);
                    }
                }
            }
        }
    }
}

static float sparse_weight(const cae_sparse_grad *p, const cae_sparse_weights *w, const float *from,
                           size_t c, float acc)
{
    const size_t side = p->side;
    for (size_t window = 0; window < p->rows * p->cols; window++) {
        const size_t y = window / p->cols;
        const size_t x = window % p->cols;
        for (size_t id = 0; id < side * side; id++) {
            const ptrdiff_t at = (ptrdiff_t)y * w->y_step + (ptrdiff_t)x * w->x_step +
                                 (ptrdiff_t)(id / side) * w->py_step +
                                 (ptrdiff_t)(id % side) * w->px_step;
            if (w->len <= CAE_SPARSE_FEW) {
                const bool here = p->argmax[window * p->channels + c] == id;
                acc = madd(from[at], here ? sparse_value(p, y, x, c) : 0.0f, acc);
            } else if (is_argmax(p, y, x, c, id)) {
                acc = madd(from[at], sparse_value(p, y, x, c), acc);
            }
        }
    }
    return acc;
}

static void sparse_weights(const cae_sparse_grad *p, const cae_sparse_weights *w)
{
    for (size_t r = 0; r < w->kernel_rows; r++) {
        for (size_t c = 0; c < p->channels; c++) {
            for (size_t j = 0; j < w->len; j++) {
                float *grad = &w->grad[(r * p->channels + c) * w->len + j];
                *grad = sparse_weight(p, w, w->x + (ptrdiff_t)r * w->x_row + j, c, *grad);
            }
        }
    }
}

static void sparse_data(const cae_sparse_grad *p, const cae_sparse_data *d)
{
    for (size_t x = 0; x < p->cols; x++) {
        for (size_t px = 0; px < p->side; px++) {
            float *to = d->row + (ptrdiff_t)x * d->x_step + (ptrdiff_t)px * d->px_step;
            for (size_t c = 0; c < p->channels; c++) {
                if (is_argmax(p, d->y, x, c, d->py * p->side + px)) {
                    for (size_t j = 0; j < d->len; j++) {
                        to[j] = madd(sparse_value(p, d->y, x, c), d->weight[c * d->len + j], to[j]);
                    }
                }
            }
        }
    }
}

/* ---- Adam ------------------------------------------------------------------------------------ */

static float flush(float x)
{
    return fabsf(x) < 1.17549435e-38f ? 0.0f : x;
}

static bool adam(const cae_adam_step *s, float *w, float *m, float *v, const float *g, size_t len,
                 bool write)
{
    bool finite = true;
    for (size_t i = 0; i < len; i++) {
        const float m1 = flush(madd(g[i], s->one_minus_beta1, s->beta1 * m[i]));
        const float v1 = flush(madd(g[i] * s->one_minus_beta2, g[i], s->beta2 * v[i]));
        const float root = madd(sqrtf(v1), s->v_scale, s->epsilon);
        const float w1 = madd(-s->step, m1 / root, w[i] * s->decay);
        finite = finite && isfinite(m1) && isfinite(v1) && isfinite(w1);
        if (write) {
            m[i] = m1;
            v[i] = v1;
            w[i] = w1;
        }
    }
    return finite;
}

static void dense_step(const cae_adam_step *s, const cae_dense_step *d)
{
    for (size_t o = 0; o < d->rows; o++) {
        for (size_t i = 0; i < d->cols; i++) {
            const float *x = d->x + i / CAE_PANEL * d->images * CAE_PANEL + i % CAE_PANEL;
            const size_t at = o * d->row + i;
            float g = 0.0f;
            for (size_t n = 0; n < d->images; n++) {
                g = madd(d->dy[o * d->images + n], x[n * CAE_PANEL], g);
            }
            (void)adam(s, d->w + at, d->m + at, d->v + at, &g, 1, true);
        }
    }
}

const cae_kernels
#ifdef CAE_REFERENCE_FMA
    cae_kernels_reference_fma = {
        .name = "reference-fma",
        .exact = false,
        .lanes = 1,
#else
    cae_kernels_reference = {
        .name = "reference",
        .exact = true,
        .lanes = 1,
#endif
        .gemm = gemm,
        .transpose = transpose,
        .activate = activate,
        .activate_back = activate_back,
        .add = add,
        .sum_rows = sum_rows,
        .pool = pool,
        .pool_back = pool_back,
        .occupancy_bits = occupancy_bits,
        .sparse_weights = sparse_weights,
        .sparse_data = sparse_data,
        .adam = adam,
        .dense_step = dense_step,
};
