/*
 * Whole calls of the library, timed as a user would see them: training steps, inference, encode and
 * decode, memory, and the way from a file to the first picture. One model is open at a time.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cae/cae.h"
#include "wrapped_memory.h"

static cae_model *model;

static size_t parameters(void)
{
    double found = 0;
    (void)cae_model_get(model, "parameters", &found);
    return (size_t)found;
}

/* open PRESET: a new model; the one before is gone. */
const char *bench_open(char **words)
{
    cae_model_free(model);
    model = NULL;
    if (words[1] == NULL || cae_model_new(&model, words[1], 1) != CAE_OK) {
        return cae_last_error();
    }
    printf("{\"parameters\":%zu,\"kernels\":\"%s\"}", parameters(), cae_model_kernels(model));
    return NULL;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

struct call {
    size_t count, h, w;
    float *images, *codes, *out;
};

static bool train(void *arg)
{
    const struct call *c = arg;
    return cae_train_step(model, c->images, c->images, c->count, c->h, c->w, NULL) == CAE_OK;
}

static bool infer(void *arg)
{
    const struct call *c = arg;
    return cae_denoise(model, c->images, c->count, c->h, c->w, 0, c->out) == CAE_OK;
}

static bool code(void *arg)
{
    const struct call *c = arg;
    return cae_encode(model, c->images, c->count, c->h, c->w, c->codes) == CAE_OK &&
           cae_decode(model, c->codes, c->count, c->h, c->w, c->out) == CAE_OK;
}

static bool (*call_named(const char *name))(void *)
{
    static const struct {
        const char *name;
        bool (*run)(void *);
    } calls[] = {{"train", train}, {"infer", infer}, {"code", code}};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (name != NULL && strcmp(name, calls[i].name) == 0) {
            return calls[i].run;
        }
    }
    return NULL;
}

static bool prepare(struct call *c, size_t count, size_t h, size_t w)
{
    size_t shape[3];
    *c = (struct call){.count = count, .h = h, .w = w};
    if (model == NULL || cae_code_shape(model, c->h, c->w, shape) != CAE_OK) {
        return false;
    }
    c->images = bench_noise(c->count * c->h * c->w, 7);
    c->out = bench_need(c->count * c->h * c->w, sizeof(float));
    c->codes = bench_need(c->count * shape[0] * shape[1] * shape[2], sizeof(float));
    return true;
}

static void release(struct call *c)
{
    free(c->images);
    free(c->out);
    free(c->codes);
}

/* call train|infer|code COUNT HEIGHT WIDTH THREADS REPEAT WINDOWS */
const char *bench_call(char **words)
{
    bool (*run)(void *) = call_named(words[1]);
    struct call c;
    if (run == NULL || words[7] == NULL) {
        return "wanted: train|infer|code COUNT HEIGHT WIDTH THREADS REPEAT WINDOWS";
    }
    if (!prepare(&c, bench_number(words[2]), bench_number(words[3]), bench_number(words[4]))) {
        return "no model for this call";
    }
    const size_t threads = bench_number(words[5]);
    const size_t window_len = bench_number(words[7]);
    bench_window *windows = bench_need(window_len, sizeof(*windows));
    const bool good =
        cae_model_set(model, "threads", (double)threads) == CAE_OK &&
        bench_windows(windows, window_len, bench_number(words[6]), threads > 1, run, &c);
    if (good) {
        printf("{\"windows\":");
        bench_print_windows(windows, window_len);
        printf("}");
    }
    free(windows);
    release(&c);
    return good ? NULL : cae_last_error();
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* memory PRESET train|infer|code COUNT HEIGHT WIDTH: of a fresh model and one call, the most bytes
 * that the library had allocated at once. */
const char *bench_memory(char **words)
{
    bool (*run)(void *) = call_named(words[1] != NULL ? words[2] : NULL);
    struct call c;
    if (run == NULL || words[5] == NULL) {
        return "wanted: PRESET train|infer|code COUNT HEIGHT WIDTH";
    }
    cae_model_free(model);
    model = NULL;
    memory_fail(0, false);
    if (cae_model_new(&model, words[1], 1) != CAE_OK) {
        return cae_last_error();
    }
    const size_t resting = memory_peak();
    if (!prepare(&c, bench_number(words[3]), bench_number(words[4]), bench_number(words[5]))) {
        return "no such call";
    }
    const bool good = run(&c);
    release(&c);
    if (!good) {
        return cae_last_error();
    }
    printf("{\"parameters\":%zu,\"model\":%zu,\"peak\":%zu}", parameters(), resting, memory_peak());
    return NULL;
}

/* ---- From a file to the first picture -------------------------------------------------------- */

struct first {
    const char *path;
    struct call call;
};

static bool load_and_denoise(void *arg)
{
    struct first *f = arg;
    cae_model_free(model);
    model = NULL;
    return cae_model_load(&model, f->path) == CAE_OK && infer(&f->call);
}

/* first FILE WINDOWS: writes the open model there, then loads it and denoises a face, each time
 * anew. */
const char *bench_first(char **words)
{
    struct first f = {.path = words[1]};
    if (words[2] == NULL || model == NULL) {
        return "wanted: an open model, and FILE WINDOWS";
    }
    if (cae_model_save(model, f.path, 0) != CAE_OK) {
        return cae_last_error();
    }
    if (!prepare(&f.call, 1, 64, 64)) {
        return "the model takes no faces";
    }
    const size_t window_len = bench_number(words[2]);
    bench_window *windows = bench_need(window_len, sizeof(*windows));
    const bool good = bench_windows(windows, window_len, 1, false, load_and_denoise, &f);
    if (good) {
        printf("{\"windows\":");
        bench_print_windows(windows, window_len);
        printf("}");
    }
    free(windows);
    release(&f.call);
    return good ? NULL : cae_last_error();
}
