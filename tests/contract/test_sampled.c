/*
 * The sampled code of a variational autoencoder, through the public functions alone: what is drawn,
 * when other numbers are drawn and when the same ones, the means everywhere but in training, the
 * divergence in the loss, refusals, and what a file keeps. That the numbers and gradients are those
 * of the definition is test_gradients' part.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "contract.h"

/* The mean is the image and the log variance a bias; the output is the code. */
static const char bare_net[] = "input 1 32 32\nconv 2 kernel 1\ncode sampled\nconv 1 kernel 1\n";

static const char conv_net[] = "input 2 8 12\n"
                               "conv 4 kernel 3 pad 1 relu\n"
                               "maxpool 2\n"
                               "conv 6 kernel 3 pad 1\n"
                               "code sampled\n"
                               "tconv 2 kernel 2 stride 2 sigmoid\n";

static const char flat_net[] = "input 2 8 12\n"
                               "dense 16 tanh\n"
                               "dense 8\n"
                               "code sampled\n"
                               "dense 2 8 12 sigmoid\n";

enum { COUNT = 7, H = 8, W = 12, C = 2, LEN = COUNT * C * H * W, SIDE = 32, PIXELS = SIDE * SIDE };

static cae_model *bare_model(float log_variance)
{
    cae_model *m = new_model(bare_net, 3);
    const float bias[2] = {0, log_variance};
    const float weight[2] = {1, 0};
    const float zero = 0;
    const float one = 1;
    OK(cae_tensor_set(m, 0, bias, 2));
    OK(cae_tensor_set(m, 1, weight, 2));
    OK(cae_tensor_set(m, 2, &zero, 1));
    OK(cae_tensor_set(m, 3, &one, 1));
    OK(cae_model_set(m, "learning_rate", 0));
    return m;
}

/* ---- What is drawn --------------------------------------------------------------------------- */

/* Of images of 0 the output is eps: the loss has its second moment, the last bias's gradient twice
 * its mean. 2 * 10^5 numbers leave five standard deviations of 0.011 and 0.016. */
static void drawn_numbers_are_standard_normal(void)
{
    enum { IMAGES = 200 };
    cae_model *m = bare_model(0);
    float *images = need(IMAGES * PIXELS, sizeof(*images));
    float gradient[6];
    float loss = 0;
    OK(cae_model_set(m, "kl_weight", 0));
    OK(cae_train_gradient(m, images, images, IMAGES, SIDE, SIDE, &loss));
    OK(cae_gradient_get(m, gradient, 6));
    EXPECT_SAID(fabs((double)loss - 1) < 0.016, "variance %g", (double)loss);
    EXPECT_SAID(fabs((double)gradient[3] / 2) < 0.011, "mean %g", (double)gradient[3] / 2);
    free(images);
    cae_model_free(m);
}

/* The loss of one image of 0: a fingerprint of its numbers. */
static float print_of(cae_model *m, size_t images)
{
    float *zeros = need(images * PIXELS, sizeof(*zeros));
    float loss = 0;
    OK(cae_model_set(m, "kl_weight", 0));
    OK(cae_train_gradient(m, zeros, zeros, images, SIDE, SIDE, &loss));
    free(zeros);
    return loss;
}

static void every_image_and_every_step_has_its_own(void)
{
    cae_model *m = bare_model(0);
    cae_model *other = bare_model(0);
    const float first = print_of(m, 1);
    EXPECT_SAID(print_of(m, 1) == first, "another gradient of the same step draws the same");
    EXPECT_SAID(print_of(other, 1) == first, "seed and step are all that counts");
    const float pair = print_of(m, 2);
    const float three = print_of(m, 3);
    EXPECT_SAID(fabsf(pair - first) > 1e-4f && fabsf(three - pair) > 1e-4f,
                "images of a batch share numbers: %g, %g, %g", (double)first, (double)pair,
                (double)three);
    OK(cae_train_apply(m));
    const float second = print_of(m, 1);
    EXPECT_SAID(fabsf(second - first) > 1e-4f, "steps share numbers");
    EXPECT_SAID(fabsf(2 * pair - first - second) > 1e-4f,
                "the second step is not the second image");
    cae_model_free(m);
    cae_model_free(other);
}

static void seeds_draw_other_numbers(void)
{
    cae_model *a = bare_model(0);
    cae_model *b = new_model(bare_net, 4);
    float values[2];
    for (size_t t = 0; t < 4; t++) {
        const size_t len = t < 2 ? 2 : 1;
        OK(cae_tensor_get(a, t, values, len));
        OK(cae_tensor_set(b, t, values, len));
    }
    EXPECT(fabsf(print_of(a, 1) - print_of(b, 1)) > 1e-4f);
    cae_model_free(a);
    cae_model_free(b);
}

/* ---- Means everywhere else ------------------------------------------------------------------- */

static void the_code_is_the_means(void)
{
    cae_model *m = bare_model(2);
    float *images = noise(2 * PIXELS, 1);
    float *out = need(2 * PIXELS, sizeof(*out));
    size_t shape[3];
    float loss = 1;
    OK(cae_code_shape(m, SIDE, SIDE, shape));
    EXPECT(shape[0] == 1 && shape[1] == SIDE && shape[2] == SIDE);
    OK(cae_encode(m, images, 2, SIDE, SIDE, out));
    EXPECT(memcmp(out, images, 2 * PIXELS * sizeof(*out)) == 0);
    memset(out, 0, 2 * PIXELS * sizeof(*out));
    OK(cae_denoise(m, images, 2, SIDE, SIDE, 0, out));
    EXPECT(memcmp(out, images, 2 * PIXELS * sizeof(*out)) == 0);
    OK(cae_model_set(m, "kl_weight", 0));
    OK(cae_evaluate(m, images, images, 2, SIDE, SIDE, &loss));
    EXPECT(loss == 0);
    EXPECT(strcmp(cae_model_architecture(m), bare_net) == 0);
    free(images);
    free(out);
    cae_model_free(m);
}

/* 1/2 (mean^2 + exp(v) - v - 1) for every value, by the image's pixels. */
static void evaluation_counts_the_divergence(void)
{
    static const float variances[] = {0, 2, -3, -80, 40, -1000};
    float *images = noise(PIXELS, 1);
    double squares = 0;
    for (size_t i = 0; i < PIXELS; i++) {
        squares += (double)images[i] * (double)images[i];
    }
    for (size_t i = 0; i < sizeof(variances) / sizeof(variances[0]); i++) {
        const double v = (double)variances[i];
        const double exact = 3 * 0.5 * (squares / PIXELS + exp(v) - v - 1);
        cae_model *m = bare_model(variances[i]);
        float loss = 0;
        OK(cae_model_set(m, "kl_weight", 3));
        OK(cae_evaluate(m, images, images, 1, SIDE, SIDE, &loss));
        EXPECT_SAID(fabs((double)loss - exact) <= 1e-7 * exact,
                    "log variance %g: %.9g, exactly %.9g", v, (double)loss, exact);
        cae_model_free(m);
    }
    free(images);
}

/* The means run from 0 to 1, however wide the code is drawn. */
static void ranges_are_gathered_from_the_means(void)
{
    static uint8_t pixels[PIXELS];
    static uint8_t files[2][4 * PIXELS];
    size_t sizes[2];
    cae_model *m = bare_model(6);
    float *images = need(PIXELS, sizeof(*images));
    for (size_t i = 0; i < PIXELS; i++) {
        pixels[i] = (uint8_t)(i % 256);
        images[i] = (float)pixels[i] / 255.0f;
    }
    OK(cae_fit_code(m, images, 1, SIDE, SIDE));
    OK(cae_compress(m, pixels, SIDE, SIDE, SIDE, 100, files[0], sizeof(files[0]), &sizes[0]));
    OK(cae_train_step(m, images, images, 1, SIDE, SIDE, NULL));
    OK(cae_compress(m, pixels, SIDE, SIDE, SIDE, 100, files[1], sizeof(files[1]), &sizes[1]));
    EXPECT(sizes[0] == sizes[1] && memcmp(files[0], files[1], sizes[0]) == 0);
    free(images);
    cae_model_free(m);
}

/* ---- Training -------------------------------------------------------------------------------- */

static void steps(cae_model *m, uint64_t from, uint64_t end)
{
    for (uint64_t i = from; i < end; i++) {
        float *images = noise(LEN, i);
        OK(cae_train_step(m, images, images, COUNT, H, W, NULL));
        free(images);
    }
}

static void halves_and_threads_make_the_same_step(void)
{
    static const char *const texts[] = {conv_net, flat_net};
    for (size_t t = 0; t < 2; t++) {
        cae_model *whole = new_model(texts[t], 1);
        cae_model *other = new_model(texts[t], 1);
        OK(cae_model_set(other, "threads", 3));
        /* Less than a slice of the batch. */
        OK(cae_model_set(other, "memory_limit", t == 0 ? 1 << 30 : 1 << 16));
        for (uint64_t i = 0; i < 5; i++) {
            float *images = noise(LEN, i);
            float loss[2] = {0, 1};
            OK(cae_train_step(whole, images, images, COUNT, H, W, &loss[0]));
            OK(cae_train_gradient(other, images, images, COUNT, H, W, &loss[1]));
            OK(cae_train_apply(other));
            EXPECT(loss[0] == loss[1]);
            EXPECT_SAID(same_models(whole, other), "net %zu, step %d", t, (int)i);
            free(images);
        }
        cae_model_free(whole);
        cae_model_free(other);
    }
}

/* Squares and divergence of the whole batch as cae_evaluate has them. */
static void parts_of_loss(cae_model *m, const float *images, double *squares, double *divergence)
{
    float loss[2];
    for (int k = 0; k < 2; k++) {
        OK(cae_model_set(m, "kl_weight", k));
        OK(cae_evaluate(m, images, images, COUNT, H, W, &loss[k]));
    }
    *squares = (double)loss[0];
    *divergence = (double)loss[1] - (double)loss[0];
}

static void the_weight_trades_reconstruction_for_divergence(void)
{
    static const double weights[3] = {0, 1e-2, 1e3};
    static const char *const texts[] = {conv_net, flat_net};
    float *images = need(LEN, sizeof(*images));
    for (size_t i = 0; i < LEN; i++) { /* images of one grey, which a code can hold */
        images[i] = 0.1f + 0.1f * (float)(i / (C * H * W));
    }
    for (size_t t = 0; t < 2; t++) {
        double squares[3], divergence[3];
        for (size_t k = 0; k < 3; k++) {
            cae_model *m = new_model(texts[t], 1);
            OK(cae_model_set(m, "learning_rate", 5e-3));
            OK(cae_model_set(m, "kl_weight", weights[k]));
            for (int i = 0; i < 800; i++) {
                OK(cae_train_step(m, images, images, COUNT, H, W, NULL));
            }
            parts_of_loss(m, images, &squares[k], &divergence[k]);
            cae_model_free(m);
        }
        EXPECT_SAID(squares[0] < 0.2 * squares[2] && squares[1] < 0.5 * squares[2],
                    "net %zu: squares %g, %g, %g", t, squares[0], squares[1], squares[2]);
        EXPECT_SAID(divergence[2] < 1e-4 && divergence[1] > 100 * divergence[2] &&
                        divergence[0] > divergence[1],
                    "net %zu: divergence %g, %g, %g", t, divergence[0], divergence[1],
                    divergence[2]);
    }
    free(images);
}

/* ---- Refusals and files ---------------------------------------------------------------------- */

static void refuse_variance(float log_variance, double weight)
{
    cae_model *m = bare_model(log_variance);
    float *images = noise(PIXELS, 1);
    float *codes = need(PIXELS, sizeof(*codes));
    expect_context("log variance %g, weight %g", (double)log_variance, weight);
    OK(cae_model_set(m, "kl_weight", weight));
    OK(cae_model_set(m, "learning_rate", 0.1));
    struct bytes before = save_bytes(m, CAE_SAVE_TRAINING);
    FAILS(cae_train_step(m, images, images, 1, SIDE, SIDE, NULL), CAE_E_NONFINITE, "");
    FAILS(cae_train_gradient(m, images, images, 1, SIDE, SIDE, NULL), CAE_E_NONFINITE, "");
    FAILS(cae_evaluate(m, images, images, 1, SIDE, SIDE, NULL), CAE_E_NONFINITE, "");
    struct bytes after = save_bytes(m, CAE_SAVE_TRAINING);
    EXPECT(same_bytes(before, after));
    OK(cae_encode(m, images, 1, SIDE, SIDE, codes)); /* the means are well */
    free_bytes(&before);
    free_bytes(&after);
    free(images);
    free(codes);
    cae_model_free(m);
    expect_context("%s", "");
}

static void variances_that_overflow_are_refused(void)
{
    static const float too_large[] = {88.75f, 89, 700, 720, 1e10f, 3e38f};
    for (size_t i = 0; i < sizeof(too_large) / sizeof(too_large[0]); i++) {
        refuse_variance(too_large[i], 0);
        refuse_variance(too_large[i], 1e-2);
    }
}

/* The same in a network whose gradients are never stored. */
static void dense_steps_are_refused_too(void)
{
    cae_model *m = new_model(flat_net, 1);
    float *images = noise(LEN, 1);
    float bias[8];
    steps(m, 0, 2);
    /* Tensors 0 to 5: the biases and weights of modules 1, 3 and 4. */
    OK(cae_tensor_get(m, 2, bias, 8));
    bias[7] = 1e5f;
    OK(cae_tensor_set(m, 2, bias, 8));
    struct bytes before = save_bytes(m, CAE_SAVE_TRAINING);
    FAILS(cae_train_step(m, images, images, COUNT, H, W, NULL), CAE_E_NONFINITE, "");
    struct bytes after = save_bytes(m, CAE_SAVE_TRAINING);
    EXPECT(same_bytes(before, after));
    free_bytes(&before);
    free_bytes(&after);
    free(images);
    cae_model_free(m);
}

static bool holds(struct bytes b, const char *word)
{
    const size_t len = strlen(word);
    bool found = false;
    for (size_t i = 0; i + len <= b.size && !found; i++) {
        found = memcmp(b.data + i, word, len) == 0;
    }
    return found;
}

/* Only models with a sampled code have its weight in their files, and they must. */
static void files_keep_the_weight_where_it_counts(void)
{
    static const char *const texts[] = {conv_net, flat_net, small_net, dense_net};
    for (size_t t = 0; t < 4; t++) {
        cae_model *m = new_model(texts[t], 1);
        cae_model *loaded = NULL;
        double value = 0;
        OK(cae_model_set(m, "kl_weight", 0.125));
        struct bytes lean = save_bytes(m, 0);
        struct bytes full = save_bytes(m, CAE_SAVE_TRAINING);
        EXPECT(!holds(lean, "kl_weight") && holds(full, "train.kl_weight") == (t < 2));
        OK(cae_model_load_memory(&loaded, full.data, full.size));
        OK(cae_model_get(loaded, "kl_weight", &value));
        EXPECT(value == (t < 2 ? 0.125 : 0.3));
        struct bytes again = save_bytes(loaded, CAE_SAVE_TRAINING);
        EXPECT(same_bytes(full, again));
        free_bytes(&lean);
        free_bytes(&full);
        free_bytes(&again);
        cae_model_free(m);
        cae_model_free(loaded);
    }
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(drawn_numbers_are_standard_normal),
        TEST(every_image_and_every_step_has_its_own),
        TEST(seeds_draw_other_numbers),
        TEST(the_code_is_the_means),
        TEST(evaluation_counts_the_divergence),
        TEST(ranges_are_gathered_from_the_means),
        TEST(halves_and_threads_make_the_same_step),
        TEST(the_weight_trades_reconstruction_for_divergence),
        TEST(variances_that_overflow_are_refused),
        TEST(dense_steps_are_refused_too),
        TEST(files_keep_the_weight_where_it_counts),
    };
    return RUN_TESTS(argc, argv, tests);
}
