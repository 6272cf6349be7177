/*
 * cae_bench, the worker behind bench.py: reads commands from standard input, one a line with words
 * between tabs, and answers each with one line of JSON.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <string.h>

#include "bench.h"

static const struct command {
    const char *name;
    bench_command *run;
} commands[] = {
    {"machine", bench_machine}, {"probe", bench_probes}, {"copy", bench_copy},
    {"update", bench_update},   {"open", bench_open},    {"call", bench_call},
    {"memory", bench_memory},   {"first", bench_first},  {"layers", bench_layers},
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]), WORDS = 16, LINE = 1 << 16 };

static const char *run_line(char *line)
{
    char *words[WORDS + 1] = {NULL};
    char *rest = NULL;
    char *word = strtok_r(line, "\t\n", &rest);
    for (size_t i = 0; i < WORDS && word != NULL; i++) {
        words[i] = word;
        word = strtok_r(NULL, "\t\n", &rest);
    }
    for (size_t i = 0; i < COMMANDS && words[0] != NULL; i++) {
        if (strcmp(words[0], commands[i].name) == 0) {
            return commands[i].run(words);
        }
    }
    return "no such command";
}

int main(void)
{
    static char line[LINE];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        const char *wrong = run_line(line);
        if (wrong != NULL) {
            printf("{\"error\":\"%s\"}", wrong);
        }
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
