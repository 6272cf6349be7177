/*
 * The dense_step kernel over vector words; a part of vector.h. A tile of the gradient is summed in
 * registers and goes from there into Adam's update, so that the gradient is never in memory, and
 * weights and moments are read and written once. They come from memory while the sums run: each
 * tile fetches what a later one will need.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
/* 3 x 4 of the 16 vector registers accumulate, and each row is fetched AHEAD floats in advance. */
enum { STEP_ROWS = 3, STEP_WORDS = 4, AHEAD = 128 };

/* The lines of one array that a tile covers; beyond the matrix's end this is only a wish. */
INLINE void fetch(const float *p, size_t len)
{
    for (size_t i = 0; i < len; i += 16) {
        __builtin_prefetch(p + i, 1);
    }
}

INLINE void step_tile(const cae_adam_step *s, const cae_dense_step *d, size_t o, size_t i,
                      const int rows, const int words)
{
    vec acc[STEP_ROWS][STEP_WORDS];
    const size_t images = d->images;
    const size_t panel = images * CAE_PANEL;
    const float *dy = d->dy + o * images;
    const float *x = d->x + i / CAE_PANEL * panel;
    const size_t left = d->cols - i;
    UNROLL for (int r = 0; r < rows; r++)
    {
        const size_t at = (o + (size_t)r) * d->row + i;
        if (left > AHEAD) {
            fetch(d->w + at + AHEAD, (size_t)words * LANES);
            fetch(d->m + at + AHEAD, (size_t)words * LANES);
            fetch(d->v + at + AHEAD, (size_t)words * LANES);
        }
        UNROLL for (int w = 0; w < words; w++)
        {
            acc[r][w] = v_set(0.0f);
        }
    }
    for (size_t n = 0; n < images; n++, dy++, x += CAE_PANEL) {
        vec xw[STEP_WORDS];
        UNROLL for (int w = 0; w < words; w++)
        {
            const size_t column = (size_t)w * LANES;
            xw[w] = v_load(x + column / CAE_PANEL * panel + column % CAE_PANEL);
        }
        UNROLL for (int r = 0; r < rows; r++)
        {
            const vec g = v_set(dy[(size_t)r * images]);
            UNROLL for (int w = 0; w < words; w++)
            {
                acc[r][w] = v_madd(g, xw[w], acc[r][w]);
            }
        }
    }
    UNROLL for (int r = 0; r < rows; r++)
    {
        UNROLL for (int w = 0; w < words; w++)
        {
            const size_t column = (size_t)w * LANES;
            const size_t at = (o + (size_t)r) * d->row + i + column;
            if (column < left) {
                (void)adam_word(s, acc[r][w], d->w + at, d->m + at, d->v + at, left - column, true);
            }
        }
    }
}

/* All columns of 1 to 3 rows; what is left of the last panel is a tile of one panel's width. */
INLINE void step_rows(const cae_adam_step *s, const cae_dense_step *d, size_t o, const int rows)
{
    const size_t width = LANES * STEP_WORDS;
    const size_t panels = d->cols / CAE_PANEL + (d->cols % CAE_PANEL != 0);
    size_t i = 0;
    for (; i + width <= panels * CAE_PANEL; i += width) {
        step_tile(s, d, o, i, rows, STEP_WORDS);
    }
    if (i < panels * CAE_PANEL) {
        step_tile(s, d, o, i, rows, CAE_PANEL / LANES);
    }
}

static void dense_step(const cae_adam_step *s, const cae_dense_step *d)
{
    size_t o = 0;
    for (; o + STEP_ROWS <= d->rows; o += STEP_ROWS) {
        step_rows(s, d, o, STEP_ROWS);
    }
    if (d->rows - o == 2) {
        step_rows(s, d, o, 2);
    } else if (d->rows - o == 1) {
        step_rows(s, d, o, 1);
    }
}
