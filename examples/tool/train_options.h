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
    const char *model, *from, *name; /* name: that of the two which tells the architecture */
    const char *data, *validation, *crop, *size, *log, *out;
    struct preparation preparation;
    size_t limit, epochs, steps, batch, threads, save_every;
    double learning_rate, sigma, kl_weight, validation_fraction;
    uint64_t seed;
    bool split_by_person, reproducible, resume, force;
};

/* As options_parse: false when there is nothing to do but end with *exit_code. */
bool train_options_parse(struct train_options *o, int argc, char **argv, int *exit_code);

/* Whether a model is made of weights that are there, without a step. */
bool train_options_only_convert(const struct train_options *o);

/* Prints the words of the command, but for --from and its file: what resumes needs it no more. */
void train_options_print_arguments(const struct train_options *o, int argc, char **argv);

#endif
