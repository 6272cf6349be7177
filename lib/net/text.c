/*
 * The architecture text: words to operators, line by line, with line and column in every message,
 * and the canonical text written along the way (one layer a line, defaults and comments left
 * out). Caps are checked on each number before anything is computed from it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "net/net.h"

enum { MAX_WORDS = 16, MAX_NAME = 64, LINE_SIZE = 256 };

struct word {
    const char *text;
    size_t len;
    size_t column;
};

struct mark {
    const char *name;
    size_t len;
    size_t tensor;
};

struct parser {
    cae_net *net;
    size_t line;
    struct word words[MAX_WORDS];
    size_t word_len;
    size_t at; /* the next word */
    struct mark *marks;
    size_t mark_len;
    bool has_input, has_code;
    size_t text_len; /* canonical text so far */
};

static const char *const activations[CAE_ACTIVATIONS] = {"none", "relu", "leaky", "tanh",
                                                         "sigmoid"};

static bool word_is(const struct word *w, const char *text)
{
    return w->len == strlen(text) && memcmp(w->text, text, w->len) == 0;
}

/* The word as a string for a message, cut to fit. */
static const char *spell(const struct word *w, char buffer[MAX_NAME])
{
    const size_t n = cae_size_min(w->len, MAX_NAME - 1);
    memcpy(buffer, w->text, n);
    buffer[n] = '\0';
    return buffer;
}

static int syntax_error(const struct parser *p, const struct word *w, const char *what)
{
    char spelt[MAX_NAME];
    if (w == NULL) {
        const struct word *last = &p->words[p->word_len - 1];
        return cae_fail(CAE_E_SYNTAX, "line %zu, column %zu: %s", p->line, last->column + last->len,
                        what);
    }
    return cae_fail(CAE_E_SYNTAX, "line %zu, column %zu: %s, not '%s'", p->line, w->column, what,
                    spell(w, spelt));
}

/* ---- Words ----------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Splits the line at `text` into words; *end receives its end, at the newline or the final NUL. */
static int split(struct parser *p, const char *text, const char **end)
{
    const char *c = text;
    p->word_len = 0;
    p->at = 0;
    while (*c != '\0' && *c != '\n' && *c != '#') {
        if (is_blank(*c)) {
            c++;
            continue;
        }
        if (p->word_len == MAX_WORDS) {
            return cae_fail(CAE_E_SYNTAX, "line %zu, column %zu: more than %d words", p->line,
                            (size_t)(c - text) + 1, MAX_WORDS);
        }
        struct word *w = &p->words[p->word_len++];
        *w = (struct word){c, 0, (size_t)(c - text) + 1};
        while (*c != '\0' && *c != '\n' && *c != '#' && !is_blank(*c)) {
            c++;
        }
        w->len = (size_t)(c - w->text);
    }
    while (*c != '\0' && *c != '\n') {
        c++;
    }
    *end = c;
    return CAE_OK;
}

static const struct word *next(struct parser *p)
{
    return p->at < p->word_len ? &p->words[p->at++] : NULL;
}

static bool is_number(const struct word *w)
{
    for (size_t i = 0; i < w->len; i++) {
        if (w->text[i] < '0' || w->text[i] > '9') {
            return false;
        }
    }
    return true;
}

/* Decimal digits, between min and max. */
static int number(struct parser *p, const char *what, size_t min, size_t max, size_t *out)
{
    const struct word *w = next(p);
    char text[LINE_SIZE];
    if (w == NULL || !is_number(w)) {
        return syntax_error(p, w,
                            cae_format(text, sizeof(text), "a number is needed for %s", what));
    }
    size_t value = 0;
    for (size_t i = 0; i < w->len; i++) {
        /* Stops growing far above every cap, so that no number of digits overflows. */
        value = cae_size_min(value * 10 + (size_t)(w->text[i] - '0'), (size_t)1 << 28);
    }
    if (value < min || value > max) {
        return cae_fail(value > max ? CAE_E_LIMIT : CAE_E_SYNTAX,
                        "line %zu, column %zu: %s is %s; it must be between %zu and %zu", p->line,
                        w->column, what, spell(w, text), min, max);
    }
    *out = value;
    return CAE_OK;
}

/* Letters, digits, '-' and '_', a letter first. */
static int name(struct parser *p, const struct word **out)
{
    const struct word *w = next(p);
    bool good = w != NULL && w->len < MAX_NAME;
    const size_t len = good ? w->len : 0;
    for (size_t i = 0; i < len; i++) {
        const char c = w->text[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool other = (c >= '0' && c <= '9') || c == '-' || c == '_';
        good = good && (letter || (i > 0 && other));
    }
    if (!good) {
        return syntax_error(p, w, "a name of at most 63 letters, digits, '-', '_' is needed");
    }
    *out = w;
    return CAE_OK;
}

static int no_more(struct parser *p)
{
    const struct word *w = next(p);
    return w == NULL ? CAE_OK : syntax_error(p, w, "the end of the line is expected");
}

/* ---- Canonical text -------------------------------------------------------------------------- */

static void emit(struct parser *p, const char *text)
{
    /* The buffer holds LINE_SIZE bytes for every line of the source. */
    const size_t len = strlen(text);
    memcpy(p->net->text + p->text_len, text, len + 1);
    p->text_len += len;
}

static void emit_number(struct parser *p, const char *format, size_t value)
{
    char text[48];
    emit(p, cae_format(text, sizeof(text), format, value));
}

static void emit_layer(struct parser *p, const cae_op *op, const struct word *marked)
{
    char spelt[MAX_NAME];
    const unsigned takes = op->type->takes;
    emit(p, op->type->word);
    if (takes & CAE_TAKES_NAME) {
        emit(p, " ");
        emit(p, spell(marked, spelt));
    } else {
        emit_number(p, " %zu", takes & CAE_TAKES_WINDOW ? op->kernel : op->size.c);
    }
    if ((takes & CAE_TAKES_SHAPE) && (op->size.h != 1 || op->size.w != 1)) {
        emit_number(p, " %zu", op->size.h);
        emit_number(p, " %zu", op->size.w);
    }
    if (takes & CAE_TAKES_KERNEL) {
        emit_number(p, " kernel %zu", op->kernel);
    }
    if ((takes & CAE_TAKES_STRIDE_PAD) &&
        op->stride != (takes & CAE_TAKES_WINDOW ? op->kernel : 1)) {
        emit_number(p, " stride %zu", op->stride);
    }
    if ((takes & CAE_TAKES_STRIDE_PAD) && op->pad != 0) {
        emit_number(p, " pad %zu", op->pad);
    }
    if (op->activation != CAE_NONE) {
        emit(p, " ");
        emit(p, activations[op->activation]);
    }
    emit(p, "\n");
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static int parse_input(struct parser *p)
{
    cae_shape *in = &p->net->input;
    CAE_TRY(number(p, "the channels of the input", 1, CAE_MAX_CHANNELS, &in->c));
    CAE_TRY(number(p, "the height of the input", 1, CAE_MAX_SIDE, &in->h));
    CAE_TRY(number(p, "the width of the input", 1, CAE_MAX_SIDE, &in->w));
    const struct word *how = next(p);
    if (how != NULL && !word_is(how, "noise")) {
        return syntax_error(p, how, "'noise', or the end of the line, is expected");
    }
    CAE_TRY(no_more(p));
    p->net->noise = how != NULL;
    emit_number(p, "input %zu", in->c);
    emit_number(p, " %zu", in->h);
    emit_number(p, " %zu", in->w);
    emit(p, p->net->noise ? " noise\n" : "\n");
    p->has_input = true;
    return CAE_OK;
}

/* A line with one input, the tensor before it. */
static cae_op *begin_line(struct parser *p)
{
    cae_op *op = &p->net->lines[p->net->line_len];
    *op = (cae_op){.line = p->line,
                   .input_len = 1,
                   .input = {p->net->line_len, 0},
                   .stride = 1,
                   .size = {1, 1, 1}};
    return op;
}

static const cae_latent *find_latent(const struct word *w)
{
    size_t i = 0;
    while (cae_latents[i] != NULL && !word_is(w, cae_latents[i]->word)) {
        i++;
    }
    return cae_latents[i];
}

static int parse_code(struct parser *p)
{
    const struct word *how = next(p);
    const cae_latent *latent = how != NULL ? find_latent(how) : NULL;
    if (how != NULL && latent == NULL) {
        return syntax_error(p, how, "a kind of code, or the end of the line, is expected");
    }
    CAE_TRY(no_more(p));
    if (p->has_code) {
        return syntax_error(p, &p->words[0],
                            "there is one 'code' line already: a layer is expected");
    }
    if (p->net->line_len == 0) {
        return syntax_error(p, &p->words[0], "'code' needs a layer before it: a layer is expected");
    }
    if (latent != NULL) {
        cae_op *op = begin_line(p);
        op->type = latent->op;
        op->detail = latent;
        p->net->line_len++;
    }
    p->net->latent = latent;
    p->net->code = p->net->line_len;
    p->has_code = true;
    emit(p, latent != NULL ? latent->op->word : "code");
    emit(p, "\n");
    return CAE_OK;
}

static const struct mark *find_mark(const struct parser *p, const struct word *w)
{
    for (size_t i = 0; i < p->mark_len; i++) {
        if (p->marks[i].len == w->len && memcmp(p->marks[i].name, w->text, w->len) == 0) {
            return &p->marks[i];
        }
    }
    return NULL;
}

static int parse_mark(struct parser *p)
{
    const struct word *w = NULL;
    char spelt[MAX_NAME];
    CAE_TRY(name(p, &w));
    CAE_TRY(no_more(p));
    if (find_mark(p, w) != NULL) {
        return syntax_error(p, w, "a new name is needed");
    }
    p->marks[p->mark_len++] = (struct mark){w->text, w->len, p->net->line_len};
    emit(p, "mark ");
    emit(p, spell(w, spelt));
    emit(p, "\n");
    return CAE_OK;
}

/* The operands that follow the layer's word. */
static int parse_operands(struct parser *p, cae_op *op, const struct word **marked)
{
    const unsigned takes = op->type->takes;
    if (takes & CAE_TAKES_NAME) {
        CAE_TRY(name(p, marked));
        const struct mark *m = find_mark(p, *marked);
        if (m == NULL) {
            return syntax_error(p, *marked, "the name of an earlier 'mark' is needed");
        }
        op->input[1] = m->tensor;
        op->input_len = 2;
        return CAE_OK;
    }
    if (takes & CAE_TAKES_WINDOW) {
        CAE_TRY(number(p, "the window", 1, CAE_MAX_KERNEL, &op->kernel));
        op->stride = op->kernel;
        return CAE_OK;
    }
    CAE_TRY(number(p, "the channels", 1, CAE_MAX_CHANNELS, &op->size.c));
    if ((takes & CAE_TAKES_SHAPE) && p->at < p->word_len && is_number(&p->words[p->at])) {
        CAE_TRY(number(p, "the height", 1, CAE_MAX_SIDE, &op->size.h));
        CAE_TRY(number(p, "the width", 1, CAE_MAX_SIDE, &op->size.w));
    }
    return CAE_OK;
}

static const struct option {
    const char *word, *what;
    unsigned takes;
    size_t offset, min;
} options[] = {
    {"kernel", "the kernel", CAE_TAKES_KERNEL, offsetof(cae_op, kernel), 1},
    {"stride", "the stride", CAE_TAKES_STRIDE_PAD, offsetof(cae_op, stride), 1},
    {"pad", "the padding", CAE_TAKES_STRIDE_PAD, offsetof(cae_op, pad), 0},
};

enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

/* One option, or an activation. `seen` has a bit for each. */
static int parse_option(struct parser *p, cae_op *op, unsigned *seen)
{
    const unsigned takes = op->type->takes;
    const struct word *w = next(p);
    unsigned which = 0;
    for (int a = 0; a < CAE_ACTIVATIONS; a++) {
        if ((takes & CAE_TAKES_ACTIVATION) && word_is(w, activations[a])) {
            op->activation = (cae_activation)a;
            which = 1;
        }
    }
    for (unsigned i = 0; i < OPTIONS; i++) {
        const struct option *o = &options[i];
        if ((takes & o->takes) && word_is(w, o->word)) {
            which = 2u << i;
            CAE_TRY(number(p, o->what, o->min, CAE_MAX_KERNEL,
                           (size_t *)(void *)((char *)op + o->offset)));
        }
    }
    if (which == 0) {
        return syntax_error(p, w, "an option of this layer is expected");
    }
    if (*seen & which) {
        return syntax_error(p, w, "each option may be given once: the end of the line is expected");
    }
    *seen |= which;
    return CAE_OK;
}

static int parse_layer(struct parser *p)
{
    const struct word *marked = NULL;
    unsigned seen = 0;
    cae_op *op = begin_line(p);
    for (size_t i = 0; cae_op_types[i] != NULL; i++) {
        if (word_is(&p->words[0], cae_op_types[i]->word)) {
            op->type = cae_op_types[i];
        }
    }
    if (op->type == NULL) {
        return syntax_error(p, &p->words[0], "a layer, 'mark' or 'code' is expected");
    }
    CAE_TRY(parse_operands(p, op, &marked));
    while (p->at < p->word_len) {
        CAE_TRY(parse_option(p, op, &seen));
    }
    if ((op->type->takes & CAE_TAKES_KERNEL) && op->kernel == 0) {
        return syntax_error(p, NULL, "'kernel K' is missing");
    }
    emit_layer(p, op, marked);
    p->net->line_len++;
    return CAE_OK;
}

static int parse_line(struct parser *p)
{
    const struct word *w = next(p);
    if (w == NULL) {
        return CAE_OK;
    }
    if (!p->has_input) {
        return word_is(w, "input")
                   ? parse_input(p)
                   : syntax_error(p, w,
                                  "the name of a preset, or 'input C H W' first, is expected");
    }
    if (word_is(w, "code")) {
        return parse_code(p);
    }
    return word_is(w, "mark") ? parse_mark(p) : parse_layer(p);
}

static int text_too_long(size_t line)
{
    return cae_fail(CAE_E_LIMIT, "line %zu: an architecture text has at most %d bytes and %d lines",
                    line, CAE_MAX_TEXT, CAE_MAX_LINES);
}

static int parse_lines(struct parser *p, const char *text)
{
    while (*text != '\0') {
        p->line++;
        CAE_TRY(split(p, text, &text));
        CAE_TRY(parse_line(p));
        text += *text == '\n';
    }
    if (!p->has_input) {
        return cae_fail(CAE_E_SYNTAX, "the architecture text is empty: 'input C H W' is expected");
    }
    if (p->has_code && p->net->code == p->net->line_len) {
        return cae_fail(CAE_E_SYNTAX, "line %zu: 'code' needs a layer behind it", p->line);
    }
    if (p->net->line_len == 0) {
        return cae_fail(CAE_E_SYNTAX, "line %zu: there is no layer", p->line);
    }
    if (!p->has_code && !p->net->noise) {
        return cae_fail(CAE_E_SYNTAX, "line %zu: there is no 'code' line", p->line);
    }
    p->net->coded = p->has_code;
    /* The canonical text may have one newline more than the source; it must be readable again. */
    return p->text_len <= CAE_MAX_TEXT ? CAE_OK : text_too_long(p->line);
}

int cae_net_parse(cae_net *net, const char *text)
{
    size_t size = 0;
    size_t lines = 0;
    for (; text[size] != '\0'; size++) {
        lines += size == 0 || text[size - 1] == '\n';
        if (size >= CAE_MAX_TEXT || lines > CAE_MAX_LINES) {
            return text_too_long(lines);
        }
    }
    struct parser p = {.net = net};
    net->lines = cae_alloc_zeroed(net->memory, lines, sizeof(net->lines[0]));
    net->text = cae_alloc_zeroed(net->memory, lines, LINE_SIZE);
    p.marks = cae_alloc(net->memory, lines, sizeof(p.marks[0]));
    const int status = net->lines != NULL && net->text != NULL && p.marks != NULL
                           ? parse_lines(&p, text)
                           : CAE_E_NOMEM;
    cae_release(net->memory, p.marks);
    return status;
}
