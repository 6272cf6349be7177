/*
 * The option parser and the help texts: see options.h. `--name VALUE`, `--name=VALUE`, `-nVALUE`,
 * `-n VALUE`, options and operands in any order, `--` ends the options. Numbers are read whole or
 * not at all.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cae/cae.h>

#include "nearest.h"
#include "output.h"

/* The short forms of options, for all commands that have an option of this name. */
static const struct {
    const char *name;
    char letter;
} letters[] = {
    {"batch", 'b'}, {"count", 'n'},  {"data", 'd'}, {"epochs", 'e'},  {"format", 'f'},
    {"log", 'l'},   {"model", 'm'},  {"out", 'o'},  {"quality", 'Q'}, {"quiet", 'q'},
    {"help", 'h'},  {"resume", 'r'}, {"seed", 's'}, {"threads", 'j'},
};

static char order[256]; /* of the operands; see options_order */

/* The short form of an option, or 0. */
static char letter_of(const char *name)
{
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        if (strcmp(letters[i].name, name) == 0) {
            return letters[i].letter;
        }
    }
    return name[1] == '\0' ? name[0] : '\0';
}

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
    char before[64], after[96];
    snprintf(before, sizeof before, "%s%s%s: ", message_program(), gap(command), name_of(command));
    snprintf(after, sizeof after, "\nTry `%s%s%s --help`.\n", message_program(), gap(command),
             name_of(command));
    va_start(values, format);
    message_say(before, format, values, after);
    va_end(values);
    return USAGE;
}

const char *options_order(void)
{
    return order;
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

/* Prints a text from a column on, in lines that begin at `indent` and end before column 80. A line
 * feed counts as a blank, two part paragraphs. */
static void print_text(size_t column, size_t indent, const char *text)
{
    bool begins = true;
    while (*text != '\0') {
        const size_t len = strcspn(text, " \n");
        if (!begins && column + 1 + len > 80) {
            printf("\n%*s", (int)indent, "");
            column = indent;
        } else if (!begins) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)len, text);
        column += len;
        begins = false;
        text += len;
        if (strncmp(text, "\n\n", 2) == 0) {
            printf("\n\n%*s", (int)indent, "");
            column = indent;
            begins = true;
        }
        text += strspn(text, " \n");
    }
    putchar('\n');
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
        const bool optional = line->first_optional && o == line->operands;
        snprintf(word, sizeof word, optional ? "[%s]" : "%s", o->name);
        print_wrapped(&column, indent, word);
    }
    if (line->more != NULL) {
        print_wrapped(&column, indent, "...");
    }
    printf("\n");
}

/* The default of an option in brackets, or nothing: a number that could not be given is none. */
static void name_default(const struct option *o, char *text, size_t size)
{
    text[0] = '\0';
    if (o->type == OPTION_COUNT && *(const size_t *)o->value != SIZE_MAX &&
        (double)*(const size_t *)o->value >= o->min) {
        snprintf(text, size, " [%zu]", *(const size_t *)o->value);
    } else if (o->type == OPTION_REAL && *(const double *)o->value >= o->min) {
        snprintf(text, size, " [%g]", *(const double *)o->value);
    } else if (o->type == OPTION_SEED) {
        snprintf(text, size, " [%llu]", (unsigned long long)*(const uint64_t *)o->value);
    }
}

static void print_option(const struct option *o)
{
    enum { HELP_COLUMN = 28 };
    char head[64], short_form[8] = "    ", help[512], value[64];
    const char letter = letter_of(o->name);
    if (letter != '\0' && o->name[1] != '\0') {
        snprintf(short_form, sizeof short_form, "-%c, ", letter);
    }
    snprintf(head, sizeof head, "  %s%s%s%s%s", o->name[1] != '\0' ? short_form : "", dashes(o),
             o->name, o->argument != NULL ? " " : "", o->argument != NULL ? o->argument : "");
    name_default(o, value, sizeof value);
    snprintf(help, sizeof help, "%s%s", o->help, value);
    printf("%-*s ", HELP_COLUMN - 1, head);
    if (strlen(head) >= HELP_COLUMN) {
        printf("\n%*s", HELP_COLUMN, "");
    }
    print_text(HELP_COLUMN, HELP_COLUMN, help);
}

static void print_help(const struct command_line *line)
{
    const struct option common[] = {
        {"quiet", OPTION_SWITCH, NULL, NULL, "say nothing but errors", 0, 0, false, NULL},
        {"help", OPTION_SWITCH, NULL, NULL, "show this help", 0, 0, false, NULL},
    };
    print_usage(line);
    putchar('\n');
    print_text(0, 0, line->summary);
    putchar('\n');
    for (const struct option *o = line->options; o->name != NULL; o++) {
        print_option(o);
    }
    print_option(&common[0]);
    print_option(&common[1]);
    if (line->details != NULL) {
        putchar('\n');
        print_text(0, 0, line->details);
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

static int add_to_list(const char *command, const struct option *o, const char *text)
{
    struct option_list *list = o->value;
    if (list->len == OPTION_LIST_MOST) {
        return usage_error(command, "%s%s: given more than %d times", dashes(o), o->name,
                           (int)OPTION_LIST_MOST);
    }
    list->items[list->len++] = text;
    return DONE;
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
    case OPTION_LIST:
        return add_to_list(command, o, text);
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
    case OPTION_READ:
        return o->reading->read(o->value, text)
                   ? DONE
                   : usage_error(command, "%s%s: \"%s\" is not %s", dashes(o), o->name, text,
                                 o->reading->wanted);
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

/* The option that has this short form, or NULL. */
static const struct option *find_letter(const struct option *options, char letter)
{
    for (const struct option *o = options; o->name != NULL; o++) {
        if (letter_of(o->name) == letter) {
            return o;
        }
    }
    return NULL;
}

/* Says that there is no such option, and which one may be meant. */
static int unknown_option(const struct command_line *line, const char *word)
{
    const size_t dash_len = strspn(word, "-");
    struct nearest nearest = nearest_start(word + dash_len, strcspn(word + dash_len, "="));
    for (const struct option *o = line->options; o->name != NULL; o++) {
        nearest_offer(&nearest, o->name);
    }
    nearest_offer(&nearest, "quiet");
    nearest_offer(&nearest, "help");
    const char *found = nearest_found(&nearest);
    return found == NULL ? usage_error(line->command, "unknown option %s", word)
                         : usage_error(line->command, "unknown option %s; did you mean %s%s?", word,
                                       found[1] == '\0' ? "-" : "--", found);
}

/* Sets an option from `given` or, where that is NULL, the next word. */
static int take_argument(const struct command_line *line, const struct option *option,
                         const char *given, int argc, char **argv, int *at)
{
    if (given != NULL) {
        return set_value(line->command, option, given);
    }
    if (*at + 1 >= argc) {
        return usage_error(line->command, "%s%s needs an argument: %s", dashes(option),
                           option->name, option->argument);
    }
    return set_value(line->command, option, argv[++*at]);
}

/* Whether -word, with a single dash, is the name of an option that wants two. */
static bool lacks_a_dash(const struct command_line *line, const char *word)
{
    const size_t len = strcspn(word + 1, "=");
    for (const struct option *o = line->options; len > 1 && o->name != NULL; o++) {
        if (strlen(o->name) == len && memcmp(o->name, word + 1, len) == 0) {
            return true;
        }
    }
    return false;
}

/* Reads the short options of one word: -q, -n4, -n=4, -qn4, or -n with the next word. */
static int parse_letters(const struct command_line *line, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    if (lacks_a_dash(line, word)) {
        return unknown_option(line, word);
    }
    for (const char *letter = word + 1; *letter != '\0'; letter++) {
        const struct option *option = find_letter(line->options, *letter);
        if (option == NULL && *letter == 'q' && letter[1] == '=') {
            return usage_error(line->command, "-q takes no argument");
        }
        if (option == NULL && *letter == 'q') {
            message_be_quiet();
        } else if (option == NULL) {
            return unknown_option(line, word);
        } else if (option->type != OPTION_SWITCH) {
            const char *rest = letter + 1 + (letter[1] == '=');
            return take_argument(line, option, letter[1] != '\0' ? rest : NULL, argc, argv, at);
        } else if (letter[1] == '=') {
            return usage_error(line->command, "%s%s takes no argument", dashes(option),
                               option->name);
        } else if (set_value(line->command, option, "") != DONE) {
            return USAGE;
        }
    }
    return DONE;
}

/* Reads the option argv[*at]; moves *at to its argument if that is the next word. */
static int parse_option(const struct command_line *line, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    if (word[1] != '-') {
        return parse_letters(line, argc, argv, at);
    }
    if (strcmp(word, "--quiet") == 0) {
        message_be_quiet();
        return DONE;
    }
    const struct option *option = find_option(line->options, word);
    if (strncmp(word, "--quiet=", 8) == 0 || strncmp(word, "--help=", 7) == 0) {
        return usage_error(line->command, "%.*s takes no argument", (int)strcspn(word, "="), word);
    }
    if (option == NULL) {
        return unknown_option(line, word);
    }
    const char *equals = strchr(word, '=');
    if (option->type == OPTION_SWITCH) {
        return equals == NULL ? set_value(line->command, option, "")
                              : usage_error(line->command, "%s%s takes no argument", dashes(option),
                                            option->name);
    }
    return take_argument(line, option, equals != NULL ? equals + 1 : NULL, argc, argv, at);
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

/* ---- Files ----------------------------------------------------------------------------------- */

/* Adds what an option names if that is a file. */
static void add_file(const struct option *o, struct named_file *files, size_t *len)
{
    static const struct named_file known[] = {{"--out", NULL, true},
                                              {"--log", NULL, true},
                                              {"--model", NULL, false},
                                              {"--from", NULL, false}};
    const char *path = o->type == OPTION_TEXT ? *(const char **)o->value : NULL;
    for (size_t i = 0; path != NULL && i < sizeof known / sizeof known[0]; i++) {
        const bool is_it = strcmp(known[i].name + 2, o->name) == 0;
        if (is_it && (known[i].is_output || cae_preset_text(path) == NULL)) {
            files[*len] = known[i];
            files[(*len)++].path = path;
        }
    }
}

/* No output may be the same file as an input or another output. */
static int check_files(const struct command_line *line)
{
    enum { MOST = 16 };
    struct named_file files[MOST];
    size_t len = 0;
    for (const struct operand *o = line->operands; o->name != NULL && len < MOST; o++) {
        files[len++] = (struct named_file){o->name, *o->value, strncmp(o->name, "OUT", 3) == 0};
    }
    for (const struct option *o = line->options; o->name != NULL && len < MOST; o++) {
        add_file(o, files, &len);
    }
    return output_check_names(line->command, files, len);
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

/* One word is missing, and the first may be: the words that were given are the others'. */
static const struct operand *shift_operands(const struct command_line *line,
                                            const struct operand *missing)
{
    if (!line->first_optional || missing == line->operands || missing->name == NULL ||
        missing[1].name != NULL) {
        return missing;
    }
    for (const struct operand *o = missing; o != line->operands; o--) {
        *o->value = *o[-1].value;
    }
    *line->operands->value = NULL;
    return missing + 1;
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
        } else if (operand->name == NULL && line->more != NULL && argv[i][0] != '\0') {
            line->more[(*line->more_len)++] = argv[i];
        } else if (operand->name == NULL || argv[i][0] == '\0') {
            return usage_error(line->command, "\"%s\" is one word too many", argv[i]);
        } else {
            *operand->value = argv[i];
            operand++;
        }
    }
    return check_complete(line, shift_operands(line, operand));
}

static void note_order(const struct command_line *line)
{
    size_t used = 0;
    for (const struct operand *o = line->operands; o->name != NULL && used < sizeof order; o++) {
        used += (size_t)snprintf(order + used, sizeof order - used, "%s%s", used > 0 ? " " : "",
                                 o->name);
    }
}

bool options_parse(const struct command_line *line, int argc, char **argv, int *exit_code)
{
    note_order(line);
    if (asks_for_help(argc, argv)) {
        print_help(line);
        *exit_code = DONE;
        return false;
    }
    *exit_code = parse_all(line, argc, argv);
    if (*exit_code == DONE) {
        *exit_code = check_files(line);
    }
    return *exit_code == DONE;
}
