/*
 * The ranks of a job: who this one is, and how all of them come to one decision.
 *
 * Whatever can fail on one rank alone (a file, memory) ends in ranks_agree(), so that no rank waits
 * in a collective call for one that has given up. Who failed has said so by then, with its rank and
 * host in front (message.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_MPI_RANKS_H
#define CAE_MPI_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ranks {
    size_t rank, count;
    char name[256]; /* of the program, with rank and host: "PROGRAM: rank 1 on HOST" */
};

/* Starts MPI; the caller ends it. Only rank 0 says more than errors from here on. */
void ranks_start(struct ranks *ranks, int *argc, char ***argv, const char *program);

/* From here on this rank's messages name it. Until then they are the whole job's. */
void ranks_name_messages(struct ranks *ranks);

/* The worst of all ranks' results, on all of them. Collective, as are the functions below. */
int ranks_agree(int result);

/* Rank 0's `size` bytes at `data`, on all ranks. */
void ranks_copy(void *data, size_t size);

/*
 * Adds up `len` floats over all ranks, in place. The order is that of a tree, ((0 + 1) + (2 + 3)) +
 * ..., and each sum is made on one rank and copied to the others, so that all have the same bits,
 * whatever the network. A rank sends (count - 1) / count of the values twice, as many bytes as in a
 * ring. `values` and `scratch` have room for ranks_room() floats each; one rank alone needs no
 * scratch.
 *
 * MPI_Allreduce leaves the order to MPI, which picks it by the number of ranks and the size. Some
 * of its orders are this one, others end with another last bit, which training makes much of:
 * docs/mpi.md has figures.
 */
void ranks_sum(const struct ranks *ranks, float *values, size_t len, float *scratch);

/* `len`, rounded up to equally many for each rank. */
size_t ranks_room(const struct ranks *ranks, size_t len);

/* Whether this rank's value is that of rank 0; each rank gets its own answer. */
bool ranks_same(uint64_t value);

#endif
