/*
 * Training calls: the gradient of a batch, and whole steps.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_NET_TRAIN_H
#define CAE_NET_TRAIN_H

#include "net/exec.h"
#include "optim/adam.h"

/* The gradient of the mean loss (cae_run_loss) in file order; the mean itself; and the range of
 * each channel of the code's symbols. */
typedef struct cae_gradient {
    float *weights; /* NULL: allocated when it is needed, and then the caller's */
    float *low, *high;
    float loss;
} cae_gradient;

/* CAE_E_SHAPE, _LIMIT, _NOMEM; CAE_E_ARGUMENT when so many images are more than memory holds;
 * CAE_E_NONFINITE for a value of theirs, and when the loss or the gradient overflows. */
int cae_net_gradient(const cae_engine *e, const cae_pairs *pairs, cae_gradient *out);

/* The same and a step of Adam by it, on a state of this network's weights in file order; the new
 * weights are packed into `packed`, which may be the engine's. Where operators can defer their
 * gradients, and the numbers allow it, these are never stored: then out->weights is scratch for the
 * others. State and packing are as before when it fails. */
int cae_net_step(const cae_engine *e, const cae_pairs *pairs, const cae_adam *adam,
                 cae_adam_state *state, float *packed, cae_gradient *out);

#endif
