/*
 * Cases of max pooling and its gradient: windows that overlap or not, a row of them, ties, any ids.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <string.h>

#include "trial.h"

enum { SLOT_X, SLOT_TAP, SLOT_ID, SLOT_Y, SLOT_Y_REFERENCE, SLOT_ARGMAX, SLOT_ARG_REFERENCE };
enum { MAX_TAPS = 9 };

typedef struct pool_case {
    cae_pool p;
    ptrdiff_t first; /* the lowest index of x that a window sees, and how many there are */
    size_t x_len;
} pool_case;

/* Taps count in whole pixels, as in a layer: at most 8 pixels back and forth. */
static pool_case draw_pool(trial *t)
{
    pool_case c = {.p = {.channels = 1 + t->number % 67, .pixels = draw_below(t, 7)}};
    const ptrdiff_t pixel = (ptrdiff_t)c.p.channels;
    c.p.taps = draw_from(t, 1, MAX_TAPS);
    c.p.x_step = pixel * (ptrdiff_t)draw_below(t, 4) * (draw_chance(t, 5) ? -1 : 1);
    ptrdiff_t taps[MAX_TAPS];
    uint32_t ids[MAX_TAPS];
    ptrdiff_t low = PTRDIFF_MAX, high = PTRDIFF_MIN;
    for (size_t i = 0; i < c.p.taps; i++) {
        taps[i] = pixel * ((ptrdiff_t)draw_below(t, 17) - 8);
        /* Bits that would be NaN as floats must be safe too. */
        ids[i] = (uint32_t)i * 0x20000001u ^ (draw_chance(t, 2) ? 0u : 0x7fc00000u);
        low = taps[i] < low ? taps[i] : low;
        high = taps[i] > high ? taps[i] : high;
    }
    const ptrdiff_t reach = c.p.pixels > 0 ? (ptrdiff_t)(c.p.pixels - 1) * c.p.x_step : 0;
    c.first = low + (reach < 0 ? reach : 0);
    c.x_len = c.p.pixels > 0 ? (size_t)(high + (reach > 0 ? reach : 0) + pixel - c.first) : 0;
    ptrdiff_t *tap = place(t, SLOT_TAP, c.p.taps * sizeof(*tap));
    tap = (ptrdiff_t *)(void *)((uintptr_t)tap & ~(uintptr_t)(sizeof(*tap) - 1));
    uint32_t *id = place(t, SLOT_ID, c.p.taps * sizeof(*id));
    memcpy(tap, taps, c.p.taps * sizeof(*tap));
    memcpy(id, ids, c.p.taps * sizeof(*id));
    c.p.tap = tap;
    c.p.id = id;
    lock_slot(SLOT_TAP);
    lock_slot(SLOT_ID);
    return c;
}

static uint32_t *place_argmax(trial *t, int slot, size_t len)
{
    uint32_t *argmax = place(t, slot, len * sizeof(*argmax));
    memset(argmax, 0xa5, len * sizeof(*argmax));
    return argmax;
}

void case_pool(trial *t)
{
    const pool_case c = draw_pool(t);
    const size_t len = c.p.pixels * c.p.channels;
    const float *x = place_floats(t, SLOT_X, c.x_len) - c.first;
    float *expected = place_floats(t, SLOT_Y_REFERENCE, len);
    float *got = place_copy(t, SLOT_Y, expected, len);
    uint32_t *arg_expected = place_argmax(t, SLOT_ARG_REFERENCE, len);
    uint32_t *arg_got = place_argmax(t, SLOT_ARGMAX, len);
    const bool with_arg = !draw_chance(t, 4);
    lock_slot(SLOT_X);
    t->reference->pool(&c.p, x, expected, with_arg ? arg_expected : NULL);
    t->tier->pool(&c.p, x, got, with_arg ? arg_got : NULL);
    floats_equal(t, "pool", "y", expected, got, len);
    if (memcmp(arg_expected, arg_got, len * sizeof(*arg_got)) != 0) {
        trial_fail(t, "pool", "another tap is named as the largest");
    }
}

void case_pool_back(trial *t)
{
    const pool_case c = draw_pool(t);
    const size_t len = c.p.pixels * c.p.channels;
    const float *dy = place_floats(t, SLOT_Y, len);
    uint32_t *argmax = place_argmax(t, SLOT_ARGMAX, len);
    for (size_t i = 0; i < len; i++) { /* now and then no tap of the window */
        argmax[i] = draw_chance(t, 10) ? 12345u : c.p.id[draw_below(t, c.p.taps)];
    }
    float *expected = place_floats(t, SLOT_X, c.x_len);
    float *got = place_copy(t, SLOT_Y_REFERENCE, expected, c.x_len);
    lock_slot(SLOT_Y);
    lock_slot(SLOT_ARGMAX);
    t->reference->pool_back(&c.p, dy, argmax, expected - c.first);
    t->tier->pool_back(&c.p, dy, argmax, got - c.first);
    floats_equal(t, "pool_back", "dx", expected, got, c.x_len);
}
