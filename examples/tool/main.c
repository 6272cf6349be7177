/*
 * The command `cae`: picks the subcommand and sees that what it printed has arrived.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cae/cae.h>

#include "commands.h"
#include "message.h"
#include "nearest.h"
#include "options.h"
#include "output.h"

struct command {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *summary;
};

static const struct command commands[] = {
    {"train", train_main, "train a model on a folder of images"},
    {"eval", eval_main, "measure a model on a folder of images"},
    {"compress", compress_main, "compress an image with a model"},
    {"decompress", decompress_main, "restore a compressed image"},
    {"denoise", denoise_main, "remove noise from an image"},
    {"noise", noise_main, "add Gaussian noise to an image"},
    {"info", info_main, "describe a model or a compressed image"},
    {"synth", synth_main, "draw parametric faces to train on"},
    {"sample", sample_main, "draw new images from a variational autoencoder"},
    {"interpolate", interpolate_main, "walk from one image to another"},
};

enum { COMMANDS_LEN = sizeof commands / sizeof commands[0] };

static void print_help(FILE *file)
{
    fputs("usage: cae COMMAND [ARGUMENTS]\n\nTrains and runs small autoencoders on images.\n\n",
          file);
    for (size_t i = 0; i < COMMANDS_LEN; i++) {
        fprintf(file, "  %-12s %s\n", commands[i].name, commands[i].summary);
    }
    fputs("\n`cae help COMMAND` or `cae COMMAND --help` has more; `cae --version` prints\n"
          "the version. `-` in the place of a file is standard input or output.\n"
          "Exit codes: 0 done, 1 failed, 2 wrong usage.\n",
          file);
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS_LEN; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static int unknown_command(const char *name)
{
    struct nearest nearest = nearest_start(name, strlen(name));
    for (size_t i = 0; i < COMMANDS_LEN; i++) {
        nearest_offer(&nearest, commands[i].name);
    }
    nearest_offer(&nearest, "help");
    nearest_offer(&nearest, "--help");
    nearest_offer(&nearest, "--version");
    const char *found = nearest_found(&nearest);
    return found == NULL
               ? usage_error(NULL, "unknown command \"%s\"", name)
               : usage_error(NULL, "unknown command \"%s\"; did you mean %s?", name, found);
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static bool asks_for_version(const char *word)
{
    return strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0;
}

static int one_too_many(const char *word)
{
    return usage_error(NULL, "\"%s\" is one word too many", word);
}

static int version(int argc, char **argv)
{
    if (argc > 0) {
        return one_too_many(argv[0]);
    }
    printf("cae %s\n", cae_version_string());
    return DONE;
}

/* `cae help`, or `cae help COMMAND` for `cae COMMAND --help`. */
static int help(int argc, char **argv)
{
    char word[] = "--help", *words[] = {word, NULL};
    if (argc > 1) {
        return one_too_many(argv[1]);
    }
    if (argc == 0 || asks_for_help(argv[0])) {
        print_help(stdout);
        return DONE;
    }
    if (asks_for_version(argv[0])) {
        return version(0, NULL);
    }
    const struct command *command = find(argv[0]);
    return command != NULL ? command->main(1, words) : unknown_command(argv[0]);
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return USAGE;
    }
    if (asks_for_help(argv[1])) {
        return help(argc - 2, argv + 2);
    }
    if (asks_for_version(argv[1])) {
        return version(argc - 2, argv + 2);
    }
    const struct command *command = find(argv[1]);
    return command != NULL ? command->main(argc - 2, argv + 2) : unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
    output_fill_descriptors();
    signal(SIGXFSZ, SIG_IGN); /* a file that grows too large is an error with a name, not the end */
    /* The library knows whether this processor runs it; the command is compiled for no less. */
    if (cae_setting_info(0, NULL, NULL, NULL, NULL) != CAE_OK) {
        fail("%s", cae_last_error());
        return FAILED;
    }
    const int code = run(argc, argv);
    /* A full disk or a closed pipe behind standard output shows here at the latest. */
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        fail("standard output: %s", errno != 0 ? strerror(errno) : "write error");
        return FAILED;
    }
    return code;
}
