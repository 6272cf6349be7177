/*
 * The curve of a training: a CSV file with a row for each epoch. test_loss is empty where nothing
 * was measured. Both kinds of seconds count the training alone, since the first epoch began:
 * `seconds` by the clock on the wall, `cpu_seconds` by the time that the processors spent on it in
 * all threads, which other programs on the machine disturb less.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_PAPER_CURVE_H
#define CAE_PAPER_CURVE_H

#include <stddef.h>
#include <stdio.h>

struct point {
    double train, test; /* losses; test is NaN where it was not measured */
    double seconds, cpu_seconds;
};

/* points[i] belongs to epoch i + 1. */
struct curve {
    struct point *points;
    size_t len;
};

/* Reads whole rows until the file ends or a row is not the next epoch's. No file: no points. */
int curve_read(struct curve *curve, const char *path);
void curve_free(struct curve *curve);

/* Opens the file for more points behind the `len` first ones of `curve`; what the file held beyond
 * them is dropped. NULL after a failure, which has been said. */
FILE *curve_open(const char *path, const struct curve *curve, size_t len);
void curve_write(FILE *file, size_t epoch, const struct point *point);

/* Makes sure that what was written is on the disk. */
int curve_flush(FILE *file, const char *path);

#endif
