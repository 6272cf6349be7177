/*
 * Unusual networks that are allowed, each once the cause of a fault: without
 * weights, with results that are read in part, with strides that skip everything, at the caps of
 * the text, and with numbers at the end of what a float holds.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <stdlib.h>

#include "contract.h"

static void nothing_to_learn(void)
{
    float images[2 * 64];
    float loss = 1;
    cae_model *m = new_model("input 1 8 8\nmaxpool 1\ncode\nmaxpool 1\n", 1);
    double parameters = 1;
    for (size_t i = 0; i < 2 * 64; i++) {
        images[i] = (float)i / 128;
    }
    OK(cae_model_get(m, "parameters", &parameters));
    EXPECT(parameters == 0);
    OK(cae_train_step(m, images, images, 2, 8, 8, &loss));
    EXPECT(loss == 0);
    cae_model_free(m);
}

/* Training computes all of a dense layer's output, inference only has to: both must agree. */
static void dense_output_read_in_part(void)
{
    float images[3 * 64], clean[3 * 64];
    float loss = 1;
    cae_model *m =
        new_model("input 1 8 8\ndense 1 16 16 tanh\ncode\nconv 1 kernel 1 stride 2\n", 1);
    float *values = noise(3 * 64, 1);
    memcpy(images, values, sizeof(images));
    free(values);
    OK(cae_denoise(m, images, 3, 8, 8, 0, clean));
    OK(cae_train_gradient(m, images, clean, 3, 8, 8, &loss));
    EXPECT_SAID(loss == 0, "the training pass differs from cae_denoise by %g", (double)loss);
    cae_model_free(m);
}

/* The image's only pixel reads padding alone, before a stride beyond the kernel. */
static void result_of_padding_alone(void)
{
    cae_model *m = new_model("input 1 8 8\nconv 1 kernel 4 stride 4\ncode\n"
                             "tconv 1 kernel 3 stride 8\nconv 1 kernel 1 stride 2\n"
                             "conv 1 kernel 1 pad 1\n",
                             1);
    const float dark = 0;
    const float bright = 1;
    float bias = 0;
    float clean[2] = {1, 2};
    EXPECT(cae_tensor_count(m) == 8);
    OK(cae_tensor_get(m, 6, &bias, 1));
    OK(cae_denoise(m, &dark, 1, 1, 1, 0, &clean[0]));
    OK(cae_denoise(m, &bright, 1, 1, 1, 0, &clean[1]));
    EXPECT(clean[0] == bias && clean[1] == bias);
    cae_model_free(m);
}

/* Time goes with what is there, not with the stride's square. */
static void stride_of_65536(void)
{
    cae_model *m = new_model("input 1 1 1\nconv 1 kernel 1\ncode\n"
                             "tconv 1 kernel 1 stride 65536\nconv 1 kernel 1 stride 65536\n",
                             1);
    const float image = 0.5f;
    float clean = 0;
    float loss = 0;
    OK(cae_denoise(m, &image, 1, 1, 1, 0, &clean));
    OK(cae_train_step(m, &image, &image, 1, 1, 1, &loss));
    cae_model_free(m);
}

/* `lines` lines, the last without a newline. */
static char *long_text(size_t lines)
{
    const char first[] = "input 1 1 1\nmaxpool 1\ncode\n";
    const char more[] = "maxpool 1\n";
    char *text = need(lines, 16);
    char *at = text;
    memcpy(at, first, strlen(first));
    at += strlen(first);
    for (size_t i = 4; i <= lines; i++) {
        memcpy(at, more, strlen(more));
        at += strlen(more);
    }
    at[-1] = '\0';
    return text;
}

/* What is accepted as a text can be copied, saved and loaded. */
static void longest_texts(void)
{
    cae_model *m = NULL;
    cae_model *copy = NULL;
    char *text = long_text(1024);
    OK(cae_model_new(&m, text, 1));
    OK(cae_model_copy(&copy, m, 0));
    EXPECT(same_models(m, copy));
    cae_model_free(copy);
    cae_model_free(m);
    free(text);
    text = long_text(1025);
    FAILS(cae_model_new(&m, text, 1), CAE_E_LIMIT, "line 1025");
    free(text);
}

/* input -> a * input -> sigmoid of the sum of both: with a = 3e38 the code overflows, the loss and
 * the gradient do not. */
static void overflow_in_the_code(void)
{
    cae_model *m = new_model("input 1 1 1\nmark x\nconv 1 kernel 1\ncode\nadd x sigmoid\n", 1);
    const float weight = 3e38f;
    const float image = 2;
    float loss = 0;
    OK(cae_tensor_set(m, 1, &weight, 1));
    cae_model *before = copy_model(m);
    FAILS(cae_train_step(m, &image, &image, 1, 1, 1, &loss), CAE_E_NONFINITE, "code");
    EXPECT(same_models(m, before));
    cae_model_free(before);
    cae_model_free(m);
}

/* The square overflows, the gradient does not. */
static void overflow_in_the_loss(void)
{
    cae_model *m = new_model("input 1 1 1\nconv 1 kernel 1\ncode\nconv 1 kernel 1\n", 1);
    const float image = 1e-30f;
    const float target = 1e38f;
    float loss = 0;
    FAILS(cae_evaluate(m, &image, &target, 1, 1, 1, &loss), CAE_E_NONFINITE, "loss");
    FAILS(cae_train_gradient(m, &image, &target, 1, 1, 1, &loss), CAE_E_NONFINITE, "loss");
    cae_model_free(m);
}

/* Images in order, whatever chunks and slices they are run in: training and evaluation agree. */
static void one_loss_for_training_and_evaluation(void)
{
    static const char *const texts[] = {small_net, dense_net};
    for (size_t i = 0; i < 2; i++) {
        cae_model *m = new_model(texts[i], 3);
        size_t shape[3];
        float trained = 0;
        float evaluated = 0;
        OK(cae_model_shape(m, shape));
        float *images = noise(101 * shape[0] * shape[1] * shape[2], i);
        OK(cae_evaluate(m, images, images, 101, shape[1], shape[2], &evaluated));
        for (double threads = 1; threads <= 3; threads++) {
            OK(cae_model_set(m, "threads", threads));
            OK(cae_train_gradient(m, images, images, 101, shape[1], shape[2], &trained));
            EXPECT_SAID(trained == evaluated, "%a in training, %a in evaluation", (double)trained,
                        (double)evaluated);
        }
        free(images);
        cae_model_free(m);
    }
}

/* -0 and +0 in a channel of the code: the range's end is +0, whichever a thread sees first. */
static void zeros_of_both_signs(void)
{
    enum { IMAGES = 8 };
    static const float parameters[] = {-0.0f, 1.0f};
    float images[IMAGES];
    cae_model *m = new_model("input 1 1 1\nconv 1 kernel 1\ncode\nconv 1 kernel 1\n", 1);
    for (size_t i = 0; i < IMAGES; i++) {
        images[i] = i < IMAGES / 2 ? -0.0f : 0.0f;
    }
    OK(cae_tensor_set(m, 0, &parameters[0], 1));
    OK(cae_tensor_set(m, 1, &parameters[1], 1));
    cae_model *other = copy_model(m);
    OK(cae_train_step(m, images, images, IMAGES, 1, 1, NULL));
    for (size_t i = 0; i < IMAGES; i++) {
        images[i] = -images[i];
    }
    OK(cae_train_step(other, images, images, IMAGES, 1, 1, NULL));
    EXPECT(same_models(m, other));
    cae_model_free(other);
    cae_model_free(m);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(nothing_to_learn),        TEST(dense_output_read_in_part),
        TEST(result_of_padding_alone), TEST(stride_of_65536),
        TEST(longest_texts),           TEST(overflow_in_the_code),
        TEST(overflow_in_the_loss),    TEST(one_loss_for_training_and_evaluation),
        TEST(zeros_of_both_signs),
    };
    return RUN_TESTS(argc, argv, tests);
}
