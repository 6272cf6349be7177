/*
 * Batches prepared beside the computing thread: while the library takes one step, a thread cuts,
 * turns and adds noise for the next. What is in a batch depends on its step alone, so the thread
 * changes when it is made and nothing else. SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_TRAIN_FEED_H
#define CAE_TOOL_TRAIN_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "train_data.h"

struct feeder;

struct train_feed {
    struct train_data *data;
    struct feeder *feeder; /* NULL: each batch is made when it is asked for */
};

/* Gets ready; *data outlives the feed. On a single processor, and where memory or a thread cannot
 * be had, there is no second thread. */
void train_feed_start(struct train_feed *feed, struct train_data *data);

/* As train_data_fill for step `step`; begins with the step after it if that is before `last`. */
int train_feed_next(struct train_feed *feed, uint64_t step, uint64_t last, size_t *count);

/* Ends the thread; a feed that was never started has none. */
void train_feed_stop(struct train_feed *feed);

#endif
