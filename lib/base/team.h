/*
 * A team of threads for the length of one call: made when the call begins, joined before it
 * returns. Nothing outlives the call, so fork(), dlclose() and a model that moves between threads
 * need no care; when threads cannot be made the caller does the work alone. Jobs are handed out
 * in rising order; what must happen in order (summing gradients) takes turns by job number.
 * Results must not depend on which worker runs a job.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_BASE_TEAM_H
#define CAE_BASE_TEAM_H

#include <stddef.h>

#include "base/memory.h"

typedef struct cae_team cae_team;

/* Job `job` run by worker `worker` (0 .. cae_team_size - 1). */
typedef void (*cae_job)(void *arg, size_t job, size_t worker);

/* The processors this process may use, at least 1. */
size_t cae_team_processors(void);

/* A team of at most `size` threads, the caller included. Never fails: NULL, and a team that could
 * get fewer threads, are smaller teams. */
cae_team *cae_team_start(const cae_memory *memory, size_t size);
void cae_team_stop(cae_team *team);

/* 1 for NULL. */
size_t cae_team_size(const cae_team *team);

/* Runs jobs 0 .. jobs-1, returns when all have ended. Only the thread that started the team calls
 * it, and no job calls it. */
void cae_team_run(cae_team *team, size_t jobs, cae_job run, void *arg);

/* Inside a job: waits until every job with a lower number has passed its turn; then passes it on.
 * A job that takes turns must do so exactly once; if one job of a run does, all do. */
void cae_team_await_turn(cae_team *team, size_t job);
void cae_team_pass_turn(cae_team *team, size_t job);

#endif
