/*
 * A team of threads (OpenMP's word) for the length of one call: started when the call begins and
 * joined before it returns. Nothing outlives the call, so fork(), dlclose() and the use of a model
 * by several threads are safe. If threads cannot be created, the caller does the work alone. Jobs
 * are handed out in rising order. Work that must be done in order, such as summing gradients, takes
 * turns by job number (OpenMP's `ordered`). Results must not depend on which worker runs a job.
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

/* A team of at most `size` threads, including the caller. It never fails: if fewer threads can be
 * created the team is smaller, and NULL is a team of one. */
cae_team *cae_team_start(const cae_memory *memory, size_t size);
void cae_team_stop(cae_team *team);

/* 1 for NULL. */
size_t cae_team_size(const cae_team *team);

/* Runs jobs 0 .. jobs-1 and returns when all have ended. Called only by the thread that started the
 * team, and by no job. */
void cae_team_run(cae_team *team, size_t jobs, cae_job run, void *arg);

/* Called inside a job: await waits until every job with a lower number has passed its turn; pass
 * ends this job's turn. A job takes its turn at most once; if one job of a run takes it, all do. */
void cae_team_await_turn(cae_team *team, size_t job);
void cae_team_pass_turn(cae_team *team, size_t job);

#endif
