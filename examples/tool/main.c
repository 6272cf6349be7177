/*
 * The command `cae`: picks the subcommand and sees that what it printed has arrived.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cae/cae.h>

#include "commands.h"
#include "message.h"

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
    {"denoise", denoise_main, "run an image through a model"},
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
    fputs("\n`cae COMMAND --help` tells more; `cae --version` prints the version.\n"
          "Exit codes: 0 done, 1 failed, 2 wrong usage.\n",
          file);
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("cae %s\n", cae_version_string());
        return DONE;
    }
    for (size_t i = 0; i < COMMANDS_LEN; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].main(argc - 2, argv + 2);
        }
    }
    fprintf(stderr, "cae: unknown command \"%s\"\nTry `cae --help`.\n", argv[1]);
    return USAGE;
}

int main(int argc, char **argv)
{
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
