/*
 * The learning rate over a training, as a factor of --lr. It depends on the step and the last step
 * alone, by arithmetic that is equal everywhere.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_SCHEDULE_H
#define CAE_TOOL_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

enum schedule_kind { SCHEDULE_CONSTANT, SCHEDULE_LINEAR, SCHEDULE_COSINE };

struct schedule {
    bool given; /* read from an option */
    enum schedule_kind kind;
    double warmup; /* share of the steps in which the factor rises to 1 */
};

/* Of an option, into a struct schedule: the name of a kind. */
extern const struct option_reading schedule_reading;

/* The factor of step number `step`, from 0, of `steps`; above 0. */
double schedule_factor(const struct schedule *s, uint64_t step, uint64_t steps);

/* "linear, warm-up 0.02, 1000 steps"; "" where the factor is always 1. Returns `text`. */
enum { SCHEDULE_TEXT = 96 };
const char *schedule_text(const struct schedule *s, uint64_t steps, char text[SCHEDULE_TEXT]);

#endif
