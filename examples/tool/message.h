/*
 * What a program says on standard error, after its name: errors, notes and the progress line.
 *
 * Whoever finds an error says it, once, with the file's name in front; its callers only pass FAILED
 * on. The progress line is drawn over itself on a terminal and never mixes with other lines; where
 * standard error is none, a line comes every ten seconds.
 *
 * Control characters in what is said, such as in names of files, are printed as \xNN.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_MESSAGE_H
#define CAE_TOOL_MESSAGE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#ifdef __GNUC__
#define PRINTF_LIKE(string, first) __attribute__((format(printf, string, first)))
#else
#define PRINTF_LIKE(string, first)
#endif

/* The exit codes of the tool, and what its functions return. */
enum { DONE = 0, FAILED = 1, USAGE = 2 };

/* The program's name, which every message begins with: "cae" until it is set. The string must last.
 */
void message_set_program(const char *name);
const char *message_program(void);

/* From here on only errors are printed (the option --quiet). */
void message_be_quiet(void);

/* Prints "PROGRAM: ...". Returns FAILED, so that `return fail(...)` reads well. */
int fail(const char *format, ...) PRINTF_LIKE(1, 2);

/* Prints "PROGRAM: note: ...", unless quiet. */
void note(const char *format, ...) PRINTF_LIKE(1, 2);

/* Prints a line about finished work, unless quiet. */
void message_result(const char *format, ...) PRINTF_LIKE(1, 2);

/* Prints a text between two others, which are printed without changes. */
void message_say(const char *before, const char *format, va_list values, const char *after)
    PRINTF_LIKE(2, 0);

/* Prints a text with \xNN for each byte of a control character and of invalid UTF-8. */
void print_safely(FILE *file, const char *text);

/* Prints a text as a string of JSON, to standard output. */
void print_json_string(const char *text);

/* True when it is time for another progress line: not quiet, and the last one is not recent. */
bool progress_is_due(void);

/* Draws the progress line over the last one, or prints one more. */
void progress(const char *format, ...) PRINTF_LIKE(1, 2);

/* Erases the progress line, if there is one. */
void progress_end(void);

/* Seconds on a clock that never jumps; only differences mean anything. */
double seconds_now(void);

/* Writes a finite number with the fewest digits that give it back, six or more where six are not
 * enough; returns the text's length. */
enum { NUMBER_TEXT = 32 };
int number_write(double number, char text[NUMBER_TEXT]);

#endif
