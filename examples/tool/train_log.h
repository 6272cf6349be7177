/*
 * The CSV log of `cae train`: one row per step, so that a resumed run, which drops the rows beyond
 * the step it starts from, ends with the rows of an uninterrupted one (but for the seconds).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_TRAIN_LOG_H
#define CAE_TOOL_TRAIN_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct train_log {
    const char *path;
    FILE *file; /* NULL: no log is kept */
    bool failed;
    double before; /* seconds of the runs that this one continues */
};

/* Starts a log, or continues the one at `path` after `step` when step is not 0. path NULL: none;
 * "-", a pipe or a device gets the rows of this run. A file that is no log is refused. */
int train_log_open(struct train_log *log, const char *path, uint64_t step);

/* One row, which is in the file when this returns; if it cannot be, that is said, the log ends, and
 * train_log_close fails: no training is lost for its log. validation is NaN when there was none at
 * this step; seconds count from this run's start.
 */
void train_log_write(struct train_log *log, uint64_t epoch, uint64_t step, double loss,
                     double validation, double seconds);

int train_log_close(struct train_log *log);

#endif
