/*
 * Adam (Kingma & Ba 2015, Algorithm 1) with decoupled weight decay (Loshchilov & Hutter 2019). The
 * arithmetic per element is a kernel; here are the step's scalars, in double, and the rule that an
 * update is decided before any of it is written.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_OPTIM_ADAM_H
#define CAE_OPTIM_ADAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/team.h"
#include "kernels/kernels.h"

typedef struct cae_adam {
    double learning_rate, beta1, beta2, epsilon, weight_decay;
} cae_adam;

/* What no weight and no moment exceeds in magnitude; and no second moment is below 0. */
typedef struct cae_adam_bounds {
    double w, m, v;
    bool known;
} cae_adam_bounds;

/* What changes in training; `len` values each. Code that writes weights or moments without
 * these functions resets bounds.known. */
typedef struct cae_adam_state {
    float *weights, *m, *v;
    size_t len;
    uint64_t step; /* updates so far */
    cae_adam_bounds bounds;
} cae_adam_state;

/* The workers, at most `threads`, that an update of `len` parameters pays for. */
size_t cae_adam_workers(size_t len, size_t threads);

/* One update by `gradient`, whose largest magnitude is known. CAE_E_NONFINITE, with nothing
 * changed, when a result would not be finite. */
int cae_adam_apply(const cae_adam *adam, cae_adam_state *state, const float *gradient,
                   float largest, const cae_kernels *kernels, cae_team *team);

/* Begins an update whose gradient is never stored, so that there can be no dry run. True
 * when the next step by any gradient that nowhere exceeds `largest` in magnitude ends in finite
 * numbers: then the caller makes it, with these scalars, and the state counts it as made. False
 * says nothing about the step, and leaves it to cae_adam_apply. */
bool cae_adam_begin(const cae_adam *adam, cae_adam_state *state, double largest,
                    cae_adam_step *scalars);

/* Makes the step that has begun for `len` parameters from number `at` on. */
void cae_adam_update(const cae_adam_step *scalars, cae_adam_state *state, size_t at,
                     const float *gradient, size_t len, const cae_kernels *kernels);

#endif
