/*
 * Errors, notes and the progress line: see message.h. Keeps the only state that the tool's files
 * share: the program's name, whether to be quiet, and whether a progress line stands on the
 * terminal.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "message.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const char *program = "cae";
static bool quiet;
static bool line_stands;
static double line_time;

void message_set_program(const char *name)
{
    program = name;
}

const char *message_program(void)
{
    return program;
}

void message_be_quiet(void)
{
    quiet = true;
}

/* Prints one line, clear of the progress line; `kind` stands behind the program's name. */
PRINTF_LIKE(2, 0)
static void print_line(const char *kind, const char *format, va_list values)
{
    progress_end();
    fprintf(stderr, "%s: %s", program, kind);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
}

int fail(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    print_line("", format, values);
    va_end(values);
    return FAILED;
}

void note(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    if (!quiet) {
        print_line("note: ", format, values);
    }
    va_end(values);
}

void tell(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    if (!quiet) {
        print_line("", format, values);
    }
    va_end(values);
}

bool progress_is_due(void)
{
    const double interval = 0.2; /* faster than this nobody reads */
    return !quiet && isatty(STDERR_FILENO) &&
           (!line_stands || seconds_now() - line_time > interval);
}

void progress(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    fputc('\r', stderr);
    vfprintf(stderr, format, values);
    fputs("\033[K", stderr); /* erase what the last line had beyond this one */
    fflush(stderr);
    va_end(values);
    line_stands = true;
    line_time = seconds_now();
}

void progress_end(void)
{
    if (line_stands) {
        fputs("\r\033[K", stderr);
    }
    line_stands = false;
}

double seconds_now(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
