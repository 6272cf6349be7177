/*
 * cae-paper: the study of Zhang, "A Better Autoencoder for Image: Convolutional Autoencoder", from
 * a folder of faces to a report. The command line and the order of the work.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "charts.h"
#include "interrupt.h"
#include "learn.h"
#include "message.h"
#include "options.h"
#include "output.h"
#include "report.h"
#include "results.h"
#include "study.h"

static const char details[] =
    "DIR has folders train and val with different people in them, or the faces of everyone, as\n"
    "files PERSON_0001.png or in one folder for each person (as LFW comes); then some people are set\n"
    "aside. The networks are sae-compress, cae-compress, sae-denoise, cae-denoise and vae. What --out\n"
    "holds in the end: report.html, results.json, curves as SVG, and for each network its model and\n"
    "its losses (NAME.safetensors, NAME.csv). Ctrl-C saves and tells how to go on; a run that was\n"
    "stopped or killed and is resumed ends with the same models and losses. Parts run with --only\n"
    "come together in one report.\n";

static const char program[] = "cae-paper";

/* The texts of the command line that are read further. */
struct words {
    const char *only, *crop, *size;
};

static bool parse(struct study *s, struct words *words, int argc, char **argv, int *exit_code)
{
    const struct operand operands[] = {{NULL, NULL}};
    const struct option options[] = {
        REQUIRED_TEXT_OPTION("data", &s->data, "DIR", "faces"),
        REQUIRED_TEXT_OPTION("out", &s->out, "DIR", "report, models and losses"),
        COUNT_OPTION("epochs", &s->epochs, 1, 1e6, "N", "of each network"),
        COUNT_OPTION("train", &s->train_len, 2, 1e6, "N", "faces to train on, drawn by the seed"),
        COUNT_OPTION("test", &s->test_len, 1, 1e6, "N", "unseen faces to judge on: the first N"),
        SEED_OPTION("seed", &s->seed, "S", "faces, weights, order and noise"),
        REAL_OPTION("sigma", &s->sigma, 0.001, 255, "SIGMA", "noise of the de-noising, of 255"),
        COUNT_OPTION("batch", &s->batch, 1, 1e6, "N", "faces per step"),
        COUNT_OPTION("threads", &s->threads, 0, 1024, "N", "0: all processors"),
        SWITCH_OPTION("reproducible", &s->reproducible, "the same models on every processor"),
        TEXT_OPTION("only", &words->only, "NAME[,NAME]", "train these networks alone"),
        SWITCH_OPTION("resume", &s->resume, "go on where an earlier run stopped"),
        TEXT_OPTION("crop", &words->crop, "X,Y,WxH", CROP_HELP),
        TEXT_OPTION("size", &words->size, "WxH", SIZE_HELP),
        OPTIONS_END,
    };
    const struct command_line line = {
        .command = NULL,
        .summary =
            "Trains the networks of the paper on faces, and reports what becomes of its claims.",
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
            return usage_error(NULL,
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
        if (study->chosen[n] && (study_claim(study, n) != DONE || learn_check(study, n) != DONE)) {
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

/* The command line as a shell would read it, in memory that the caller frees; NULL without it. */
static char *command_text(int argc, char **argv)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL) {
        return NULL;
    }
    fputs(program, file);
    interrupt_print_arguments(file, argc - 1, argv + 1);
    return fclose(file) == 0 ? text : NULL;
}

static int report(const struct study *study, const char *command)
{
    struct results results;
    int result = results_collect(&results, study);
    if (result == DONE) {
        result = results_save(&results, command);
    }
    if (result == DONE) {
        result = charts_save(&results);
    }
    if (result == DONE) {
        result = report_save(&results, command);
    }
    results_free(&results);
    if (result == DONE) {
        message_result("%s/report.html: open it in a browser", study->out);
    }
    return result;
}

static int say_how_to_resume(const struct study *study, const char *command)
{
    /* Behind a last word `--`, which may be the end of the options, --resume would be none. */
    const size_t len = strlen(command);
    const bool first = len > 3 && strcmp(command + len - 3, " --") == 0;
    const char *word = study->resume ? "" : " --resume";
    fprintf(stderr, "%s: to go on:\n  %s%s%s%s\n", program, program, first ? word : "",
            command + strlen(program), first ? "" : word);
    return FAILED;
}

static int run(struct study *study, const char *command)
{
    if (study_load(study) != DONE || study_settle(study) != DONE || check_all(study) != DONE) {
        return FAILED;
    }
    interrupt_catch();
    if (train_all(study) != DONE) {
        return interrupt_came() ? say_how_to_resume(study, command) : FAILED;
    }
    interrupt_release(); /* a report that is broken off is made again by --resume */
    return report(study, command);
}

int main(int argc, char **argv)
{
    struct study study = {.epochs = 3000,
                          .train_len = 300,
                          .test_len = 300,
                          .batch = 50,
                          .seed = 1,
                          .sigma = 25,
                          .record = -1};
    struct words words = {NULL, NULL, NULL};
    int result = DONE;
    output_fill_descriptors();
    message_set_program(program);
    if (!parse(&study, &words, argc - 1, argv + 1, &result)) {
        return result;
    }
    char *command = command_text(argc, argv);
    if (command == NULL) {
        return fail("out of memory");
    }
    result = preparation_parse(&study.preparation, NULL, words.crop, words.size);
    if (result == DONE) {
        result = choose(&study, words.only);
    }
    if (result == DONE) {
        result = run(&study, command);
    }
    study_free(&study);
    free(command);
    return result;
}
