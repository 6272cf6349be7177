/*
 * The CSV log of `cae train`: one row per step, so that a resumed run, which drops the rows beyond
 * the step it starts from, ends with the rows of an uninterrupted one (but for the seconds).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_TRAIN_LOG_H
#define CAE_TOOL_TRAIN_LOG_H

#include <stdint.h>
#include <stdio.h>

struct train_log {
    const char *path;
    FILE *file;    /* NULL: no log is kept */
    double before; /* seconds of the runs that this one continues */
};

/* Starts a log, or continues the one at `path` after `step` when step is not 0. path NULL: none. */
int train_log_open(struct train_log *log, const char *path, uint64_t step);

/* One row. validation is NaN when there was none at this step; seconds count from this run's start.
 */
void train_log_write(struct train_log *log, uint64_t epoch, uint64_t step, double loss,
                     double validation, double seconds);

/* Brings all rows so far to the file: before each save, and at the end. */
int train_log_flush(struct train_log *log);

int train_log_close(struct train_log *log);

#endif
