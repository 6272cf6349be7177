/*
 * A fault for the tests: loaded before MPI, it changes the gradient of one weight on the rank and
 * in the call of ranks_sum() that CAE_TEST_FAULT names ("RANK CALL"), as faulty memory or a faulty
 * network would.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <stdlib.h>

#include <mpi.h>

int MPI_Allgather(const void *send, int send_count, MPI_Datatype send_type, void *receive,
                  int receive_count, MPI_Datatype receive_type, MPI_Comm comm)
{
    static int calls;
    int rank = 0, bad_rank = -1, bad_call = -1;
    const char *words = getenv("CAE_TEST_FAULT");
    const int result =
        PMPI_Allgather(send, send_count, send_type, receive, receive_count, receive_type, comm);
    PMPI_Comm_rank(comm, &rank);
    if (words != NULL && sscanf(words, "%d %d", &bad_rank, &bad_call) == 2 && rank == bad_rank &&
        ++calls == bad_call) {
        *(float *)receive += 0.001f;
    }
    return result;
}
