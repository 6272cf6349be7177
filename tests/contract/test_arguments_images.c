/*
 * Bad arguments to the functions that work on images: a status, a message that names it, and a
 * model that is as it was. Each function of a kind goes through the same cases.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <math.h>
#include <stdlib.h>

#include "contract.h"

typedef int (*image_call)(cae_model *m, float *in, float *out, size_t count, size_t h, size_t w);

static int call_step(cae_model *m, float *in, float *out, size_t count, size_t h, size_t w)
{
    return cae_train_step(m, in, out, count, h, w, NULL);
}

static int call_gradient(cae_model *m, float *in, float *out, size_t count, size_t h, size_t w)
{
    return cae_train_gradient(m, in, out, count, h, w, NULL);
}

static int call_evaluate(cae_model *m, float *in, float *out, size_t count, size_t h, size_t w)
{
    float loss;
    return cae_evaluate(m, in, out, count, h, w, &loss);
}

static int call_encode(cae_model *m, float *in, float *out, size_t count, size_t h, size_t w)
{
    return cae_encode(m, in, count, h, w, out);
}

static int call_decode(cae_model *m, float *in, float *out, size_t count, size_t h, size_t w)
{
    return cae_decode(m, in, count, h, w, out);
}

static int call_denoise(cae_model *m, float *in, float *out, size_t count, size_t h, size_t w)
{
    return cae_denoise(m, in, count, h, w, 0.1f, out);
}

static int call_fit_code(cae_model *m, float *in, float *out, size_t count, size_t h, size_t w)
{
    (void)out;
    return cae_fit_code(m, in, count, h, w);
}

static const struct image_function {
    const char *name;
    image_call call;
    const char *in, *out; /* the arguments' names in the header; NULL: there is none */
    bool reads_out;       /* the second buffer is a target */
    bool splits;          /* needs the network in two halves */
} functions[] = {
    {"cae_train_step", call_step, "input", "target", true, false},
    {"cae_train_gradient", call_gradient, "input", "target", true, false},
    {"cae_evaluate", call_evaluate, "input", "target", true, false},
    {"cae_encode", call_encode, "images", "codes", false, true},
    {"cae_decode", call_decode, "codes", "images", false, true},
    {"cae_denoise", call_denoise, "noisy", "clean", false, false},
    {"cae_fit_code", call_fit_code, "images", NULL, false, true},
};

enum { FUNCTIONS = sizeof(functions) / sizeof(functions[0]), LEN = 4 * 2 * 8 * 12 };

/* Buffers that suffice for two 8 x 12 images of small_net and their codes. */
struct bench {
    cae_model *m, *twin;
    float in[LEN], out[LEN];
    size_t in_len; /* of two images or codes, as the function reads them */
};

static void set_up(struct bench *b, const struct image_function *f)
{
    float *values = noise(2 * LEN, 5);
    memcpy(b->in, values, sizeof(b->in));
    memcpy(b->out, values + LEN, sizeof(b->out));
    free(values);
    b->m = new_model(small_net, 3);
    b->twin = copy_model(b->m);
    b->in_len = 2 * (f->call == call_decode ? 6 * 2 * 3 : 2 * 8 * 12);
    expect_context("%s", f->name);
}

static void tear_down(struct bench *b)
{
    EXPECT(same_models(b->m, b->twin));
    cae_model_free(b->m);
    cae_model_free(b->twin);
    expect_context("%s", "");
}

static void null_pointers(void)
{
    for (size_t i = 0; i < FUNCTIONS; i++) {
        const struct image_function *f = &functions[i];
        struct bench b;
        set_up(&b, f);
        FAILS(f->call(NULL, b.in, b.out, 2, 8, 12), CAE_E_ARGUMENT, "m is NULL");
        FAILS(f->call(b.m, NULL, b.out, 2, 8, 12), CAE_E_ARGUMENT, f->in);
        if (f->out != NULL) {
            FAILS(f->call(b.m, b.in, NULL, 2, 8, 12), CAE_E_ARGUMENT, f->out);
        }
        tear_down(&b);
    }
}

static void sizes(void)
{
    const size_t huge = (size_t)1 << (sizeof(size_t) * 4);
    const bool wide = huge > 1u << 24; /* with 32 bits only the product is too large */
    const int limit = wide ? CAE_E_LIMIT : CAE_E_ARGUMENT;
    const char *const word = wide ? "2^24" : "";
    for (size_t i = 0; i < FUNCTIONS; i++) {
        const struct image_function *f = &functions[i];
        struct bench b;
        set_up(&b, f);
        FAILS(f->call(b.m, b.in, b.out, 0, 8, 12), CAE_E_ARGUMENT, "count");
        FAILS(f->call(b.m, b.in, b.out, 2, 0, 12), CAE_E_ARGUMENT, "height");
        FAILS(f->call(b.m, b.in, b.out, 2, 8, 0), CAE_E_ARGUMENT, "width");
        FAILS(f->call(b.m, b.in, b.out, SIZE_MAX, 8, 12), CAE_E_ARGUMENT, "");
        FAILS(f->call(b.m, b.in, b.out, huge, huge >> 9, 512), CAE_E_ARGUMENT, "");
        FAILS(f->call(b.m, b.in, b.out, SIZE_MAX / 8 / 12 / 2, 8, 12), CAE_E_ARGUMENT, "");
        FAILS(f->call(b.m, b.in, b.out, 1, SIZE_MAX, SIZE_MAX), CAE_E_LIMIT, "2^24");
        FAILS(f->call(b.m, b.in, b.out, 1, SIZE_MAX, 1), CAE_E_LIMIT, "2^24");
        FAILS(f->call(b.m, b.in, b.out, 1, huge, huge), limit, word);
        FAILS(f->call(b.m, b.in, b.out, huge, huge / 2, 2), limit, word);
        FAILS(f->call(b.m, b.in, b.out, 1, ((size_t)1 << 24) + 1, 1), CAE_E_LIMIT, "2^24");
        tear_down(&b);
    }
}

static void values_that_are_not_finite(void)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < FUNCTIONS; i++) {
        const struct image_function *f = &functions[i];
        struct bench b;
        set_up(&b, f);
        const size_t places[] = {0, b.in_len / 2, b.in_len - 1};
        for (size_t k = 0; k < 9; k++) {
            const size_t at = places[k % 3];
            const float kept = b.in[at];
            b.in[at] = bad[k / 3];
            FAILS(f->call(b.m, b.in, b.out, 2, 8, 12), CAE_E_NONFINITE, f->in);
            b.in[at] = kept;
            if (f->reads_out) {
                b.out[at] = bad[k / 3];
                FAILS(f->call(b.m, b.in, b.out, 2, 8, 12), CAE_E_NONFINITE, f->out);
                b.out[at] = 0.5f;
            }
        }
        tear_down(&b);
    }
}

/* Values that are finite, but overflow within a network without bounds. */
static void results_that_overflow(void)
{
    static const char open_net[] = "input 2 8 12\nconv 6 kernel 3 pad 1 stride 4\ncode\n"
                                   "tconv 2 kernel 4 stride 4\n";
    for (size_t i = 0; i < FUNCTIONS; i++) {
        const struct image_function *f = &functions[i];
        struct bench b;
        set_up(&b, f);
        cae_model_free(b.m);
        cae_model_free(b.twin);
        b.m = new_model(open_net, 3);
        float weight[6 * 2 * 4 * 4];
        for (size_t k = 0; k < 6 * 2 * 4 * 4; k++) {
            weight[k] = 2;
        }
        OK(cae_tensor_set(b.m, 3, weight, 6 * 2 * 4 * 4));
        OK(cae_tensor_set(b.m, 1, weight, 6 * 2 * 3 * 3));
        b.twin = copy_model(b.m);
        for (size_t k = 0; k < LEN; k++) {
            b.in[k] = 3e38f;
        }
        FAILS(f->call(b.m, b.in, b.out, 2, 8, 12), CAE_E_NONFINITE, "");
        tear_down(&b);
    }
}

static void sizes_that_the_network_cannot_take(void)
{
    float in[64] = {0};
    float out[64] = {0};
    cae_model *dense = new_model(dense_net, 1);
    cae_model *crossed = new_model(crossed_net, 1);
    for (size_t i = 0; i < FUNCTIONS; i++) {
        const struct image_function *f = &functions[i];
        expect_context("%s", f->name);
        FAILS(f->call(dense, in, out, 1, 5, 6), CAE_E_SHAPE, "6 x 5");
        FAILS(f->call(dense, in, out, 1, 6, 4), CAE_E_SHAPE, "6 x 5");
        OK(f->call(dense, in, out, 1, 6, 5));
        if (f->splits) {
            FAILS(f->call(crossed, in, out, 1, 8, 8), CAE_E_UNSUPPORTED, "code");
        } else {
            OK(f->call(crossed, in, out, 1, 8, 8));
        }
    }
    cae_model_free(dense);
    cae_model_free(crossed);
}

static void more_than_the_memory_limit(void)
{
    /* A dense layer cannot be run in tiles, and neither can training. */
    static const char wide[] = "input 1 64 64\nconv 64 kernel 3 pad 1\nconv 1 kernel 1\ndense 2\n"
                               "code\ndense 1 64 64\n";
    cae_model *m = new_model(wide, 1);
    float *in = noise(64 * 64, 1);
    float *out = noise(64 * 64, 2);
    OK(cae_model_set(m, "memory_limit", 65536));
    for (size_t i = 0; i < FUNCTIONS; i++) {
        if (functions[i].call != call_decode) {
            expect_context("%s", functions[i].name);
            FAILS(functions[i].call(m, in, out, 1, 64, 64), CAE_E_LIMIT, "memory_limit");
        }
    }
    cae_model_free(m);
    free(in);
    free(out);
}

static void noise_levels(void)
{
    static const float wrong[] = {-0.1f, NAN, INFINITY, -INFINITY};
    cae_model *m = new_model(small_net, 1);
    float *images = noise(LEN, 1);
    float *out = noise(LEN, 2);
    for (size_t i = 0; i < 4; i++) {
        FAILS(cae_denoise(m, images, 2, 8, 12, wrong[i], out), CAE_E_ARGUMENT, "sigma");
        FAILS(cae_add_noise(images, LEN, wrong[i], 1), CAE_E_ARGUMENT, "sigma");
    }
    FAILS(cae_add_noise(NULL, LEN, 0.1f, 1), CAE_E_ARGUMENT, "images");
    FAILS(cae_add_noise(images, 0, 0.1f, 1), CAE_E_ARGUMENT, "len");
    FAILS(cae_add_noise(images, SIZE_MAX, 0.1f, 1), CAE_E_ARGUMENT, "len");
    images[LEN - 1] = NAN;
    FAILS(cae_add_noise(images, LEN, 0.1f, 1), CAE_E_NONFINITE, "images");
    cae_model_free(m);
    free(images);
    free(out);
}

static void gradients(void)
{
    struct bench b;
    double parameters = 0;
    set_up(&b, &functions[1]);
    OK(cae_model_get(b.m, "parameters", &parameters));
    const size_t len = (size_t)parameters;
    float *values = need(len + 1, sizeof(*values));
    FAILS(cae_gradient_get(b.m, values, len), CAE_E_ARGUMENT, "gradient");
    FAILS(cae_train_apply(b.m), CAE_E_ARGUMENT, "gradient");
    FAILS(cae_train_apply(NULL), CAE_E_ARGUMENT, "m is NULL");
    FAILS(cae_gradient_set(NULL, values, len), CAE_E_ARGUMENT, "m is NULL");
    FAILS(cae_gradient_set(b.m, NULL, len), CAE_E_ARGUMENT, "values");
    FAILS(cae_gradient_set(b.m, values, len - 1), CAE_E_SHAPE, "");
    FAILS(cae_gradient_set(b.m, values, len + 1), CAE_E_SHAPE, "");
    values[len - 1] = NAN;
    FAILS(cae_gradient_set(b.m, values, len), CAE_E_NONFINITE, "values");
    /* None of these left a gradient behind. */
    FAILS(cae_train_apply(b.m), CAE_E_ARGUMENT, "gradient");
    OK(cae_train_gradient(b.m, b.in, b.in, 2, 8, 12, NULL));
    FAILS(cae_gradient_get(NULL, values, len), CAE_E_ARGUMENT, "m is NULL");
    FAILS(cae_gradient_get(b.m, NULL, len), CAE_E_ARGUMENT, "values");
    FAILS(cae_gradient_get(b.m, values, len - 1), CAE_E_SHAPE, "");
    OK(cae_gradient_get(b.m, values, len));
    OK(cae_train_apply(b.m));
    FAILS(cae_train_apply(b.m), CAE_E_ARGUMENT, "gradient");
    FAILS(cae_gradient_get(b.m, values, len), CAE_E_ARGUMENT, "gradient");
    cae_model_free(b.twin);
    b.twin = copy_model(b.m);
    tear_down(&b);
    free(values);
}

/* ---- Compressed images ------------------------------------------------------------------------
 */

static void compressing(void)
{
    cae_model *m = new_model(small_net, 1);
    cae_model *dense = new_model(dense_net, 1);
    cae_model *crossed = new_model(crossed_net, 1);
    uint8_t pixels[8 * 24] = {0};
    uint8_t data[4096];
    size_t size = 0;
    EXPECT(cae_compress_bound(NULL, 8, 12) == 0 && cae_compress_bound(m, 0, 12) == 0);
    EXPECT(cae_compress_bound(m, 8, 0) == 0 && cae_compress_bound(m, SIZE_MAX, SIZE_MAX) == 0);
    EXPECT(cae_compress_bound(dense, 8, 8) == 0 && cae_compress_bound(crossed, 8, 8) == 0);
    FAILS(cae_compress(NULL, pixels, 8, 12, 24, 0, data, 4096, &size), CAE_E_ARGUMENT, "m is NULL");
    FAILS(cae_compress(m, NULL, 8, 12, 24, 0, data, 4096, &size), CAE_E_ARGUMENT, "pixels");
    FAILS(cae_compress(m, pixels, 0, 12, 24, 0, data, 4096, &size), CAE_E_ARGUMENT, "height");
    FAILS(cae_compress(m, pixels, 8, 0, 24, 0, data, 4096, &size), CAE_E_ARGUMENT, "width");
    FAILS(cae_compress(m, pixels, 8, 12, 23, 0, data, 4096, &size), CAE_E_ARGUMENT, "stride");
    FAILS(cae_compress(m, pixels, 8, SIZE_MAX / 2 + 1, 24, 0, data, 4096, &size), CAE_E_ARGUMENT,
          "");
    FAILS(cae_compress(m, pixels, 8, 12, SIZE_MAX / 4, 0, data, 4096, &size), CAE_E_ARGUMENT,
          "rows");
    FAILS(cae_compress(m, pixels, 8, 12, 24, 101, data, 4096, &size), CAE_E_ARGUMENT, "quality");
    FAILS(cae_compress(m, pixels, 8, 12, 24, 0, NULL, 4096, &size), CAE_E_ARGUMENT, "data");
    FAILS(cae_compress(m, pixels, 8, 12, 24, 0, data, 4096, NULL), CAE_E_ARGUMENT, "size");
    FAILS(cae_compress(dense, pixels, 8, 8, 8, 0, data, 4096, &size), CAE_E_SHAPE, "6 x 5");
    FAILS(cae_compress(crossed, pixels, 8, 8, 8, 0, data, 4096, &size), CAE_E_UNSUPPORTED, "code");
    OK(cae_compress(m, pixels, 8, 12, 24, 0, NULL, 0, &size));
    const size_t needed = size;
    size = 0;
    FAILS(cae_compress(m, pixels, 8, 12, 24, 0, data, needed - 1, &size), CAE_E_BUFFER, "");
    EXPECT(size == needed);
    OK(cae_compress(m, pixels, 8, 12, 24, 0, data, needed, &size));
    cae_model_free(m);
    cae_model_free(dense);
    cae_model_free(crossed);
}

/* An 8 x 12 image of small_net, compressed. */
static size_t compressed(const cae_model *m, uint8_t *data, size_t capacity)
{
    uint8_t pixels[8 * 24] = {0};
    size_t size = 0;
    OK(cae_compress(m, pixels, 8, 12, 24, 0, data, capacity, &size));
    return size;
}

static void decompressing(void)
{
    cae_model *m = new_model(small_net, 1);
    cae_model *dense = new_model(dense_net, 1);
    uint8_t pixels[8 * 24];
    uint8_t data[4096];
    const size_t size = compressed(m, data, sizeof(data));
    FAILS(cae_decompress(NULL, data, size, pixels, 8, 12, 24), CAE_E_ARGUMENT, "m is NULL");
    FAILS(cae_decompress(m, NULL, size, pixels, 8, 12, 24), CAE_E_ARGUMENT, "data");
    FAILS(cae_decompress(m, data, size, NULL, 8, 12, 24), CAE_E_ARGUMENT, "pixels");
    FAILS(cae_decompress(m, data, size, pixels, 0, 12, 24), CAE_E_ARGUMENT, "height");
    FAILS(cae_decompress(m, data, size, pixels, 8, 0, 24), CAE_E_ARGUMENT, "width");
    FAILS(cae_decompress(m, data, size, pixels, 8, 12, 23), CAE_E_ARGUMENT, "stride");
    FAILS(cae_decompress(m, data, size, pixels, 8, 12, SIZE_MAX / 4), CAE_E_ARGUMENT, "rows");
    FAILS(cae_decompress(m, data, size, pixels, 8, 11, 24), CAE_E_SHAPE, "8 x 12");
    FAILS(cae_decompress(m, data, size, pixels, 7, 12, 24), CAE_E_SHAPE, "8 x 12");
    FAILS(cae_decompress(m, data, 0, pixels, 8, 12, 24), CAE_E_FORMAT, "");
    FAILS(cae_decompress(dense, data, size, pixels, 8, 12, 24), CAE_E_MODEL, "");
    OK(cae_decompress(m, data, size, pixels, 8, 12, 24));
    cae_model_free(m);
    cae_model_free(dense);
}

static void looking_into_an_image(void)
{
    cae_model *m = new_model(small_net, 1);
    uint8_t data[4096];
    const size_t size = compressed(m, data, sizeof(data));
    size_t shape[3];
    FAILS(cae_compressed_info(NULL, size, shape), CAE_E_ARGUMENT, "data");
    FAILS(cae_compressed_info(data, size, NULL), CAE_E_ARGUMENT, "shape");
    FAILS(cae_compressed_info(data, 0, shape), CAE_E_FORMAT, "");
    FAILS(cae_compressed_info("not an image", 12, shape), CAE_E_FORMAT, "");
    OK(cae_compressed_info(data, size, shape));
    EXPECT(shape[0] == 2 && shape[1] == 8 && shape[2] == 12);
    cae_model_free(m);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(null_pointers),
        TEST(sizes),
        TEST(values_that_are_not_finite),
        TEST(results_that_overflow),
        TEST(sizes_that_the_network_cannot_take),
        TEST(more_than_the_memory_limit),
        TEST(noise_levels),
        TEST(gradients),
        TEST(compressing),
        TEST(decompressing),
        TEST(looking_into_an_image),
    };
    return RUN_TESTS(argc, argv, tests);
}
