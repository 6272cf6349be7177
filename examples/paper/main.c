/*
 * cae-paper: the study of Zhang, "A Better Autoencoder for Image: Convolutional Autoencoder", from
 * a folder of faces to a report. The command line and the order of the work.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <string.h>

#include "interrupt.h"
#include "learn.h"
#include "message.h"
#include "options.h"
#include "study.h"

static const char details[] = "DIR has folders train and val, or the faces of everyone.\n";

static bool parse(struct study *s, const char **only, int argc, char **argv, int *exit_code)
{
    const struct operand operands[] = {{NULL, NULL}};
    const struct option options[] = {
        REQUIRED_TEXT_OPTION("data", &s->data, "DIR", "faces"),
        REQUIRED_TEXT_OPTION("out", &s->out, "DIR", "report, models and curves"),
        COUNT_OPTION("epochs", &s->epochs, 1, 1e6, "N", "of each network"),
        COUNT_OPTION("train", &s->train_len, 2, 1e6, "N", "faces to train on, drawn by the seed"),
        COUNT_OPTION("test", &s->test_len, 1, 1e6, "N", "unseen faces: the first N"),
        SEED_OPTION("seed", &s->seed, "S", "faces, weights, order and noise"),
        REAL_OPTION("sigma", &s->sigma, 0.001, 255, "SIGMA", "noise of the de-noising, of 255"),
        COUNT_OPTION("batch", &s->batch, 1, 1e6, "N", "faces per step"),
        COUNT_OPTION("threads", &s->threads, 0, 1024, "N", "0: all processors"),
        SWITCH_OPTION("reproducible", &s->reproducible, "the same models on every processor"),
        TEXT_OPTION("only", only, "NAME[,NAME]", "train these networks alone"),
        SWITCH_OPTION("resume", &s->resume, "go on where an earlier run stopped"),
        OPTIONS_END,
    };
    const struct command_line line = {
        .command = "paper",
        .summary = "Trains the networks of the paper and reports on its claims.",
        .operands = operands,
        .options = options,
        .details = details,
    };
    return options_parse(&line, argc, argv, exit_code);
}

/* Marks the networks that the list names. */
static int choose(struct study *study, const char *only)
{
    for (size_t n = 0; n < NETWORKS; n++) {
        study->chosen[n] = only == NULL;
    }
    while (only != NULL) {
        const size_t len = strcspn(only, ",");
        size_t n = 0;
        while (n < NETWORKS &&
               (strlen(networks[n].name) != len || memcmp(networks[n].name, only, len) != 0)) {
            n++;
        }
        if (n == NETWORKS) {
            return usage_error("paper",
                               "--only: \"%.*s\" is none of sae-compress, cae-compress, "
                               "sae-denoise, cae-denoise, vae",
                               (int)len, only);
        }
        study->chosen[n] = true;
        only = only[len] == ',' ? only + len + 1 : NULL;
    }
    return DONE;
}

static int check_all(const struct study *study)
{
    for (size_t n = 0; n < NETWORKS; n++) {
        if (study->chosen[n] && learn_check(study, n) != DONE) {
            return FAILED;
        }
    }
    return DONE;
}

static int train_all(const struct study *study)
{
    for (size_t n = 0; n < NETWORKS; n++) {
        if (study->chosen[n] && learn(study, n) != DONE) {
            return FAILED;
        }
    }
    return DONE;
}

int main(int argc, char **argv)
{
    struct study study = {
        .epochs = 3000, .train_len = 300, .test_len = 300, .batch = 50, .seed = 1, .sigma = 25};
    const char *only = NULL;
    int exit_code = DONE;
    if (!parse(&study, &only, argc - 1, argv + 1, &exit_code)) {
        return exit_code;
    }
    int result = choose(&study, only);
    if (result == DONE) {
        result = study_load(&study);
    }
    if (result == DONE) {
        result = study_settle(&study);
    }
    if (result == DONE) {
        result = check_all(&study);
    }
    if (result == DONE) {
        interrupt_catch();
        result = train_all(&study);
    }
    study_free(&study);
    return result;
}
