/*
 * Cases of the matrix product: every width up to 67 columns with every height up to 13 rows, any
 * layout that the contract allows, including strides and offsets that are negative or zero.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>

#include "trial.h"

enum { SLOT_A, SLOT_A_AT, SLOT_B, SLOT_B_AT, SLOT_BIAS, SLOT_C, SLOT_C_REFERENCE, SLOT_C_BEFORE };
enum { MAX_ENTRIES = 30 };

/* First and last index that a matrix touches. */
struct span {
    ptrdiff_t first, last;
    bool any;
};

static void widen(struct span *s, ptrdiff_t at)
{
    s->first = !s->any || at < s->first ? at : s->first;
    s->last = !s->any || at > s->last ? at : s->last;
    s->any = true;
}

static void widen_line(struct span *s, ptrdiff_t from, size_t len, ptrdiff_t stride)
{
    widen(s, from);
    widen(s, from + (ptrdiff_t)(len - 1) * stride);
}

/* Where row i begins. */
static ptrdiff_t row_at(const cae_gemm *g, size_t i, ptrdiff_t line_step, ptrdiff_t row_step)
{
    const size_t line = g->line != 0 ? g->line : g->m;
    return (ptrdiff_t)(i / line) * line_step + (ptrdiff_t)(i % line) * row_step;
}

static struct span span_of_a(const cae_gemm *g, const ptrdiff_t *entry)
{
    struct span span = {0, -1, false};
    for (size_t s = 0; s < g->entries && g->k > 0; s++) {
        for (size_t i = 0; i < g->m && g->n > 0; i++) {
            widen_line(&span, entry[s] + row_at(g, i, g->a_line, g->a_row), g->k, g->a_k);
        }
    }
    return span;
}

static struct span span_of_b(const cae_gemm *g, const ptrdiff_t *entry)
{
    struct span span = {0, -1, false};
    for (size_t s = 0; s < g->entries && g->k > 0; s++) {
        const size_t over = g->b_over ? (g->n + CAE_OVER - 1) / CAE_OVER * CAE_OVER : g->n;
        for (size_t j = 0; j < over && g->m > 0; j++) {
            const ptrdiff_t column =
                (ptrdiff_t)(j / CAE_PANEL) * g->b_panel + (ptrdiff_t)(j % CAE_PANEL);
            widen_line(&span, entry[s] + column, g->k, g->b_k);
        }
    }
    return span;
}

static struct span span_of_c(const cae_gemm *g)
{
    struct span span = {0, -1, false};
    for (size_t i = 0; i < g->m && g->n > 0; i++) {
        widen_line(&span, row_at(g, i, g->c_line, g->c_row), g->n, 1);
    }
    return span;
}

/* A buffer that holds the span and nothing else, seen from index 0. */
static float *place_span(trial *t, int slot, struct span span)
{
    return place_floats(t, slot, (size_t)(span.last - span.first + 1)) - span.first;
}

static void draw_sizes(trial *t, cae_gemm *g)
{
    g->n = 1 + t->number % 67;
    g->m = 1 + t->number / 67 % 13;
    if (draw_chance(t, 100)) {
        *(draw_chance(t, 2) ? &g->m : &g->n) = 0;
    }
    g->entries = draw_chance(t, 20) ? draw_from(t, 0, MAX_ENTRIES) : draw_from(t, 0, 5);
    g->k = draw_chance(t, 20) ? draw_from(t, 0, 300) : draw_from(t, 0, 20);
    g->start = (cae_gemm_start)draw_below(t, 4);
    g->line = draw_below(t, g->m + 1);
    g->activation = (cae_activation)draw_below(t, CAE_LEAKY + 1);
    g->b_over = draw_chance(t, 2);
}

static void draw_strides(trial *t, cae_gemm *g)
{
    static const ptrdiff_t small[] = {0, 1, -1, 2, -3, 5, 7};
    const ptrdiff_t k = (ptrdiff_t)g->k;
    const ptrdiff_t n = (ptrdiff_t)g->n;
    const bool transposed = draw_chance(t, 3);
    g->a_row = transposed ? small[draw_below(t, 7)] : k + small[draw_below(t, 7)];
    g->a_k = transposed ? (ptrdiff_t)g->m + small[draw_below(t, 7)] : small[draw_below(t, 7)];
    if (draw_chance(t, 2)) { /* packed, the last panel narrower */
        g->b_k = n < CAE_PANEL ? n : CAE_PANEL;
        g->b_panel = k * CAE_PANEL;
    } else { /* rows as they are */
        g->b_k = n + small[draw_below(t, 7)];
        g->b_panel = CAE_PANEL;
    }
    if (draw_chance(t, 8)) {
        g->b_k = -g->b_k;
    }
    g->c_row = n + (ptrdiff_t)(draw_chance(t, 2) ? 0 : draw_below(t, 20));
    if (draw_chance(t, 8)) {
        g->c_row = -g->c_row;
    }
    /* Lines of C lie apart, those of A anywhere. */
    g->c_line =
        (ptrdiff_t)g->line * g->c_row + (g->c_row < 0 ? -1 : 1) * (ptrdiff_t)draw_below(t, 30);
    g->a_line = (ptrdiff_t)draw_below(t, 60) - 20;
}

static const ptrdiff_t *place_offsets(trial *t, int slot, size_t len)
{
    ptrdiff_t *at = place(t, slot, len * sizeof(*at));
    /* place() promises the alignment of float alone. */
    at = (ptrdiff_t *)(void *)((uintptr_t)at & ~(uintptr_t)(sizeof(*at) - 1));
    const ptrdiff_t step = (ptrdiff_t)draw_below(t, 50);
    for (size_t s = 0; s < len; s++) {
        at[s] = draw_chance(t, 3) ? (ptrdiff_t)draw_below(t, 400) - 200 : (ptrdiff_t)s * step;
    }
    return at;
}

void case_gemm(trial *t)
{
    cae_gemm g = {0};
    draw_sizes(t, &g);
    draw_strides(t, &g);
    g.a_entry = place_offsets(t, SLOT_A_AT, g.entries);
    g.b_entry = place_offsets(t, SLOT_B_AT, g.entries);
    g.a = place_span(t, SLOT_A, span_of_a(&g, g.a_entry));
    g.b = place_span(t, SLOT_B, span_of_b(&g, g.b_entry));
    if (g.start == CAE_START_COLUMN_BIAS || g.start == CAE_START_ROW_BIAS) {
        g.bias = place_floats(t, SLOT_BIAS, g.start == CAE_START_ROW_BIAS ? g.m : g.n);
        lock_slot(SLOT_BIAS);
    }
    /* Both outputs begin with the same contents: what a kernel leaves alone must stay so. */
    const struct span span = span_of_c(&g);
    const size_t len = (size_t)(span.last - span.first + 1);
    const float *before = place_floats(t, SLOT_C_BEFORE, len);
    float *expected = place_copy(t, SLOT_C_REFERENCE, before, len);
    float *got = place_copy(t, SLOT_C, before, len);
    for (int slot = SLOT_A; slot <= SLOT_B_AT; slot++) {
        lock_slot(slot);
    }
    g.c = expected - span.first;
    t->reference->gemm(&g);
    g.c = got - span.first;
    t->tier->gemm(&g);
    char what[200];
    snprintf(
        what, sizeof(what),
        "m %zu (lines of %zu) n %zu k %zu entries %zu start %d b_panel %td b_k %td activation %d over %d: c",
        g.m, g.line, g.n, g.k, g.entries, (int)g.start, g.b_panel, g.b_k, (int)g.activation,
        g.b_over);
    floats_equal(t, "gemm", what, expected, got, len);
}

void case_transpose(trial *t)
{
    const size_t rows = 1 + t->number % 67;
    const size_t cols = draw_from(t, 1, 40);
    const size_t from_row = cols + draw_below(t, 9);
    const size_t to_row = rows + draw_below(t, 9);
    const float *from = place_floats(t, SLOT_A, (rows - 1) * from_row + cols);
    const size_t len = (cols - 1) * to_row + rows;
    float *expected = place_floats(t, SLOT_C_REFERENCE, len);
    float *got = place_copy(t, SLOT_C, expected, len);
    lock_slot(SLOT_A);
    t->reference->transpose(expected, (ptrdiff_t)to_row, from, (ptrdiff_t)from_row, rows, cols);
    t->tier->transpose(got, (ptrdiff_t)to_row, from, (ptrdiff_t)from_row, rows, cols);
    floats_equal(t, "transpose", "to", expected, got, len);
}
