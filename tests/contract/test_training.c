/*
 * What training promises: two halves make one step, refused steps change nothing, a run that was
 * saved and loaded ends as one that was not, weights go in and out.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "contract.h"

enum { COUNT = 4, H = 8, W = 12, C = 2, LEN = COUNT * C * H * W };

static void steps(cae_model *m, uint64_t from, uint64_t end)
{
    for (uint64_t i = from; i < end; i++) {
        float *input = noise(LEN, 2 * i);
        float *target = noise(LEN, 2 * i + 1);
        OK(cae_train_step(m, input, target, COUNT, H, W, NULL));
        free(input);
        free(target);
    }
}

static size_t parameters(const cae_model *m)
{
    double value = 0;
    OK(cae_model_get(m, "parameters", &value));
    return (size_t)value;
}

static double setting(const cae_model *m, const char *key)
{
    double value = NAN;
    OK(cae_model_get(m, key, &value));
    return value;
}

/* ---- Steps ------------------------------------------------------------------------------------
 */

static void gradient_and_apply_are_one_step(void)
{
    cae_model *whole = new_model(small_net, 1);
    cae_model *halves = copy_model(whole);
    float *values = need(parameters(whole), sizeof(*values));
    for (uint64_t i = 0; i < 5; i++) {
        float *input = noise(LEN, 2 * i);
        float *target = noise(LEN, 2 * i + 1);
        float loss = 0;
        float other_loss = 1;
        steps(whole, i, i + 1);
        OK(cae_evaluate(halves, input, target, COUNT, H, W, &other_loss));
        OK(cae_train_gradient(halves, input, target, COUNT, H, W, &loss));
        EXPECT_SAID(loss == other_loss, "evaluated %a, trained %a", (double)other_loss,
                    (double)loss);
        /* Getting and setting in between, as an exchange between machines does. */
        OK(cae_gradient_get(halves, values, parameters(halves)));
        if (i % 2 == 1) {
            OK(cae_gradient_set(halves, values, parameters(halves)));
        }
        OK(cae_train_apply(halves));
        EXPECT(same_models(whole, halves));
        free(input);
        free(target);
    }
    EXPECT(setting(whole, "step") == 5);
    free(values);
    cae_model_free(whole);
    cae_model_free(halves);
}

static void a_batch_is_the_mean_of_its_parts(void)
{
    cae_model *m = new_model(small_net, 2);
    const size_t len = parameters(m);
    float *input = noise(LEN, 1);
    float *target = noise(LEN, 2);
    float *part[3];
    float loss[3];
    for (size_t i = 0; i < 3; i++) {
        const size_t from = i == 2 ? LEN / 2 : 0;
        part[i] = need(len, sizeof(*part[i]));
        OK(cae_train_gradient(m, input + from, target + from, i == 0 ? COUNT : COUNT / 2, H, W,
                              &loss[i]));
        OK(cae_gradient_get(m, part[i], len));
    }
    for (size_t i = 0; i < len; i++) {
        const double mean = ((double)part[1][i] + (double)part[2][i]) / 2;
        EXPECT(fabs((double)part[0][i] - mean) <= 1e-6);
    }
    EXPECT(fabs((double)loss[0] - ((double)loss[1] + (double)loss[2]) / 2) < 1e-6);
    for (size_t i = 0; i < 3; i++) {
        free(part[i]);
    }
    free(input);
    free(target);
    cae_model_free(m);
}

static void a_gradient_may_come_from_outside(void)
{
    cae_model *m = new_model(small_net, 2);
    cae_model *twin = copy_model(m);
    float *values = need(parameters(m), sizeof(*values));
    float before[5], after[5];
    for (size_t i = 0; i < parameters(m); i++) {
        values[i] = 1;
    }
    OK(cae_gradient_set(m, values, parameters(m)));
    OK(cae_tensor_get(m, 0, before, 5));
    OK(cae_train_apply(m));
    OK(cae_tensor_get(m, 0, after, 5));
    for (size_t i = 0; i < 5; i++) { /* Adam's first step is the learning rate, downhill */
        EXPECT(fabs((double)before[i] - (double)after[i] - 1e-3) < 1e-6);
    }
    EXPECT(!same_models(m, twin));
    free(values);
    cae_model_free(m);
    cae_model_free(twin);
}

static void training_lowers_the_loss(void)
{
    cae_model *m = new_model(small_net, 3);
    float *images = noise(LEN, 1);
    float first = 0;
    float last = 0;
    OK(cae_model_set(m, "learning_rate", 0.01));
    OK(cae_evaluate(m, images, images, COUNT, H, W, &first));
    for (int i = 0; i < 200; i++) {
        OK(cae_train_step(m, images, images, COUNT, H, W, &last));
    }
    EXPECT_SAID(last < 0.7f * first, "from %g to %g", (double)first, (double)last);
    free(images);
    cae_model_free(m);
}

/* ---- Refused steps ----------------------------------------------------------------------------
 */

static void a_wild_learning_rate_ends_in_a_refusal(void)
{
    static const char open_net[] =
        "input 2 8 12\nconv 4 kernel 3 pad 1\ncode\nconv 2 kernel 3 pad 1\n";
    cae_model *m = new_model(open_net, 1);
    float *images = noise(LEN, 1);
    int status = CAE_OK;
    OK(cae_model_set(m, "learning_rate", 1e6));
    OK(cae_model_set(m, "weight_decay", 1e6));
    for (int i = 0; i < 100 && status == CAE_OK; i++) {
        cae_model *before = copy_model(m);
        status = cae_train_step(m, images, images, COUNT, H, W, NULL);
        EXPECT(status == CAE_OK || same_models(m, before));
        cae_model_free(before);
    }
    EXPECT_SAID(status == CAE_E_NONFINITE, "status %d", status);
    free(images);
    cae_model_free(m);
}

static void huge_gradients_are_refused(void)
{
    cae_model *m = new_model(small_net, 1);
    steps(m, 0, 2);
    const size_t len = parameters(m);
    float *values = need(len, sizeof(*values));
    const size_t places[] = {0, len / 2, len - 1};
    for (size_t i = 0; i < 3; i++) {
        cae_model *before = copy_model(m);
        memset(values, 0, len * sizeof(*values));
        values[places[i]] = 3e38f; /* its square overflows */
        OK(cae_gradient_set(m, values, len));
        FAILS(cae_train_apply(m), CAE_E_NONFINITE, "");
        EXPECT(same_models(m, before));
        cae_model_free(before);
    }
    steps(m, 2, 3); /* and life goes on */
    free(values);
    cae_model_free(m);
}

static void a_step_on_nan_changes_nothing(void)
{
    cae_model *m = new_model(small_net, 1);
    cae_model *twin = copy_model(m);
    float *images = noise(LEN, 1);
    images[LEN - 1] = NAN;
    FAILS(cae_train_step(m, images, images, COUNT, H, W, NULL), CAE_E_NONFINITE, "input");
    steps(m, 0, 3);
    steps(twin, 0, 3);
    EXPECT(same_models(m, twin));
    free(images);
    cae_model_free(m);
    cae_model_free(twin);
}

/* ---- Resuming ---------------------------------------------------------------------------------
 */

enum how { MEMORY, FILE_, COPY, HOWS };

static cae_model *interrupt(cae_model *m, enum how how)
{
    cae_model *next = NULL;
    if (how == COPY) {
        next = copy_model(m);
    } else if (how == MEMORY) {
        struct bytes b = save_bytes(m, CAE_SAVE_TRAINING);
        OK(cae_model_load_memory(&next, b.data, b.size));
        free_bytes(&b);
    } else {
        char path[] = "/tmp/cae-training-XXXXXX";
        const int file = mkstemp(path);
        EXPECT(file >= 0);
        close(file);
        OK(cae_model_save(m, path, CAE_SAVE_TRAINING));
        OK(cae_model_load(&next, path));
        unlink(path);
    }
    EXPECT(same_models(m, next));
    cae_model_free(m);
    return next;
}

static void settle(cae_model *m)
{
    OK(cae_model_set(m, "learning_rate", 3e-3));
    OK(cae_model_set(m, "weight_decay", 0.03));
    OK(cae_model_set(m, "beta1", 0.8));
    OK(cae_model_set(m, "kl_weight", 0.7));
    OK(cae_model_set(m, "epoch", 17));
    OK(cae_model_set(m, "threads", 2));
}

static void an_interrupted_run_ends_the_same(void)
{
    static const char *const texts[] = {
        small_net, "input 2 8 12\ndense 9 leaky\ncode\ndense 2 8 12\n",
        "input 2 8 12\nconv 6 kernel 3 pad 1\ncode sampled\nconv 2 kernel 3 pad 1\n",
        "input 2 8 12\ndense 6 tanh\ncode sampled\ndense 2 8 12\n"};
    for (size_t t = 0; t < 4; t++) {
        cae_model *whole = new_model(texts[t], 4);
        settle(whole);
        steps(whole, 0, 20);
        for (int how = 0; how < HOWS; how++) {
            cae_model *parts = new_model(texts[t], 4);
            settle(parts);
            steps(parts, 0, 10);
            parts = interrupt(parts, (enum how)how);
            EXPECT(setting(parts, "step") == 10 && setting(parts, "epoch") == 17);
            EXPECT(setting(parts, "learning_rate") == 3e-3 && setting(parts, "beta1") == 0.8);
            EXPECT(setting(parts, "kl_weight") == (t >= 2 || how == COPY ? 0.7 : 0.3));
            steps(parts, 10, 20);
            EXPECT(same_models(whole, parts));
            cae_model_free(parts);
        }
        cae_model_free(whole);
    }
}

static void without_the_training_state_it_starts_anew(void)
{
    cae_model *m = new_model(small_net, 4);
    cae_model *loaded = NULL;
    cae_model *copy = NULL;
    settle(m);
    steps(m, 0, 5);
    struct bytes lean = save_bytes(m, 0);
    struct bytes full = save_bytes(m, CAE_SAVE_TRAINING);
    EXPECT(lean.size < full.size);
    OK(cae_model_load_memory(&loaded, lean.data, lean.size));
    OK(cae_model_copy(&copy, m, 0));
    EXPECT(setting(loaded, "step") == 0 && setting(loaded, "learning_rate") == 1e-3);
    EXPECT(setting(copy, "step") == 0 && setting(copy, "learning_rate") == 3e-3);
    struct bytes again = save_bytes(loaded, 0);
    struct bytes of_copy = save_bytes(copy, 0);
    EXPECT(same_bytes(lean, again) && same_bytes(lean, of_copy));
    steps(m, 5, 6);
    steps(loaded, 5, 6);
    EXPECT(!same_models(m, loaded));
    free_bytes(&lean);
    free_bytes(&full);
    free_bytes(&again);
    free_bytes(&of_copy);
    cae_model_free(m);
    cae_model_free(loaded);
    cae_model_free(copy);
}

static void a_pending_gradient_is_not_copied_or_saved(void)
{
    cae_model *m = new_model(small_net, 4);
    float *images = noise(LEN, 1);
    OK(cae_train_gradient(m, images, images, COUNT, H, W, NULL));
    cae_model *copy = copy_model(m);
    FAILS(cae_train_apply(copy), CAE_E_ARGUMENT, "gradient");
    OK(cae_train_apply(m));
    free(images);
    cae_model_free(m);
    cae_model_free(copy);
}

static void a_step_drops_a_pending_gradient_and_a_failed_one_does_not(void)
{
    static const char *const texts[] = {small_net, "input 2 9 14\ndense 5\ncode\ndense 2 9 14\n"};
    float *images = noise(LEN, 1);
    float *bad = noise(LEN, 1);
    bad[0] = NAN;
    for (size_t i = 0; i < 2; i++) {
        cae_model *m = new_model(texts[i], 4);
        cae_model *twin = copy_model(m);
        OK(cae_train_gradient(m, images, images, 1, 9, 14, NULL));
        FAILS(cae_train_step(m, bad, bad, 1, 9, 14, NULL), CAE_E_NONFINITE, "");
        OK(cae_train_step(m, images, images, 1, 9, 14, NULL));
        FAILS(cae_train_apply(m), CAE_E_ARGUMENT, "gradient");
        OK(cae_train_step(twin, images, images, 1, 9, 14, NULL));
        EXPECT(same_models(m, twin));
        OK(cae_train_gradient(m, images, images, 1, 9, 14, NULL));
        FAILS(cae_train_step(m, bad, bad, 1, 9, 14, NULL), CAE_E_NONFINITE, "");
        OK(cae_train_apply(m));
        cae_model_free(m);
        cae_model_free(twin);
    }
    free(images);
    free(bad);
}

static void seeds_give_weights(void)
{
    cae_model *a = new_model(small_net, 4);
    cae_model *b = new_model(small_net, 4);
    cae_model *c = new_model(small_net, 5);
    float weight[5 * 2 * 3 * 3];
    EXPECT(same_models(a, b) && !same_models(a, c));
    /* Uniform in +-1/sqrt(fan in). */
    OK(cae_tensor_get(a, 1, weight, 90));
    float largest = 0;
    for (size_t i = 0; i < 90; i++) {
        const float size = fabsf(weight[i]);
        largest = size > largest ? size : largest;
    }
    EXPECT((double)largest <= 1 / sqrt(18) && (double)largest > 0.9 / sqrt(18));
    cae_model_free(a);
    cae_model_free(b);
    cae_model_free(c);
}

/* ---- Weights from outside -------------------------------------------------------------------- */

static void tensors_go_in_and_out(void)
{
    cae_model *m = new_model(small_net, 4);
    cae_model *other = new_model(small_net, 5);
    float values[1000], back[1000];
    float *images = noise(LEN, 1);
    float *a = need(LEN, sizeof(*a));
    float *b = need(LEN, sizeof(*b));
    steps(m, 0, 3);
    for (size_t t = 0; t < cae_tensor_count(m); t++) {
        size_t shape[4];
        OK(cae_tensor_info(m, t, NULL, shape, NULL));
        const size_t len = shape[0] * shape[1] * shape[2] * shape[3];
        OK(cae_tensor_get(m, t, values, len));
        OK(cae_tensor_set(other, t, values, len));
        OK(cae_tensor_get(other, t, back, len));
        EXPECT(memcmp(values, back, len * sizeof(*values)) == 0);
    }
    OK(cae_denoise(m, images, COUNT, H, W, 0, a));
    OK(cae_denoise(other, images, COUNT, H, W, 0, b));
    EXPECT(memcmp(a, b, LEN * sizeof(*a)) == 0);
    /* The optimizer goes on, and the codec's ranges are empty: the trained model had some. */
    struct bytes gathered = save_bytes(m, 0);
    OK(cae_tensor_set(m, 0, values, 5));
    OK(cae_tensor_get(other, 0, values, 5));
    OK(cae_tensor_set(m, 0, values, 5));
    EXPECT(setting(m, "step") == 3);
    struct bytes reset = save_bytes(m, 0);
    struct bytes fresh = save_bytes(other, 0);
    EXPECT(same_bytes(reset, fresh) && !same_bytes(reset, gathered));
    free_bytes(&gathered);
    free_bytes(&reset);
    free_bytes(&fresh);
    free(images);
    free(a);
    free(b);
    cae_model_free(m);
    cae_model_free(other);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(gradient_and_apply_are_one_step),
        TEST(a_batch_is_the_mean_of_its_parts),
        TEST(a_gradient_may_come_from_outside),
        TEST(training_lowers_the_loss),
        TEST(a_wild_learning_rate_ends_in_a_refusal),
        TEST(huge_gradients_are_refused),
        TEST(a_step_on_nan_changes_nothing),
        TEST(an_interrupted_run_ends_the_same),
        TEST(without_the_training_state_it_starts_anew),
        TEST(a_pending_gradient_is_not_copied_or_saved),
        TEST(a_step_drops_a_pending_gradient_and_a_failed_one_does_not),
        TEST(seeds_give_weights),
        TEST(tensors_go_in_and_out),
    };
    return RUN_TESTS(argc, argv, tests);
}
