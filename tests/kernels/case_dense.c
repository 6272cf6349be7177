/*
 * Cases of the update of a dense layer: matrices of up to 7 rows and 67 columns, within wider ones,
 * for any number of images, none included.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>

#include "trial.h"

enum { SLOT_DY, SLOT_X, SLOT_EXPECTED, SLOT_GOT = SLOT_EXPECTED + 3 };

/* Weights, first and second moments: the same contents for the reference and for the tier. */
static void place_state(trial *t, float *expected[3], float *got[3], size_t len)
{
    for (int i = 0; i < 3; i++) {
        expected[i] = place_floats(t, SLOT_EXPECTED + i, len);
        for (size_t k = 0; i == 2 && k < len; k++) { /* a second moment is never negative */
            expected[i][k] = expected[i][k] < 0.0f ? -expected[i][k] : expected[i][k];
        }
        got[i] = place_copy(t, SLOT_GOT + i, expected[i], len);
    }
}

void case_dense_step(trial *t)
{
    static const char *const names[] = {"w", "m", "v"};
    const cae_adam_step s = draw_step(t);
    cae_dense_step d = {.cols = 1 + t->number % 67, .rows = t->number / 67 % 8};
    d.images = draw_chance(t, 4) ? draw_from(t, 0, 70) : draw_from(t, 1, 9);
    d.row = d.cols + (draw_chance(t, 2) ? 0 : draw_below(t, 300));
    const size_t panels = (d.cols + CAE_PANEL - 1) / CAE_PANEL;
    const size_t len = d.rows > 0 ? (d.rows - 1) * d.row + d.cols : 0;
    float *expected[3], *got[3];
    d.dy = place_floats(t, SLOT_DY, d.rows * d.images);
    d.x = place_floats(t, SLOT_X, panels * CAE_PANEL * d.images);
    place_state(t, expected, got, len);
    lock_slot(SLOT_DY);
    lock_slot(SLOT_X);
    d.w = expected[0];
    d.m = expected[1];
    d.v = expected[2];
    t->reference->dense_step(&s, &d);
    d.w = got[0];
    d.m = got[1];
    d.v = got[2];
    t->tier->dense_step(&s, &d);
    for (int i = 0; i < 3; i++) {
        char what[100];
        snprintf(what, sizeof(what), "rows %zu cols %zu images %zu row %zu: %s", d.rows, d.cols,
                 d.images, d.row, names[i]);
        floats_equal(t, "dense_step", what, expected[i], got[i], len);
    }
}
