/*
 * The kernels over sparse pool gradients; a part of vector.h. A row of the kernel and its input
 * channels are `len` adjacent floats, in the weights as in the image, so both passes work alike: a
 * stretch of CHUNK vectors stays in registers while, for one value after the other, its product
 * with `len` floats is added. The rest at the end uses fewer vectors, then a masked one.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
enum {
    CHUNK = 12,
    MIDDLE = LANES == 16 ? 6 : 4, /* of a stretch that is no whole CHUNK: 96 floats, or 32 */
    FEW = LANES == 16 ? 2 : 4     /* vectors of channels that few_weights takes at a time */
};

/* A statement for each vector w < vectors of a stretch, without a loop: gcc turns a loop that loads
 * an array into a memory copy, and then the array does not stay in registers. */
#define VECTOR(i, statement) \
    if (vectors > (i)) {     \
        enum { w = (i) };    \
        statement;           \
    }
#define EACH_VECTOR(statement) \
    VECTOR(0, statement)       \
    VECTOR(1, statement)       \
    VECTOR(2, statement)       \
    VECTOR(3, statement)       \
    VECTOR(4, statement)       \
    VECTOR(5, statement)       \
    VECTOR(6, statement)       \
    VECTOR(7, statement)       \
    VECTOR(8, statement) VECTOR(9, statement) VECTOR(10, statement) VECTOR(11, statement)

/* The position of the lowest one bit; the bits must not be 0. */
INLINE size_t lowest_bit(uint64_t bits)
{
    return (size_t)__builtin_ctzll(bits);
}

static void occupancy_bits(const cae_sparse_grad *p, uint64_t *bits)
{
    const size_t ids = p->side * p->side;
    const vec zero = v_set(0.0f);
    const uint32_t *argmax = p->argmax;
    for (size_t y = 0; y < p->rows; y++) {
        const float *dz = p->dz + (ptrdiff_t)y * p->dz_row;
        for (size_t x = 0; x < p->cols; x++, dz += p->channels, argmax += p->channels) {
            for (uint32_t id = 0; id < ids; id++) {
                const vec this_id = v_set_u32(id);
                for (size_t c = 0; c < p->channels; c += 64) {
                    const size_t end = p->channels - c < 64 ? p->channels - c : 64;
                    uint64_t word = 0;
                    for (size_t i = 0; i < end; i += LANES) {
                        const vec here =
                            v_equal_u32(load_some_u32(argmax + c + i, end - i), this_id);
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

/* Adds a channel's terms to a stretch of `vectors` vectors, or to a masked one. */
INLINE void weights_stretch(float *grad, const cae_sparse_term *e, size_t len, ptrdiff_t at,
                            const int vectors, const v_mask *mask)
{
    vec acc[CHUNK];
    EACH_VECTOR(acc[w] = load_vector(grad + w * LANES, mask))
    for (size_t i = 0; i < len; i++) {
        const float *x = e[i].x + at;
        const vec dz = v_set(e[i].dz);
        EACH_VECTOR(acc[w] = v_madd(load_vector(x + w * LANES, mask), dz, acc[w]))
    }
    EACH_VECTOR(store_vector(grad + w * LANES, acc[w], mask))
}

/* One row of the kernel for one channel. */
static void weights_row(float *grad, const cae_sparse_term *e, size_t terms, ptrdiff_t at,
                        size_t len)
{
    size_t j = 0;
    for (; len - j >= LANES * CHUNK; j += LANES * CHUNK) {
        weights_stretch(grad + j, e, terms, at + (ptrdiff_t)j, CHUNK, NULL);
    }
    for (; len - j >= LANES * MIDDLE; j += LANES * MIDDLE) {
        weights_stretch(grad + j, e, terms, at + (ptrdiff_t)j, MIDDLE, NULL);
    }
    for (; len - j >= LANES; j += LANES) {
        weights_stretch(grad + j, e, terms, at + (ptrdiff_t)j, 1, NULL);
    }
    if (j < len) {
        const v_mask rest = v_mask_of(len - j);
        weights_stretch(grad + j, e, terms, at + (ptrdiff_t)j, 1, &rest);
    }
}

/* Sorts the values of all windows by channel; the address of a term is for the kernel's row 0. */
static void list_terms(const cae_sparse_grad *p, const cae_sparse_weights *w)
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
                        w->list[c * room + w->len_of[c]++] = (cae_sparse_term){from, dz[c]};
                    }
                }
            }
        }
    }
}

/*
 * For a row of the kernel with so few floats that vectors along it would be mostly empty. Vectors
 * run over channels, and every pixel of a window is a term. `vectors` vectors of channels and `len`
 * floats of the row at a time, in sums[j][channel].
 */
INLINE void few_weights(const cae_sparse_grad *p, const cae_sparse_weights *w, const float *from,
                        size_t c, float *sums, const int len, const int vectors, const v_mask *mask)
{
    vec acc[3][FEW];
    UNROLL for (int j = 0; j < len; j++)
    {
        UNROLL for (int i = 0; i < vectors; i++)
        {
            acc[j][i] = v_load(sums + (j * FEW + i) * LANES);
        }
    }
    const uint32_t *argmax = p->argmax + c;
    for (size_t y = 0; y < p->rows; y++) {
        const float *dz = p->dz + (ptrdiff_t)y * p->dz_row + (ptrdiff_t)c;
        const float *window = from + (ptrdiff_t)y * w->y_step;
        for (size_t x = 0; x < p->cols; x++, dz += p->channels, argmax += p->channels) {
            uint32_t id = 0;
            for (size_t py = 0; py < p->side; py++) {
                const float *pixel = window + (ptrdiff_t)py * w->py_step;
                for (size_t px = 0; px < p->side; px++, pixel += w->px_step) {
                    const vec this_id = v_set_u32(id++);
                    vec here[FEW];
                    UNROLL for (int i = 0; i < vectors; i++)
                    {
                        here[i] =
                            v_and(v_equal_u32(load_vector_u32(argmax + i * LANES, mask), this_id),
                                  load_vector(dz + i * LANES, mask));
                    }
                    UNROLL for (int j = 0; j < len; j++)
                    {
                        const vec value = v_set(pixel[j]);
                        UNROLL for (int i = 0; i < vectors; i++)
                        {
                            acc[j][i] = v_madd(value, here[i], acc[j][i]);
                        }
                    }
                }
            }
            window += w->x_step;
        }
    }
    UNROLL for (int j = 0; j < len; j++)
    {
        UNROLL for (int i = 0; i < vectors; i++)
        {
            v_store(sums + (j * FEW + i) * LANES, acc[j][i]);
        }
    }
}

/* The lengths and widths that exist: three floats by four vectors of channels, and by one. */
OUTLINE void few_3_by_many(const cae_sparse_grad *p, const cae_sparse_weights *w, const float *from,
                           size_t c, float *sums)
{
    few_weights(p, w, from, c, sums, 3, FEW, NULL);
}

OUTLINE void few_1_by_many(const cae_sparse_grad *p, const cae_sparse_weights *w, const float *from,
                           size_t c, float *sums)
{
    few_weights(p, w, from, c, sums, 1, FEW, NULL);
}

OUTLINE void few_1_by_tail(const cae_sparse_grad *p, const cae_sparse_weights *w, const float *from,
                           size_t c, float *sums)
{
    const size_t left = p->channels - c;
    const v_mask mask = v_mask_of(left < LANES ? left : LANES);
    few_weights(p, w, from, c, sums, 1, 1, &mask);
}

/* Between grad[channel][j] and sums[j][channel]. */
static void move_sums(float *grad, size_t len, float *sums, size_t floats, size_t channels,
                      bool back)
{
    for (size_t i = 0; i < channels; i++) {
        for (size_t j = 0; j < floats; j++) {
            if (back) {
                grad[i * len + j] = sums[j * FEW * LANES + i];
            } else {
                sums[j * FEW * LANES + i] = grad[i * len + j];
            }
        }
    }
}

static void all_few_weights(const cae_sparse_grad *p, const cae_sparse_weights *w)
{
    float sums[3 * FEW * LANES] = {0};
    for (size_t r = 0; r < w->kernel_rows; r++) {
        const float *from = w->x + (ptrdiff_t)r * w->x_row;
        float *grad = w->grad + r * p->channels * w->len;
        size_t channels = 0;
        for (size_t c = 0; c < p->channels; c += channels) {
            const size_t left = p->channels - c;
            const bool wide = left >= FEW * LANES;
            channels = wide ? FEW * LANES : left < LANES ? left : LANES;
            size_t floats = 0;
            for (size_t j = 0; j < w->len; j += floats) {
                floats = wide && w->len - j >= 3 ? 3 : 1;
                move_sums(grad + c * w->len + j, w->len, sums, floats, channels, false);
                if (floats == 3) {
                    few_3_by_many(p, w, from + j, c, sums);
                } else if (wide) {
                    few_1_by_many(p, w, from + j, c, sums);
                } else {
                    few_1_by_tail(p, w, from + j, c, sums);
                }
                move_sums(grad + c * w->len + j, w->len, sums, floats, channels, true);
            }
        }
    }
}

static void sparse_weights(const cae_sparse_grad *p, const cae_sparse_weights *w)
{
    CAE_ASSERT(p->side >= 1 && (p->bits != NULL || w->len <= CAE_SPARSE_FEW));
    if (w->len <= CAE_SPARSE_FEW) {
        all_few_weights(p, w);
        return;
    }
    list_terms(p, w);
    for (size_t r = 0; r < w->kernel_rows; r++) {
        for (size_t c = 0; c < p->channels; c++) {
            weights_row(w->grad + (r * p->channels + c) * w->len, w->list + c * p->rows * p->cols,
                        w->len_of[c], (ptrdiff_t)r * w->x_row, w->len);
        }
    }
}

/* ---- The gradient of the input --------------------------------------------------------------- */

/* Adds one pixel's values to a stretch of `vectors` vectors of the row, or to a masked one. */
INLINE void data_pixel(float *row, const uint64_t *bits, const float *dz, const float *weight,
                       size_t len, size_t channels, const int vectors, const v_mask *mask)
{
    vec acc[CHUNK];
    EACH_VECTOR(acc[w] = load_vector(row + w * LANES, mask))
    for (size_t first = 0; first < channels; first += 64) {
        for (uint64_t left = *bits++; left != 0; left &= left - 1) {
            const size_t c = first + lowest_bit(left);
            const float *from = weight + c * len;
            const vec value = v_set(dz[c]);
            EACH_VECTOR(acc[w] = v_madd(value, load_vector(from + w * LANES, mask), acc[w]))
        }
    }
    EACH_VECTOR(store_vector(row + w * LANES, acc[w], mask))
}

/* A stretch of the kernel's row, from float j, for all pixels from left to right. */
INLINE void data_stretch(const cae_sparse_grad *p, const cae_sparse_data *d, size_t j,
                         const int vectors, const v_mask *mask)
{
    const size_t many = cae_occupancy_words(p->channels);
    const size_t ids = p->side * p->side;
    const float *dz = p->dz + (ptrdiff_t)d->y * p->dz_row;
    const uint64_t *bits = p->bits + (d->y * p->cols * ids + d->py * p->side) * many;
    for (size_t x = 0; x < p->cols; x++) {
        for (size_t px = 0; px < p->side; px++) {
            data_pixel(d->row + (ptrdiff_t)x * d->x_step + (ptrdiff_t)px * d->px_step + j,
                       bits + (x * ids + px) * many, dz + x * p->channels, d->weight + j, d->len,
                       p->channels, vectors, mask);
        }
    }
}

/* Stretches go from right to left: where pixels overlap, a float of the row gets the end of a
 * pixel's stretch before the beginning of the next one's. */
static void sparse_data(const cae_sparse_grad *p, const cae_sparse_data *d)
{
    size_t j = d->len;
    CAE_ASSERT(p->bits != NULL && d->y < p->rows && d->py < p->side);
    if (j % LANES != 0) {
        const v_mask rest = v_mask_of(j % LANES);
        j -= j % LANES;
        data_stretch(p, d, j, 1, &rest);
    }
    while (j % (LANES * CHUNK) % (LANES * MIDDLE) != 0) {
        j -= LANES;
        data_stretch(p, d, j, 1, NULL);
    }
    while (j % (LANES * CHUNK) != 0) {
        j -= LANES * MIDDLE;
        data_stretch(p, d, j, MIDDLE, NULL);
    }
    while (j != 0) {
        j -= LANES * CHUNK;
        data_stretch(p, d, j, CHUNK, NULL);
    }
}
