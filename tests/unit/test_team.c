/*
 * Teams of threads and the floating-point environment: each job once, turns in order, fewer threads
 * than wanted, signals left to the program, nothing left behind.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _GNU_SOURCE

#include "unit.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "base/fpenv.h"
#include "base/team.h"

/* ---- Threads that cannot be made: this pthread_create stands before the C library's. ---- */

static atomic_int creations_left = -1; /* negative: no limit */

typedef int (*creator)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *arg)
{
    union {
        void *object;
        creator function;
    } next = {dlsym(RTLD_NEXT, "pthread_create")};
    if (creations_left == 0) {
        return EAGAIN;
    }
    if (creations_left > 0) {
        creations_left--;
    }
    return next.function(thread, attributes, run, arg);
}

static cae_team *start(size_t size)
{
    return cae_team_start(cae_memory_default(), size);
}

/* ---- Jobs ---- */

enum { MAX_JOBS = 200 };

struct record {
    cae_team *team;
    pthread_mutex_t lock;
    unsigned runs[MAX_JOBS];
    size_t order[MAX_JOBS]; /* of turns */
    size_t turns;
    size_t workers; /* the highest number seen, plus 1 */
    bool slow;
};

static void pause_a_little(size_t job)
{
    const struct timespec t = {0, (long)(job * 7919 % 5) * 100000};
    nanosleep(&t, NULL);
}

static void note(void *arg, size_t job, size_t worker)
{
    struct record *r = arg;
    pthread_mutex_lock(&r->lock);
    r->runs[job]++;
    r->workers = worker + 1 > r->workers ? worker + 1 : r->workers;
    pthread_mutex_unlock(&r->lock);
}

static void take_turn(void *arg, size_t job, size_t worker)
{
    struct record *r = arg;
    note(arg, job, worker);
    if (r->slow) {
        pause_a_little(job);
    }
    cae_team_await_turn(r->team, job);
    r->order[r->turns++] = job; /* no lock: the turn is the lock */
    cae_team_pass_turn(r->team, job);
}

static struct record make_record(cae_team *team)
{
    return (struct record){.team = team, .lock = PTHREAD_MUTEX_INITIALIZER};
}

static void expect_each_once(const struct record *r, size_t jobs, bool turns)
{
    for (size_t i = 0; i < MAX_JOBS; i++) {
        ck_assert_uint_eq(r->runs[i], i < jobs);
        ck_assert(!turns || i >= jobs || r->order[i] == i);
    }
    ck_assert_uint_eq(r->turns, turns ? jobs : 0);
}

/* ---- Tests ---- */

START_TEST(each_job_runs_once_whatever_the_numbers)
{
    for (size_t size = 0; size <= 9; size++) {
        cae_team *team = start(size);
        ck_assert_uint_eq(cae_team_size(team), size > 1 ? size : 1);
        for (size_t jobs = 0; jobs <= MAX_JOBS; jobs += jobs < 20 ? 1 : 36) {
            struct record r = make_record(team);
            cae_team_run(team, jobs, note, &r);
            expect_each_once(&r, jobs, false);
            ck_assert_uint_le(r.workers, cae_team_size(team));
        }
        cae_team_stop(team);
    }
}
END_TEST

START_TEST(turns_come_in_the_order_of_jobs)
{
    for (size_t size = 1; size <= 7; size += 2) {
        cae_team *team = start(size);
        for (size_t jobs = 0; jobs <= 60; jobs += jobs < 4 ? 1 : 19) {
            struct record r = make_record(team);
            r.slow = jobs < 60;
            cae_team_run(team, jobs, take_turn, &r);
            expect_each_once(&r, jobs, true);
        }
        cae_team_stop(team);
    }
}
END_TEST

START_TEST(no_team_is_a_team_of_one)
{
    struct record r = make_record(NULL);
    ck_assert_ptr_null(start(0));
    ck_assert_ptr_null(start(1));
    ck_assert_uint_eq(cae_team_size(NULL), 1);
    cae_team_run(NULL, 50, take_turn, &r);
    expect_each_once(&r, 50, true);
    ck_assert_uint_eq(r.workers, 1);
    cae_team_stop(NULL);
}
END_TEST

START_TEST(threads_that_cannot_be_made_are_missed_by_nobody)
{
    for (int possible = 0; possible <= 3; possible++) {
        creations_left = possible;
        cae_team *team = start(4);
        creations_left = -1;
        ck_assert_uint_eq(cae_team_size(team), (size_t)possible + 1);
        struct record r = make_record(team);
        cae_team_run(team, 100, take_turn, &r);
        expect_each_once(&r, 100, true);
        cae_team_stop(team);
    }
}
END_TEST

static size_t blocks;

static void *counted(void *user, size_t size)
{
    (void)user;
    blocks++;
    return aligned_alloc(CAE_ALIGN, (size + CAE_ALIGN - 1) / CAE_ALIGN * CAE_ALIGN);
}

static void *refused(void *user, size_t size)
{
    (void)user;
    (void)size;
    return NULL;
}

static void released(void *user, void *block)
{
    (void)user;
    blocks--;
    free(block);
}

START_TEST(memory_is_given_back_and_may_be_refused)
{
    const cae_memory counting = {counted, released, NULL};
    const cae_memory refusing = {refused, released, NULL};
    cae_team *team = cae_team_start(&counting, 4);
    ck_assert_uint_gt(blocks, 0);
    cae_team_stop(team);
    ck_assert_uint_eq(blocks, 0);
    ck_assert_ptr_null(cae_team_start(&refusing, 4));
}
END_TEST

static void look_at_signals(void *arg, size_t job, size_t worker)
{
    sigset_t mask;
    (void)job;
    pause_a_little(4);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    static const int signals[] = {SIGINT, SIGTERM, SIGALRM, SIGUSR1, SIGCHLD, SIGPROF};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (worker > 0 && !sigismember(&mask, signals[i])) {
            note(arg, 0, worker);
        }
    }
}

START_TEST(workers_take_no_signals_and_the_caller_keeps_its_own)
{
    sigset_t before, after;
    sigemptyset(&before);
    sigaddset(&before, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    cae_team *team = start(4);
    struct record r = make_record(team);
    cae_team_run(team, 40, look_at_signals, &r);
    cae_team_stop(team);
    ck_assert_uint_eq(r.runs[0], 0);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    for (int s = 1; s < 32; s++) {
        ck_assert_int_eq(sigismember(&after, s), s == SIGUSR2);
    }
}
END_TEST

static void use_stack(void *arg, size_t job, size_t worker)
{
    volatile char frame[64 * 1024];
    for (size_t i = 0; i < sizeof(frame); i += 512) {
        frame[i] = (char)job;
    }
    ck_assert_int_eq(frame[512], (char)job);
    note(arg, job, worker);
}

START_TEST(workers_have_a_stack_of_their_own_size)
{
    cae_team *team = start(3);
    struct record r = make_record(team);
    cae_team_run(team, 30, use_stack, &r);
    expect_each_once(&r, 30, false);
    cae_team_stop(team);
}
END_TEST

static void *run_own_team(void *arg)
{
    for (int i = 0; i < 50; i++) {
        cae_team *team = start(3);
        struct record r = make_record(team);
        cae_team_run(team, 20, take_turn, &r);
        expect_each_once(&r, 20, true);
        cae_team_stop(team);
    }
    return arg;
}

START_TEST(teams_do_not_know_each_other)
{
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_own_team, NULL), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
}
END_TEST

static void run_inner(void *arg, size_t job, size_t worker)
{
    struct record r = make_record(NULL);
    cae_team_run(NULL, 10, take_turn, &r);
    expect_each_once(&r, 10, true);
    note(arg, job, worker);
}

START_TEST(a_job_may_run_jobs_without_a_team)
{
    cae_team *team = start(3);
    struct record r = make_record(team);
    cae_team_run(team, 20, run_inner, &r);
    expect_each_once(&r, 20, false);
    cae_team_stop(team);
}
END_TEST

static size_t count_threads(void)
{
    size_t count = 0;
    DIR *folder = opendir("/proc/self/task");
    for (struct dirent *e = NULL; folder != NULL && (e = readdir(folder)) != NULL;) {
        count += e->d_name[0] != '.';
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count;
}

/* A thread that has been joined stands in that folder for a moment more: waits for the least that is
 * seen in a fifth of a second. */
static size_t count_settled(void)
{
    size_t least = count_threads();
    for (int i = 0; i < 20; i++) {
        const struct timespec t = {0, 10000000};
        nanosleep(&t, NULL);
        const size_t now = count_threads();
        least = now < least ? now : least;
    }
    return least;
}

START_TEST(no_thread_outlives_its_team)
{
    cae_team_stop(start(2)); /* a thread sanitizer makes a thread of its own with the first */
    const size_t before = count_settled();
    cae_team *team = start(6);
    ck_assert_uint_eq(count_settled(), before == 0 ? 0 : before + 5);
    cae_team_stop(team);
    ck_assert_uint_eq(count_settled(), before);
}
END_TEST

START_TEST(processors_are_those_this_process_may_use)
{
    cpu_set_t all, one;
    ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
    ck_assert_uint_eq(cae_team_processors(), (size_t)CPU_COUNT(&all));
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++) {
        if (CPU_ISSET(cpu, &all)) {
            CPU_SET(cpu, &one);
        }
    }
    ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
    ck_assert_uint_eq(cae_team_processors(), 1);
}
END_TEST

/* ---- The floating-point environment ---- */

/* Upwards, which is towards 0 here, gives the other neighbour of -1/3 than to nearest. */
static float third(void)
{
    volatile float one = -1.0f;
    volatile float three = 3.0f;
    return one / three;
}

static float denormal(void)
{
    volatile float tiny = 0x1p-126f;
    return tiny * 0.5f;
}

static float nearest_third;

static void look_at_rounding(void *arg, size_t job, size_t worker)
{
    (void)job;
    pause_a_little(4);
    if (worker > 0 && (third() != nearest_third || denormal() == 0.0f)) {
        note(arg, 0, worker);
    }
}

START_TEST(the_environment_is_ours_inside_and_the_callers_outside)
{
    const float nearest = third();
    fesetround(FE_UPWARD);
    feraiseexcept(FE_DIVBYZERO);
    feclearexcept(FE_INEXACT);
#if defined(__SSE__)
    _mm_setcsr(_mm_getcsr() | 0x8040); /* FTZ and DAZ */
    const unsigned before = _mm_getcsr();
    ck_assert(denormal() == 0.0f);
    _mm_setcsr(before);
#endif
    const cae_fpenv saved = cae_fpenv_enter();
    ck_assert(third() == nearest && denormal() != 0.0f);
    feraiseexcept(FE_INVALID);
    cae_fpenv_leave(saved);
#if defined(__SSE__)
    ck_assert_uint_eq(_mm_getcsr(), before);
#endif
    ck_assert_int_eq(fegetround(), FE_UPWARD);
    ck_assert(fetestexcept(FE_INVALID) == 0 && fetestexcept(FE_DIVBYZERO) != 0);
    ck_assert(third() > nearest);
}
END_TEST

START_TEST(workers_round_to_nearest_whatever_their_maker_does)
{
    nearest_third = third();
    fesetround(FE_UPWARD);
    ck_assert(third() > nearest_third);
    cae_team *team = start(4);
    struct record r = make_record(team);
    cae_team_run(team, 40, look_at_rounding, &r);
    cae_team_stop(team);
    ck_assert_uint_eq(r.runs[0], 0);
    ck_assert_int_eq(fegetround(), FE_UPWARD);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        each_job_runs_once_whatever_the_numbers,
        turns_come_in_the_order_of_jobs,
        no_team_is_a_team_of_one,
        threads_that_cannot_be_made_are_missed_by_nobody,
        memory_is_given_back_and_may_be_refused,
        workers_take_no_signals_and_the_caller_keeps_its_own,
        workers_have_a_stack_of_their_own_size,
        teams_do_not_know_each_other,
        a_job_may_run_jobs_without_a_team,
        no_thread_outlives_its_team,
        processors_are_those_this_process_may_use,
        the_environment_is_ours_inside_and_the_callers_outside,
        workers_round_to_nearest_whatever_their_maker_does,
        NULL,
    };
    return unit_run("team", tests);
}
