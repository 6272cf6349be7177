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

#include "noise.h"
#include "options.h"
#include "prepare.h"
#include "schedule.h"

struct train_options {
    const char *model, *from, *name; /* name: the one of the two that has the architecture */
    const char *data, *validation, *crop, *size, *log, *out;
    const char *pairs; /* the folder of bursts; *data is the same then */
    const char *sigma; /* of the noisy images: a number or "auto"; NULL: not given */
    double level;      /* that number, of 255; 0: estimated, or none beside the gain */
    double gain;
    struct preparation preparation;
    size_t limit, epochs, steps, batch, places, threads, save_every;
    size_t stop_after;        /* SIZE_MAX: not given */
    struct option_list notes; /* KEY=VALUE */
    double learning_rate, kl_weight, validation_fraction;
    struct noise noise; /* low below 0: not given */
    struct schedule schedule;
    uint64_t seed;
    bool self; /* --self or --pairs: there are noisy images alone */
    bool split_by_person, symmetries, reproducible, keep_best, resume, force, half;
};

/* Rows of the table of options that every program has that trains on a folder: `o` points to what
 * has the texts, `n` to what has the numbers. */
#define TRAIN_IMAGES_OPTIONS(o, n)                                                               \
    COUNT_OPTION("limit", &(n)->limit, 1, 1e9, "N", "only the first N files of --data by name"), \
        TEXT_OPTION("crop", &(o)->crop, "X,Y,WxH", CROP_HELP),                                   \
        TEXT_OPTION("size", &(o)->size, "WxH", SIZE_HELP),                                       \
        COUNT_OPTION("epochs", &(n)->epochs, 1, 1e9, "N",                                        \
                     "train until every image was seen N times")
#define TRAIN_RANDOM_OPTIONS(n)                                           \
    READ_OPTION("noise", &(n)->noise, &noise_reading, "SIGMA|LOW-HIGH",   \
                "noise on the input, of 255; or a level for each image"), \
        SEED_OPTION("seed", &(n)->seed, "S", "weights, order, crops, noise")
#define TRAIN_SAVING_OPTIONS(n)                                                            \
    SWITCH_OPTION("reproducible", &(n)->reproducible, "the same file on every processor"), \
        COUNT_OPTION("save-every", &(n)->save_every, 1, 1e9, "EPOCHS", "save during training too")
#define TRAIN_OUTPUT_OPTIONS(o, n)                                                \
    SWITCH_OPTION("force", &(n)->force, "even if it is not the same run"),        \
        TEXT_OPTION("log", &(o)->log, "FILE.csv", "write the loss of each step"), \
        REQUIRED_TEXT_OPTION("out", &(o)->out, "MODEL", "the model file (safetensors)")

/* As options_parse: false when there is nothing to do but end with *exit_code. */
bool train_options_parse(struct train_options *o, int argc, char **argv, int *exit_code);

/* What a resumed run must have in common: how it learns from noisy images, "" if it does not. */
enum { TRAIN_SELF_TEXT = 96 };
const char *train_options_self_text(const struct train_options *o, uint64_t steps,
                                    char text[TRAIN_SELF_TEXT]);

/* Whether a model is made from existing weights, without a step. */
bool train_options_only_convert(const struct train_options *o);

/* Prints the arguments of the command without --from and its file, which the resumed run must not
 * have. */
void train_options_print_arguments(const struct train_options *o, int argc, char **argv);

#endif
