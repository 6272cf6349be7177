/*
 * A batch of images run forward and backward: its loss, the range of its code and the gradient of
 * its weights, within the memory limit. Neither threads nor memory change a bit of what comes out.
 * Where the gradient goes and what is done with it is up to the caller, train.c.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_NET_BATCH_H
#define CAE_NET_BATCH_H

#include "net/train.h"

enum { CAE_BATCH_SLICE = 64 }; /* images that run at once, at the most */

typedef struct cae_batch_worker {
    cae_plan *plan;
    void *base;
    float *sums;                 /* a chunk's gradient; with a dense layer: empty */
    double *loss_blocks;         /* of one image */
    float *low, *high, *symbols; /* one block, of so many channels as the code has */
} cae_batch_worker;

typedef struct cae_batch {
    const cae_engine *engine;
    cae_planar images, target;
    size_t count;
    cae_shape *shapes;
    cae_plan *plan;     /* of a slice; the first worker's then */
    float *packed_back; /* NULL: no layer packs its weights */
    float *total; /* as packed; with a dense layer the caller's, zeroed; NULL: all layers defer */
    float **deferred; /* by layer; NULL: every gradient is stored */
    float *deferred_floats;
    double sum;        /* of the losses */
    float scale;       /* of the difference in the gradient of the output */
    double term_scale; /* see cae_latent_pass */
    size_t slice;
    cae_team *team;
    size_t team_size;
    size_t op_workers; /* of the team, that operators use: all, or 1 where workers run by images */
    cae_batch_worker *workers; /* one, with a dense layer */
    size_t worker_len;
    size_t loss_block_len;
    size_t block_size;
    size_t spare; /* bytes of the memory limit that one worker leaves */
} cae_batch;

/* Takes the memory and the team for a batch, whose images and targets must outlive it. Errors are
 * those of cae_net_gradient before it computes. However that ends, cae_batch_free frees it. */
int cae_batch_prepare(cae_batch *b, const cae_engine *e, const float *in, const float *target,
                      size_t count, size_t height, size_t width);
void cae_batch_free(cae_batch *b);

/* Runs all images. What layers with a place in `deferred` leave there is not in the total. */
void cae_batch_run(cae_batch *b);

/* Forgets what has been run and deferred, so that it can be run again. */
void cae_batch_reset(cae_batch *b);

/* The total to `weights`, in file order and PyTorch's layouts; with a dense layer that is the total
 * itself. */
void cae_batch_unpack(const cae_batch *b, float *weights);

/* The loss and the ranges of the code. CAE_E_NONFINITE when no float holds the loss; the ranges are
 * not looked at. */
int cae_batch_finish(const cae_batch *b, cae_gradient *out);

#endif
