/*
 * MPI's start and the small collective calls: see ranks.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "ranks.h"

#include <stdio.h>

#include <mpi.h>

#include "message.h"

void ranks_start(struct ranks *ranks, int *argc, char ***argv, const char *program)
{
    char host[MPI_MAX_PROCESSOR_NAME] = "";
    int rank = 0, count = 0, len = 0, provided = 0;
    /* The library's workers call no MPI, so that only this thread does. */
    MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &count);
    MPI_Get_processor_name(host, &len);
    *ranks = (struct ranks){.rank = (size_t)rank, .count = (size_t)count};
    snprintf(ranks->name, sizeof ranks->name, "%s: rank %d on %.200s", program, rank, host);
    message_set_program(program);
    if (rank != 0) {
        message_be_quiet();
    }
}

void ranks_name_messages(struct ranks *ranks)
{
    message_set_program(ranks->name);
}

int ranks_agree(int result)
{
    MPI_Allreduce(MPI_IN_PLACE, &result, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    return result;
}

void ranks_copy(void *data, size_t size)
{
    /* MPI counts with int; the training state of the largest model is larger. */
    const size_t most = (size_t)1 << 30;
    for (size_t at = 0; at < size; at += most) {
        const size_t part = size - at < most ? size - at : most;
        MPI_Bcast((char *)data + at, (int)part, MPI_BYTE, 0, MPI_COMM_WORLD);
    }
}

/* What each rank adds up; the last slice may reach beyond the end. */
static size_t slice_len(const struct ranks *ranks, size_t len)
{
    return (len - 1) / ranks->count + 1;
}

size_t ranks_room(const struct ranks *ranks, size_t len)
{
    return slice_len(ranks, len) * ranks->count;
}

/* Adds up `count` slices into the first: neighbours, then pairs of neighbours, and so on. One that
 * has no neighbour waits for a later round. */
static void add_slices(float *slices, size_t len, size_t count)
{
    for (size_t step = 1; step < count; step *= 2) {
        for (size_t i = 0; i + step < count; i += 2 * step) {
            float *to = slices + i * len;
            const float *from = slices + (i + step) * len;
            for (size_t k = 0; k < len; k++) {
                to[k] += from[k];
            }
        }
    }
}

void ranks_sum(const struct ranks *ranks, float *values, size_t len, float *scratch)
{
    const int slice = (int)slice_len(ranks, len); /* a model has at most 2^28 parameters */
    if (ranks->count > 1) {
        MPI_Alltoall(values, slice, MPI_FLOAT, scratch, slice, MPI_FLOAT, MPI_COMM_WORLD);
        add_slices(scratch, (size_t)slice, ranks->count);
        MPI_Allgather(scratch, slice, MPI_FLOAT, values, slice, MPI_FLOAT, MPI_COMM_WORLD);
    }
}

bool ranks_same(uint64_t value)
{
    uint64_t first = value;
    ranks_copy(&first, sizeof first);
    return first == value;
}
