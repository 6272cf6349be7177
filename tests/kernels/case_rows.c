/*
 * Cases of the kernels that go along rows: activations, sums, Adam.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <string.h>

#include "trial.h"

enum {
    SLOT_X,
    SLOT_Y,
    SLOT_Y_REFERENCE,
    SLOT_W,
    SLOT_M,
    SLOT_V,
    SLOT_W_REFERENCE,
    SLOT_M_REFERENCE,
    SLOT_V_REFERENCE,
    SLOT_BEFORE
};

static size_t draw_len(trial *t)
{
    return draw_chance(t, 50) ? draw_from(t, 68, 3000) : t->number % 68;
}

static void name_activation(char what[32], cae_activation activation)
{
    static const char *const names[CAE_ACTIVATIONS] = {"none", "relu", "leaky", "tanh", "sigmoid"};
    snprintf(what, 32, "%s: y", names[activation]);
}

void case_activate(trial *t)
{
    const size_t len = draw_len(t);
    const cae_activation activation = (cae_activation)draw_below(t, CAE_ACTIVATIONS);
    float *expected = place_floats(t, SLOT_Y_REFERENCE, len);
    float *got = place_copy(t, SLOT_Y, expected, len);
    t->reference->activate(activation, expected, len);
    t->tier->activate(activation, got, len);
    char what[32];
    name_activation(what, activation);
    floats_equal(t, "activate", what, expected, got, len);
}

void case_activate_back(trial *t)
{
    const size_t len = draw_len(t);
    const cae_activation activation = (cae_activation)draw_below(t, CAE_ACTIVATIONS);
    const float *y = place_floats(t, SLOT_X, len);
    float *expected = place_floats(t, SLOT_Y_REFERENCE, len);
    float *got = place_copy(t, SLOT_Y, expected, len);
    lock_slot(SLOT_X);
    t->reference->activate_back(activation, y, expected, len);
    t->tier->activate_back(activation, y, got, len);
    char what[32];
    name_activation(what, activation);
    floats_equal(t, "activate_back", what, expected, got, len);
}

void case_add(trial *t)
{
    const size_t len = draw_len(t);
    const float *x = place_floats(t, SLOT_X, len);
    float *expected = place_floats(t, SLOT_Y_REFERENCE, len);
    float *got = place_copy(t, SLOT_Y, expected, len);
    lock_slot(SLOT_X);
    t->reference->add(expected, x, len);
    t->tier->add(got, x, len);
    floats_equal(t, "add", "y", expected, got, len);
}

void case_sum_rows(trial *t)
{
    const size_t cols = 1 + t->number % 67;
    const size_t rows = draw_below(t, 20);
    const ptrdiff_t width = (ptrdiff_t)cols;
    const ptrdiff_t strides[] = {width, width + (ptrdiff_t)draw_below(t, 9), -width, 0};
    const ptrdiff_t stride = strides[draw_below(t, 4)];
    const ptrdiff_t reach = rows > 0 ? (ptrdiff_t)(rows - 1) * stride : 0;
    const float *x =
        place_floats(t, SLOT_X, rows > 0 ? cols + (size_t)(reach < 0 ? -reach : reach) : 0);
    float *expected = place_floats(t, SLOT_Y_REFERENCE, cols);
    float *got = place_copy(t, SLOT_Y, expected, cols);
    lock_slot(SLOT_X);
    const float *from = reach < 0 ? x - reach : x;
    t->reference->sum_rows(expected, from, rows, cols, stride);
    t->tier->sum_rows(got, from, rows, cols, stride);
    floats_equal(t, "sum_rows", "sum", expected, got, cols);
}

cae_adam_step draw_step(trial *t)
{
    static const float beta1[] = {0.9f, 0.0f, 0.5f};
    static const float beta2[] = {0.999f, 0.0f, 0.9999999f};
    static const float rate[] = {1e-3f, 0.0f, 1e6f, 1e-10f};
    static const float epsilon[] = {1e-8f, 1e-30f, 1.0f};
    cae_adam_step s = {.beta1 = beta1[draw_below(t, 3)], .beta2 = beta2[draw_below(t, 3)]};
    s.one_minus_beta1 = 1.0f - s.beta1;
    s.one_minus_beta2 = 1.0f - s.beta2;
    s.step = rate[draw_below(t, 4)] * (draw_chance(t, 2) ? 10.0f : 1.0f);
    s.v_scale = draw_chance(t, 2) ? 31.622776f : 1.0f;
    s.epsilon = epsilon[draw_below(t, 3)];
    s.decay = draw_chance(t, 2) ? 1.0f : 0.999f;
    return s;
}

void case_adam(trial *t)
{
    const size_t len = draw_len(t);
    const cae_adam_step s = draw_step(t);
    const bool write = !draw_chance(t, 4);
    const float *g = place_floats(t, SLOT_X, len);
    float *w = place_floats(t, SLOT_W_REFERENCE, len);
    float *m = place_floats(t, SLOT_M_REFERENCE, len);
    float *v = place_floats(t, SLOT_V_REFERENCE, len);
    for (size_t i = 0; i < len; i++) { /* a second moment is never negative */
        v[i] = v[i] < 0.0f ? -v[i] : v[i];
    }
    const float *before = place_copy(t, SLOT_BEFORE, w, len);
    float *w1 = place_copy(t, SLOT_W, w, len);
    float *m1 = place_copy(t, SLOT_M, m, len);
    float *v1 = place_copy(t, SLOT_V, v, len);
    lock_slot(SLOT_X);
    const bool expected = t->reference->adam(&s, w, m, v, g, len, write);
    const bool got = t->tier->adam(&s, w1, m1, v1, g, len, write);
    if (got != expected) {
        trial_fail(t, "adam", expected ? "says not finite" : "says finite");
    }
    floats_equal(t, "adam", "w", w, w1, len);
    floats_equal(t, "adam", "m", m, m1, len);
    floats_equal(t, "adam", "v", v, v1, len);
    if (!write && memcmp(before, w1, len * sizeof(*w1)) != 0) {
        trial_fail(t, "adam", "wrote a weight when asked only to look");
    }
}
