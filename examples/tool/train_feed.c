/*
 * The thread that prepares batches: see train_feed.h. It has order and buffers of its own and reads
 * the images, which nobody writes; a batch is handed over by exchanging buffers under the lock. It
 * prints nothing and takes no signals.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _GNU_SOURCE /* sched_getaffinity */

#include "train_feed.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "message.h"

enum state { IDLE, ASKED, READY, ENDING };

struct feeder {
    struct train_data data; /* shares the images */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum state state;
    uint64_t step; /* asked for, or ready */
    size_t count;
    int result;
};

static void set_state(struct feeder *f, enum state state)
{
    f->state = state;
    pthread_cond_broadcast(&f->changed);
}

static void *run(void *argument)
{
    struct feeder *f = argument;
    pthread_mutex_lock(&f->lock);
    while (f->state != ENDING) {
        if (f->state != ASKED) {
            pthread_cond_wait(&f->changed, &f->lock);
            continue;
        }
        const uint64_t step = f->step;
        pthread_mutex_unlock(&f->lock);
        size_t count = 0;
        const int result = train_data_fill(&f->data, step, &count);
        pthread_mutex_lock(&f->lock);
        f->result = result;
        f->count = count;
        if (f->state == ASKED) {
            set_state(f, READY);
        }
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

/* Signals are for the thread that computes: it saves and ends. */
static bool start_thread(struct feeder *f)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) {
        return false;
    }
    const bool started = pthread_create(&f->thread, NULL, run, f) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* Whether this process may use more than one processor. */
static bool has_processor_to_spare(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) > 1
                                                       : sysconf(_SC_NPROCESSORS_ONLN) > 1;
}

void train_feed_start(struct train_feed *feed, struct train_data *data)
{
    *feed = (struct train_feed){.data = data};
    struct feeder *f = has_processor_to_spare() ? calloc(1, sizeof *f) : NULL;
    if (f == NULL) {
        return;
    }
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    if (train_data_twin(&f->data, data) && start_thread(f)) {
        feed->feeder = f;
        return;
    }
    train_data_twin_free(&f->data);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

static void ask(struct feeder *f, uint64_t step)
{
    f->step = step;
    set_state(f, ASKED);
}

int train_feed_next(struct train_feed *feed, uint64_t step, uint64_t last, size_t *count)
{
    struct feeder *f = feed->feeder;
    if (f == NULL) {
        return train_data_fill(feed->data, step, count);
    }
    pthread_mutex_lock(&f->lock);
    while (f->state == ASKED) {
        pthread_cond_wait(&f->changed, &f->lock);
    }
    const bool made = f->state == READY && f->step == step && f->result == DONE;
    if (made) {
        train_data_exchange(feed->data, &f->data);
        *count = f->count;
    }
    set_state(f, IDLE);
    if (step + 1 < last) {
        ask(f, step + 1);
    }
    pthread_mutex_unlock(&f->lock);
    /* The first batch; and one that failed, so that this thread says why. */
    return made ? DONE : train_data_fill(feed->data, step, count);
}

void train_feed_stop(struct train_feed *feed)
{
    struct feeder *f = feed->feeder;
    if (f == NULL) {
        return;
    }
    pthread_mutex_lock(&f->lock);
    set_state(f, ENDING);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    train_data_twin_free(&f->data);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    free(f);
    feed->feeder = NULL;
}
