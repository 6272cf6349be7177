/*
 * Every allocation fails once, for all N, alone and with all that follow: an error comes back (or
 * the right result, where there is another way), the model is as it was, nothing leaks, and a
 * second try succeeds with the result that a first would have had.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "contract.h"
#include "files.h"
#include "plain_weights.h"
#include "wrapped_memory.h"

enum { C = 2, COUNT = 3, H = 10, W = 13, LEN = COUNT * C * H * W, CODES = COUNT * 6 * 3 * 4 };

/* What the calls work on; filled before each try. */
static struct {
    cae_model *m;
    cae_model *made;   /* by a call that makes one */
    struct bytes file; /* the model's, with its training state */
    struct bytes half; /* with weights as F16 */
    uint8_t image[4096];
    size_t image_size;
    float *in;
    float out[LEN + CODES];
    uint8_t pixels[C * H * W];
    cae_model *levels;    /* a network that takes a noise level, */
    uint8_t tall[300][W]; /* and pixels that two threads de-noise in place */
    size_t size;
    char path[60];
    const char *name; /* the path's, as of a shipped model */
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

static int do_load_half(void)
{
    return cae_model_load_memory(&bench.made, bench.half.data, bench.half.size);
}

static int do_load_shipped(void)
{
    return cae_model_load_shipped(&bench.made, bench.name);
}

static int do_load_no_shipped(void)
{
    return cae_model_load_shipped(&bench.made, "no-such-model") == CAE_E_IO ? CAE_OK : CAE_E_NOMEM;
}

static int do_copy(void)
{
    return cae_model_copy(&bench.made, bench.m, CAE_SAVE_TRAINING);
}

static int do_step(void)
{
    return cae_train_step(bench.m, bench.in, bench.in, COUNT, H, W, bench.out);
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

static int do_denoise_pixels(void)
{
    return cae_denoise_pixels(bench.levels, bench.tall, W, bench.tall, W, CAE_U8, 300, W, 1, 0.1f,
                              0.01f, 1, NULL, NULL);
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

static int do_save_half(void)
{
    return cae_model_save(bench.m, bench.path, CAE_SAVE_F16);
}

static int do_load_weights(void)
{
    return cae_model_load_weights(bench.m, bench.path);
}

static int do_import(void)
{
    return cae_model_import_weights(bench.m, bench.path, CAE_IMPORT_STRIP | CAE_IMPORT_SKIP);
}

static int do_fit_code(void)
{
    return cae_fit_code(bench.m, bench.in, COUNT, H, W);
}

static int do_note(void)
{
    return cae_model_note_set(bench.m, "a.note", "another");
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
    {"cae_model_load_memory of F16", do_load_half, false, false},
    {"cae_model_load_shipped", do_load_shipped, false, false},
    {"cae_model_load_shipped of none", do_load_no_shipped, false, false},
    {"cae_model_load_weights", do_load_weights, false, true},
    {"cae_model_import_weights", do_import, false, true},
    {"cae_model_import_weights of a model", do_import, false, false},
    {"cae_model_copy", do_copy, false, false},
    {"cae_model_save_memory", do_save_memory, false, false},
    {"cae_model_save", do_save, false, false},
    {"cae_model_save as F16", do_save_half, false, false},
    {"cae_model_note_set", do_note, false, false},
    {"cae_train_step", do_step, false, false},
    {"cae_train_step, the first", do_step, true, false},
    {"cae_train_gradient", do_gradient, true, false},
    {"cae_gradient_set", do_gradient_set, true, false},
    {"cae_encode", do_encode, false, false},
    {"cae_decode", do_decode, false, false},
    {"cae_denoise", do_denoise, false, false},
    {"cae_denoise_pixels", do_denoise_pixels, false, false},
    {"cae_evaluate", do_evaluate, false, false},
    {"cae_fit_code", do_fit_code, false, false},
    {"cae_compress", do_compress, false, false},
    {"cae_decompress", do_decompress, false, false},
};

enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

/* ---- One try --------------------------------------------------------------------------------- */

static void set_up(const struct call *c)
{
    cae_model *other = new_model(small_net, 44);
    bench.made = NULL;
    bench.size = 0;
    bench.in = noise(LEN, 6);
    bench.m = new_model(small_net, 9);
    OK(cae_model_set(bench.m, "threads", 2));
    OK(cae_model_note_set(bench.m, "a.note", "one"));
    OK(cae_model_note_set(bench.m, "z.note", "two\n"));
    for (int i = 0; i < 2 && !c->untrained; i++) {
        OK(cae_train_step(bench.m, bench.in, bench.in, COUNT, H, W, NULL));
    }
    bench.file = save_bytes(bench.m, CAE_SAVE_TRAINING);
    bench.half = save_bytes(bench.m, CAE_SAVE_F16);
    for (size_t i = 0; i < sizeof(bench.pixels); i++) {
        bench.pixels[i] = (uint8_t)(i * 3);
    }
    memset(bench.tall, 77, sizeof(bench.tall));
    memcpy(bench.tall[100], bench.pixels, sizeof(bench.pixels));
    bench.levels = new_model("input 1 8 8 noise\nconv 1 kernel 5 pad 2\n", 2);
    OK(cae_model_set(bench.levels, "threads", 2));
    memset(bench.image, 0, sizeof(bench.image));
    OK(cae_compress(bench.m, bench.pixels, H, W, W * C, 0, bench.image, sizeof(bench.image),
                    &bench.image_size));
    memset(bench.out, 0, sizeof(bench.out));
    if (c->plain_file) {
        plain_weights_write(other, bench.path, PLAIN_GOOD);
    } else {
        file_write(bench.path, bench.file.data, bench.file.size);
    }
    cae_model_free(other);
}

static void tear_down(void)
{
    cae_model_free(bench.m);
    cae_model_free(bench.made);
    cae_model_free(bench.levels);
    free(bench.in);
    free_bytes(&bench.file);
    free_bytes(&bench.half);
}

static uint64_t hash_model(const cae_model *m)
{
    struct bytes b = save_bytes(m, CAE_SAVE_TRAINING);
    const uint64_t hash = hash_bytes(b.data, b.size);
    free_bytes(&b);
    return hash;
}

/* All that a call may have made. */
static uint64_t outcome(void)
{
    size_t file_size = 0;
    uint8_t *file = file_read(bench.path, &file_size);
    uint64_t hash = hash_bytes(bench.out, sizeof(bench.out));
    hash = hash * 31 + hash_bytes(bench.pixels, sizeof(bench.pixels));
    hash = hash * 31 + hash_bytes(bench.tall, sizeof(bench.tall));
    hash = hash * 31 + hash_bytes(bench.image, sizeof(bench.image));
    hash = hash * 31 + hash_bytes(bench.file.data, bench.file.size) + bench.size;
    hash = hash * 31 + hash_model(bench.m);
    hash = hash * 31 + (bench.made != NULL ? hash_model(bench.made) : 0);
    hash = hash * 31 + hash_bytes(file, file_size);
    free(file);
    return hash;
}

/* Allocation `at` fails; false when the call needs fewer. */
static bool try_with(const struct call *c, size_t at, bool on, uint64_t expected)
{
    const size_t blocks = memory_blocks();
    set_up(c);
    const uint64_t before = hash_model(bench.m);
    forget_message();
    memory_fail(at, on);
    const int status = c->call();
    const bool reached = memory_calls() >= at;
    memory_fail(0, false);
    expect_context("%s, allocation %zu%s", c->name, at, on ? " and all later ones" : "");
    EXPECT_SAID(status == CAE_OK || status == CAE_E_NOMEM, "status %d", status);
    if (status != CAE_OK) {
        EXPECT(reached && strstr(cae_last_error(), "memory") != NULL);
        EXPECT(bench.made == NULL && hash_model(bench.m) == before);
        OK(c->call());
    }
    EXPECT(outcome() == expected);
    tear_down();
    EXPECT_SAID(memory_blocks() == blocks, "%zu blocks leak", memory_blocks() - blocks);
    return reached;
}

static void every_allocation_fails_once(void)
{
    for (size_t i = 0; i < CALLS; i++) {
        set_up(&calls[i]);
        OK(calls[i].call());
        const uint64_t expected = outcome();
        tear_down();
        size_t needed = 0;
        for (int on = 0; on < 2; on++) {
            size_t at = 1;
            while (at < 2000 && try_with(&calls[i], at, on, expected)) {
                at++;
            }
            needed = at - 1;
        }
        printf("        %s: %zu allocations\n", calls[i].name, needed);
    }
}

/* That a leak and a refusal would be seen. */
static void the_count_is_a_count(void)
{
    const size_t blocks = memory_blocks();
    const size_t size = memory_size();
    cae_model *m = new_model(small_net, 1);
    EXPECT(memory_blocks() > blocks && memory_size() > size + 1000);
    cae_model_free(m);
    EXPECT(memory_blocks() == blocks && memory_size() == size);
    memory_fail(1, false);
    FAILS(cae_model_new(&m, small_net, 1), CAE_E_NOMEM, "memory");
    memory_fail(0, false);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(the_count_is_a_count),
        TEST(every_allocation_fails_once),
    };
    char folder[] = "/tmp/cae-allocations-XXXXXX";
    if (mkdtemp(folder) == NULL || setenv("CAE_MODEL_PATH", folder, 1) != 0) {
        return 1;
    }
    bench.name = "model";
    snprintf(bench.path, sizeof(bench.path), "%s/%s.safetensors", folder, bench.name);
    const int result = RUN_TESTS(argc, argv, tests);
    unlink(bench.path);
    rmdir(folder);
    return result;
}
