/*
 * The command line: one table per program or subcommand drives the parser, the usage line and
 * --help.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_OPTIONS_H
#define CAE_TOOL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message.h"

/* The type of `value` in struct option. */
enum option_type {
    OPTION_SWITCH, /* bool: takes no argument, becomes true */
    OPTION_TEXT,   /* const char *: NULL until given */
    OPTION_LIST,   /* struct option_list: may be given again */
    OPTION_COUNT,  /* size_t from min to max, no default when it starts below min */
    OPTION_REAL,   /* double, likewise */
    OPTION_SEED,   /* uint64_t, any value */
    OPTION_READ,   /* what its reading makes of it */
};

/* How an argument of another kind is read: false leaves *value open, and the message says that the
 * text is not `wanted`. */
struct option_reading {
    bool (*read)(void *value, const char *text);
    const char *wanted;
};

enum { OPTION_LIST_MOST = 32 };
struct option_list {
    const char *items[OPTION_LIST_MOST];
    size_t len;
};

struct option {
    const char
        *name; /* without the two dashes, or the one of a single letter; NULL ends the table. Some
                * names have a letter as well, the same for all commands: options.c lists them */
    enum option_type type;
    void *value;          /* holds the default, receives the argument */
    const char *argument; /* its name in the help; NULL for a switch */
    const char *help;
    double min, max; /* of a count or a real */
    bool required;
    const struct option_reading *reading; /* of OPTION_READ alone */
};

/* The rows of a table of options. min and max are doubles and are checked before the value is set.
 */
#define SWITCH_OPTION(name, value, help)                          \
    {                                                             \
        name, OPTION_SWITCH, value, NULL, help, 0, 0, false, NULL \
    }
#define TEXT_OPTION(name, value, argument, help)                    \
    {                                                               \
        name, OPTION_TEXT, value, argument, help, 0, 0, false, NULL \
    }
#define LIST_OPTION(name, value, argument, help)                    \
    {                                                               \
        name, OPTION_LIST, value, argument, help, 0, 0, false, NULL \
    }
#define SEED_OPTION(name, value, argument, help)                    \
    {                                                               \
        name, OPTION_SEED, value, argument, help, 0, 0, false, NULL \
    }
#define COUNT_OPTION(name, value, min, max, argument, help)              \
    {                                                                    \
        name, OPTION_COUNT, value, argument, help, min, max, false, NULL \
    }
#define REAL_OPTION(name, value, min, max, argument, help)              \
    {                                                                   \
        name, OPTION_REAL, value, argument, help, min, max, false, NULL \
    }
#define REQUIRED_TEXT_OPTION(name, value, argument, help)          \
    {                                                              \
        name, OPTION_TEXT, value, argument, help, 0, 0, true, NULL \
    }
#define REQUIRED_COUNT_OPTION(name, value, min, max, argument, help)    \
    {                                                                   \
        name, OPTION_COUNT, value, argument, help, min, max, true, NULL \
    }
#define REQUIRED_REAL_OPTION(name, value, min, max, argument, help)    \
    {                                                                  \
        name, OPTION_REAL, value, argument, help, min, max, true, NULL \
    }
#define READ_OPTION(name, value, reading, argument, help)              \
    {                                                                  \
        name, OPTION_READ, value, argument, help, 0, 0, false, reading \
    }
#define OPTIONS_END                                              \
    {                                                            \
        NULL, OPTION_SWITCH, NULL, NULL, NULL, 0, 0, false, NULL \
    }

/* A word without dashes, in its place: all are required, but perhaps the first. */
struct operand {
    const char *name; /* NULL ends the table */
    const char **value;
};

struct command_line {
    const char *command; /* the subcommand; NULL for a program that has none */
    const char *summary; /* one sentence */
    const struct operand *operands;
    bool first_optional;          /* one word less stands for the others; the first stays NULL */
    const struct option *options; /* without --quiet and --help, which every command has */
    const char *details;          /* paragraphs below the options in --help; may be NULL */
    const char **more;            /* NULL: no words beyond the operands. Else receives them, in
                                   * their order; has room for argc, and they are inputs */
    size_t *more_len;
};

/* Reads the arguments after the command's name into the tables' values. True: go on. False: stop
 * with *exit_code, after --help (0) or an error that has been said (2). */
bool options_parse(const struct command_line *line, int argc, char **argv, int *exit_code);

/* The operands of the command that was parsed last, in their order: "MODEL IN.png OUT.cae". */
const char *options_order(void);

/* Says "PROGRAM COMMAND: ..." and where help is to be had. Returns USAGE. */
int usage_error(const char *command, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
