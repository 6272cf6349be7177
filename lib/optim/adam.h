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

/* What changes in training; `len` values each. */
typedef struct cae_adam_state {
    float *weights, *m, *v;
    size_t len;
    uint64_t step; /* updates so far */
} cae_adam_state;

/* One update by `gradient`. CAE_E_NONFINITE, with nothing changed, when a result would not be
 * finite. */
int cae_adam_apply(const cae_adam *adam, cae_adam_state *state, const float *gradient,
                   const cae_kernels *kernels, cae_team *team);

#endif
