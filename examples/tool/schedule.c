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
#include "options.h"

static const char *const names[] = {"constant", "linear", "cosine"};

int schedule_parse(struct schedule *s, const char *name, double warmup)
{
    *s = (struct schedule){SCHEDULE_CONSTANT, warmup};
    if (name == NULL) {
        return DONE;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            s->kind = (enum schedule_kind)i;
            return DONE;
        }
    }
    return usage_error("train", "--schedule: '%s' is none of constant, linear, cosine", name);
}

/* cos(pi x) for 0 <= x <= 1 by its series, to 13 digits; libm's differs from one system to the
 * next. */
static double cos_pi(double x)
{
    enum { TERMS = 10 };
    if (x > 0.5) {
        return -cos_pi(1 - x);
    }
    const double pi = 3.14159265358979323846, square = pi * x * pi * x;
    double term = 1, sum = 1;
    for (int i = 1; i <= TERMS; i++) {
        term *= -square / (double)(2 * i * (2 * i - 1));
        sum += term;
    }
    return sum;
}

double schedule_factor(const struct schedule *s, uint64_t step, uint64_t steps)
{
    const double warm = (double)(uint64_t)(s->warmup * (double)steps);
    if ((double)step < warm) {
        return ((double)step + 1) / warm;
    }
    const double left = (double)(steps - step), all = (double)steps - warm;
    switch (s->kind) {
    case SCHEDULE_LINEAR:
        return left / all;
    case SCHEDULE_COSINE:
        return (1 + cos_pi(1 - left / all)) / 2;
    default:
        return 1;
    }
}

const char *schedule_text(const struct schedule *s, uint64_t steps, char text[SCHEDULE_TEXT])
{
    text[0] = '\0';
    if (s->kind != SCHEDULE_CONSTANT || s->warmup > 0) {
        snprintf(text, SCHEDULE_TEXT, "%s, warm-up %.6g, %" PRIu64 " steps", names[s->kind],
                 s->warmup, steps);
    }
    return text;
}
