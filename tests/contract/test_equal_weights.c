/*
 * The same seed and data give the same weights to the last bit: with 1, 2, 3 and 7 threads in every
 * tier, in all exact tiers, and in the fma tier with the setting `reproducible`. And one compressed
 * file gives one picture in all of them. CAE_CPU is read once in a process, so each tier has a
 * child of its own, which sends its hashes through a pipe.
 *
 * With CAE_TEST_SHORT=1, for emulators, one thread alone is tried, and the tier c and the best
 * alone.
 *
 * The hashes that every machine must give are written below. They change only when the order of a
 * sum changes, which docs/numerics.md must say.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract.h"

static const char *const tiers[] = {CAE_TIERS}; /* lib/meson.build */

enum { TIERS = sizeof(tiers) / sizeof(tiers[0]), THREADS = 4, NETS = 8, STEPS = 20 };

static const double threads[THREADS] = {1, 2, 3, 7};

static const char sampled_net[] = "input 2 8 12\n"
                                  "conv 4 kernel 3 pad 1 leaky\n"
                                  "maxpool 2\n"
                                  "conv 6 kernel 3 pad 1\n"
                                  "code sampled\n"
                                  "tconv 2 kernel 2 stride 2 sigmoid\n";
static const char sampled_dense_net[] = "input 1 6 5\n"
                                        "dense 8 tanh\n"
                                        "dense 10\n"
                                        "code sampled\n"
                                        "dense 1 6 5 sigmoid\n";

static const struct {
    const char *name;
    const char *text;
    size_t count, c, h, w;
} nets[NETS] = {
    {"small", small_net, 5, 2, 8, 12},
    {"small, padded", small_net, 4, 2, 7, 17},
    {"dense", dense_net, 9, 1, 6, 5},
    {"skip across the code", crossed_net, 5, 1, 8, 8},
    {"cae-compress", "cae-compress", 3, 1, 16, 16},
    {"sampled code", sampled_net, 5, 2, 9, 12},
    {"sampled code, dense", sampled_dense_net, 9, 1, 6, 5},
    {"noise levels", "unet-denoise-fast", 3, 1, 17, 20},
};

static const uint64_t expected_weights[NETS] = {
    0x8cb01188633d6084, 0xb1d059f8bd1c8f91, 0x62900ab8a982374d, 0xef58d2c90f00c6d8,
    0x14ddfd439971baf8, 0x4d71920820930387, 0xd29e1cdde3d1d473, 0x42904069736ca008};
static const uint64_t expected_picture = 0xf2f818c174825868;

static bool is_short(void)
{
    const char *wish = getenv("CAE_TEST_SHORT");
    return wish != NULL && strcmp(wish, "1") == 0;
}

/* How many of the numbers of threads are tried. */
static size_t thread_len(void)
{
    return is_short() ? 1 : THREADS;
}

static bool is_tried(size_t tier)
{
    return !is_short() || tier == 0 || tier == TIERS - 1;
}

/* What a child finds out. */
struct result {
    char kernels[16], exact[16];        /* as a model has them, and one with reproducible 1 */
    uint64_t weights[2][THREADS][NETS]; /* by `reproducible` first */
    uint64_t file, picture;
    size_t failures;
};

static uint64_t hash_weights(const cae_model *m)
{
    uint64_t hash = hash_start;
    for (size_t t = 0; t < cae_tensor_count(m); t++) {
        size_t shape[4];
        OK(cae_tensor_info(m, t, NULL, shape, NULL));
        const size_t len = shape[0] * shape[1] * shape[2] * shape[3];
        float *values = need(len, sizeof(*values));
        OK(cae_tensor_get(m, t, values, len));
        hash = hash_add_floats(hash, values, len);
        free(values);
    }
    return hash;
}

static uint64_t train(size_t n, double reproducible, double thread_count)
{
    cae_model *m = new_model(nets[n].text, 11);
    const size_t len = nets[n].count * nets[n].c * nets[n].h * nets[n].w;
    OK(cae_model_set(m, "reproducible", reproducible));
    OK(cae_model_set(m, "threads", thread_count));
    OK(cae_model_set(m, "weight_decay", 0.01));
    const float sigma[] = {0.02f, 0.1f, 0.29f};
    const bool levels = n == NETS - 1;
    for (uint64_t step = 0; step < STEPS; step++) {
        float *target = noise(len, 100 + step);
        float *input = noise(len, 100 + step);
        OK(cae_add_noise(input, len, 0.1f, step));
        OK(levels ? cae_train_step_sigma(m, input, target, sigma, nets[n].count, nets[n].h,
                                         nets[n].w, NULL)
                  : cae_train_step(m, input, target, nets[n].count, nets[n].h, nets[n].w, NULL));
        free(input);
        free(target);
    }
    const uint64_t hash = hash_weights(m);
    cae_model_free(m);
    return hash;
}

/* A network that takes small differences of large numbers, so that the last bits of the fma tier
 * would turn many pixels, if it were used. Its ranges come from an exact step that leaves the
 * weights. */
static cae_model *sensitive_model(void)
{
    enum { SIDE = 64, CODES = 2, TAPS = 9 };
    const float offset = 1000;
    cae_model *m =
        new_model("input 1 64 64\nconv 2 kernel 3 pad 1\ncode\nconv 1 kernel 3 pad 1\n", 11);
    const float first_bias[CODES] = {offset, offset};
    float weight[CODES * TAPS];
    double sum = 0;
    OK(cae_tensor_get(m, 3, weight, CODES * TAPS));
    for (size_t i = 0; i < CODES * TAPS; i++) {
        sum += (double)weight[i];
    }
    const float last_bias = (float)(0.5 - sum * (double)offset);
    OK(cae_tensor_set(m, 0, first_bias, CODES));
    OK(cae_tensor_set(m, 2, &last_bias, 1));
    float *images = noise(SIDE * SIDE, 4);
    OK(cae_model_set(m, "reproducible", 1));
    OK(cae_model_set(m, "learning_rate", 0));
    OK(cae_train_step(m, images, images, 1, SIDE, SIDE, NULL));
    OK(cae_model_set(m, "reproducible", 0));
    free(images);
    return m;
}

static void picture(struct result *r)
{
    enum { H = 61, W = 83 };
    uint8_t pixels[H * W], data[2 * H * W + 1000];
    uint64_t state = 1;
    size_t size = 0;
    cae_model *m = sensitive_model();
    for (size_t i = 0; i < sizeof(pixels); i++) {
        pixels[i] = (uint8_t)(i / 31 + (random_next(&state) & 63));
    }
    OK(cae_compress(m, pixels, H, W, W, 100, data, sizeof(data), &size));
    r->file = hash_bytes(data, size);
    OK(cae_decompress(m, data, size, pixels, H, W, W));
    r->picture = hash_bytes(pixels, sizeof(pixels));
    cae_model_free(m);
}

static void find_out(struct result *r)
{
    cae_model *m = new_model(small_net, 1);
    snprintf(r->kernels, sizeof(r->kernels), "%s", cae_model_kernels(m));
    OK(cae_model_set(m, "reproducible", 1));
    snprintf(r->exact, sizeof(r->exact), "%s", cae_model_kernels(m));
    cae_model_free(m);
    for (int exact = 0; exact < 2; exact++) {
        for (size_t t = 0; t < thread_len(); t++) {
            for (size_t n = 0; n < NETS; n++) {
                r->weights[exact][t][n] = train(n, exact, threads[t]);
            }
        }
    }
    picture(r);
    r->failures = expect_failures();
}

static struct result ask_child(const char *tier)
{
    struct result r = {.failures = 1};
    int ends[2];
    fflush(NULL);
    if (pipe(ends) != 0) {
        return r;
    }
    const pid_t child = fork();
    if (child == 0) {
        struct result *mine = need(1, sizeof(*mine));
        setenv("CAE_CPU", tier, 1);
        find_out(mine);
        _exit(write(ends[1], mine, sizeof(*mine)) != sizeof(*mine));
    }
    close(ends[1]);
    if (read(ends[0], &r, sizeof(r)) != sizeof(r)) {
        r.failures = 1;
    }
    close(ends[0]);
    (void)waitpid(child, NULL, 0);
    return r;
}

static struct result results[TIERS];

static void ask_all_tiers(void)
{
    for (size_t i = 0; i < TIERS; i++) {
        if (!is_tried(i)) {
            continue;
        }
        results[i] = ask_child(tiers[i]);
        printf("CAE_CPU=%s uses %s\n", tiers[i], results[i].kernels);
        EXPECT_SAID(results[i].failures == 0, "the child with CAE_CPU=%s failed", tiers[i]);
    }
    EXPECT(strcmp(results[0].kernels, "c") == 0);
}

static void threads_do_not_change_weights(void)
{
    for (size_t i = 0; i < TIERS * 2 * THREADS * NETS; i++) {
        const size_t n = i % NETS;
        const size_t t = i / NETS % THREADS;
        const size_t exact = i / NETS / THREADS % 2;
        const struct result *r = &results[i / NETS / THREADS / 2];
        if (t >= thread_len() || !is_tried(i / NETS / THREADS / 2)) {
            continue;
        }
        EXPECT_SAID(r->weights[exact][t][n] == r->weights[exact][0][n],
                    "%s, tier %s, reproducible %zu: %g threads give other weights than 1",
                    nets[n].name, r->kernels, exact, threads[t]);
    }
}

static bool fuses(const struct result *r)
{
    return strcmp(r->kernels, r->exact) != 0;
}

/* The exact tiers give the weights of c, the fused ones those of each other. */
static void tiers_do_not_change_weights(void)
{
    const struct result *fused = NULL;
    for (size_t i = 0; i < TIERS * NETS; i++) {
        const struct result *r = &results[i / NETS];
        const size_t n = i % NETS;
        const uint64_t in_c = results[0].weights[0][0][n];
        if (!is_tried(i / NETS)) {
            continue;
        }
        EXPECT_SAID(r->weights[1][0][n] == in_c, "%s: tier %s with reproducible 1 differs from c",
                    nets[n].name, r->kernels);
        EXPECT_SAID(fuses(r) || r->weights[0][0][n] == in_c, "%s: tier %s differs from c",
                    nets[n].name, r->kernels);
        if (!fuses(r)) {
            continue;
        }
        fused = fused != NULL ? fused : r;
        EXPECT_SAID(r->weights[0][0][n] != in_c, "%s: %s equals c, so this test shows nothing",
                    nets[n].name, r->kernels);
        EXPECT_SAID(r->weights[0][0][n] == fused->weights[0][0][n], "%s: tier %s differs from %s",
                    nets[n].name, r->kernels, fused->kernels);
    }
}

static void one_file_gives_one_picture(void)
{
    for (size_t i = 1; i < TIERS; i++) {
        if (!is_tried(i)) {
            continue;
        }
        EXPECT_SAID(results[i].file == results[0].file, "CAE_CPU=%s writes another file", tiers[i]);
        EXPECT_SAID(results[i].picture == results[0].picture, "CAE_CPU=%s restores other pixels",
                    tiers[i]);
    }
}

/* Not the compressed file: its bytes may differ between versions of zlib. */
static void every_machine_gives_these_hashes(void)
{
    for (size_t n = 0; n < NETS; n++) {
        EXPECT_SAID(results[0].weights[0][0][n] == expected_weights[n], "%s: 0x%016llx",
                    nets[n].name, (unsigned long long)results[0].weights[0][0][n]);
    }
    EXPECT_SAID(results[0].picture == expected_picture, "picture: 0x%016llx",
                (unsigned long long)results[0].picture);
}

int main(void)
{
    static const struct contract_test tests[] = {
        TEST(ask_all_tiers), /* the others look at what it brought */
        TEST(threads_do_not_change_weights),
        TEST(tiers_do_not_change_weights),
        TEST(one_file_gives_one_picture),
        TEST(every_machine_gives_these_hashes),
    };
    return RUN_TESTS(1, NULL, tests);
}
