/*
 * The kernels over picks; a part of vector.h. A row of the kernel and its input channels are `len`
 * adjacent floats, in the weights as in the image, so both passes are the same move: a stretch of
 * CHUNK words stays in registers while one pick after the other adds its value times `len` floats
 * to it. Short stretches that are left over use fewer words, then single floats.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
enum { CHUNK = 12 };

/* A statement for each word w < words of a stretch, written out: gcc takes a loop that loads an
 * array for a copy of memory, and then the array does not stay in registers. */
#define WORD(i, statement) \
    if (words > (i)) {     \
        enum { w = (i) };  \
        statement;         \
    }
#define EACH_WORD(statement) \
    WORD(0, statement)       \
    WORD(1, statement)       \
    WORD(2, statement)       \
    WORD(3, statement)       \
    WORD(4, statement)       \
    WORD(5, statement)       \
    WORD(6, statement)       \
    WORD(7, statement)       \
    WORD(8, statement) WORD(9, statement) WORD(10, statement) WORD(11, statement)

/* Where the next one bit stands; the bits must not be 0. */
INLINE size_t lowest_bit(uint64_t bits)
{
    return (size_t)__builtin_ctzll(bits);
}

static void pick_bits(const cae_picks *p, uint64_t *bits)
{
    const size_t ids = p->side * p->side;
    const vec zero = v_set(0.0f);
    const uint32_t *arg = p->arg;
    for (size_t y = 0; y < p->rows; y++) {
        const float *dz = p->dz + (ptrdiff_t)y * p->dz_row;
        for (size_t x = 0; x < p->cols; x++, dz += p->channels, arg += p->channels) {
            for (uint32_t id = 0; id < ids; id++) {
                const vec this_id = v_set_u32(id);
                for (size_t c = 0; c < p->channels; c += 64) {
                    const size_t end = p->channels - c < 64 ? p->channels - c : 64;
                    uint64_t word = 0;
                    for (size_t i = 0; i < end; i += LANES) {
                        const vec here = v_equal_u32(load_some_u32(arg + c + i, end - i), this_id);
                        const vec none = v_equal(load_some(dz + c + i, end - i), zero);
                        word |= (uint64_t)v_signs(v_andnot(none, here)) << i;
                    }
                    *bits++ = word;
                }
            }
        }
    }
}

/* ---- The gradient of the weights ------------------------------------------------------------- */

/* Adds a channel's picks to a stretch of `words` words. */
#define WEIGHTS_TEMPLATE(name, word, lanes, load, store, set, madd)                  \
    INLINE void name(float *grad, const cae_pick_entry *e, size_t len, ptrdiff_t at, \
                     const int words)                                                \
    {                                                                                \
        word acc[CHUNK];                                                             \
        EACH_WORD(acc[w] = load(grad + w * (lanes)))                                 \
        for (size_t i = 0; i < len; i++) {                                           \
            const float *x = e[i].x + at;                                            \
            const word dz = set(e[i].dz);                                            \
            EACH_WORD(acc[w] = madd(load(x + w * (lanes)), dz, acc[w]))              \
        }                                                                            \
        EACH_WORD(store(grad + w * (lanes), acc[w]))                                 \
    }

WEIGHTS_TEMPLATE(weights_vectors, vec, LANES, v_load, v_store, v_set, v_madd)
WEIGHTS_TEMPLATE(weights_floats, float, 1, s_load, s_store, s_set, s_madd)

/* One row of the kernel for one channel. */
static void weights_row(float *grad, const cae_pick_entry *e, size_t entries, ptrdiff_t at,
                        size_t len)
{
    size_t j = 0;
    for (; len - j >= LANES * CHUNK; j += LANES * CHUNK) {
        weights_vectors(grad + j, e, entries, at + (ptrdiff_t)j, CHUNK);
    }
    for (; len - j >= LANES * 4; j += LANES * 4) {
        weights_vectors(grad + j, e, entries, at + (ptrdiff_t)j, 4);
    }
    for (; len - j >= LANES; j += LANES) {
        weights_vectors(grad + j, e, entries, at + (ptrdiff_t)j, 1);
    }
    for (; j < len; j++) {
        weights_floats(grad + j, e, entries, at + (ptrdiff_t)j, 1);
    }
}

/* Sorts the picks of all windows by channel; what a pick reads is told for the kernel's first row. */
static void list_picks(const cae_picks *p, const cae_pick_weights *w)
{
    const size_t room = p->rows * p->cols;
    const uint64_t *bits = p->bits;
    for (size_t c = 0; c < p->channels; c++) {
        w->len_of[c] = 0;
    }
    for (size_t y = 0; y < p->rows; y++) {
        const float *dz = p->dz + (ptrdiff_t)y * p->dz_row;
        for (size_t x = 0; x < p->cols; x++, dz += p->channels) {
            for (size_t id = 0; id < p->side * p->side; id++) {
                const float *from = w->x + (ptrdiff_t)y * w->y_step + (ptrdiff_t)x * w->x_step +
                                    (ptrdiff_t)(id / p->side) * w->py_step +
                                    (ptrdiff_t)(id % p->side) * w->px_step;
                for (size_t first = 0; first < p->channels; first += 64) {
                    for (uint64_t left = *bits++; left != 0; left &= left - 1) {
                        const size_t c = first + lowest_bit(left);
                        w->list[c * room + w->len_of[c]++] = (cae_pick_entry){from, dz[c]};
                    }
                }
            }
        }
    }
}

/* Vectors over channels, every pixel of a window a term: for so few floats in a row that vectors
 * along it would stand empty. */
INLINE void few_weights(const cae_picks *p, const cae_pick_weights *w, size_t r, size_t c,
                        const int len)
{
    const size_t n = p->channels - c;
    float *grad = w->grad + (r * p->channels + c) * (size_t)len;
    vec acc[CAE_PICK_FEW];
    float lanes[LANES] = {0};
    UNROLL for (int j = 0; j < len; j++)
    {
        for (size_t i = 0; i < LANES && i < n; i++) {
            lanes[i] = grad[i * (size_t)len + (size_t)j];
        }
        acc[j] = v_load(lanes);
    }
    const uint32_t *arg = p->arg + c;
    for (size_t y = 0; y < p->rows; y++) {
        const float *dz = p->dz + (ptrdiff_t)y * p->dz_row + (ptrdiff_t)c;
        const float *row = w->x + (ptrdiff_t)r * w->x_row + (ptrdiff_t)y * w->y_step;
        for (size_t x = 0; x < p->cols; x++, dz += p->channels, arg += p->channels) {
            const vec value = load_some(dz, n);
            const vec id = load_some_u32(arg, n);
            uint32_t pixel = 0;
            for (size_t py = 0; py < p->side; py++) {
                const float *from = row + (ptrdiff_t)py * w->py_step;
                for (size_t px = 0; px < p->side; px++, from += w->px_step) {
                    const vec here = v_and(v_equal_u32(id, v_set_u32(pixel++)), value);
                    UNROLL for (int j = 0; j < len; j++)
                    {
                        acc[j] = v_madd(v_set(from[j]), here, acc[j]);
                    }
                }
            }
            row += w->x_step;
        }
    }
    UNROLL for (int j = 0; j < len; j++)
    {
        v_store(lanes, acc[j]);
        for (size_t i = 0; i < LANES && i < n; i++) {
            grad[i * (size_t)len + (size_t)j] = lanes[i];
        }
    }
}

#define FEW_CASE(len)                 \
    case len:                         \
        few_weights(p, w, r, c, len); \
        break;

static void all_few_weights(const cae_picks *p, const cae_pick_weights *w)
{
    for (size_t r = 0; r < w->kernel_rows; r++) {
        for (size_t c = 0; c < p->channels; c += LANES) {
            switch (w->len) {
                FEW_CASE(1)
                FEW_CASE(2)
                FEW_CASE(3)
                FEW_CASE(4)
                FEW_CASE(5)
                FEW_CASE(6)
                FEW_CASE(7)
                FEW_CASE(8)
                FEW_CASE(9)
                FEW_CASE(10)
                FEW_CASE(11)
                FEW_CASE(12)
            default:
                break;
            }
        }
    }
}

static void pick_weights(const cae_picks *p, const cae_pick_weights *w)
{
    if (w->len <= CAE_PICK_FEW) {
        all_few_weights(p, w);
        return;
    }
    list_picks(p, w);
    for (size_t r = 0; r < w->kernel_rows; r++) {
        for (size_t c = 0; c < p->channels; c++) {
            weights_row(w->grad + (r * p->channels + c) * w->len, w->list + c * p->rows * p->cols,
                        w->len_of[c], (ptrdiff_t)r * w->x_row, w->len);
        }
    }
}

/* ---- The gradient of the input --------------------------------------------------------------- */

/* Adds one pixel's picks to a stretch of `words` words of the row. */
#define DATA_TEMPLATE(name, word, lanes, load, store, set, madd)                             \
    INLINE void name(float *row, const uint64_t *bits, const float *dz, const float *weight, \
                     size_t len, size_t channels, const int words)                           \
    {                                                                                        \
        word acc[CHUNK];                                                                     \
        EACH_WORD(acc[w] = load(row + w * (lanes)))                                          \
        for (size_t first = 0; first < channels; first += 64) {                              \
            for (uint64_t left = *bits++; left != 0; left &= left - 1) {                     \
                const size_t c = first + lowest_bit(left);                                   \
                const float *from = weight + c * len;                                        \
                const word value = set(dz[c]);                                               \
                EACH_WORD(acc[w] = madd(value, load(from + w * (lanes)), acc[w]))            \
            }                                                                                \
        }                                                                                    \
        EACH_WORD(store(row + w * (lanes), acc[w]))                                          \
    }

DATA_TEMPLATE(data_vectors, vec, LANES, v_load, v_store, v_set, v_madd)
DATA_TEMPLATE(data_floats, float, 1, s_load, s_store, s_set, s_madd)

/* A stretch of the kernel's row, from float j, for all pixels from right to left. */
#define DATA_ROW(name, pixel, words)                                                             \
    static void name(const cae_picks *p, const cae_pick_data *d, size_t j)                       \
    {                                                                                            \
        const size_t many = cae_pick_words(p->channels);                                         \
        const size_t ids = p->side * p->side;                                                    \
        const float *dz = p->dz + (ptrdiff_t)d->y * p->dz_row;                                   \
        const uint64_t *bits = p->bits + (d->y * p->cols * ids + d->py * p->side) * many;        \
        for (size_t x = p->cols; x-- > 0;) {                                                     \
            for (size_t px = p->side; px-- > 0;) {                                               \
                pixel(d->row + (ptrdiff_t)x * d->x_step + (ptrdiff_t)px * d->px_step + j,        \
                      bits + (x * ids + px) * many, dz + x * p->channels, d->weight + j, d->len, \
                      p->channels, words);                                                       \
            }                                                                                    \
        }                                                                                        \
    }

DATA_ROW(data_chunk, data_vectors, CHUNK)
DATA_ROW(data_four, data_vectors, 4)
DATA_ROW(data_one, data_vectors, 1)
DATA_ROW(data_float, data_floats, 1)

static void pick_data(const cae_picks *p, const cae_pick_data *d)
{
    size_t j = 0;
    for (; d->len - j >= LANES * CHUNK; j += LANES * CHUNK) {
        data_chunk(p, d, j);
    }
    for (; d->len - j >= LANES * 4; j += LANES * 4) {
        data_four(p, d, j);
    }
    for (; d->len - j >= LANES; j += LANES) {
        data_one(p, d, j);
    }
    for (; j < d->len; j++) {
        data_float(p, d, j);
    }
}
