/*
 * Signals that set a flag, and arguments quoted for a shell.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "interrupt.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

enum { SIGNALS = 3 };
static const int signals[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

void interrupt_catch(void)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        struct sigaction old, action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
        sigemptyset(&action.sa_mask);
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            sigaction(signals[i], &action, NULL);
        }
    }
    signal(SIGPIPE, SIG_IGN); /* a log without a reader is a write error */
}

bool interrupt_came(void)
{
    return interrupted != 0;
}

void interrupt_release(void)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        struct sigaction old;
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == on_signal) {
            signal(signals[i], SIG_DFL);
        }
    }
}

static bool has_control(const char *word)
{
    for (; *word != '\0'; word++) {
        if ((unsigned char)*word < 0x20 || (unsigned char)*word >= 0x7f) {
            return true;
        }
    }
    return false;
}

/* What a terminal could obey stands in octal, in the quotes that shells have for it: $'...'. */
static void print_escaped(FILE *file, const char *word)
{
    fputs(" $'", file);
    for (; *word != '\0'; word++) {
        const unsigned char byte = (unsigned char)*word;
        if (byte < 0x20 || byte >= 0x7f) {
            fprintf(file, "\\%03o", byte);
        } else {
            fprintf(file, byte == '\'' || byte == '\\' ? "\\%c" : "%c", byte);
        }
    }
    fputc('\'', file);
}

static void print_quoted(FILE *file, const char *word)
{
    const char *plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=+,:@%";
    if (word[0] != '\0' && strspn(word, plain) == strlen(word)) {
        fprintf(file, " %s", word);
        return;
    }
    if (has_control(word)) {
        print_escaped(file, word);
        return;
    }
    fputs(" '", file);
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            fputs("'\\''", file);
        } else {
            fputc(*word, file);
        }
    }
    fputc('\'', file);
}

void interrupt_print_arguments(FILE *file, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        print_quoted(file, argv[i]);
    }
}
