/*
 * The learning rate's schedule: see schedule.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "message.h"

static const char *const names[] = {"constant", "linear", "cosine"};

static bool read_schedule(void *value, const char *text)
{
    struct schedule *s = value;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            s->kind = (enum schedule_kind)i;
            s->given = true;
            return true;
        }
    }
    return false;
}

const struct option_reading schedule_reading = {read_schedule, "one of constant, linear, cosine"};

/* sin(pi/2 x) for 0 <= x <= 1 by its series, whose first term left out is below 1e-18; libm's
 * differs from one system to the next. */
static double sin_quarter(double x)
{
    enum { TERMS = 11 };
    const double angle = 1.57079632679489661923 * x, square = angle * angle;
    double term = angle, sum = angle;
    for (int i = 1; i < TERMS; i++) {
        term *= -square / (double)(2 * i * (2 * i + 1));
        sum += term;
    }
    return sum < 1 ? sum : 1;
}

double schedule_factor(const struct schedule *s, uint64_t step, uint64_t steps)
{
    const double warm = (double)(uint64_t)(s->warmup * (double)steps);
    if ((double)step < warm) {
        return ((double)step + 1) / warm;
    }
    const double left = (double)(steps - step) / ((double)steps - warm);
    switch (s->kind) {
    case SCHEDULE_LINEAR:
        return left;
    case SCHEDULE_COSINE: /* half of 1 + cos(pi (1 - left)), without the cancellation */
        return sin_quarter(left) * sin_quarter(left);
    default:
        return 1;
    }
}

const char *schedule_text(const struct schedule *s, uint64_t steps, char text[SCHEDULE_TEXT])
{
    char warmup[NUMBER_TEXT];
    text[0] = '\0';
    if (s->kind != SCHEDULE_CONSTANT || s->warmup > 0) {
        number_write(s->warmup, warmup);
        snprintf(text, SCHEDULE_TEXT, "%s, warm-up %s, %" PRIu64 " steps", names[s->kind], warmup,
                 steps);
    }
    return text;
}
