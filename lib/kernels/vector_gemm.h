/*
 * The gemm kernel over vector words; a part of vector.h. All its cost is the innermost loop: one load
 * of B per word, one broadcast of A per row, and a multiply-add for each pair.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
/*
 * A block of ROWS x WORDS words of C stays in registers while the whole sum runs: 6 x 2 of the 16
 * vector registers accumulate, two hold B, one holds A. The template is instantiated for vectors
 * and for single floats.
 */
enum { ROWS = 6, WORDS = 2 };

#define BLOCK_TEMPLATE(name, word, lanes, load, store, set, madd)                            \
    INLINE void name(const cae_gemm *g, size_t i, size_t j, const int rows, const int words) \
    {                                                                                        \
        word acc[ROWS][WORDS];                                                               \
        float *const c = g->c + (ptrdiff_t)i * g->c_row + (ptrdiff_t)j;                      \
        UNROLL for (int r = 0; r < rows; r++)                                                \
        {                                                                                    \
            UNROLL for (int w = 0; w < words; w++)                                           \
            {                                                                                \
                switch (g->start) {                                                          \
                case CAE_START_C:                                                            \
                    acc[r][w] = load(c + r * g->c_row + w * (lanes));                        \
                    break;                                                                   \
                case CAE_START_COLUMN_BIAS:                                                  \
                    acc[r][w] = load(g->bias + j + (size_t)(w * (lanes)));                   \
                    break;                                                                   \
                case CAE_START_ROW_BIAS:                                                     \
                    acc[r][w] = set(g->bias[i + (size_t)r]);                                 \
                    break;                                                                   \
                default:                                                                     \
                    acc[r][w] = set(0.0f);                                                   \
                }                                                                            \
            }                                                                                \
        }                                                                                    \
        const ptrdiff_t column =                                                             \
            (ptrdiff_t)(j / CAE_PANEL) * g->b_panel + (ptrdiff_t)(j % CAE_PANEL);            \
        const ptrdiff_t a_row = g->a_row;                                                    \
        const ptrdiff_t a_k = g->a_k;                                                        \
        const ptrdiff_t b_k = g->b_k;                                                        \
        const size_t k = g->k;                                                               \
        for (size_t s = 0; s < g->segments; s++) {                                           \
            const float *a = g->a + g->a_segment[s] + (ptrdiff_t)i * a_row;                  \
            const float *b = g->b + g->b_segment[s] + column;                                \
            for (size_t l = 0; l < k; l++) {                                                 \
                word bw[WORDS];                                                              \
                UNROLL for (int w = 0; w < words; w++)                                       \
                {                                                                            \
                    bw[w] = load(b + w * (lanes));                                           \
                }                                                                            \
                UNROLL for (int r = 0; r < rows; r++)                                        \
                {                                                                            \
                    const word x = set(a[r * a_row]);                                        \
                    UNROLL for (int w = 0; w < words; w++)                                   \
                    {                                                                        \
                        acc[r][w] = madd(x, bw[w], acc[r][w]);                               \
                    }                                                                        \
                }                                                                            \
                a += a_k;                                                                    \
                b += b_k;                                                                    \
            }                                                                                \
        }                                                                                    \
        UNROLL for (int r = 0; r < rows; r++)                                                \
        {                                                                                    \
            UNROLL for (int w = 0; w < words; w++)                                           \
            {                                                                                \
                store(c + r * g->c_row + w * (lanes), acc[r][w]);                            \
            }                                                                                \
        }                                                                                    \
    }

INLINE float s_load(const float *p)
{
    return *p;
}

INLINE void s_store(float *p, float x)
{
    *p = x;
}

INLINE float s_set(float x)
{
    return x;
}

INLINE float s_madd(float a, float b, float c)
{
#ifdef __FMA__
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

BLOCK_TEMPLATE(vector_block, vec, LANES, v_load, v_store, v_set, v_madd)
BLOCK_TEMPLATE(float_block, float, 1, s_load, s_store, s_set, s_madd)

/* The blocks that exist: 1 to 6 rows of two vectors, of one, and of a single float. */
#define BLOCK_ROWS(name, block, words)                                   \
    static void name(const cae_gemm *g, size_t i, size_t j, size_t rows) \
    {                                                                    \
        switch (rows) {                                                  \
        case 1:                                                          \
            block(g, i, j, 1, words);                                    \
            break;                                                       \
        case 2:                                                          \
            block(g, i, j, 2, words);                                    \
            break;                                                       \
        case 3:                                                          \
            block(g, i, j, 3, words);                                    \
            break;                                                       \
        case 4:                                                          \
            block(g, i, j, 4, words);                                    \
            break;                                                       \
        case 5:                                                          \
            block(g, i, j, 5, words);                                    \
            break;                                                       \
        default:                                                         \
            block(g, i, j, ROWS, words);                                 \
        }                                                                \
    }

BLOCK_ROWS(two_vectors, vector_block, WORDS)
BLOCK_ROWS(one_vector, vector_block, 1)
BLOCK_ROWS(one_float, float_block, 1)

static void gemm(const cae_gemm *g)
{
    /* Rows are split evenly: 32 as 6+6+5+5+5+5, not as five times 6 and a poor 2. */
    const size_t blocks = g->m / ROWS + (g->m % ROWS != 0);
    size_t i = 0;
    for (size_t block = 0; block < blocks; block++) {
        const size_t rows = (g->m - i + (blocks - block) - 1) / (blocks - block);
        size_t j = 0;
        /* LANES x WORDS divides the panel, so no block of vectors crosses from one to the next. */
        for (; g->n - j >= LANES * WORDS; j += LANES * WORDS) {
            two_vectors(g, i, j, rows);
        }
        for (; g->n - j >= LANES; j += LANES) {
            one_vector(g, i, j, rows);
        }
        for (; j < g->n; j++) {
            one_float(g, i, j, rows);
        }
        i += rows;
    }
}
