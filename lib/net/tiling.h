/*
 * How the work is cut: into what tiles the result of a part is cut, in strips of how many rows a
 * tile is made, how many tiles run at once and on how many threads. What tiles need of each other's
 * pixels is computed twice, so they are few: an image is cut into rows of tiles for threads that
 * would idle, into columns where strips of its width are too large. A network of a fixed size runs
 * slices of the batch instead, one after the other, with the team inside the operators, so that its
 * matrices are read once per slice. No bits depend on any of this.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_NET_TILING_H
#define CAE_NET_TILING_H

#include "net/plan.h"

enum { CAE_GROUP = 64 /* images whose tiles are spread together, and a slice's at the most */ };

typedef struct cae_tiling {
    /* Given. */
    const cae_net *net;
    cae_part part;
    const cae_shape *shapes; /* of all tensors */
    cae_region whole;        /* what must be computed of the result */
    size_t count;            /* images */
    size_t loss_block;       /* strips end with whole blocks of so many rows; 1: any will do */
    size_t loss_size;        /* bytes for the sums of the loss */
    size_t threads;          /* at most */
    size_t memory_limit;     /* bytes */
    /* Chosen. */
    size_t height, width, strip; /* of a tile */
    size_t tiles_y, tiles_x;
    size_t slice;      /* images at once */
    size_t workers;    /* tiles at once, each with a plan and a block of memory */
    size_t team;       /* threads, the caller's included */
    size_t block_size; /* bytes */
} cae_tiling;

/* Plans candidates with `plan`, which ends as the plan of the last tile of the chosen ones. False
 * when not even the smallest tiles keep within the memory limit. */
bool cae_tiling_choose(cae_tiling *t, cae_plan *plan);

/* Plans tile number `tile` of `images` images. */
void cae_tiling_plan(const cae_tiling *t, cae_plan *plan, size_t tile, size_t images);

/* What tile number `tile` reads of an image, in all of its strips; `made` receives what it makes.
 * Nothing of the plan is for use afterwards. */
cae_region cae_tiling_reads(const cae_tiling *t, cae_plan *plan, size_t tile, cae_region *made);

#endif
