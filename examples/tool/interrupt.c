/*
 * Signals and the command that resumes: see interrupt.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "interrupt.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

bool interrupt_came(void)
{
    return interrupted;
}

void interrupt_catch(void)
{
    const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sigaction old, action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
        sigemptyset(&action.sa_mask);
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            sigaction(signals[i], &action, NULL);
        }
    }
}

/* Prints a word so that a shell reads it as it was. */
static void print_quoted(const char *word)
{
    const char *plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=+,:@%";
    if (word[0] != '\0' && strspn(word, plain) == strlen(word)) {
        fprintf(stderr, " %s", word);
        return;
    }
    fputs(" '", stderr);
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            fputs("'\\''", stderr);
        } else {
            fputc(*word, stderr);
        }
    }
    fputc('\'', stderr);
}

void interrupt_say_command(const char *command, int argc, char **argv, const char *further)
{
    fprintf(stderr, "  %s", command);
    for (int i = 0; i < argc; i++) {
        print_quoted(argv[i]);
    }
    fprintf(stderr, "%s\n", further);
}
