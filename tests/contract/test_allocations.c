/*
 * Every allocation fails once, for all N, alone and with all that follow: an error comes back (or the
 * right result, where there is another way), the model is as it was, nothing leaks, and a second try
 * succeeds with the result that a first would have had.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "contract.h"
#include "wrapped_memory.h"

enum { C = 2, COUNT = 3, H = 10, W = 13, LEN = COUNT * C * H * W, CODES = COUNT * 6 * 3 * 4 };

/* What the calls work on; filled before each try. */
static struct {
    cae_model *m;
    cae_model *made; /* by a call that makes one */
    struct bytes file;
    uint8_t image[4096];
    size_t image_size;
    float *in;
    float out[LEN + CODES];
    uint8_t pixels[C * H * W];
    size_t size;
    char path[40];
} bench;

static int do_new(void)
{
    return cae_model_new(&bench.made, small_net, 3);
}

static int do_load_memory(void)
{
    return cae_model_load_memory(&bench.made, bench.file.data, bench.file.size);
}

static int do_load(void)
{
    return cae_model_load(&bench.made, bench.path);
}

static int do_copy(void)
{
    return cae_model_copy(&bench.made, bench.m, CAE_SAVE_TRAINING);
}

static int do_step(void)
{
    return cae_train_step(bench.m, bench.in, bench.in, COUNT, H, W, bench.out);
}

static int do_first_step(void)
{
    cae_model_free(bench.m);
    memory_fail(0, false);
    bench.m = new_model(small_net, 9);
    return CAE_OK;
}

static int do_gradient(void)
{
    return cae_train_gradient(bench.m, bench.in, bench.in, COUNT, H, W, bench.out);
}

static int do_gradient_set(void)
{
    static const float zeros[4096];
    double parameters = 0;
    (void)cae_model_get(bench.m, "parameters", &parameters);
    return cae_gradient_set(bench.m, zeros, (size_t)parameters);
}

static int do_encode(void)
{
    return cae_encode(bench.m, bench.in, COUNT, H, W, bench.out);
}

static int do_decode(void)
{
    return cae_decode(bench.m, bench.in, COUNT, H, W, bench.out);
}

static int do_denoise(void)
{
    return cae_denoise(bench.m, bench.in, COUNT, H, W, 0, bench.out);
}

static int do_evaluate(void)
{
    return cae_evaluate(bench.m, bench.in, bench.in, COUNT, H, W, bench.out);
}

static int do_compress(void)
{
    return cae_compress(bench.m, bench.pixels, H, W, W * C, 0, bench.image, sizeof(bench.image),
                        &bench.size);
}

static int do_decompress(void)
{
    return cae_decompress(bench.m, bench.image, bench.image_size, bench.pixels, H, W, W * C);
}

static int do_save_memory(void)
{
    return cae_model_save_memory(bench.m, bench.file.data, bench.file.size, &bench.size,
                                 CAE_SAVE_TRAINING);
}

static int do_save(void)
{
    return cae_model_save(bench.m, bench.path, CAE_SAVE_TRAINING);
}

static int do_load_weights(void)
{
    return cae_model_load_weights(bench.m, bench.path);
}

static const struct call {
    const char *name;
    int (*call)(void);
    bool untrained;  /* on a model without an optimizer's state */
    bool plain_file; /* bench.path has plain weights */
} calls[] = {
    {"cae_model_new", do_new, false, false},
    {"cae_model_load_memory", do_load_memory, false, false},
    {"cae_model_load", do_load, false, false},
    {"cae_model_load_weights", do_load_weights, false, true},
    {"cae_model_copy", do_copy, false, false},
    {"cae_model_save_memory", do_save_memory, false, false},
    {"cae_model_save", do_save, false, false},
    {"cae_train_step", do_step, false, false},
    {"cae_train_step, the first", do_step, true, false},
    {"cae_train_gradient", do_gradient, true, false},
    {"cae_gradient_set", do_gradient_set, true, false},
    {"cae_encode", do_encode, false, false},
    {"cae_decode", do_decode, false, false},
    {"cae_denoise", do_denoise, false, false},
    {"cae_evaluate", do_evaluate, false, false},
    {"cae_compress", do_compress, false, false},
    {"cae_decompress", do_decompress, false, false},
};

enum { CALLS = sizeof(calls) / sizeof(calls[0]) };
