/*
 * The gemm kernel over simd vectors; a part of vector.h. Nearly all of its time is spent in the
 * innermost loop: one load of B per vector, one broadcast of A per row, and a multiply-add for each
 * pair.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A block of rows x vectors of C stays in registers while the whole sum runs. Three quarters of the
 * registers accumulate: 12 of 16, 24 of 32. At least 8 chains are needed to keep the adders busy,
 * so fewer rows take more vectors; in narrow vectors an even part of a panel.
 */
#if REGISTERS >= 32
enum { ROWS = 12 };
#else
enum { ROWS = 6 };
#endif
enum { VECTORS = 8, PANEL_VECTORS = CAE_PANEL / LANES };

/* Where the rows of a block begin in A and in C. */
struct block_rows {
    ptrdiff_t a[ROWS], c[ROWS];
    size_t first; /* number of the first */
};

INLINE vec block_start(const cae_gemm *g, const float *c, size_t row, size_t column)
{
    switch (g->start) {
    case CAE_START_C:
        return v_load(c);
    case CAE_START_COLUMN_BIAS:
        return v_load(g->bias + column);
    case CAE_START_ROW_BIAS:
        return v_set(g->bias[row]);
    default:
        return v_set(0.0f);
    }
}

/* The two that a product applies: the longer ones would have to be in every block. */
INLINE vec activated(cae_activation activation, vec x)
{
    switch (activation) {
    case CAE_RELU:
        return activate_vector(CAE_RELU, x);
    case CAE_LEAKY:
        return activate_vector(CAE_LEAKY, x);
    default:
        return x;
    }
}

/* Columns j ... of the rows `at`, `vectors` vectors of them. */
INLINE void block(const cae_gemm *g, const struct block_rows *at, size_t j, const int rows,
                  const int vectors)
{
    vec acc[ROWS][VECTORS];
    float *const c = g->c + (ptrdiff_t)j;
    UNROLL for (int r = 0; r < rows; r++)
    {
        UNROLL for (int w = 0; w < vectors; w++)
        {
            acc[r][w] = block_start(g, c + at->c[r] + w * LANES, at->first + (size_t)r,
                                    j + (size_t)(w * LANES));
        }
    }
    const ptrdiff_t b_panel = g->b_panel;
    const ptrdiff_t column = (ptrdiff_t)(j / CAE_PANEL) * b_panel + (ptrdiff_t)(j % CAE_PANEL);
    const ptrdiff_t a_k = g->a_k;
    const ptrdiff_t b_k = g->b_k;
    const size_t k = g->k;
    /* A new batch entry changes an index, not pointers: there are many short ones. */
    const float *a[ROWS];
    UNROLL for (int r = 0; r < rows; r++)
    {
        a[r] = g->a + at->a[r];
    }
    for (size_t s = 0; s < g->entries; s++) {
        const float *b = g->b + g->b_entry[s] + column;
        ptrdiff_t at_k = g->a_entry[s];
        for (size_t l = k; l > 0; l--) {
            vec bw[VECTORS];
            UNROLL for (int w = 0; w < vectors; w++)
            {
                bw[w] = v_load(b + (w / PANEL_VECTORS) * b_panel + (w % PANEL_VECTORS) * LANES);
            }
            UNROLL for (int r = 0; r < rows; r++)
            {
                const vec x = v_set(a[r][at_k]);
                UNROLL for (int w = 0; w < vectors; w++)
                {
                    acc[r][w] = v_madd(x, bw[w], acc[r][w]);
                }
            }
            at_k += a_k;
            b += b_k;
        }
    }
    const cae_activation activation = g->activation;
    UNROLL for (int r = 0; r < rows; r++)
    {
        UNROLL for (int w = 0; w < vectors; w++)
        {
            v_store(c + at->c[r] + w * LANES, activated(activation, acc[r][w]));
        }
    }
}

/* All whole vectors of columns for a block of rows: as many vectors at a time as the rows leave
 * registers for, then fewer, those of a panel, and one. */
INLINE void block_columns(const cae_gemm *g, const struct block_rows *at, const int rows,
                          const int vectors)
{
    size_t j = 0;
    for (; g->n - j >= (size_t)vectors * LANES; j += (size_t)vectors * LANES) {
        block(g, at, j, rows, vectors);
    }
#if REGISTERS >= 32
    for (; vectors > 4 && g->n - j >= 4 * LANES; j += 4 * LANES) {
        block(g, at, j, rows, 4);
    }
    for (; vectors > 2 && g->n - j >= 2 * LANES; j += 2 * LANES) {
        block(g, at, j, rows, 2);
    }
#endif
    for (; vectors > PANEL_VECTORS && g->n - j >= CAE_PANEL; j += CAE_PANEL) {
        block(g, at, j, rows, PANEL_VECTORS);
    }
    for (; g->n - j >= LANES; j += LANES) {
        block(g, at, j, rows, 1);
    }
}

#define BLOCK_ROWS(name, rows, vectors)                              \
    static void name(const cae_gemm *g, const struct block_rows *at) \
    {                                                                \
        block_columns(g, at, rows, vectors);                         \
    }

#if REGISTERS >= 32
BLOCK_ROWS(rows_1, 1, 8)
BLOCK_ROWS(rows_2, 2, 8)
BLOCK_ROWS(rows_3, 3, 8)
BLOCK_ROWS(rows_4, 4, 6)
BLOCK_ROWS(rows_5, 5, 4)
BLOCK_ROWS(rows_6, 6, 4)
BLOCK_ROWS(rows_7, 7, 3)
BLOCK_ROWS(rows_8, 8, 3)
BLOCK_ROWS(rows_9, 9, 2)
BLOCK_ROWS(rows_10, 10, 2)
BLOCK_ROWS(rows_11, 11, 2)
BLOCK_ROWS(rows_12, 12, 2)

static void (*const by_rows[])(const cae_gemm *, const struct block_rows *) = {
    rows_1, rows_2, rows_3, rows_4,  rows_5,  rows_6,
    rows_7, rows_8, rows_9, rows_10, rows_11, rows_12};
#else
BLOCK_ROWS(rows_1, 1, 8)
BLOCK_ROWS(rows_2, 2, 4)
BLOCK_ROWS(rows_3, 3, 4)
BLOCK_ROWS(rows_4, 4, 2)
BLOCK_ROWS(rows_5, 5, 2)
BLOCK_ROWS(rows_6, 6, 2)

static void (*const by_rows[])(const cae_gemm *, const struct block_rows *) = {
    rows_1, rows_2, rows_3, rows_4, rows_5, rows_6};
#endif

/*
 * What is left of n, fewer columns than a panel, is computed in whole vectors into a copy of C, of
 * which the columns that exist are stored. Biases are copied for whole vectors too.
 */
struct last_columns {
    size_t j; /* the first of them */
    v_mask masks[PANEL_VECTORS];
    size_t vectors;
    cae_gemm m; /* of `vectors` whole vectors */
    float c[ROWS * CAE_PANEL], bias[CAE_PANEL];
};

static void prepare_last(struct last_columns *last, const cae_gemm *g, size_t j)
{
    last->j = j;
    last->vectors = 0;
    for (size_t left = g->n - j; left > 0; left -= left < LANES ? left : LANES) {
        last->masks[last->vectors++] = v_mask_of(left < LANES ? left : LANES);
    }
    last->m = *g;
    last->m.n = last->vectors * LANES;
    last->m.b += (ptrdiff_t)(j / CAE_PANEL) * g->b_panel + (ptrdiff_t)(j % CAE_PANEL);
    last->m.c = last->c;
    last->m.activation = CAE_NONE;
    if (g->start == CAE_START_COLUMN_BIAS) {
        for (size_t i = 0; i < last->m.n; i++) {
            last->bias[i] = i < g->n - j ? g->bias[j + i] : 0.0f;
        }
        last->m.bias = last->bias;
    }
}

/* B must not be read beyond n: some terms at a time are copied. Fewer columns than a vector. */
OUTLINE void copied_last(const struct last_columns *last, const cae_gemm *g,
                         const struct block_rows *at, size_t rows)
{
    enum { TERMS = 64 };
    float b[TERMS * LANES];
    const ptrdiff_t zero = 0;
    ptrdiff_t a_at = 0;
    cae_gemm m = last->m;
    m.entries = 0;
    by_rows[rows - 1](&m, at); /* the start */
    m.entries = 1;
    m.start = CAE_START_C;
    m.a_entry = &a_at;
    m.b = b;
    m.b_entry = &zero;
    m.b_k = LANES;
    for (size_t s = 0; s < g->entries; s++) {
        for (size_t l = 0; l < g->k; l += m.k) {
            const float *from = last->m.b + g->b_entry[s] + (ptrdiff_t)l * g->b_k;
            m.k = g->k - l < TERMS ? g->k - l : TERMS;
            a_at = g->a_entry[s] + (ptrdiff_t)l * g->a_k;
            for (size_t i = 0; i < m.k; i++) {
                v_store(b + i * LANES, v_load_masked(from + (ptrdiff_t)i * g->b_k, last->masks));
            }
            by_rows[rows - 1](&m, at);
        }
    }
}

OUTLINE void last_columns(struct last_columns *last, const cae_gemm *g, const struct block_rows *at,
                          size_t rows)
{
    struct block_rows own = *at;
    for (size_t r = 0; r < rows; r++) {
        own.c[r] = (ptrdiff_t)(r * CAE_PANEL);
        if (g->start == CAE_START_C) {
            for (size_t w = 0; w < last->vectors; w++) {
                v_store(last->c + r * CAE_PANEL + w * LANES,
                        v_load_masked(g->c + at->c[r] + last->j + w * LANES, &last->masks[w]));
            }
        }
    }
    if (g->b_over) {
        by_rows[rows - 1](&last->m, &own);
    } else {
        copied_last(last, g, &own, rows);
    }
    for (size_t r = 0; r < rows; r++) {
        for (size_t w = 0; w < last->vectors; w++) {
            const vec sum = v_load(last->c + r * CAE_PANEL + w * LANES);
            v_store_masked(g->c + at->c[r] + last->j + w * LANES, activated(g->activation, sum),
                           &last->masks[w]);
        }
    }
}

static void gemm(const cae_gemm *g)
{
    struct block_rows at;
    size_t in_line = 0;
    ptrdiff_t a = 0;
    ptrdiff_t c = 0;
    size_t blocks = g->m / ROWS + (g->m % ROWS != 0);
    cae_gemm whole = *g;
    struct last_columns last;
    CAE_ASSERT(g->start < CAE_START_COLUMN_BIAS || g->bias != NULL);
    CAE_ASSERT(g->entries == 0 || (g->a_entry != NULL && g->b_entry != NULL));
    if (g->n % LANES != 0) {
        whole.n -= g->n % (g->b_over ? CAE_PANEL : LANES);
        prepare_last(&last, g, whole.n);
    }
    for (size_t i = 0; i < g->m; blocks--) {
        /* Rows are split evenly: 32 as 6+6+5+5+5+5, not as five times 6 and a slow 2. */
        const size_t rows = (g->m - i + blocks - 1) / blocks;
        at.first = i;
        for (size_t r = 0; r < rows; r++, i++) {
            at.a[r] = a;
            at.c[r] = c;
            a += g->a_row;
            c += g->c_row;
            if (++in_line == g->line) {
                in_line = 0;
                a += g->a_line - (ptrdiff_t)g->line * g->a_row;
                c += g->c_line - (ptrdiff_t)g->line * g->c_row;
            }
        }
        by_rows[rows - 1](&whole, &at);
        if (whole.n < g->n) {
            last_columns(&last, g, &at, rows);
        }
    }
}

/* ---- Transposition --------------------------------------------------------------------------- */

static void transpose(float *to, ptrdiff_t to_row, const float *from, ptrdiff_t from_row,
                      size_t rows, size_t cols)
{
    for (size_t i = 0; i < rows; i += LANES) {
        const float *line = from + (ptrdiff_t)i * from_row;
        size_t j = 0;
        for (; rows - i >= LANES && cols - j >= LANES; j += LANES) {
            vec square[LANES];
            UNROLL for (int r = 0; r < LANES; r++)
            {
                square[r] = v_load(line + r * from_row + (ptrdiff_t)j);
            }
            v_transpose(square);
            UNROLL for (int r = 0; r < LANES; r++)
            {
                v_store(to + ((ptrdiff_t)j + r) * to_row + (ptrdiff_t)i, square[r]);
            }
        }
        for (; j < cols; j++) {
            for (size_t r = 0; r < LANES && r < rows - i; r++) {
                to[(ptrdiff_t)j * to_row + (ptrdiff_t)(i + r)] =
                    line[(ptrdiff_t)r * from_row + (ptrdiff_t)j];
            }
        }
    }
}
