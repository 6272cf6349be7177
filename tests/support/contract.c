/*
 * Expectations and makers; see contract.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include "contract.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Unit 4; the skip does not cross the code. */
const char small_net[] = "input 2 8 12\n"
                         "conv 5 kernel 3 pad 1 relu\n"
                         "mark a\n"
                         "conv 5 kernel 3 pad 1 tanh\n"
                         "add a leaky\n"
                         "maxpool 2\n"
                         "conv 6 kernel 3 stride 2 pad 1 relu\n"
                         "code\n"
                         "tconv 5 kernel 4 stride 2 pad 1 relu\n"
                         "mark b\n"
                         "conv 3 kernel 1 relu\n"
                         "concat b\n"
                         "tconv 2 kernel 4 stride 2 pad 1 sigmoid\n";

const char dense_net[] = "input 1 6 5\n"
                         "conv 3 kernel 3 pad 1 relu\n"
                         "dense 11 relu\n"
                         "code\n"
                         "dense 1 6 5 sigmoid\n";

const char crossed_net[] = "input 1 8 8\n"
                           "mark a\n"
                           "conv 3 kernel 3 pad 1 relu\n"
                           "code\n"
                           "conv 1 kernel 3 pad 1\n"
                           "add a\n";

static atomic_size_t failures;
static char context[200];

void expect_context(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof(context), format, args);
    va_end(args);
}

void expect_at(const char *file, int line, bool good, const char *format, ...)
{
    if (good) {
        return;
    }
    if (++failures <= 40) {
        char text[600];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        fprintf(stderr, "%s:%d: %s%s%s\n", file, line, context, *context != '\0' ? ": " : "", text);
    }
}

void expect_ok(const char *file, int line, int status, const char *call)
{
    expect_at(file, line, status == CAE_OK, "%s gave %d (%s), must succeed", call, status,
              status == CAE_OK ? "" : cae_last_error());
}

void forget_message(void)
{
    double value;
    (void)cae_model_get(NULL, "forgotten", &value);
}

void expect_failure(const char *file, int line, int got, int status, const char *word,
                    const char *call)
{
    const char *words = cae_last_error();
    expect_at(file, line, got == status, "%s gave %d (%s), must give %d", call, got,
              got == CAE_OK ? "" : words, status);
    if (got == status) {
        expect_at(file, line, strstr(words, word) != NULL && *words != '\0' && strlen(words) < 256,
                  "%s says \"%s\", must speak of \"%s\"", call, words, word);
    }
}

size_t expect_failures(void)
{
    return failures;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool is_wanted(int argc, char **argv, const char *name)
{
    bool wanted = argc < 2;
    for (int i = 1; i < argc; i++) {
        wanted = wanted || strcmp(argv[i], name) == 0;
    }
    return wanted;
}

int contract_run(int argc, char **argv, const struct contract_test *tests, size_t len)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < len; i++) {
        if (is_wanted(argc, argv, tests[i].name)) {
            const size_t before = failures;
            const double start = seconds();
            context[0] = '\0';
            tests[i].run();
            printf("%-7s %6.2f s  %s\n", failures == before ? "ok" : "FAILED", seconds() - start,
                   tests[i].name);
        }
    }
    return failures > 0;
}

bool long_run(void)
{
    const char *wish = getenv("CAE_TEST_LONG");
    return wish != NULL && strcmp(wish, "1") == 0;
}

/* ---- Makers -----------------------------------------------------------------------------------
 */

static void give_up(const char *what)
{
    fprintf(stderr, "the test cannot go on, %s: %s\n", what, cae_last_error());
    exit(1);
}

void *need(size_t count, size_t size)
{
    void *block = calloc(count > 0 ? count : 1, size);
    if (block == NULL) {
        give_up("out of memory");
    }
    return block;
}

float *noise(size_t len, uint64_t seed)
{
    float *values = need(len, sizeof(*values));
    random_floats(values, len, seed);
    return values;
}

cae_model *new_model(const char *text, uint64_t seed)
{
    cae_model *m = NULL;
    if (cae_model_new(&m, text, seed) != CAE_OK) {
        give_up("cae_model_new");
    }
    return m;
}

cae_model *copy_model(const cae_model *m)
{
    cae_model *copy = NULL;
    if (cae_model_copy(&copy, m, CAE_SAVE_TRAINING) != CAE_OK) {
        give_up("cae_model_copy");
    }
    return copy;
}

struct bytes save_bytes(const cae_model *m, uint32_t flags)
{
    struct bytes b = {NULL, 0};
    if (cae_model_save_memory(m, NULL, 0, &b.size, flags) != CAE_OK) {
        give_up("asking for the size of a model");
    }
    b.data = need(b.size, 1);
    if (cae_model_save_memory(m, b.data, b.size, &b.size, flags) != CAE_OK) {
        give_up("cae_model_save_memory");
    }
    return b;
}

size_t tensor_offset(struct bytes file, const char *name)
{
    char key[64];
    size_t header = 0;
    for (size_t i = 8; i-- > 0;) {
        header = header << 8 | file.data[i];
    }
    char *text = need(header + 1, 1);
    memcpy(text, file.data + 8, header);
    snprintf(key, sizeof(key), "\"%s\":", name);
    const char *entry = strstr(text, key);
    const char *offsets = entry != NULL ? strstr(entry, "offsets\":[") : NULL;
    if (offsets == NULL) {
        give_up(name);
    }
    const size_t begin = strtoul(offsets + strlen("offsets\":["), NULL, 10);
    free(text);
    return 8 + header + begin;
}

bool same_bytes(struct bytes a, struct bytes b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

void free_bytes(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){NULL, 0};
}

bool same_models(const cae_model *a, const cae_model *b)
{
    struct bytes x = save_bytes(a, CAE_SAVE_TRAINING);
    struct bytes y = save_bytes(b, CAE_SAVE_TRAINING);
    const bool same = same_bytes(x, y);
    free_bytes(&x);
    free_bytes(&y);
    return same;
}
