/*
 * Cases of the kernels over sparse pool gradients: windows of any side, more and fewer channels
 * than a word of bits has, values that are 0, rows of the kernel from one float to several
 * stretches of vectors.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <string.h>

#include "trial.h"

enum {
    SLOT_DZ,
    SLOT_ARGMAX,
    SLOT_BITS,
    SLOT_BITS_REFERENCE,
    SLOT_X,
    SLOT_LIST,
    SLOT_LEN,
    SLOT_GRAD,
    SLOT_GRAD_REFERENCE,
    SLOT_WEIGHT
};

/* place() promises the alignment of float alone. */
static void *place_aligned(trial *t, int slot, size_t size)
{
    return (void *)((uintptr_t)place(t, slot, size) & ~(uintptr_t)7);
}

static size_t bits_size(const cae_sparse_grad *p)
{
    return p->rows * p->cols * p->side * p->side * cae_occupancy_words(p->channels) *
           sizeof(uint64_t);
}

static cae_sparse_grad draw_sparse(trial *t)
{
    cae_sparse_grad p = {.rows = draw_from(t, 1, 3),
                         .cols = draw_from(t, 1, 4),
                         .channels = 1 + t->number % 67,
                         .side = draw_from(t, 1, 3)};
    if (draw_chance(t, 10)) {
        p.channels += 80; /* three words of bits */
    }
    p.dz_row = (ptrdiff_t)(p.cols * p.channels + draw_below(t, 20));
    const size_t len = (p.rows - 1) * (size_t)p.dz_row + p.cols * p.channels;
    float *dz = place_floats(t, SLOT_DZ, len);
    uint32_t *argmax = place(t, SLOT_ARGMAX, p.rows * p.cols * p.channels * sizeof(*argmax));
    for (size_t i = 0; i < len; i++) {
        dz[i] = draw_chance(t, 4) ? 0.0f : dz[i];
    }
    for (size_t i = 0; i < p.rows * p.cols * p.channels; i++) {
        argmax[i] = (uint32_t)draw_below(t, p.side * p.side);
    }
    p.dz = dz;
    p.argmax = argmax;
    lock_slot(SLOT_DZ);
    lock_slot(SLOT_ARGMAX);
    return p;
}

/* Rows of the kernel: around the vectors' lengths, and now and then some stretches long. */
static size_t draw_len(trial *t)
{
    return draw_chance(t, 4) ? draw_from(t, 90, 250) : draw_from(t, 1, 40);
}

static void place_bits(trial *t, cae_sparse_grad *p)
{
    uint64_t *bits = place_aligned(t, SLOT_BITS, bits_size(p));
    t->reference->occupancy_bits(p, bits);
    p->bits = bits;
    lock_slot(SLOT_BITS);
}

void case_occupancy_bits(trial *t)
{
    const cae_sparse_grad p = draw_sparse(t);
    uint64_t *expected = place_aligned(t, SLOT_BITS_REFERENCE, bits_size(&p));
    uint64_t *got = place_aligned(t, SLOT_BITS, bits_size(&p));
    memset(got, 0xa5, bits_size(&p));
    t->reference->occupancy_bits(&p, expected);
    t->tier->occupancy_bits(&p, got);
    if (memcmp(expected, got, bits_size(&p)) != 0) {
        trial_fail(t, "occupancy_bits", "other bits");
    }
}

void case_sparse_weights(trial *t)
{
    cae_sparse_grad p = draw_sparse(t);
    place_bits(t, &p);
    const size_t windows = p.rows * p.cols;
    cae_sparse_weights w = {.kernel_rows = draw_from(t, 1, 3), .len = draw_len(t)};
    ptrdiff_t *const steps[] = {&w.x_row, &w.y_step, &w.x_step, &w.py_step, &w.px_step};
    const size_t times[] = {w.kernel_rows, p.rows, p.cols, p.side, p.side};
    size_t x_len = w.len;
    for (size_t i = 0; i < 5; i++) {
        *steps[i] = (ptrdiff_t)draw_below(t, 300);
        x_len += (times[i] - 1) * (size_t)*steps[i];
    }
    w.x = place_floats(t, SLOT_X, x_len);
    w.list = place_aligned(t, SLOT_LIST, windows * p.channels * sizeof(cae_sparse_term));
    w.len_of = place_aligned(t, SLOT_LEN, p.channels * sizeof(size_t));
    const size_t len = w.kernel_rows * p.channels * w.len;
    float *expected = place_floats(t, SLOT_GRAD_REFERENCE, len);
    float *got = place_copy(t, SLOT_GRAD, expected, len);
    lock_slot(SLOT_X);
    w.grad = expected;
    t->reference->sparse_weights(&p, &w);
    w.grad = got;
    t->tier->sparse_weights(&p, &w);
    char what[200];
    snprintf(what, sizeof(what),
             "%zu x %zu windows, side %zu, channels %zu, rows %zu, len %zu: grad", p.rows, p.cols,
             p.side, p.channels, w.kernel_rows, w.len);
    floats_equal(t, "sparse_weights", what, expected, got, len);
}

void case_sparse_data(trial *t)
{
    cae_sparse_grad p = draw_sparse(t);
    place_bits(t, &p);
    cae_sparse_data d = {.y = draw_below(t, p.rows),
                         .py = draw_below(t, p.side),
                         .len = draw_len(t),
                         .px_step = (ptrdiff_t)draw_below(t, 60)};
    d.x_step = (ptrdiff_t)p.side * d.px_step + (ptrdiff_t)draw_below(t, 30);
    const size_t row_len =
        d.len + (p.cols - 1) * (size_t)d.x_step + (p.side - 1) * (size_t)d.px_step;
    d.weight = place_floats(t, SLOT_WEIGHT, p.channels * d.len);
    lock_slot(SLOT_WEIGHT);
    float *expected = place_floats(t, SLOT_GRAD_REFERENCE, row_len);
    float *got = place_copy(t, SLOT_GRAD, expected, row_len);
    d.row = expected;
    t->reference->sparse_data(&p, &d);
    d.row = got;
    t->tier->sparse_data(&p, &d);
    char what[200];
    snprintf(what, sizeof(what), "%zu windows, side %zu, channels %zu, len %zu, step %td: row",
             p.cols, p.side, p.channels, d.len, d.px_step);
    floats_equal(t, "sparse_data", what, expected, got, row_len);
}
