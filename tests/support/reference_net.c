/*
 * Networks in double, from the definitions; see reference_net.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include "reference_net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "numbers.h"

/* ---- Reading ----------------------------------------------------------------------------------
 */

static _Noreturn void give_up(const char *what, const char *word)
{
    fprintf(stderr, "the test's own reader: %s '%s'\n", what, word != NULL ? word : "(end)");
    exit(1);
}

static size_t read_number(char **rest)
{
    const char *word = strtok_r(NULL, " ", rest);
    char *end = NULL;
    const unsigned long value = word != NULL ? strtoul(word, &end, 10) : 0;
    if (word == NULL || *end != '\0') {
        give_up("no number", word);
    }
    return value;
}

static int find_word(const char *word, const char *const *words, int len)
{
    int i = 0;
    while (i < len && (word == NULL || strcmp(word, words[i]) != 0)) {
        i++;
    }
    return i < len ? i : -1;
}

struct reader {
    net *n;
    char names[NET_LAYERS][64];
    size_t marked[NET_LAYERS];
    size_t mark_len;
    size_t module;
    bool flattened;
};

static void read_options(net_layer *l, char **rest)
{
    static const char *const activations[] = {"none", "relu", "leaky", "tanh", "sigmoid"};
    for (char *word; (word = strtok_r(NULL, " ", rest)) != NULL;) {
        const int activation = find_word(word, activations, 5);
        if (activation >= 0) {
            l->activation = (net_activation)activation;
        } else if (strcmp(word, "kernel") == 0) {
            l->kernel = read_number(rest);
        } else if (strcmp(word, "stride") == 0) {
            l->stride = read_number(rest);
        } else if (strcmp(word, "pad") == 0) {
            l->pad = read_number(rest);
        } else if (l->kind == NET_DENSE && l->dense.h == 0) {
            l->dense.h = strtoul(word, NULL, 10);
            l->dense.w = read_number(rest);
        } else {
            give_up("unknown option", word);
        }
    }
}

static void read_layer(struct reader *r, int kind, char **rest)
{
    net *n = r->n;
    net_layer *l = &n->layers[n->layer_len];
    *l = (net_layer){.kind = (net_kind)kind, .stride = 1, .input = {n->layer_len, 0}};
    if (kind == NET_ADD || kind == NET_CONCAT) {
        const char *name = strtok_r(NULL, " ", rest);
        size_t i = 0;
        while (i < r->mark_len && name != NULL && strcmp(r->names[i], name) != 0) {
            i++;
        }
        if (name == NULL || i == r->mark_len) {
            give_up("unknown mark", name);
        }
        l->input[1] = r->marked[i];
    } else if (kind != NET_SAMPLE) {
        l->channels = read_number(rest);
    }
    if (kind == NET_MAXPOOL) {
        l->kernel = l->stride = l->channels;
    }
    l->dense.c = l->channels;
    read_options(l, rest);
    if (l->dense.h == 0) {
        l->dense.h = l->dense.w = 1;
    }
    /* Modules of the matching nn.Sequential. */
    r->module += kind == NET_DENSE && !r->flattened;
    r->flattened = r->flattened || kind == NET_DENSE;
    l->module = r->module;
    r->module += (kind < NET_ADD ? 1u : 0u) + (l->activation != NET_NONE ? 1u : 0u);
    if (n->code == 0) {
        n->unit *= l->stride;
    }
    n->layer_len++;
}

static void read_line(struct reader *r, char *line)
{
    /* In the order of net_kind. */
    static const char *const kinds[] = {"conv", "tconv", "maxpool", "dense", "add", "concat"};
    char *rest = NULL;
    const char *word = strtok_r(line, " ", &rest);
    if (word == NULL) {
        return;
    }
    if (strcmp(word, "input") == 0) {
        r->n->input.c = read_number(&rest);
        r->n->input.h = read_number(&rest);
        r->n->input.w = read_number(&rest);
        const char *how = strtok_r(NULL, " ", &rest);
        r->n->noise = how != NULL && strcmp(how, "noise") == 0;
    } else if (strcmp(word, "code") == 0) {
        if (rest != NULL && strcmp(rest, "sampled") == 0) {
            (void)strtok_r(NULL, " ", &rest);
            read_layer(r, NET_SAMPLE, &rest);
        }
        r->n->code = r->n->layer_len;
    } else if (strcmp(word, "mark") == 0) {
        snprintf(r->names[r->mark_len], sizeof(r->names[0]), "%s", strtok_r(NULL, " ", &rest));
        r->marked[r->mark_len++] = r->n->layer_len;
    } else {
        const int kind = find_word(word, kinds, sizeof(kinds) / sizeof(kinds[0]));
        if (kind < 0 || r->n->layer_len == NET_LAYERS) {
            give_up("unknown word, or too many lines", word);
        }
        read_layer(r, kind, &rest);
    }
}

/* Without a code: by how many pixels of the image those of the coarsest tensor lie apart. */
static void coarsest(net *n)
{
    size_t scale[NET_LAYERS + 1] = {1};
    n->unit = 1;
    for (size_t i = 0; i < n->layer_len; i++) {
        const net_layer *l = &n->layers[i];
        const size_t from = scale[l->input[0]];
        scale[i + 1] = l->kind == NET_TCONV ? from / l->stride : from * l->stride;
        n->unit = scale[i + 1] > n->unit ? scale[i + 1] : n->unit;
    }
}

void net_read(net *n, const char *text)
{
    struct reader r = {.n = n};
    char *copy = strdup(text);
    char *rest = NULL;
    *n = (net){.unit = 1};
    for (char *line = strtok_r(copy, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        read_line(&r, line);
    }
    free(copy);
    if (n->code == 0) {
        coarsest(n);
    }
}

/* ---- Sizes ------------------------------------------------------------------------------------
 */

static net_size size_after(const net_layer *l, net_size in, net_size other)
{
    switch (l->kind) {
    case NET_CONV:
        return (net_size){l->channels, (in.h + 2 * l->pad - l->kernel) / l->stride + 1,
                          (in.w + 2 * l->pad - l->kernel) / l->stride + 1};
    case NET_TCONV:
        return (net_size){l->channels, (in.h - 1) * l->stride + l->kernel - 2 * l->pad,
                          (in.w - 1) * l->stride + l->kernel - 2 * l->pad};
    case NET_MAXPOOL:
        return (net_size){in.c, (in.h + 2 * l->pad - l->kernel) / l->stride + 1,
                          (in.w + 2 * l->pad - l->kernel) / l->stride + 1};
    case NET_DENSE:
        return l->dense;
    case NET_CONCAT:
        return (net_size){in.c + other.c, in.h, in.w};
    case NET_SAMPLE:
        return (net_size){in.c / 2, in.h, in.w};
    default:
        return in;
    }
}

static size_t len_of(net_size s)
{
    return s.c * s.h * s.w;
}

void net_resize(net *n, size_t height, size_t width)
{
    bool whole = false;
    for (size_t i = 0; i < n->layer_len; i++) {
        whole = whole || n->layers[i].kind == NET_DENSE;
    }
    const size_t unit = whole ? 1 : n->unit;
    n->sizes[0] =
        (net_size){n->input.c, (height + unit - 1) / unit * unit, (width + unit - 1) / unit * unit};
    for (size_t i = 0; i < n->layer_len; i++) {
        const net_layer *l = &n->layers[i];
        n->sizes[i + 1] = size_after(l, n->sizes[l->input[0]], n->sizes[l->input[1]]);
    }
    for (size_t i = 0; i <= n->layer_len; i++) {
        free(n->tensors[i]);
        n->tensors[i] = calloc(len_of(n->sizes[i]), sizeof(double));
        if (n->tensors[i] == NULL) {
            give_up("out of memory", "");
        }
    }
}

void net_clear(net *n)
{
    for (size_t i = 0; i <= NET_LAYERS; i++) {
        free(n->tensors[i]);
        n->tensors[i] = NULL;
    }
}

/* ---- Forward ----------------------------------------------------------------------------------
 */

static void note_side(net_sides *sides, uint64_t side, double distance)
{
    sides->hash = hash_add(sides->hash, side);
    sides->margin = distance < sides->margin ? distance : sides->margin;
}

/* x at (c, y, x), 0 outside. */
static double value_at(const double *x, net_size s, size_t c, ptrdiff_t y, ptrdiff_t at)
{
    const bool inside = y >= 0 && y < (ptrdiff_t)s.h && at >= 0 && at < (ptrdiff_t)s.w;
    return inside ? x[(c * s.h + (size_t)y) * s.w + (size_t)at] : 0;
}

static void run_conv(const net_layer *l, net_size in, const double *x, net_size out, double *y)
{
    const size_t k = l->kernel;
    for (size_t o = 0; o < out.c; o++) {
        for (size_t p = 0; p < out.h * out.w; p++) {
            double sum = l->bias[o];
            const ptrdiff_t top = (ptrdiff_t)(p / out.w * l->stride) - (ptrdiff_t)l->pad;
            const ptrdiff_t left = (ptrdiff_t)(p % out.w * l->stride) - (ptrdiff_t)l->pad;
            for (size_t t = 0; t < in.c * k * k; t++) {
                sum += l->weight[o * in.c * k * k + t] * value_at(x, in, t / (k * k),
                                                                  top + (ptrdiff_t)(t / k % k),
                                                                  left + (ptrdiff_t)(t % k));
            }
            y[o * out.h * out.w + p] = sum;
        }
    }
}

/* Each input pixel is stamped onto the output. */
static void run_tconv(const net_layer *l, net_size in, const double *x, net_size out, double *y)
{
    const size_t k = l->kernel;
    for (size_t i = 0; i < len_of(out); i++) {
        y[i] = l->bias[i / (out.h * out.w)];
    }
    for (size_t i = 0; i < len_of(in); i++) {
        const size_t c = i / (in.h * in.w);
        const ptrdiff_t top = (ptrdiff_t)(i / in.w % in.h * l->stride) - (ptrdiff_t)l->pad;
        const ptrdiff_t left = (ptrdiff_t)(i % in.w * l->stride) - (ptrdiff_t)l->pad;
        for (size_t t = 0; t < out.c * k * k; t++) {
            const ptrdiff_t row = top + (ptrdiff_t)(t / k % k);
            const ptrdiff_t column = left + (ptrdiff_t)(t % k);
            if (row >= 0 && row < (ptrdiff_t)out.h && column >= 0 && column < (ptrdiff_t)out.w) {
                y[(t / (k * k) * out.h + (size_t)row) * out.w + (size_t)column] +=
                    x[i] * l->weight[c * out.c * k * k + t];
            }
        }
    }
}

static void run_maxpool(const net_layer *l, net_size in, const double *x, net_size out, double *y,
                        net_sides *sides)
{
    for (size_t i = 0; i < len_of(out); i++) {
        const size_t c = i / (out.h * out.w);
        double best = -INFINITY;
        double gap = INFINITY;
        uint64_t which = 0;
        for (size_t t = 0; t < l->kernel * l->kernel; t++) {
            const size_t row = i / out.w % out.h * l->stride + t / l->kernel - l->pad;
            const size_t column = i % out.w * l->stride + t % l->kernel - l->pad;
            if (row >= in.h || column >= in.w) { /* left of 0 wraps to huge */
                continue;
            }
            const double v = x[(c * in.h + row) * in.w + column];
            /* Equal values are no kink: one relu's zeros, or one pixel seen twice. */
            if (v != best && best != -INFINITY) {
                gap = fabs(v - best) < gap ? fabs(v - best) : gap;
            }
            which = v > best ? t : which;
            best = v > best ? v : best;
        }
        y[i] = best;
        note_side(sides, best == 0 ? 999 : which, gap);
    }
}

static void run_dense(const net_layer *l, net_size in, const double *x, net_size out, double *y)
{
    for (size_t o = 0; o < len_of(out); o++) {
        double sum = l->bias[o];
        for (size_t i = 0; i < len_of(in); i++) {
            sum += l->weight[o * len_of(in) + i] * x[i];
        }
        y[o] = sum;
    }
}

/* Means and behind them log variances. */
static void run_sample(const double *x, net_size out, const double *eps, double *z)
{
    for (size_t i = 0; i < len_of(out); i++) {
        z[i] = x[i] + (eps != NULL ? exp(x[len_of(out) + i] / 2) * eps[i] : 0);
    }
}

/* Of the code of the last forward pass from the standard normal distribution. */
static double divergence(const net *n)
{
    if (n->code == 0) {
        return 0;
    }
    const net_layer *l = &n->layers[n->code - 1];
    const size_t len = len_of(n->sizes[n->code]);
    const double *x = n->tensors[l->input[0]];
    double sum = 0;
    for (size_t i = 0; l->kind == NET_SAMPLE && i < len; i++) {
        sum -= 0.5 * (1 + x[len + i] - x[i] * x[i] - exp(x[len + i]));
    }
    return sum;
}

static double activate(net_activation activation, double x, net_sides *sides)
{
    switch (activation) {
    case NET_RELU:
        /* A 0 comes from another relu, which keeps it: no kink. */
        note_side(sides, x < 0, x == 0 ? INFINITY : fabs(x));
        return x < 0 ? 0 : x;
    case NET_LEAKY:
        note_side(sides, x < 0, fabs(x));
        return x < 0 ? 0.01 * x : x;
    case NET_TANH:
        return tanh(x);
    case NET_SIGMOID:
        return 1 / (1 + exp(-x));
    default:
        return x;
    }
}

static void run_layer(net *n, size_t i, net_sides *sides)
{
    const net_layer *l = &n->layers[i];
    const net_size in = n->sizes[l->input[0]];
    const net_size out = n->sizes[i + 1];
    const double *x = n->tensors[l->input[0]];
    const double *other = n->tensors[l->input[1]];
    double *y = n->tensors[i + 1];
    switch (l->kind) {
    case NET_CONV:
        run_conv(l, in, x, out, y);
        break;
    case NET_TCONV:
        run_tconv(l, in, x, out, y);
        break;
    case NET_MAXPOOL:
        run_maxpool(l, in, x, out, y, sides);
        break;
    case NET_DENSE:
        run_dense(l, in, x, out, y);
        break;
    case NET_SAMPLE:
        run_sample(x, out, n->image_eps, y);
        break;
    default:
        for (size_t k = 0; k < len_of(out); k++) {
            const bool current = k < len_of(in);
            y[k] = l->kind == NET_ADD ? x[k] + other[k] : current ? x[k] : other[k - len_of(in)];
        }
    }
    for (size_t k = 0; k < len_of(out); k++) {
        y[k] = activate(l->activation, y[k], sides);
    }
}

void net_forward(net *n, const float *image, size_t height, size_t width, net_sides *sides)
{
    const net_size in = n->sizes[0];
    for (size_t i = 0; i < len_of(in); i++) {
        const size_t y = i / in.w % in.h < height ? i / in.w % in.h : height - 1;
        const size_t x = i % in.w < width ? i % in.w : width - 1;
        const double v = (double)image[(i / (in.h * in.w) * height + y) * width + x];
        n->tensors[0][i] = n->noise ? (v - 0.5) / n->level : v;
    }
    for (size_t i = 0; i < n->layer_len; i++) {
        run_layer(n, i, sides);
    }
    double *out = n->tensors[n->layer_len];
    for (size_t i = 0; n->noise && i < len_of(n->sizes[n->layer_len]); i++) {
        out[i] = out[i] * n->level + 0.5;
    }
}

double net_loss(net *n, const float *images, const float *targets, size_t count, size_t height,
                size_t width, net_sides *sides)
{
    const net_size out = n->sizes[n->layer_len];
    const size_t len = n->input.c * height * width;
    const size_t code_len = len_of(n->sizes[n->code]);
    double sum = 0;
    *sides = (net_sides){UINT64_C(0xcbf29ce484222325), INFINITY};
    for (size_t k = 0; k < count; k++) {
        n->image_eps = n->eps != NULL ? n->eps + k * code_len : NULL;
        n->level = n->noise ? (double)n->sigma[k] : 1;
        net_forward(n, images + k * len, height, width, sides);
        sum += n->kl_weight * divergence(n);
        for (size_t i = 0; i < len; i++) {
            const size_t at =
                (i / (height * width) * out.h + i / width % height) * out.w + i % width;
            const double d = n->tensors[n->layer_len][at] - (double)targets[k * len + i];
            sum += d * d / n->level;
        }
    }
    n->image_eps = NULL;
    return sum / (double)(count * len);
}
