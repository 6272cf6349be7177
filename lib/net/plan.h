/*
 * The memory plan of one run through the network: which pixels of every tensor are computed so
 * that a wanted tile of the result comes out, with what halos of zeros, and where in one block
 * of memory tensors, gradients and scratch stand while they live. Everything is decided, and its
 * size known, before anything is allocated.
 *
 * A tile that would leave the caches is made from top to bottom, in strips of rows. A strip needs
 * some rows of every tensor; those that the previous strip has made too are kept, moved to the
 * front of the tensor's place, and only the rows below them are computed. So no row is computed
 * twice, and a tensor takes as many rows as one strip needs of it, however high the tile is.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_NET_PLAN_H
#define CAE_NET_PLAN_H

#include "net/net.h"

/* Which operators run: all; up to the code; from the code on. */
typedef enum cae_part { CAE_WHOLE, CAE_ENCODE, CAE_DECODE } cae_part;

typedef struct cae_tensor_plan {
    bool used;            /* lives in this run */
    bool gradient;        /* its gradient too */
    bool begun;           /* the gradient has its first terms; kept by the run */
    cae_region region;    /* pixels held */
    cae_region with_halo; /* region and halo; never smaller */
    cae_region previous;  /* with_halo in the strip before */
    ptrdiff_t
        new_y0;  /* the first row of with_halo that this strip makes; those above it are kept */
    size_t rows; /* of with_halo, in the strip that needs most */
    size_t at;   /* bytes into the block; SIZE_MAX: none */
    /* The gradient: whole tensor, with a halo of its own. */
    cae_region gradient_with_halo;
    size_t gradient_at;
    size_t argmax_at; /* of the operator that makes this tensor, if it pools in training */
} cae_tensor_plan;

typedef struct cae_plan {
    const cae_net *net;
    size_t from, to; /* tensors: the run's input and output */
    bool training;
    size_t images;
    size_t workers; /* what scratch is laid out for */
    cae_team *team; /* that operators may use, at most as large; the run sets it */
    const cae_shape *shapes;
    cae_region tile;    /* of the run's output, made in strips of `strip` rows */
    cae_region counted; /* pixels of the code whose term of the loss this strip counts */
    size_t strip;
    size_t loss_block; /* rows of the output are kept until a multiple of this many is complete */
    ptrdiff_t next;    /* the row that the next strip begins with */
    size_t scratch_at;
    size_t size;              /* bytes of the block */
    cae_tensor_plan *tensors; /* op_len + 1 */
    struct cae_block *blocks;
    size_t block_len;
} cae_plan;

/* Room for plans of a network; made once per worker, filled again for every run. */
int cae_plan_new(cae_plan **out, const cae_net *net);

/* The bytes that a call takes for the plans of `workers` workers and a team of `threads`, beside
 * their blocks. */
size_t cae_plan_overhead(const cae_net *net, size_t workers, size_t threads);
void cae_plan_free(cae_plan *plan);

/* Plans a run that makes `region` of the part's output for `images` images at once, on a team of at
 * most `workers`. Training needs CAE_WHOLE and the whole region. `shapes` must outlive the plan.
 * Never fails: what no memory could hold has a size above SIZE_MAX / 2, and cannot be run. */
void cae_plan_make(cae_plan *plan, cae_part part, const cae_shape *shapes, cae_region region,
                   size_t images, bool training, size_t workers);

/* Plans an inference that makes `tile` of one image in strips of `strip` rows, for a network
 * without a dense layer. Strips divide `loss_block`, or are multiples of it. */
void cae_plan_strips(cae_plan *plan, cae_part part, const cae_shape *shapes, cae_region tile,
                     size_t strip, size_t loss_block);

/* Goes on to the next strip, the first at first, or says that there is none. An inference that
 * cae_plan_make planned is one strip. */
bool cae_plan_next(cae_plan *plan, void *base);

/* Views of a planned tensor in a block of memory at `base`: all that is held of it; the rows that
 * this strip makes; its gradient. */
cae_view cae_plan_view(const cae_plan *plan, size_t tensor, void *base);
cae_view cae_plan_new_rows(const cae_plan *plan, size_t tensor, void *base);
cae_view cae_plan_gradient(const cae_plan *plan, size_t tensor, void *base);

#endif
