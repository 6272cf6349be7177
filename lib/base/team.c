/*
 * The team: one mutex, three conditions. Jobs are coarse (an image, a slab of a matrix), so a lock
 * per job has no measurable cost. Waking a sleeping thread is expensive, so a thread that waits
 * spins briefly before it blocks: the next run often begins, or the last job ends, in that time.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _GNU_SOURCE

#include "base/team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/fpenv.h"

/* Kernels and layers have small frames; without this glibc takes the size from `ulimit -s`. */
enum { STACK_SIZE = 256 * 1024 };

/* Rounds of spinning: some tens of microseconds, about the time of waking a thread. */
enum { SPINS = 2000 };

struct cae_team {
    const cae_memory *memory;
    pthread_mutex_t lock;
    pthread_cond_t work; /* a run began, or the team ends */
    pthread_cond_t done; /* the last job of a run ended */
    pthread_cond_t turn; /* `next_turn` moved */
    cae_job run;
    void *arg;
    size_t jobs;
    size_t next_job;
    size_t next_turn;
    atomic_size_t unfinished; /* changed under the lock, like all of this */
    atomic_uint begun;        /* counts runs, and the end */
    unsigned spins;           /* 0 on a single processor, which the other threads need */
    bool ending;
    size_t thread_len; /* without the caller */
    struct worker {
        cae_team *team;
        pthread_t thread;
        size_t number;
    } workers[];
};

size_t cae_team_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0) {
        return (size_t)CPU_COUNT(&set);
    }
    /* There are more processors than a cpu_set_t holds. */
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (size_t)n : 1;
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Runs jobs until none is left. The lock is held at the beginning and at the end. */
static void take_jobs(cae_team *team, size_t worker)
{
    while (team->next_job < team->jobs) {
        const size_t job = team->next_job++;
        pthread_mutex_unlock(&team->lock);
        team->run(team->arg, job, worker);
        pthread_mutex_lock(&team->lock);
        if (atomic_fetch_sub(&team->unfinished, 1) == 1) {
            pthread_cond_signal(&team->done);
        }
    }
}

/* Waits for the next run or the team's end. The lock is held at the beginning and at the end. */
static void await_work(cae_team *team)
{
    const unsigned seen = atomic_load(&team->begun);
    pthread_mutex_unlock(&team->lock);
    for (unsigned i = 0; i < team->spins && atomic_load(&team->begun) == seen; i++) {
        cpu_relax();
    }
    pthread_mutex_lock(&team->lock);
    while (atomic_load(&team->begun) == seen) {
        pthread_cond_wait(&team->work, &team->lock);
    }
}

/* Waits until all jobs of the run have ended, with the lock in the same way. */
static void await_jobs(cae_team *team)
{
    if (atomic_load(&team->unfinished) > 0) {
        pthread_mutex_unlock(&team->lock);
        for (unsigned i = 0; i < team->spins && atomic_load(&team->unfinished) > 0; i++) {
            cpu_relax();
        }
        pthread_mutex_lock(&team->lock);
    }
    while (atomic_load(&team->unfinished) > 0) {
        pthread_cond_wait(&team->done, &team->lock);
    }
}

static void *worker_main(void *arg)
{
    const struct worker *self = arg;
    cae_team *team = self->team;
    /* On most systems a thread inherits its creator's environment, but no standard requires it. The
     * environment ends with the thread, so it is not restored. */
    (void)cae_fpenv_enter();
    pthread_mutex_lock(&team->lock);
    while (!team->ending) {
        take_jobs(team, self->number);
        if (!team->ending) {
            await_work(team);
        }
    }
    pthread_mutex_unlock(&team->lock);
    return NULL;
}

static void start_threads(cae_team *team, size_t threads)
{
    pthread_attr_t attributes;
    sigset_t all, old;
    if (pthread_attr_init(&attributes) != 0) {
        return;
    }
    /* Signals are for the program's threads: workers start with all of them blocked. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    for (size_t i = 0; i < threads; i++) {
        struct worker *w = &team->workers[i];
        *w = (struct worker){.team = team, .number = i + 1};
        if (pthread_create(&w->thread, &attributes, worker_main, w) != 0) {
            break;
        }
        team->thread_len++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
}

cae_team *cae_team_start(const cae_memory *memory, size_t size)
{
    if (size < 2) {
        return NULL;
    }
    cae_team *team =
        memory->allocate(memory->user, sizeof(*team) + (size - 1) * sizeof(team->workers[0]));
    if (team == NULL) {
        return NULL;
    }
    *team = (cae_team){.memory = memory, .spins = cae_team_processors() > 1 ? SPINS : 0};
    /* What was initialised before a failure holds nothing. */
    if (pthread_mutex_init(&team->lock, NULL) != 0 || pthread_cond_init(&team->work, NULL) != 0 ||
        pthread_cond_init(&team->done, NULL) != 0 || pthread_cond_init(&team->turn, NULL) != 0) {
        cae_release(memory, team);
        return NULL;
    }
    start_threads(team, size - 1);
    return team;
}

void cae_team_stop(cae_team *team)
{
    if (team == NULL) {
        return;
    }
    pthread_mutex_lock(&team->lock);
    CAE_ASSERT(atomic_load(&team->unfinished) == 0 && !team->ending);
    team->ending = true;
    atomic_fetch_add(&team->begun, 1);
    pthread_cond_broadcast(&team->work);
    pthread_mutex_unlock(&team->lock);
    for (size_t i = 0; i < team->thread_len; i++) {
        pthread_join(team->workers[i].thread, NULL);
    }
    pthread_cond_destroy(&team->turn);
    pthread_cond_destroy(&team->done);
    pthread_cond_destroy(&team->work);
    pthread_mutex_destroy(&team->lock);
    cae_release(team->memory, team);
}

size_t cae_team_size(const cae_team *team)
{
    return team != NULL ? team->thread_len + 1 : 1;
}

void cae_team_run(cae_team *team, size_t jobs, cae_job run, void *arg)
{
    if (team == NULL || jobs < 2) {
        for (size_t job = 0; job < jobs; job++) {
            run(arg, job, 0);
            if (team != NULL) {
                team->next_turn = 0;
            }
        }
        return;
    }
    pthread_mutex_lock(&team->lock);
    CAE_ASSERT(atomic_load(&team->unfinished) == 0 && !team->ending);
    team->run = run;
    team->arg = arg;
    team->jobs = jobs;
    team->next_job = 0;
    team->next_turn = 0;
    atomic_store(&team->unfinished, jobs);
    atomic_fetch_add(&team->begun, 1);
    pthread_cond_broadcast(&team->work);
    take_jobs(team, 0);
    await_jobs(team);
    CAE_ASSERT(team->next_job == jobs && (team->next_turn == 0 || team->next_turn == jobs));
    /* A worker that wakes late finds no job. */
    team->jobs = 0;
    team->next_turn = 0;
    pthread_mutex_unlock(&team->lock);
}

void cae_team_await_turn(cae_team *team, size_t job)
{
    if (team == NULL) {
        return;
    }
    pthread_mutex_lock(&team->lock);
    CAE_ASSERT(team->next_turn <= job);
    while (team->next_turn != job) {
        pthread_cond_wait(&team->turn, &team->lock);
    }
    pthread_mutex_unlock(&team->lock);
}

void cae_team_pass_turn(cae_team *team, size_t job)
{
    if (team == NULL) {
        return;
    }
    pthread_mutex_lock(&team->lock);
    CAE_ASSERT(team->next_turn == job);
    team->next_turn = job + 1;
    pthread_cond_broadcast(&team->turn);
    pthread_mutex_unlock(&team->lock);
}
