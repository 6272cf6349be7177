/*
 * Who reads what. Files are dealt like cards: with a batch of B images, file i belongs to place
 * i mod B of every batch, place j to part j mod N of the batch's N parts, and each rank has equally
 * many parts, those with neighbouring numbers. Each epoch shuffles the files of every place among
 * themselves, by the seed, so that:
 *
 *   - batches and their parts do not depend on the number of ranks;
 *   - a rank reads and holds its own files alone, each exactly once in an epoch;
 *   - parts have equally many images of every batch, give or take one, the short one at an epoch's
 *     end too. Nobody waits long for another.
 *
 * The price: two files of one place never meet in a batch. With B = 1 there is one place, and the
 * order is that of `cae train`; so are cuts and noise for any B, which depend on the file's number.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_MPI_SHARE_H
#define CAE_MPI_SHARE_H

#include <stddef.h>
#include <stdint.h>

#include "ranks.h"
#include "train_data.h"
#include "train_notes.h"

struct share {
    struct train_data data; /* this rank's files, in their order, and its images of a batch */
    struct ranks ranks;
    size_t files, batch, parts;   /* of all ranks together */
    size_t first_part, own_parts; /* this rank's */
    size_t places;                /* of a whole batch that are this rank's */
    size_t count, total;          /* images of the batch at hand: this rank's, all ranks' */
};

/* Parts for the given number of ranks: theirs times a power of two that makes it 4 or more, if the
 * batch has as many images. So 1, 2 and 4 ranks have the same. */
size_t share_default_parts(size_t ranks, size_t batch);

/* Reads this rank's part of the first `limit` files (0: all) of a folder, in which all ranks must
 * find the same names. *share holds batch, parts (a multiple of the ranks), data.seed and
 * data.noise already. Unlike `cae train`, it fails where a file cannot be used: a run that went
 * without it on one machine could not be repeated on another. Collective. */
int share_open(struct share *share, const struct ranks *ranks, const char *folder, size_t limit,
               const struct preparation *preparation, const size_t shape[3]);
void share_free(struct share *share);

/* What the run depends on, the images of all ranks among it. Collective. */
int share_facts(const struct share *share, bool reproducible, struct train_facts *facts);

/* Steps per epoch; the last batch may be short. */
uint64_t share_steps(const struct share *share);

/* Fills data.input and data.target with this rank's images of step number `step`, counted from 0,
 * part after part; sets count, which may be 0, and total. */
int share_fill(struct share *share, uint64_t step);

/* How many images a part has of the batch at hand, and where those of one of this rank's begin. */
size_t share_part_count(const struct share *share, size_t part);
size_t share_part_start(const struct share *share, size_t part);

/* The images that the code's ranges are fitted to (train_data_fits), of all ranks, in any order; the
 * caller frees them. Collective. */
int share_gather(const struct share *share, float **images, size_t *count);

#endif
