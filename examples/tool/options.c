/*
 * The option parser and the help texts: see options.h. `--name VALUE`, `--name=VALUE`, options and
 * operands in any order, `--` ends the options. Numbers are read whole or not at all.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What stands between the program's name and that of its subcommand, if it has one. */
static const char *gap(const char *command)
{
    return command != NULL ? " " : "";
}

static const char *name_of(const char *command)
{
    return command != NULL ? command : "";
}

int usage_error(const char *command, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    fprintf(stderr, "%s%s%s: ", message_program(), gap(command), name_of(command));
    vfprintf(stderr, format, values);
    fprintf(stderr, "\nTry `%s%s%s --help`.\n", message_program(), gap(command), name_of(command));
    va_end(values);
    return USAGE;
}

/* What stands before an option's name: one dash before a single letter, else two. */
static const char *dashes(const struct option *o)
{
    return o->name[1] == '\0' ? "-" : "--";
}

/* ---- Help ------------------------------------------------------------------------------------ */

/* Prints ` word`, on a new line where it would pass column 80. */
static void print_wrapped(size_t *column, size_t indent, const char *word)
{
    const size_t len = strlen(word);
    if (*column + 1 + len > 80) {
        printf("\n%*s", (int)indent, "");
        *column = indent;
    }
    printf(" %s", word);
    *column += 1 + len;
}

static void print_usage(const struct command_line *line)
{
    char word[128];
    size_t column = (size_t)printf("usage: %s%s%s", message_program(), gap(line->command),
                                   name_of(line->command));
    const size_t indent = column;
    for (const struct option *o = line->options; o->name != NULL; o++) {
        const bool argument = o->argument != NULL;
        snprintf(word, sizeof word, "%s%s%s%s%s%s", o->required ? "" : "[", dashes(o), o->name,
                 argument ? " " : "", argument ? o->argument : "", o->required ? "" : "]");
        print_wrapped(&column, indent, word);
    }
    print_wrapped(&column, indent, "[--quiet]");
    for (const struct operand *o = line->operands; o->name != NULL; o++) {
        print_wrapped(&column, indent, o->name);
    }
    printf("\n");
}

static void print_default(const struct option *o)
{
    if (o->type == OPTION_COUNT && (double)*(const size_t *)o->value >= o->min) {
        printf(" [%zu]", *(const size_t *)o->value);
    } else if (o->type == OPTION_REAL && *(const double *)o->value >= o->min) {
        printf(" [%g]", *(const double *)o->value);
    } else if (o->type == OPTION_SEED) {
        printf(" [%llu]", (unsigned long long)*(const uint64_t *)o->value);
    }
}

static void print_help(const struct command_line *line)
{
    print_usage(line);
    printf("\n%s\n\n", line->summary);
    for (const struct option *o = line->options; o->name != NULL; o++) {
        char head[64];
        snprintf(head, sizeof head, "%s%s %s", dashes(o), o->name,
                 o->argument != NULL ? o->argument : "");
        printf("  %-22s %s", head, o->help);
        print_default(o);
        printf("\n");
    }
    printf("  %-22s say nothing but errors\n", "--quiet");
    printf("  %-22s show this help\n", "--help");
    if (line->details != NULL) {
        printf("\n%s", line->details);
    }
}

/* ---- Values ---------------------------------------------------------------------------------- */

static bool parse_whole(const char *text, uint64_t *value)
{
    if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text)) {
        return false;
    }
    errno = 0;
    *value = strtoull(text, NULL, 10);
    return errno == 0;
}

static bool parse_real(const char *text, double *value)
{
    /* strtod alone would also take "inf", "nan", hexadecimal and leading blanks. */
    if (text[0] == '\0' || strspn(text, "0123456789+-.eE") != strlen(text)) {
        return false;
    }
    char *end = NULL;
    *value = strtod(text, &end);
    return *end == '\0' && isfinite(*value);
}

static bool set_count(const struct option *o, const char *text)
{
    uint64_t whole = 0;
    if (!parse_whole(text, &whole) || (double)whole < o->min || (double)whole > o->max) {
        return false;
    }
    *(size_t *)o->value = (size_t)whole;
    return true;
}

static bool set_real(const struct option *o, const char *text)
{
    double real = 0;
    if (!parse_real(text, &real) || real < o->min || real > o->max) {
        return false;
    }
    *(double *)o->value = real;
    return true;
}

/* Sets an option from its argument; DONE or USAGE. */
static int set_value(const char *command, const struct option *o, const char *text)
{
    switch (o->type) {
    case OPTION_SWITCH:
        *(bool *)o->value = true;
        return DONE;
    case OPTION_TEXT:
        if (text[0] == '\0') {
            return usage_error(command, "%s%s: the argument is empty", dashes(o), o->name);
        }
        *(const char **)o->value = text;
        return DONE;
    case OPTION_COUNT:
        return set_count(o, text)
                   ? DONE
                   : usage_error(command, "%s%s: \"%s\" is not a whole number from %.0f to %.0f",
                                 dashes(o), o->name, text, o->min, o->max);
    case OPTION_REAL:
        return set_real(o, text)
                   ? DONE
                   : usage_error(command, "%s%s: \"%s\" is not a number from %g to %g", dashes(o),
                                 o->name, text, o->min, o->max);
    case OPTION_SEED:
        return parse_whole(text, o->value)
                   ? DONE
                   : usage_error(command, "%s%s: \"%s\" is not a whole number below 2^64",
                                 dashes(o), o->name, text);
    }
    return USAGE;
}

/* ---- Parsing --------------------------------------------------------------------------------- */

/* The option that `word` (dashes and all, up to `=`) names, or NULL. */
static const struct option *find_option(const struct option *options, const char *word)
{
    const size_t dash_len = strspn(word, "-");
    const size_t len = strcspn(word + dash_len, "=");
    for (const struct option *o = options; o->name != NULL; o++) {
        if (strlen(dashes(o)) == dash_len && strlen(o->name) == len &&
            memcmp(o->name, word + dash_len, len) == 0) {
            return o;
        }
    }
    return NULL;
}

/* Reads the option argv[*at]; moves *at to its argument if that is the next word. */
static int parse_option(const struct command_line *line, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    if (strcmp(word, "--quiet") == 0) {
        message_be_quiet();
        return DONE;
    }
    const struct option *option = find_option(line->options, word);
    if (option == NULL) {
        return usage_error(line->command, "unknown option %s", word);
    }
    const char *equals = strchr(word, '=');
    if (option->type == OPTION_SWITCH) {
        return equals == NULL ? set_value(line->command, option, "")
                              : usage_error(line->command, "%s%s takes no argument", dashes(option),
                                            option->name);
    }
    if (equals != NULL) {
        return set_value(line->command, option, equals + 1);
    }
    if (*at + 1 >= argc) {
        return usage_error(line->command, "%s%s needs an argument: %s", dashes(option),
                           option->name, option->argument);
    }
    return set_value(line->command, option, argv[++*at]);
}

static bool is_missing(const struct option *o)
{
    if (!o->required) {
        return false;
    }
    return (o->type == OPTION_TEXT && *(const char **)o->value == NULL) ||
           (o->type == OPTION_COUNT && (double)*(const size_t *)o->value < o->min) ||
           (o->type == OPTION_REAL && *(const double *)o->value < o->min);
}

static int check_complete(const struct command_line *line, const struct operand *missing)
{
    if (missing->name != NULL) {
        return usage_error(line->command, "%s is missing", missing->name);
    }
    for (const struct option *o = line->options; o->name != NULL; o++) {
        if (is_missing(o)) {
            return usage_error(line->command, "%s%s %s is missing", dashes(o), o->name,
                               o->argument);
        }
    }
    return DONE;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

static int parse_all(const struct command_line *line, int argc, char **argv)
{
    const struct operand *operand = line->operands;
    bool options_ended = false;
    for (int i = 0; i < argc; i++) {
        if (!options_ended && strcmp(argv[i], "--") == 0) {
            options_ended = true;
        } else if (!options_ended && argv[i][0] == '-' && argv[i][1] != '\0') {
            if (parse_option(line, argc, argv, &i) != DONE) {
                return USAGE;
            }
        } else if (operand->name == NULL || argv[i][0] == '\0') {
            return usage_error(line->command, "\"%s\" is one word too many", argv[i]);
        } else {
            *operand->value = argv[i];
            operand++;
        }
    }
    return check_complete(line, operand);
}

bool options_parse(const struct command_line *line, int argc, char **argv, int *exit_code)
{
    if (asks_for_help(argc, argv)) {
        print_help(line);
        *exit_code = DONE;
        return false;
    }
    *exit_code = parse_all(line, argc, argv);
    return *exit_code == DONE;
}
