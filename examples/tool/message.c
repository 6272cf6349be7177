/*
 * Errors, notes and the progress line: see message.h. Keeps the only state that the tool's files
 * share: the program's name, whether to be quiet, and whether a progress line stands on the
 * terminal. Messages hold names of files, which may hold anything: what a terminal would obey is
 * printed as \xNN.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "message.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
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

/* ---- Text that is safe on a terminal --------------------------------------------------------- */

/* The code point that `text` begins with, and its size in bytes; 0 for what is no UTF-8, in which
 * no zero byte, surrogate or overlong form has a place. */
static size_t code_point(const unsigned char *text, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const size_t size = text[0] < 0x80                      ? 1
                        : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
                        : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
                        : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
                                                            : 0;
    *point = size < 2 ? text[0] : text[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        *point = *point << 6 | (text[i] & 0x3f);
    }
    const bool surrogate = *point >= 0xd800 && *point < 0xe000;
    return *point >= least[size] && *point <= 0x10ffff && !surrogate ? size : 0;
}

/* Control characters of both kinds, and those that turn the direction of what follows. */
static bool is_harmless(uint32_t point)
{
    return point >= 0x20 && (point < 0x7f || point >= 0xa0) &&
           !(point >= 0x200e && point <= 0x200f) && !(point >= 0x2028 && point <= 0x202e) &&
           !(point >= 0x2066 && point <= 0x2069) && point != 0x61c;
}

void print_safely(FILE *file, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        uint32_t point = 0;
        const size_t size = code_point(at, &point);
        if (size > 0 && is_harmless(point)) {
            fwrite(at, 1, size, file);
            at += size;
            continue;
        }
        for (size_t i = 0; i < (size > 0 ? size : 1); i++) {
            fprintf(file, "\\x%02x", *at++);
        }
    }
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* Prints the text between two others, in one go where memory allows. */
PRINTF_LIKE(2, 0)
static void print_around(const char *before, const char *format, va_list values, const char *after)
{
    char *line = NULL, *words = NULL;
    size_t line_size = 0, words_size = 0;
    FILE *memory = open_memstream(&words, &words_size);
    if (memory != NULL) {
        vfprintf(memory, format, values);
        fclose(memory);
    }
    memory = words != NULL ? open_memstream(&line, &line_size) : NULL;
    if (memory != NULL) {
        fputs(before, memory);
        print_safely(memory, words);
        fputs(after, memory);
        fclose(memory);
    }
    fputs(line != NULL ? line : "out of memory\n", stderr);
    fflush(stderr);
    free(words);
    free(line);
}

void message_say(const char *before, const char *format, va_list values, const char *after)
{
    progress_end();
    print_around(before, format, values, after);
}

/* Prints one line, clear of the progress line; `kind` stands behind the program's name. */
PRINTF_LIKE(2, 0)
static void print_line(const char *kind, const char *format, va_list values)
{
    char before[64];
    snprintf(before, sizeof before, "%s: %s", program, kind);
    message_say(before, format, values, "\n");
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

void message_result(const char *format, ...)
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
    if (quiet) {
        return false;
    }
    if (isatty(STDERR_FILENO)) {
        return !line_stands || seconds_now() - line_time > 0.2; /* as fast as one can read */
    }
    if (line_time <= 0) {
        line_time = seconds_now(); /* short work prints nothing */
    }
    return seconds_now() - line_time > 10;
}

void progress(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    line_stands = isatty(STDERR_FILENO);
    if (line_stands) {
        print_around("\r", format, values, "\033[K"); /* erases what the last line had more */
    } else {
        print_line("", format, values);
    }
    va_end(values);
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

int number_write(double number, char text[NUMBER_TEXT])
{
    int len = 0;
    for (int digits = 6; digits <= 17; digits++) {
        len = snprintf(text, NUMBER_TEXT, "%.*g", digits, number);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    return len;
}

void print_json_string(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') {
            printf("\\%c", byte);
        } else if (byte < 0x20) {
            printf("\\u%04x", byte);
        } else {
            putchar(byte);
        }
    }
    putchar('"');
}
