/*
 * The options of `cae train`.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_TRAIN_OPTIONS_H
#define CAE_TOOL_TRAIN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prepare.h"

struct train_options {
    const char *model, *from, *name; /* name: the one of the two that has the architecture */
    const char *data, *validation, *crop, *size, *log, *out;
    struct preparation preparation;
    size_t limit, epochs, steps, batch, threads, save_every;
    double learning_rate, sigma, kl_weight, validation_fraction;
    uint64_t seed;
    bool split_by_person, reproducible, resume, force;
};

/* As options_parse: false when there is nothing to do but end with *exit_code. */
bool train_options_parse(struct train_options *o, int argc, char **argv, int *exit_code);

/* Whether a model is made from existing weights, without a step. */
bool train_options_only_convert(const struct train_options *o);

/* Prints the arguments of the command without --from and its file, which the resumed run must not
 * have. */
void train_options_print_arguments(const struct train_options *o, int argc, char **argv);

#endif
