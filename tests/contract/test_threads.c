/*
 * Threads: eight of them encode, decode, de-noise, compress, copy and save one const model while
 * another model trains, and each gets what one thread alone gets. Meant for a thread sanitizer
 * above all; and for programs whose threads are small, or cannot be made.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "contract.h"

enum { C = 2, H = 19, W = 22, LEN = C * H * W, READERS = 8 };

/* ---- Threads that cannot be made: this function stands before the C library's ---- */

static atomic_int creations_left = -1; /* negative: no limit */

typedef int (*creator)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *arg)
{
    union {
        void *object;
        creator function;
    } next = {dlsym(RTLD_NEXT, "pthread_create")};
    if (creations_left == 0) {
        return EAGAIN;
    }
    if (creations_left > 0) {
        creations_left--;
    }
    return next.function(thread, attributes, run, arg);
}

/* ---- What a thread does with a model that it only reads ---- */

static uint64_t floats_hash(const float *values, size_t len)
{
    return hash_bytes(values, len * sizeof(*values));
}

static uint64_t use_floats(const cae_model *m)
{
    size_t shape[3];
    float loss = 0;
    float *images = noise(LEN, 3);
    float *clean = need(LEN, sizeof(*clean));
    OK(cae_code_shape(m, H, W, shape));
    const size_t code_len = shape[0] * shape[1] * shape[2];
    float *codes = need(code_len, sizeof(*codes));
    OK(cae_encode(m, images, 1, H, W, codes));
    OK(cae_decode(m, codes, 1, H, W, clean));
    uint64_t hash = floats_hash(codes, code_len) * 31 + floats_hash(clean, LEN);
    OK(cae_denoise(m, images, 1, H, W, 0, clean));
    OK(cae_evaluate(m, images, images, 1, H, W, &loss));
    hash = (hash * 31 + floats_hash(clean, LEN)) * 31 + floats_hash(&loss, 1);
    free(images);
    free(clean);
    free(codes);
    return hash;
}

static uint64_t use_bytes(const cae_model *m)
{
    uint8_t pixels[LEN], data[4096];
    size_t size = 0;
    double value = 0;
    cae_model *copy = NULL;
    for (size_t i = 0; i < sizeof(pixels); i++) {
        pixels[i] = (uint8_t)(i * 5);
    }
    OK(cae_compress(m, pixels, H, W, W * C, 0, data, sizeof(data), &size));
    OK(cae_decompress(m, data, size, pixels, H, W, W * C));
    uint64_t hash = hash_bytes(data, size) * 31 + hash_bytes(pixels, sizeof(pixels));
    struct bytes file = save_bytes(m, CAE_SAVE_TRAINING);
    hash = hash * 31 + hash_bytes(file.data, file.size);
    free_bytes(&file);
    OK(cae_model_copy(&copy, m, 0));
    OK(cae_model_get(copy, "parameters", &value));
    cae_model_free(copy);
    FAILS(cae_model_get(m, "speed", &value), CAE_E_ARGUMENT, "speed");
    return hash;
}

static uint64_t use(const cae_model *m)
{
    const uint64_t floats = use_floats(m);
    return floats * 31 + use_bytes(m);
}

struct reader {
    pthread_t thread;
    const cae_model *m;
    uint64_t expected;
    int rounds;
};

static void *read_model(void *arg)
{
    const struct reader *r = arg;
    for (int i = 0; i < r->rounds; i++) {
        const uint64_t hash = use(r->m);
        EXPECT_SAID(hash == r->expected, "another result in a thread");
    }
    return NULL;
}

static void train(cae_model *m, int steps)
{
    float *images = noise(2 * LEN, 8);
    for (int i = 0; i < steps; i++) {
        OK(cae_train_step(m, images, images, 2, H, W, NULL));
    }
    free(images);
}

static void many_read_one_model_while_another_trains(void)
{
    for (double inner = 1; inner <= 3; inner += 2) {
        cae_model *m = new_model(small_net, 1);
        cae_model *trained = new_model(small_net, 2);
        cae_model *twin = new_model(small_net, 2);
        struct reader readers[READERS];
        OK(cae_model_set(m, "threads", inner));
        OK(cae_model_set(trained, "threads", 2));
        train(m, 1); /* ranges are gathered; the id for compressed images is not known yet */
        cae_model *other = copy_model(m);
        const uint64_t expected = use(other);
        for (size_t i = 0; i < READERS; i++) {
            readers[i] = (struct reader){.m = m, .expected = expected, .rounds = 6};
            EXPECT(pthread_create(&readers[i].thread, NULL, read_model, &readers[i]) == 0);
        }
        train(trained, 20);
        for (size_t i = 0; i < READERS; i++) {
            pthread_join(readers[i].thread, NULL);
        }
        train(twin, 20);
        OK(cae_model_set(trained, "threads", 1));
        EXPECT(same_models(trained, twin));
        cae_model_free(m);
        cae_model_free(other);
        cae_model_free(trained);
        cae_model_free(twin);
    }
}

/* A model may be made here, used there, and freed elsewhere. */
static void *give_back(void *arg)
{
    train(arg, 2);
    cae_model_free(arg);
    return NULL;
}

static void models_move_between_threads(void)
{
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        cae_model *m = new_model(small_net, i);
        OK(cae_model_set(m, "threads", 2));
        train(m, 1);
        EXPECT(pthread_create(&threads[i], NULL, give_back, m) == 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void threads_that_cannot_be_made_change_nothing(void)
{
    cae_model *expected = new_model(small_net, 1);
    train(expected, 3);
    for (int possible = 0; possible < 5; possible++) {
        cae_model *m = new_model(small_net, 1);
        OK(cae_model_set(m, "threads", 4));
        creations_left = possible;
        train(m, 3);
        const uint64_t hash = use_floats(m);
        creations_left = -1;
        OK(cae_model_set(m, "threads", 1));
        EXPECT(hash == use_floats(expected) && same_models(m, expected));
        cae_model_free(m);
    }
    cae_model_free(expected);
}

/* The dense layers have ways of their own, with the update in the pass over the gradient, and Adam
 * is spread over threads only where 2^19 weights or more pay for one: both of each kind of step. */
static void dense_layers_and_many_weights_train(void)
{
    static const char *const texts[] = {
        "input 2 19 22\ndense 96 relu\ncode\ndense 2 19 22 sigmoid\n",
        "input 2 19 22\ndense 40\ncode sampled\ndense 90 leaky\ndense 2 19 22\n",
        ("input 2 19 22\nconv 768 kernel 8 stride 8 relu\ncode\nconv 768 kernel 1\n"
         "tconv 2 kernel 8 stride 8\n"),
    };
    for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++) {
        cae_model *m = new_model(texts[t], 1);
        cae_model *one = new_model(texts[t], 1);
        double len = 0;
        float *images = noise(2 * LEN, 5);
        expect_context("network %zu", t);
        OK(cae_model_get(m, "parameters", &len));
        EXPECT(len >= (t == 2 ? 1 << 19 : 1 << 16));
        OK(cae_model_set(m, "threads", 4));
        for (size_t i = 0; i < 2; i++) {
            cae_model *which = i == 0 ? m : one;
            train(which, 2);
            OK(cae_train_gradient(which, images, images, 2, H, W, NULL));
            OK(cae_train_apply(which));
        }
        OK(cae_fit_code(m, images, 2, H, W));
        OK(cae_fit_code(one, images, 2, H, W));
        EXPECT(use_floats(m) == use_floats(one));
        OK(cae_model_set(m, "threads", 1));
        EXPECT(same_models(m, one));
        free(images);
        cae_model_free(m);
        cae_model_free(one);
    }
}

static void *whole_life(void *arg)
{
    cae_model *m = new_model(small_net, 1);
    cae_model *loaded = NULL;
    OK(cae_model_set(m, "threads", 2));
    train(m, 2);
    struct bytes file = save_bytes(m, CAE_SAVE_TRAINING);
    OK(cae_model_load_memory(&loaded, file.data, file.size));
    *(uint64_t *)arg = use(loaded);
    free_bytes(&file);
    cae_model_free(loaded);
    cae_model_free(m);
    return NULL;
}

static void a_stack_of_64_kibibytes_suffices(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    uint64_t expected = 0;
    uint64_t hash = 0;
    whole_life(&expected);
    pthread_attr_init(&attributes);
    EXPECT(pthread_attr_setstacksize(&attributes, 64 * 1024) == 0);
    EXPECT(pthread_create(&thread, &attributes, whole_life, &hash) == 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    EXPECT(hash == expected);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(many_read_one_model_while_another_trains),   TEST(models_move_between_threads),
        TEST(threads_that_cannot_be_made_change_nothing), TEST(dense_layers_and_many_weights_train),
        TEST(a_stack_of_64_kibibytes_suffices),
    };
    return RUN_TESTS(argc, argv, tests);
}
