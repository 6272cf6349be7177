/*
 * Networks that are told each image's noise level: who may be called with levels and who without,
 * what the level does, and that the result depends on image and level alone.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <math.h>
#include <stdlib.h>

#include "contract.h"

/* Without a code; unit 4. */
static const char unet[] = "input 1 16 16 noise\n"
                           "mark noisy\n"
                           "conv 4 kernel 6 stride 2 pad 2 relu\n"
                           "mark half\n"
                           "conv 6 kernel 2 stride 2 leaky\n"
                           "conv 6 kernel 3 pad 1 relu\n"
                           "tconv 4 kernel 2 stride 2\n"
                           "add half relu\n"
                           "tconv 1 kernel 6 stride 2 pad 2\n"
                           "add noisy\n";

/* With one, which stands alone but for the level. */
static const char coded[] = "input 1 16 16 noise\n"
                            "conv 3 kernel 3 pad 1 tanh\n"
                            "code\n"
                            "conv 1 kernel 3 pad 1\n";

enum { H = 20, W = 13, LEN = H * W, COUNT = 3 };

struct bench {
    cae_model *m;
    float *in, *target, *out;
};

static struct bench set_up(const char *text)
{
    return (struct bench){new_model(text, 3), noise(COUNT * LEN, 1), noise(COUNT * LEN, 2),
                          need(COUNT * LEN, sizeof(float))};
}

static void tear_down(struct bench *b)
{
    cae_model_free(b->m);
    free(b->in);
    free(b->target);
    free(b->out);
}

static const float levels[COUNT] = {0.02f, 0.1f, 0.3f};

/* ---- Refusals -------------------------------------------------------------------------------- */

static void levels_go_to_networks_that_take_them(void)
{
    struct bench b = set_up(unet);
    cae_model *plain = new_model(small_net, 1);
    FAILS(cae_train_step(b.m, b.in, b.target, COUNT, H, W, NULL), CAE_E_ARGUMENT, "_sigma");
    FAILS(cae_train_gradient(b.m, b.in, b.target, COUNT, H, W, NULL), CAE_E_ARGUMENT, "_sigma");
    FAILS(cae_evaluate(b.m, b.in, b.target, COUNT, H, W, NULL), CAE_E_ARGUMENT, "_sigma");
    FAILS(cae_train_step_sigma(plain, b.in, b.target, levels, 1, 8, 8, NULL), CAE_E_ARGUMENT,
          "no noise level");
    FAILS(cae_train_gradient_sigma(plain, b.in, b.target, levels, 1, 8, 8, NULL), CAE_E_ARGUMENT,
          "no noise level");
    FAILS(cae_evaluate_sigma(plain, b.in, b.target, levels, 1, 8, 8, NULL), CAE_E_ARGUMENT,
          "no noise level");
    cae_model_free(plain);
    tear_down(&b);
}

static void bad_levels_are_named(void)
{
    static const float bad[] = {0, -0.1f, NAN, INFINITY, -INFINITY};
    struct bench b = set_up(unet);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const float sigma[COUNT] = {0.1f, bad[i], 0.1f};
        FAILS(cae_train_step_sigma(b.m, b.in, b.target, sigma, COUNT, H, W, NULL), CAE_E_ARGUMENT,
              "sigma: value 1 ");
        FAILS(cae_train_gradient_sigma(b.m, b.in, b.target, sigma, COUNT, H, W, NULL),
              CAE_E_ARGUMENT, "sigma: value 1 ");
        FAILS(cae_evaluate_sigma(b.m, b.in, b.target, sigma, COUNT, H, W, NULL), CAE_E_ARGUMENT,
              "sigma: value 1 ");
    }
    FAILS(cae_train_step_sigma(b.m, b.in, b.target, NULL, COUNT, H, W, NULL), CAE_E_ARGUMENT,
          "sigma");
    FAILS(cae_train_gradient_sigma(b.m, b.in, b.target, NULL, COUNT, H, W, NULL), CAE_E_ARGUMENT,
          "sigma");
    FAILS(cae_evaluate_sigma(b.m, b.in, b.target, NULL, COUNT, H, W, NULL), CAE_E_ARGUMENT,
          "sigma");
    tear_down(&b);
}

/* A level so small that the network sees infinities, and one so large that its output does. */
static void levels_beyond_floats_overflow(void)
{
    static const float far[COUNT] = {1e-44f, 1e-44f, 1e-44f};
    struct bench b = set_up(unet);
    FAILS(cae_denoise(b.m, b.in, 1, H, W, 1e-44f, b.out), CAE_E_NONFINITE, "overflow");
    FAILS(cae_train_step_sigma(b.m, b.in, b.target, far, COUNT, H, W, NULL), CAE_E_NONFINITE,
          "overflow");
    tear_down(&b);
}

static void codes_are_refused(void)
{
    uint8_t pixels[LEN] = {0}, data[4 * LEN + 1000];
    size_t shape[3], size = 0;
    const char *const texts[] = {unet, coded};
    const char *const words[] = {"no 'code'", "noise level"};
    for (size_t i = 0; i < 2; i++) {
        struct bench b = set_up(texts[i]);
        FAILS(cae_code_shape(b.m, H, W, shape), CAE_E_UNSUPPORTED, words[i]);
        FAILS(cae_encode(b.m, b.in, 1, H, W, b.out), CAE_E_UNSUPPORTED, words[i]);
        FAILS(cae_decode(b.m, b.in, 1, H, W, b.out), CAE_E_UNSUPPORTED, words[i]);
        FAILS(cae_fit_code(b.m, b.in, 1, H, W), CAE_E_UNSUPPORTED, words[i]);
        FAILS(cae_compress(b.m, pixels, H, W, W, 0, data, sizeof(data), &size), CAE_E_UNSUPPORTED,
              words[i]);
        tear_down(&b);
    }
}

/* ---- What a level does ----------------------------------------------------------------------- */

/* Contrast and noise twice as large are seen as the same, and come out twice as large. */
static void the_network_sees_units_of_noise(void)
{
    struct bench b = set_up(unet);
    float *twice = need(LEN, sizeof(*twice)), *cleaned = need(LEN, sizeof(*cleaned));
    for (size_t i = 0; i < LEN; i++) {
        b.in[i] = (float)(i % 64) / 64; /* so that twice the distance from 1/2 is exact */
        twice[i] = 0.5f + 2 * (b.in[i] - 0.5f);
    }
    OK(cae_denoise(b.m, b.in, 1, H, W, 0.125f, b.out));
    OK(cae_denoise(b.m, twice, 1, H, W, 0.25f, cleaned));
    for (size_t i = 0; i < LEN; i++) {
        EXPECT_SAID(fabsf((cleaned[i] - 0.5f) - 2 * (b.out[i] - 0.5f)) < 1e-6f, "value %zu", i);
    }
    OK(cae_denoise(b.m, b.in, 1, H, W, 0.25f, cleaned));
    EXPECT(memcmp(cleaned, b.out, LEN * sizeof(float)) != 0);
    free(twice);
    free(cleaned);
    tear_down(&b);
}

static void a_step_is_a_gradient_and_its_use(void)
{
    struct bench b = set_up(unet);
    cae_model *other = NULL;
    float losses[3];
    OK(cae_model_copy(&other, b.m, 0));
    OK(cae_evaluate_sigma(b.m, b.in, b.target, levels, COUNT, H, W, &losses[0]));
    OK(cae_train_step_sigma(b.m, b.in, b.target, levels, COUNT, H, W, &losses[1]));
    OK(cae_train_gradient_sigma(other, b.in, b.target, levels, COUNT, H, W, &losses[2]));
    OK(cae_train_apply(other));
    EXPECT(losses[0] == losses[1] && losses[1] == losses[2]);
    for (size_t t = 0; t < cae_tensor_count(b.m); t++) {
        size_t shape[4];
        OK(cae_tensor_info(b.m, t, NULL, shape, NULL));
        const size_t n = shape[0] * shape[1] * shape[2] * shape[3];
        float *mine = need(n, sizeof(*mine)), *its = need(n, sizeof(*its));
        OK(cae_tensor_get(b.m, t, mine, n));
        OK(cae_tensor_get(other, t, its, n));
        EXPECT(memcmp(mine, its, n * sizeof(*mine)) == 0);
        free(mine);
        free(its);
    }
    cae_model_free(other);
    tear_down(&b);
}

static void saved_and_loaded_it_is_the_same(void)
{
    struct bench b = set_up(unet);
    uint8_t *data = NULL;
    size_t size = 0;
    float *again = need(LEN, sizeof(*again));
    cae_model *loaded = NULL;
    OK(cae_train_step_sigma(b.m, b.in, b.target, levels, COUNT, H, W, NULL));
    OK(cae_model_save_memory(b.m, NULL, 0, &size, CAE_SAVE_TRAINING));
    data = need(size, 1);
    OK(cae_model_save_memory(b.m, data, size, &size, CAE_SAVE_TRAINING));
    OK(cae_model_load_memory(&loaded, data, size));
    EXPECT(strcmp(cae_model_architecture(loaded), unet) == 0);
    OK(cae_denoise(b.m, b.in, 1, H, W, 0.1f, b.out));
    OK(cae_denoise(loaded, b.in, 1, H, W, 0.1f, again));
    EXPECT(memcmp(b.out, again, LEN * sizeof(*again)) == 0);
    OK(cae_train_step_sigma(loaded, b.in, b.target, levels, COUNT, H, W, NULL));
    cae_model_free(loaded);
    free(again);
    free(data);
    tear_down(&b);
}

/* ---- Independence ---------------------------------------------------------------------------- */

static void check_size(size_t h, size_t w)
{
    static const double limits[] = {1 << 30, 1 << 20, 1 << 19};
    cae_model *m = new_model(unet, 5);
    const size_t len = h * w;
    float *images = noise(3 * len, h * 7919 + w), *once = need(len, sizeof(*once));
    float *clean = need(3 * len, sizeof(*clean));
    OK(cae_denoise(m, images + len, 1, h, w, 0.07f, once));
    for (int i = 0; i < 9; i++) {
        OK(cae_model_set(m, "threads", 1 + 2 * (i % 3)));
        OK(cae_model_set(m, "memory_limit", limits[i / 3]));
        OK(cae_denoise(m, images, 3, h, w, 0.07f, clean));
        EXPECT_SAID(memcmp(clean + len, once, len * sizeof(*once)) == 0, "%zu x %zu, case %d", h, w,
                    i);
    }
    free(images);
    free(once);
    free(clean);
    cae_model_free(m);
}

static void neither_batch_nor_threads_nor_limit_matter(void)
{
    static const size_t sizes[][2] = {{1, 1}, {1, 9}, {7, 5}, {8, 8}, {301, 203}, {2, 3001}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        check_size(sizes[i][0], sizes[i][1]);
    }
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(levels_go_to_networks_that_take_them),
        TEST(bad_levels_are_named),
        TEST(levels_beyond_floats_overflow),
        TEST(codes_are_refused),
        TEST(the_network_sees_units_of_noise),
        TEST(a_step_is_a_gradient_and_its_use),
        TEST(saved_and_loaded_it_is_the_same),
        TEST(neither_batch_nor_threads_nor_limit_matter),
    };
    return RUN_TESTS(argc, argv, tests);
}
