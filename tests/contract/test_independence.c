/*
 * The result for an image depends on the image and the model alone, bit for bit: not on the images
 * around it, the number of threads, the tiles and strips it is made in or the memory limit. From
 * one pixel to a size that 16 MiB force into tiles; decoding what was encoded equals the whole
 * network.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <stdlib.h>

#include "contract.h"

/* Unit 4, one channel, few operations: for the large size. */
static const char thin_net[] = "input 1 8 8\n"
                               "conv 2 kernel 3 pad 1 relu\n"
                               "maxpool 2\n"
                               "conv 3 kernel 5 stride 2 pad 2 leaky\n"
                               "code\n"
                               "tconv 2 kernel 4 stride 2 pad 1 tanh\n"
                               "tconv 1 kernel 2 stride 2 sigmoid\n";

/* The same with a sampled code, which makes the loss of two sums. */
static const char sampled_net[] = "input 1 8 8\n"
                                  "conv 2 kernel 3 pad 1 relu\n"
                                  "maxpool 2\n"
                                  "conv 6 kernel 5 stride 2 pad 2\n"
                                  "code sampled\n"
                                  "tconv 2 kernel 4 stride 2 pad 1 tanh\n"
                                  "tconv 1 kernel 2 stride 2 sigmoid\n";

struct job {
    const char *text;
    size_t c, h, w;
    size_t code_len;
    size_t len;    /* of one image */
    float *images; /* three; the one in the middle counts */
    float *codes, *clean;
};

static void run(const cae_model *m, const struct job *j, size_t count, float *codes, float *clean)
{
    const float *from = count == 1 ? j->images + j->len : j->images;
    OK(cae_encode(m, from, count, j->h, j->w, codes));
    OK(cae_denoise(m, from, count, j->h, j->w, 0, clean));
}

/* What the first call gave, against `count` images under other settings. */
static void compare(cae_model *m, const struct job *j, size_t count, double threads, double limit)
{
    const size_t at = count == 1 ? 0 : 1;
    float *codes = need(count * j->code_len, sizeof(*codes));
    float *clean = need(count * j->len, sizeof(*clean));
    float *decoded = need(count * j->len, sizeof(*decoded));
    expect_context("%zu x %zu, %zu images, %g threads, limit %g", j->h, j->w, count, threads,
                   limit);
    OK(cae_model_set(m, "threads", threads));
    OK(cae_model_set(m, "memory_limit", limit));
    run(m, j, count, codes, clean);
    EXPECT(memcmp(codes + at * j->code_len, j->codes, j->code_len * sizeof(*codes)) == 0);
    EXPECT(memcmp(clean + at * j->len, j->clean, j->len * sizeof(*clean)) == 0);
    OK(cae_decode(m, codes, count, j->h, j->w, decoded));
    EXPECT(memcmp(decoded, clean, count * j->len * sizeof(*clean)) == 0);
    free(codes);
    free(clean);
    free(decoded);
}

static struct job make_job(const cae_model *m, const char *text, size_t h, size_t w)
{
    size_t shape[3];
    struct job j = {.text = text, .h = h, .w = w};
    OK(cae_model_shape(m, shape));
    j.c = shape[0];
    j.len = j.c * h * w;
    OK(cae_code_shape(m, h, w, shape));
    j.code_len = shape[0] * shape[1] * shape[2];
    j.images = noise(3 * j.len, h * 7919 + w);
    j.codes = need(j.code_len, sizeof(*j.codes));
    j.clean = need(j.len, sizeof(*j.clean));
    return j;
}

static void free_job(struct job *j)
{
    free(j->images);
    free(j->codes);
    free(j->clean);
}

static void check_size(const char *text, size_t h, size_t w)
{
    static const double threads[] = {2, 3, 7};
    cae_model *m = new_model(text, 5);
    struct job j = make_job(m, text, h, w);
    run(m, &j, 1, j.codes, j.clean);
    compare(m, &j, 3, 1, 1 << 30);
    for (size_t i = 0; i < 3; i++) {
        compare(m, &j, i == 1 ? 1 : 3, threads[i], i == 2 ? 1 << 24 : 1 << 30);
    }
    compare(m, &j, 1, 1, 1 << 24);
    free_job(&j);
    cae_model_free(m);
}

static void neither_batch_nor_threads_nor_limit_matter(void)
{
    static const size_t sizes[][2] = {{1, 1},   {7, 9},    {8, 8},    {9, 65},
                                      {65, 63}, {1, 5000}, {5000, 1}, {520, 9}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        check_size(thin_net, sizes[i][0], sizes[i][1]);
        check_size(small_net, sizes[i][0], sizes[i][1]);
        check_size(sampled_net, sizes[i][0], sizes[i][1]);
        if (sizes[i][0] * sizes[i][1] < 4200 || long_run()) {
            check_size("cae-compress", sizes[i][0], sizes[i][1]);
        }
    }
}

static void small_limits_make_tiles_and_low_strips(void)
{
    static const double limits[] = {3 << 17, 1 << 19, 1 << 20, 1 << 21, 1 << 22};
    static const size_t sizes[][2] = {{301, 203}, {3000, 1}, {2, 4001}, {129, 640}};
    static const char *const texts[] = {thin_net, small_net, sampled_net};
    for (size_t k = 0; k < 12; k++) {
        cae_model *m = new_model(texts[k % 3], 5);
        struct job j = make_job(m, texts[k % 3], sizes[k / 3][0], sizes[k / 3][1]);
        run(m, &j, 1, j.codes, j.clean);
        for (size_t i = 0; i < 5; i++) {
            compare(m, &j, i == 4 ? 3 : 1, (double)(1 + i % 3), limits[i]);
        }
        free_job(&j);
        cae_model_free(m);
    }
}

static void a_large_image_in_16_mebibytes(void)
{
    const char *text = long_run() ? "cae-compress" : thin_net;
    cae_model *m = new_model(text, 5);
    struct job j = make_job(m, text, 3001, 2003);
    OK(cae_model_set(m, "memory_limit", 8e9));
    run(m, &j, 1, j.codes, j.clean);
    compare(m, &j, 1, 1, 1 << 24);
    compare(m, &j, 1, 3, 1 << 24);
    free_job(&j);
    cae_model_free(m);
}

/* A pixel's surroundings matter, a pixel far away does not: so tiles could go wrong, and are seen.
 */
static void a_changed_pixel_is_seen_nearby_alone(void)
{
    cae_model *m = new_model(thin_net, 5);
    struct job j = make_job(m, thin_net, 64, 64);
    float *images = j.images + j.len;
    float *other = need(j.len, sizeof(*other));
    run(m, &j, 1, j.codes, j.clean);
    images[32 * 64 + 32] += 1.0f;
    OK(cae_denoise(m, images, 1, 64, 64, 0, other));
    EXPECT(memcmp(other, j.clean, 8 * 64 * sizeof(*other)) == 0);
    EXPECT(memcmp(other + 28 * 64, j.clean + 28 * 64, 8 * 64 * sizeof(*other)) != 0);
    free(other);
    free_job(&j);
    cae_model_free(m);
}

static void compressing_too(void)
{
    enum { H = 301, W = 203, C = 2 };
    static uint8_t pixels[H * W * C], restored[2][H * W * C];
    static const double settings[][2] = {{1, 1 << 30}, {3, 1 << 30}, {7, 1 << 24}, {1, 1 << 20}};
    uint64_t state = 9;
    cae_model *m = new_model(small_net, 5);
    const size_t capacity = cae_compress_bound(m, H, W);
    uint8_t *first = need(capacity, 1);
    uint8_t *data = need(capacity, 1);
    size_t first_size = 0;
    size_t size = 0;
    for (size_t i = 0; i < sizeof(pixels); i++) {
        pixels[i] = (uint8_t)(i / 7 + (random_next(&state) & 31));
    }
    OK(cae_compress(m, pixels, H, W, W * C, 0, first, capacity, &first_size));
    OK(cae_decompress(m, first, first_size, restored[0], H, W, W * C));
    for (size_t i = 0; i < 4; i++) {
        expect_context("%g threads, limit %g", settings[i][0], settings[i][1]);
        OK(cae_model_set(m, "threads", settings[i][0]));
        OK(cae_model_set(m, "memory_limit", settings[i][1]));
        OK(cae_compress(m, pixels, H, W, W * C, 0, data, capacity, &size));
        EXPECT(size == first_size && memcmp(first, data, size) == 0);
        OK(cae_decompress(m, data, size, restored[1], H, W, W * C));
        EXPECT(memcmp(restored[0], restored[1], sizeof(restored[0])) == 0);
    }
    free(first);
    free(data);
    cae_model_free(m);
}

/* The loss is a sum over everything, and still the same. */
static void check_loss(const char *text, size_t count, size_t h, size_t w)
{
    cae_model *m = new_model(text, 5);
    size_t shape[3];
    OK(cae_model_shape(m, shape));
    const size_t len = count * shape[0] * h * w;
    float *images = noise(len, 1);
    float *targets = noise(len, 2);
    float first = 0;
    float loss = 0;
    OK(cae_model_set(m, "kl_weight", 100));
    OK(cae_evaluate(m, images, targets, count, h, w, &first));
    for (int threads = 1; threads <= 7; threads++) {
        OK(cae_model_set(m, "threads", threads));
        OK(cae_model_set(m, "memory_limit", (double)(1 << (20 + threads % 4))));
        OK(cae_evaluate(m, images, targets, count, h, w, &loss));
        EXPECT_SAID(loss == first, "%zu of %zu x %zu, %d threads: loss %a, alone %a", count, h, w,
                    threads, (double)loss, (double)first);
    }
    free(images);
    free(targets);
    cae_model_free(m);
}

static void the_loss_too(void)
{
    check_loss(small_net, 5, 37, 29);
    check_loss(small_net, 2, 300, 131);
    check_loss(small_net, 1, 65, 700);
    check_loss(thin_net, 3, 64, 1);
    check_loss(thin_net, 1, 1000, 257);
    check_loss(sampled_net, 5, 37, 29);
    check_loss(sampled_net, 2, 300, 131);
    check_loss(sampled_net, 1, 65, 1500);
    check_loss(sampled_net, 1, 1000, 257);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(neither_batch_nor_threads_nor_limit_matter),
        TEST(small_limits_make_tiles_and_low_strips),
        TEST(a_large_image_in_16_mebibytes),
        TEST(a_changed_pixel_is_seen_nearby_alone),
        TEST(compressing_too),
        TEST(the_loss_too),
    };
    return RUN_TESTS(argc, argv, tests);
}
