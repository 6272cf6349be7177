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

enum { STATE_LEVELS = 21 }; /* of a tree of 2^20 parts; --parts allows fewer */

struct state {
    cae_model *model;
    struct ranks ranks;
    bool samples;    /* a variational autoencoder */
    size_t shape[3]; /* of its images: channels, height, width */
    size_t len;      /* of the gradient: the model's parameters, and the loss, summed with them */
    float *gradient; /* of this rank's images, then of all */
    float *scratch;  /* as large, for ranks_sum() */

    /* What state_gradient() adds up: one gradient for each level of the tree of this rank's parts.
     * The first is `gradient`, the second `scratch`, the others are NULL where not needed. */
    float *sums[STATE_LEVELS];
};

/* Where the model comes from; rank 0's counts. */
struct origin {
    const char *name; /* a preset or an architecture text */
    const char *out;  /* the checkpoint, when `resume` is set */
    uint64_t seed;
    bool resume;
};

/* Makes or loads the model on rank 0 and hands it to all. `own_parts`, a power of two, is how many
 * parts of a batch each rank has. *s is zeroed. Collective. */
int state_start(struct state *s, const struct ranks *ranks, const struct origin *origin,
                size_t own_parts);
void state_free(struct state *s);

/* Gives the model its settings; fails when the ranks' processors would compute differently.
 * Collective. */
int state_set(struct state *s, double learning_rate, size_t threads, bool reproducible);

/* Fills s->gradient with what this rank's images of the batch at hand add to the gradient and loss
 * of the whole batch: the sum over the ranks is the mean over the batch. Parts are added up as
 * ranks_sum() adds up ranks, so that the whole sum depends on the parts and not on who has them.
 * Step `step` counts from 0. */
int state_gradient(struct state *s, const struct share *share, uint64_t step);

/* Fits the ranges of the code, a part of the model that a checkpoint saves, to images of all ranks:
 * the same on each, and for any number of ranks. Collective. */
int state_fit_code(struct state *s, const struct share *share);

/* The batch's loss, when s->gradient has been summed over the ranks. */
float state_loss(const struct state *s);

/* Updates the weights by s->gradient, equal on all ranks. Collective. */
int state_apply(struct state *s, uint64_t step);

/* Fails unless the states of all ranks are equal to the last bit. Collective. */
int state_check_same(const struct state *s);

#endif
