/*
 * The kernel table and its contracts. All arithmetic on tensors is done by these functions; the
 * folders that use them only compute addresses. Kernels do not allocate and report no errors, and
 * they know nothing of networks.
 *
 * A *tier* is what one kind of processor runs, one table or two: "c" (portable), "sse2", "avx2"
 * (multiply, then add), "fma" (AVX2 with fused multiply-add), "avx512" and "avx512-exact" (512
 * bits, with it and without). All are compiled from the one source vector.h over simd vectors.
 * reference.c is the plain specification: the exact tables equal it bit for bit, and fma and avx512
 * the same text with madd(a, b, c) meaning fmaf(a, b, c) instead of a * b + c rounded twice.
 *
 * Rules for all: vectors run over outputs, never over a sum, so that each output element sums its
 * terms in the order written here whatever the vector's length; no element outside the stated
 * ranges is read or written; pointers need the alignment of float only; outputs overlap no input
 * unless the contract says so; NaN is propagated as in IEEE arithmetic.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_KERNELS_KERNELS_H
#define CAE_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/exact.h"

/* A layer's last step, element by element. The order is that of the architecture text. */
typedef enum cae_activation {
    CAE_NONE,
    CAE_RELU,    /* x < 0 ? 0 : x */
    CAE_LEAKY,   /* x < 0 ? 0.01 x : x */
    CAE_TANH,    /* own polynomial, see reference.c */
    CAE_SIGMOID, /* 1 / (1 + exp(-x)), own exp */
    CAE_ACTIVATIONS
} cae_activation;

/*
 * gemm: the product behind every layer and every pass,
 *
 *     C[i][j] = start + sum over s, then over l, of  A_s[i][l] * B_s[l][j]
 *
 * for i < m, j < n, with s < entries and l < k in rising order, one chain of acc = madd(A, B, acc).
 *
 *     A_s[i][l] = a[a_entry[s] + (i / line) * a_line + (i % line) * a_row + l * a_k]
 *     B_s[l][j] = b[b_entry[s] + l * b_k + (j / 16) * b_panel + j % 16]
 *     C[i][j]   = c[(i / line) * c_line + (i % line) * c_row + j]
 *
 * Rows come in lines, as pixels do. B stands in panels of 16 columns, so that weights can be packed
 * (b_k = width of the panel) and plain rows can be used as they are (b_panel = 16). The last panel
 * has the columns that are left of n. The start is 0, C itself, bias[j] or bias[i]; without entries
 * or with k = 0, C becomes the start. This is a batch-reduce GEMM: one batch entry is a tap or a
 * row of taps of a convolution, or a row of pixels. The `activation`, none or relu or leaky, is
 * applied to what is stored. With
 * `b_over` rows of the last panel may be read up to the next multiple of CAE_OVER columns; the
 * extra columns are ignored.
 */
typedef enum cae_gemm_start {
    CAE_START_ZERO,
    CAE_START_C,
    CAE_START_COLUMN_BIAS,
    CAE_START_ROW_BIAS
} cae_gemm_start;

enum { CAE_PANEL = 16, CAE_OVER = 16 };

typedef struct cae_gemm {
    size_t m, n, k, entries;
    size_t line; /* rows in a line, the last may be shorter; 0: all are one line */
    const float *a;
    const ptrdiff_t *a_entry; /* `entries` offsets */
    ptrdiff_t a_line, a_row, a_k;
    const float *b;
    const ptrdiff_t *b_entry;
    ptrdiff_t b_k, b_panel;
    bool b_over;
    float *c;
    ptrdiff_t c_line, c_row;
    cae_gemm_start start;
    const float *bias;
    cae_activation activation;
} cae_gemm;

/*
 * transpose: to[j * to_row + i] = from[i * from_row + j] for i < rows, j < cols. Turns pixels with
 * their channels innermost into one plane per channel.
 */

/*
 * Max pooling of a run of `pixels` output pixels that see the same taps of their windows (pixels at
 * the border see fewer). For pixel p and channel c:
 *
 *     y[p * channels + c] = the largest x[p * x_step + tap[t] + c],  t < taps
 *     argmax[p * channels + c] = id[t] of the first t that has it
 *
 * taps >= 1; a NaN that comes first stays, a later one is ignored. argmax may be NULL.
 * Backward adds to dx, over pixels and then taps in rising order:
 *
 *     dx[p * x_step + tap[t] + c] += id[t] == argmax[p * channels + c] ? dy[p * channels + c] : +0
 */
typedef struct cae_pool {
    size_t pixels, channels, taps;
    const ptrdiff_t *tap;
    const uint32_t *id;
    ptrdiff_t x_step;
} cae_pool;

/*
 * The gradient that a max pool hands back has one pixel per window and channel; all others are 0.
 * Where windows do not overlap it is stored by windows: the value dz[y * dz_row + x * channels + c]
 * and the pixel of the window that has it, argmax[(y * cols + x) * channels + c] = py * side + px.
 * This is the *sparse gradient*. The backward passes of a convolution read nothing else; a value of
 * 0 counts as no value.
 *
 * occupancy_bits writes, for pixel id of the window, rows x cols x side^2 x
 * cae_occupancy_words(channels) words: bit c % 64 of word c / 64 says whether channel c has its
 * value there.
 */
typedef struct cae_sparse_grad {
    size_t rows, cols; /* of windows */
    size_t channels;
    size_t side; /* of a window */
    const float *dz;
    ptrdiff_t dz_row;
    const uint32_t *argmax;
    const uint64_t *bits; /* as occupancy_bits has written them */
} cae_sparse_grad;

static inline size_t cae_occupancy_words(size_t channels)
{
    return channels / 64 + (channels % 64 != 0);
}

/*
 * The gradient of the weights from a sparse one. For kernel rows r < kernel_rows, channels c and j
 * < len
 *
 *     grad[(r * channels + c) * len + j] += the sum over windows, row by row, of
 *         x[r * x_row + y * y_step + x * x_step + py * py_step + px * px_step + j] * dz
 *
 * in one chain of acc = madd(x, dz, acc). With len <= CAE_SPARSE_FEW every pixel of a window is a
 * term, in row-major order; pixels without a value have dz = +0, and bits may be NULL or unset.
 * list: room for cae_sparse_term[rows * cols * channels]; len_of: size_t[channels].
 */
enum { CAE_SPARSE_FEW = 12 };

typedef struct cae_sparse_term {
    const float *x;
    float dz;
} cae_sparse_term;

typedef struct cae_sparse_weights {
    size_t kernel_rows, len;
    const float *x;
    ptrdiff_t x_row, y_step, x_step, py_step, px_step;
    float *grad;
    cae_sparse_term *list;
    size_t *len_of;
} cae_sparse_weights;

/*
 * The gradient of the input from one row of pixels (row y of windows, row py in them), for one row
 * of the kernel, onto one row of the input:
 *
 *     row[x * x_step + px * px_step + j] += dz * weight[c * len + j],  j < len
 *
 * windows and the pixels in them from left to right, channels rising; acc = madd(dz, weight, acc).
 */
typedef struct cae_sparse_data {
    size_t y, py;
    size_t len;
    const float *weight;
    ptrdiff_t x_step, px_step;
    float *row;
} cae_sparse_data;

/*
 * One update by Adam with decoupled weight decay (Kingma & Ba 2015, Algorithm 1; Loshchilov &
 * Hutter 2019), element by element:
 *
 *     m' = madd(g, 1 - beta1, beta1 * m)                       (below FLT_MIN in magnitude: 0)
 *     v' = madd(g * (1 - beta2), g, beta2 * v)                 (likewise)
 *     w' = madd(-step, m' / madd(sqrt(v'), v_scale, epsilon), w * decay)
 *
 * with step = learning_rate / (1 - beta1^t), v_scale = 1 / sqrt(1 - beta2^t) and decay = 1 -
 * learning_rate * weight_decay prepared by the caller in double and rounded once.
 */
typedef struct cae_adam_step {
    float beta1, one_minus_beta1;
    float beta2, one_minus_beta2;
    float step, v_scale, epsilon, decay;
} cae_adam_step;

/*
 * The same update of a matrix of weights, rows x cols, whose gradient is a sum over images that is
 * not stored: the gradient of element (o, i) is
 *
 *     g = the sum over n of  dy[o * images + n] * x[(i / 16) * images * 16 + n * 16 + i % 16]
 *
 * from +0, for n < images in rising order, one chain of g = madd(dy, x, g). x is stored in panels
 * of 16 columns. The last panel has 16 columns too; its columns from `cols` on have no effect.
 * Weights and moments of (o, i) are at o * row + i. The caller guarantees that all results are
 * finite.
 */
typedef struct cae_dense_step {
    size_t rows, cols, images;
    const float *dy, *x;
    float *w, *m, *v;
    size_t row;
} cae_dense_step;

typedef struct cae_kernels {
    const char *name;
    bool exact;   /* equal on every machine: it fuses nothing */
    size_t lanes; /* floats in a simd vector */

    void (*gemm)(const cae_gemm *g);

    void (*transpose)(float *to, ptrdiff_t to_row, const float *from, ptrdiff_t from_row,
                      size_t rows, size_t cols);

    /* y = activation(y); and dy = dy * activation'(x), written in terms of the output y:
     * relu: y > 0 ? dy : +0; leaky: y < 0 ? 0.01 dy : dy; tanh: dy * (1 - y y); sigmoid:
     * dy * (y * (1 - y)). */
    void (*activate)(cae_activation activation, float *y, size_t len);
    void (*activate_back)(cae_activation activation, const float *y, float *dy, size_t len);

    /* y[i] += x[i] */
    void (*add)(float *y, const float *x, size_t len);

    /* sum[j] += x[i * stride + j] for i < rows in rising order, j < cols. */
    void (*sum_rows)(float *sum, const float *x, size_t rows, size_t cols, ptrdiff_t stride);

    void (*pool)(const cae_pool *p, const float *x, float *y, uint32_t *argmax);
    void (*pool_back)(const cae_pool *p, const float *dy, const uint32_t *argmax, float *dx);

    void (*occupancy_bits)(const cae_sparse_grad *p, uint64_t *bits);
    void (*sparse_weights)(const cae_sparse_grad *p, const cae_sparse_weights *w);
    void (*sparse_data)(const cae_sparse_grad *p, const cae_sparse_data *d);

    /* Computes w', m', v'; stores them when `write`. Returns whether all of them are finite. */
    bool (*adam)(const cae_adam_step *s, float *w, float *m, float *v, const float *g, size_t len,
                 bool write);
    void (*dense_step)(const cae_adam_step *s, const cae_dense_step *d);
} cae_kernels;

/* Whether this processor has what the library, not only one of its tiers, was compiled for. */
bool cae_kernels_processor(void);

/* The built-in tiers that this processor can run, slowest first; NULL past the end. CAE_CPU has no
 * effect here. */
const cae_kernels *cae_kernels_tier(size_t index);

/* The tier to use: the best, or the best exact one, lowered by CAE_CPU. NULL when CAE_CPU names no
 * tier; then `*bad` is its value. */
const cae_kernels *cae_kernels_choose(bool exact, const char **bad);

/* The tables, one per file. reference.c is linked by tests only. */
extern const cae_kernels cae_kernels_c;
extern const cae_kernels cae_kernels_sse2;
extern const cae_kernels cae_kernels_avx2;
extern const cae_kernels cae_kernels_fma;
extern const cae_kernels cae_kernels_avx512;
extern const cae_kernels cae_kernels_avx512_exact;
extern const cae_kernels cae_kernels_reference;
extern const cae_kernels cae_kernels_reference_fma;

#endif
