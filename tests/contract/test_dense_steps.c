/*
 * Steps of networks with dense layers, which are made in another way than their two halves: the
 * gradient of a dense layer is applied as it is summed, and stored only when it is not sure
 * beforehand that everything stays finite. Here both ways meet: cae_train_step on one model,
 * cae_train_gradient and cae_train_apply on its twin. They must agree on status, message, loss and
 * every byte, and what they refuse must leave everything as it was.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "contract.h"
#include "mutate.h"
#include "wrapped_memory.h"

static const struct net {
    const char *text;
    size_t c, h, w;
} nets[] = {
    {"input 1 1 1\ndense 1\ncode\ndense 1\n", 1, 1, 1},
    {"input 1 5 7\ndense 13 relu\ncode\ndense 1 5 7 sigmoid\n", 1, 5, 7},
    {"input 2 4 6\ndense 64 tanh\ncode\ndense 2 4 6\n", 2, 4, 6},
    {"input 1 4 4\ndense 33 leaky\ndense 3 2 1\ncode\ndense 50 relu\ndense 1 4 4\n", 1, 4, 4},
    {"input 3 3 3\nmark a\ndense 3 3 3 tanh\nadd a\ndense 5\ncode\ndense 3 3 3\nadd a\n", 3, 3, 3},
    {"input 1 6 5\nconv 3 kernel 3 pad 1 relu\ndense 11 relu\ncode\ndense 1 6 5 sigmoid\n", 1, 6,
     5},
    {"input 1 8 8\nconv 2 kernel 3 pad 1 relu\nmaxpool 2\ndense 4 4 4 leaky\ncode\n"
     "tconv 3 kernel 2 stride 2 tanh\nconv 1 kernel 3 pad 1\n",
     1, 8, 8},
};

enum { NETS = sizeof(nets) / sizeof(nets[0]), MOST_IMAGES = 70 };

static size_t image_len(const struct net *n)
{
    return n->c * n->h * n->w;
}

static size_t parameters(const cae_model *m)
{
    double value = 0;
    OK(cae_model_get(m, "parameters", &value));
    return (size_t)value;
}

struct batch {
    float *input, *target;
    size_t count;
};

static int step(cae_model *m, const struct net *n, const struct batch *b, float *loss)
{
    return cae_train_step(m, b->input, b->target, b->count, n->h, n->w, loss);
}

static int halves(cae_model *m, const struct net *n, const struct batch *b, float *loss)
{
    const int status = cae_train_gradient(m, b->input, b->target, b->count, n->h, n->w, loss);
    return status == CAE_OK ? cae_train_apply(m) : status;
}

/* Both ways from the same model; returns the status they agree on. Leaves `m` behind the step. */
static int both_ways(cae_model *m, const struct net *n, const struct batch *b)
{
    cae_model *before = copy_model(m);
    cae_model *twin = copy_model(m);
    char words[300];
    float loss = -1;
    float other_loss = -1;
    forget_message();
    const int status = step(m, n, b, &loss);
    snprintf(words, sizeof(words), "%s", cae_last_error());
    forget_message();
    const int other = halves(twin, n, b, &other_loss);
    EXPECT_SAID(status == other, "step says %d, halves %d", status, other);
    EXPECT(status == CAE_OK || strcmp(words, cae_last_error()) == 0);
    EXPECT(status == CAE_OK || same_models(m, before));
    EXPECT(status != CAE_OK || (same_models(m, twin) && loss == other_loss));
    cae_model_free(before);
    cae_model_free(twin);
    return status;
}

/* ---- Ordinary steps -------------------------------------------------------------------------- */

static void check_batch(cae_model *m, const struct net *n, size_t count, uint64_t seed)
{
    const size_t len = MOST_IMAGES * image_len(n);
    struct batch b = {noise(len, seed), noise(len, seed + 1), count};
    EXPECT(both_ways(m, n, &b) == CAE_OK);
    free(b.input);
    free(b.target);
}

static void one_step_is_two_halves(void)
{
    const size_t stride = long_run() ? 1 : 3;
    for (size_t i = 0; i < NETS; i++) {
        cae_model *m = new_model(nets[i].text, 5 + i);
        OK(cae_model_set(m, "weight_decay", 0.01));
        for (size_t count = 1; count <= MOST_IMAGES; count += count < 18 ? 1 : stride) {
            expect_context("net %zu, %zu images", i, count);
            OK(cae_model_set(m, "threads", (double)(1 + count % 3)));
            check_batch(m, &nets[i], count, 100 * count);
        }
        cae_model_free(m);
    }
}

/* Slices by the memory limit: a step that cannot keep what it needs is made in slices, and the bits
 * stay. */
static void limits_do_not_matter(void)
{
    static const struct net wide = {"input 1 96 96\ndense 10 relu\ncode\ndense 1 96 96\n", 1, 96,
                                    96};
    struct batch b = {noise(64 * 96 * 96, 1), noise(64 * 96 * 96, 2), 64};
    cae_model *first = new_model(wide.text, 3);
    OK(step(first, &wide, &b, NULL));
    size_t refused = 0;
    size_t in_slices = 0;
    for (double limit = 1 << 16; limit < 1 << 25; limit = floor(limit * 1.2)) {
        cae_model *m = new_model(wide.text, 3);
        const size_t before = memory_size();
        expect_context("limit %g", limit);
        OK(cae_model_set(m, "memory_limit", limit));
        const int status = step(m, &wide, &b, NULL);
        EXPECT(status == CAE_OK || status == CAE_E_LIMIT);
        refused += status == CAE_E_LIMIT;
        in_slices += memory_size() - before > 3 * sizeof(float) * parameters(m);
        EXPECT(status != CAE_OK || same_models(m, first));
        /* What belongs to the model is there now: the rest is the call's. */
        memory_fail(0, false);
        EXPECT(step(m, &wide, &b, NULL) == status);
        EXPECT_SAID((double)memory_peak() <= limit, "%zu bytes", memory_peak());
        cae_model_free(m);
    }
    EXPECT_SAID(refused > 0 && in_slices > 0, "%zu refused, %zu in slices", refused, in_slices);
    free(b.input);
    free(b.target);
    cae_model_free(first);
}

/* After a step there are two moments more, and no gradient; but one when it had to be stored. */
static void a_step_stores_no_gradient(void)
{
    static const struct net wide = {"input 1 16 16\ndense 300 relu\ncode\ndense 1 16 16\n", 1, 16,
                                    16};
    for (size_t count = 64; count <= 65; count++) {
        struct batch b = {noise(65 * 256, 1), noise(65 * 256, 2), count};
        cae_model *m = new_model(wide.text, 3);
        const size_t size = sizeof(float) * parameters(m);
        const size_t before = memory_size();
        memory_fail(0, false);
        OK(step(m, &wide, &b, NULL));
        const size_t after = memory_size() - before;
        EXPECT_SAID(after >= (count == 64 ? 2 : 3) * size, "%zu bytes more", after);
        EXPECT_SAID(count > 64 || after < 2 * size + size / 2, "%zu bytes more", after);
        cae_model_free(m);
        free(b.input);
        free(b.target);
    }
}

/* ---- Refused steps --------------------------------------------------------------------------- */

/* Two weights, a and c, and two biases of 0: y = c * (a * x). */
static const struct net line = {"input 1 1 1\ndense 1\ncode\ndense 1\n", 1, 1, 1};

static cae_model *line_model(float a, float c)
{
    const float zero = 0;
    cae_model *m = new_model(line.text, 1);
    OK(cae_tensor_set(m, 0, &zero, 1));
    OK(cae_tensor_set(m, 1, &a, 1));
    OK(cae_tensor_set(m, 2, &zero, 1));
    OK(cae_tensor_set(m, 3, &c, 1));
    return m;
}

static int line_step(cae_model *m, float x, float t)
{
    struct batch b = {&x, &t, 1};
    return both_ways(m, &line, &b);
}

static void overflow_of_the_gradient(void)
{
    cae_model *m = line_model(1e-30f, 1);
    EXPECT(line_step(m, 1e30f, 1e15f) == CAE_E_NONFINITE);
    EXPECT(strstr(cae_last_error(), "gradient") != NULL);
    cae_model_free(m);
}

static void overflow_of_the_second_moment(void)
{
    cae_model *m = line_model(1e-12f, 1);
    EXPECT(line_step(m, 1e12f, 1e15f) == CAE_E_NONFINITE);
    EXPECT(strstr(cae_last_error(), "step 1") != NULL);
    cae_model_free(m);
}

static void wild_settings(cae_model *m)
{
    OK(cae_model_set(m, "learning_rate", 1e6));
    OK(cae_model_set(m, "weight_decay", 1e6));
}

static void overflow_of_a_weight(void)
{
    cae_model *m = line_model(1e30f, 0.5f);
    wild_settings(m);
    EXPECT(line_step(m, 1e-30f, 0) == CAE_E_NONFINITE);
    cae_model_free(m);
}

/* What is known of the numbers after a few steps must not be believed after they are changed. */
static void bounds_follow_changes(void)
{
    const float large = 1e30f;
    for (int i = 0; i < 4; i++) {
        cae_model *m = line_model(0.5f, 0.5f);
        cae_model *other = NULL;
        expect_context("way %d", i);
        for (int k = 0; k < 3; k++) {
            EXPECT(line_step(m, 0.5f, 1) == CAE_OK);
        }
        OK(cae_tensor_set(m, 1, &large, 1));
        wild_settings(m);
        if (i == 1) {
            OK(cae_model_copy(&other, m, CAE_SAVE_TRAINING));
        } else if (i == 2) {
            struct bytes file = save_bytes(m, CAE_SAVE_TRAINING);
            OK(cae_model_load_memory(&other, file.data, file.size));
            free_bytes(&file);
        } else if (i == 3) { /* settings alone */
            OK(cae_model_set(m, "learning_rate", 1e-3));
            EXPECT(line_step(m, 1e-30f, 0) == CAE_OK);
            wild_settings(m);
        }
        EXPECT(line_step(other != NULL ? other : m, 1e-30f, 0) == CAE_E_NONFINITE);
        cae_model_free(other);
        cae_model_free(m);
    }
}

/* By hand: moments as a file may hold them. */
static void put_tensor(struct bytes *b, const char *name, float value)
{
    const size_t at = tensor_offset(*b, name);
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    for (size_t i = 0; i < 4; i++) {
        b->data[at + i] = (uint8_t)(bits >> 8 * i);
    }
    fuzz_repair_model(b->data, b->size);
}

static void moments_from_a_file(void)
{
    static const struct {
        const char *name;
        float value;
        int status;
    } rows[] = {
        {"train.m.1.weight", 0, CAE_OK},
        {"train.m.1.weight", 3.4e38f, CAE_E_NONFINITE}, /* 3e38 / 1e-8 */
        {"train.m.1.weight", -3.4e38f, CAE_E_NONFINITE},
        {"train.v.1.weight", 3.4e38f, CAE_OK},
        {"train.v.1.weight", -1, CAE_E_NONFINITE}, /* no root */
        {"train.v.2.weight", -1e-30f, CAE_OK},     /* outweighed by the gradient's square */
        {"train.v.2.weight", -0.0f, CAE_OK},
        {"train.v.2.bias", -1e30f, CAE_E_NONFINITE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cae_model *m = line_model(0.5f, 0.5f);
        cae_model *loaded = NULL;
        struct bytes file = save_bytes(m, CAE_SAVE_TRAINING);
        expect_context("%s %g", rows[i].name, (double)rows[i].value);
        put_tensor(&file, rows[i].name, rows[i].value);
        OK(cae_model_load_memory(&loaded, file.data, file.size));
        if (loaded != NULL) {
            const int status = line_step(loaded, 0.5f, 1);
            EXPECT_SAID(status == rows[i].status, "status %d", status);
        }
        cae_model_free(loaded);
        cae_model_free(m);
        free_bytes(&file);
    }
}

/* A gradient that waits survives a step that is refused, and not one that is made. */
static void a_waiting_gradient(void)
{
    const float x = 0.5f;
    const float nothing = 0;
    cae_model *m = line_model(1e30f, 0.5f);
    float gradient[4], after[4];
    const float tiny = 1e-30f;
    wild_settings(m);
    OK(cae_train_gradient(m, &tiny, &nothing, 1, 1, 1, NULL));
    OK(cae_gradient_get(m, gradient, 4));
    FAILS(cae_train_step(m, &tiny, &nothing, 1, 1, 1, NULL), CAE_E_NONFINITE, "step 1");
    OK(cae_gradient_get(m, after, 4));
    EXPECT(memcmp(gradient, after, sizeof(after)) == 0);
    OK(cae_tensor_set(m, 1, &x, 1));
    OK(cae_model_set(m, "learning_rate", 1e-3));
    OK(cae_model_set(m, "weight_decay", 0));
    OK(cae_train_step(m, &x, &nothing, 1, 1, 1, NULL));
    FAILS(cae_gradient_get(m, after, 4), CAE_E_ARGUMENT, "gradient");
    cae_model_free(m);
}

/* ---- Numbers of any size --------------------------------------------------------------------- */

static float power_of_ten(uint64_t *state, int most)
{
    const int exponent = (int)(random_next(state) % (uint64_t)(2 * most + 1)) - most;
    return (float)pow(10, exponent);
}

static void scale_floats(float *values, size_t len, float factor)
{
    for (size_t i = 0; i < len; i++) {
        values[i] *= factor;
    }
}

static void scale_tensors(cae_model *m, uint64_t *state, int most)
{
    for (size_t t = 0; t < cae_tensor_count(m); t++) {
        size_t shape[4];
        OK(cae_tensor_info(m, t, NULL, shape, NULL));
        const size_t len = shape[0] * shape[1] * shape[2] * shape[3];
        float *values = need(len, sizeof(*values));
        OK(cae_tensor_get(m, t, values, len));
        scale_floats(values, len, power_of_ten(state, most));
        OK(cae_tensor_set(m, t, values, len));
        free(values);
    }
}

static void draw_settings(cae_model *m, uint64_t *state)
{
    static const double rates[] = {1e-3, 0, 1, 1e6};
    static const double decays[] = {0, 0, 0.1, 1e6};
    static const double betas[] = {0.9, 0, 0.99999999999999988897769753748};
    static const double epsilons[] = {1e-8, 1e-30, 1};
    OK(cae_model_set(m, "learning_rate", rates[random_next(state) % 4]));
    OK(cae_model_set(m, "weight_decay", decays[random_next(state) % 4]));
    OK(cae_model_set(m, "beta1", betas[random_next(state) % 3]));
    OK(cae_model_set(m, "beta2", betas[random_next(state) % 3]));
    OK(cae_model_set(m, "epsilon", epsilons[random_next(state) % 3]));
}

static void numbers_of_any_size(void)
{
    size_t made = 0;
    size_t refused = 0;
    size_t stored = 0;
    for (uint64_t seed = 0; seed < (long_run() ? 20000 : 1500); seed++) {
        uint64_t state = seed;
        const struct net *n = &nets[1 + random_next(&state) % 4]; /* dense layers alone */
        const size_t count = 1 + (size_t)(random_next(&state) % 9);
        const int most = (int)(random_next(&state) % 20);
        struct batch b = {noise(count * image_len(n), seed), noise(count * image_len(n), seed + 1),
                          count};
        cae_model *m = new_model(n->text, seed);
        expect_context("seed %llu", (unsigned long long)seed);
        scale_floats(b.input, count * image_len(n), power_of_ten(&state, 2 * most));
        scale_floats(b.target, count * image_len(n), power_of_ten(&state, most));
        scale_tensors(m, &state, most);
        const size_t before = memory_size();
        int status = CAE_OK;
        for (int k = 0; k < 4 && status == CAE_OK; k++) {
            draw_settings(m, &state);
            status = both_ways(m, n, &b);
            made += status == CAE_OK;
            refused += status == CAE_E_NONFINITE;
        }
        stored += memory_size() - before > 3 * sizeof(float) * parameters(m);
        free(b.input);
        free(b.target);
        cae_model_free(m);
    }
    printf("        %zu steps made, %zu refused, %zu models needed a gradient\n", made, refused,
           stored);
    EXPECT(made > 100 && refused > 100 && stored > 100);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(one_step_is_two_halves),
        TEST(limits_do_not_matter),
        TEST(a_step_stores_no_gradient),
        TEST(overflow_of_the_gradient),
        TEST(overflow_of_the_second_moment),
        TEST(overflow_of_a_weight),
        TEST(bounds_follow_changes),
        TEST(moments_from_a_file),
        TEST(a_waiting_gradient),
        TEST(numbers_of_any_size),
    };
    return RUN_TESTS(argc, argv, tests);
}
