/*
 * The model, of which every rank holds the same: weights, the optimizer's moments and all else that
 * a checkpoint holds are equal on all ranks, bit for bit, after every step. It begins as the bytes
 * of rank 0's and is updated by a gradient that is equal everywhere.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_MPI_STATE_H
#define CAE_MPI_STATE_H

#include <cae/cae.h>

#include "share.h"

enum { STATE_LEVELS = 22 }; /* for a million parts, the most that a batch can have */

struct state {
    cae_model *model;
    struct ranks ranks;
    bool samples;    /* a variational autoencoder */
    size_t shape[3]; /* of its images: channels, height, width */
    size_t len; /* of the gradient, one value for each of the model's parameters, and its loss */
    float *gradient; /* of this rank's images, then of all; last the loss, summed as it is */
    float *scratch;  /* as large */
    float
        *sums[STATE_LEVELS]; /* gradient, scratch, and more for many parts; NULL where not needed */
};

/* Where the model comes from; rank 0's counts. */
struct origin {
    const char *name; /* a preset or an architecture text */
    const char *out;  /* the checkpoint, when `resume` is set */
    uint64_t seed;
    bool resume;
};

/* Makes or loads the model on rank 0 and hands it to all. `own_parts` of a batch, a power of two, are
 * each rank's. `s` is zeroed. Collective. */
int state_start(struct state *s, const struct ranks *ranks, const struct origin *origin,
                size_t own_parts);
void state_free(struct state *s);

/* Gives the model its settings; fails when the ranks' processors would compute differently.
 * Collective. */
int state_set(struct state *s, double learning_rate, size_t threads, bool reproducible);

/* Fills s->gradient with what this rank's images of the batch at hand add to the gradient and loss of
 * the whole batch. The sum over the ranks is the mean over the batch. The gradients
 * of parts are added as ranks_sum() adds those of ranks, so that the sum over all depends on the
 * parts and not on who has them. Step `step` counts from 0. */
int state_gradient(struct state *s, const struct share *share, uint64_t step);

/* Has the codec's ranges, which go with the next update, gathered from the whole batch, as one
 * machine would: the ranges are a part of the model that a checkpoint saves. Collective. */
int state_gather_ranges(struct state *s, const struct share *share);

/* Updates the weights by s->gradient, equal on all ranks. Collective. */
int state_apply(struct state *s, uint64_t step);
float state_loss(const struct state *s);

/* Fails unless the states of all ranks are equal to the last bit. Collective. */
int state_check_same(const struct state *s);

#endif
