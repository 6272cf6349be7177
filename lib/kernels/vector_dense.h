/*
 * The dense_step kernel over simd vectors; a part of vector.h. The gradient of a few rows is summed
 * in registers, a chunk at a time, and handed to Adam's update in the first-level cache, so that it
 * is never stored in memory, and weights and moments are read and written once. They are loaded
 * while the sums run: each tile prefetches what will be updated later.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
/* 3 x 4 of 16 vector registers accumulate, 6 x 4 of 32. Lines are prefetched AHEAD floats ahead. */
enum { STEP_ROWS = REGISTERS >= 32 ? 6 : 3, STEP_VECTORS = 4, STEP_CHUNK = 256, AHEAD = 128 };

/* Prefetches the weights and moments of a tile's row. Prefetches past the end of the matrix are
 * harmless. */
INLINE void fetch(const cae_dense_step *d, size_t at, size_t len)
{
    for (size_t i = 0; i < len; i += CAE_PANEL) {
        __builtin_prefetch(d->w + at + i, 1);
        __builtin_prefetch(d->m + at + i, 1);
        __builtin_prefetch(d->v + at + i, 1);
    }
}

/* The gradient of rows o ... and columns i ... . */
INLINE void gradient_tile(const cae_dense_step *d, size_t o, size_t i, const int rows,
                          const int vectors, float *g)
{
    vec acc[STEP_ROWS][STEP_VECTORS];
    const size_t images = d->images;
    const size_t panel = images * CAE_PANEL;
    const float *dy = d->dy + o * images;
    const float *x = d->x + i / CAE_PANEL * panel;
    UNROLL for (int r = 0; r < rows; r++)
    {
        if (d->cols - i > AHEAD) {
            fetch(d, (o + (size_t)r) * d->row + i + AHEAD, (size_t)vectors * LANES);
        }
        UNROLL for (int w = 0; w < vectors; w++)
        {
            acc[r][w] = v_set(0.0f);
        }
    }
    for (size_t n = 0; n < images; n++, dy++, x += CAE_PANEL) {
        vec xw[STEP_VECTORS];
        UNROLL for (int w = 0; w < vectors; w++)
        {
            const size_t column = (size_t)w * LANES;
            xw[w] = v_load(x + column / CAE_PANEL * panel + column % CAE_PANEL);
        }
        UNROLL for (int r = 0; r < rows; r++)
        {
            const vec one = v_set(dy[(size_t)r * images]);
            UNROLL for (int w = 0; w < vectors; w++)
            {
                acc[r][w] = v_madd(one, xw[w], acc[r][w]);
            }
        }
    }
    UNROLL for (int r = 0; r < rows; r++)
    {
        UNROLL for (int w = 0; w < vectors; w++)
        {
            v_store(g + r * STEP_CHUNK + w * LANES, acc[r][w]);
        }
    }
}

/* All columns of one row or three. The rest of the last panel is a tile of one panel's width. */
INLINE void step_rows(const cae_adam_step *s, const cae_dense_step *d, size_t o, const int rows)
{
    float g[STEP_ROWS * STEP_CHUNK];
    const size_t width = LANES * STEP_VECTORS;
    const size_t panels = d->cols / CAE_PANEL + (d->cols % CAE_PANEL != 0);
    for (size_t i = 0; i < d->cols; i += STEP_CHUNK) {
        const size_t left = panels * CAE_PANEL - i;
        const size_t len = left < STEP_CHUNK ? left : STEP_CHUNK;
        size_t j = 0;
        for (; j + width <= len; j += width) {
            gradient_tile(d, o, i + j, rows, STEP_VECTORS, g + j);
        }
        for (; j < len; j += CAE_PANEL) {
            gradient_tile(d, o, i + j, rows, CAE_PANEL / LANES, g + j);
        }
        for (int r = 0; r < rows; r++) {
            const size_t at = (o + (size_t)r) * d->row + i;
            const size_t own = d->cols - i < len ? d->cols - i : len;
            (void)adam_write(s, d->w + at, d->m + at, d->v + at, g + r * STEP_CHUNK, own);
        }
    }
}

static void dense_step(const cae_adam_step *s, const cae_dense_step *d)
{
    size_t o = 0;
    CAE_ASSERT(d->row >= d->cols);
    for (; o + STEP_ROWS <= d->rows; o += STEP_ROWS) {
        step_rows(s, d, o, STEP_ROWS);
    }
    for (; o < d->rows; o++) {
        step_rows(s, d, o, 1);
    }
}
