/*
 * The ranges of the code: what cae_fit_code gathers, what training gathers by itself, that weights
 * from outside ask for them, and that none of it changes anything else.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "contract.h"

enum { SIDE = 16, PIXELS = SIDE * SIDE, CHANNELS = 4, BATCH = 50, DATA = 4 * PIXELS };

static const char picture_net[] = "input 1 16 16\n"
                                  "conv 8 kernel 3 pad 1 relu\n"
                                  "maxpool 2\n"
                                  "conv 4 kernel 3 pad 1\n"
                                  "code\n"
                                  "tconv 8 kernel 2 stride 2 relu\n"
                                  "conv 1 kernel 3 pad 1 sigmoid\n";

static const char flat_net[] = "input 1 16 16\n"
                               "dense 32 relu\n"
                               "dense 4\n"
                               "code\n"
                               "dense 1 16 16 sigmoid\n";

/* A dark blob, somewhere. */
static void draw(float *image, uint64_t seed)
{
    const double x0 = (double)(random_next(&seed) % SIDE);
    const double y0 = (double)(random_next(&seed) % SIDE);
    for (int i = 0; i < PIXELS; i++) {
        const double dx = i % SIDE - x0;
        const double dy = (double)(i / SIDE) - y0;
        image[i] = (float)(0.1 + 0.8 * exp(-(dx * dx + dy * dy) / 40));
    }
}

static float *draw_all(size_t count)
{
    float *images = need(count * PIXELS, sizeof(*images));
    for (size_t k = 0; k < count; k++) {
        draw(images + k * PIXELS, k);
    }
    return images;
}

/* A tensor of a model's file, which must be there. */
static void read_tensor(const cae_model *m, const char *name, float *values, size_t len)
{
    struct bytes b = save_bytes(m, CAE_SAVE_TRAINING);
    const uint8_t *at = b.data + tensor_offset(b, name);
    for (size_t i = 0; i < len; i++, at += 4) {
        const uint32_t bits =
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        memcpy(&values[i], &bits, 4);
    }
    free_bytes(&b);
}

static bool in_file(const cae_model *m, const char *name)
{
    struct bytes b = save_bytes(m, CAE_SAVE_TRAINING);
    bool found = false;
    for (size_t i = 0; i + strlen(name) < b.size && !found; i++) {
        found = memcmp(b.data + i, name, strlen(name)) == 0;
    }
    free_bytes(&b);
    return found;
}

struct ranges {
    float low[16], high[16];
};

static struct ranges ranges_of(const cae_model *m, size_t channels)
{
    struct ranges r = {{0}, {0}};
    read_tensor(m, "codec.min", r.low, channels);
    read_tensor(m, "codec.max", r.high, channels);
    return r;
}

/* By cae_encode, of a model that is reproducible. */
static struct ranges ranges_by_hand(const cae_model *m, const float *images, size_t count,
                                    size_t height, size_t width, size_t *channels)
{
    struct ranges r = {{0}, {0}};
    size_t shape[3];
    OK(cae_code_shape(m, height, width, shape));
    const size_t plane = shape[1] * shape[2];
    float *codes = need(count * shape[0] * plane, sizeof(*codes));
    OK(cae_encode(m, images, count, height, width, codes));
    for (size_t c = 0; c < shape[0]; c++) {
        r.low[c] = INFINITY;
        r.high[c] = -INFINITY;
        for (size_t i = 0; i < count * plane; i++) {
            const float v = codes[(i / plane * shape[0] + c) * plane + i % plane];
            r.low[c] = v < r.low[c] ? v : r.low[c];
            r.high[c] = v > r.high[c] ? v : r.high[c];
        }
    }
    *channels = shape[0];
    free(codes);
    return r;
}

static bool same_ranges(const struct ranges *a, const struct ranges *b, size_t channels)
{
    for (size_t c = 0; c < channels; c++) {
        if (a->low[c] != b->low[c] || a->high[c] != b->high[c]) {
            return false;
        }
    }
    return true;
}

static void copy_tensors(const cae_model *from, cae_model *to)
{
    float values[16384];
    for (size_t t = 0; t < cae_tensor_count(from); t++) {
        size_t shape[4];
        OK(cae_tensor_info(from, t, NULL, shape, NULL));
        const size_t len = shape[0] * shape[1] * shape[2] * shape[3];
        OK(cae_tensor_get(from, t, values, len));
        OK(cae_tensor_set(to, t, values, len));
    }
}

/* The mean squared error, of 255^2, of images that were compressed at a quality. */
static double loss_of_files(const cae_model *m, const float *images, size_t count, uint32_t quality)
{
    double sum = 0;
    for (size_t k = 0; k < count; k++) {
        uint8_t pixels[PIXELS], restored[PIXELS], data[DATA];
        size_t size = 0;
        for (size_t i = 0; i < PIXELS; i++) {
            pixels[i] = (uint8_t)(images[k * PIXELS + i] * 255.0f + 0.5f);
        }
        OK(cae_compress(m, pixels, SIDE, SIDE, SIDE, quality, data, sizeof(data), &size));
        OK(cae_decompress(m, data, size, restored, SIDE, SIDE, SIDE));
        for (size_t i = 0; i < PIXELS; i++) {
            const double d = (double)pixels[i] - (double)restored[i];
            sum += d * d;
        }
    }
    return sum / (double)(count * PIXELS);
}

static cae_model *trained(const char *text, const float *images, size_t count, int epochs)
{
    cae_model *m = new_model(text, 1);
    OK(cae_model_set(m, "learning_rate", 5e-3));
    for (int epoch = 0; epoch < epochs; epoch++) {
        OK(cae_model_set(m, "epoch", epoch));
        for (size_t at = 0; at < count; at += BATCH) {
            const size_t len = count - at < BATCH ? count - at : BATCH;
            OK(cae_train_step(m, images + at * PIXELS, images + at * PIXELS, len, SIDE, SIDE,
                              NULL));
        }
    }
    return m;
}

/* ---- What is gathered ------------------------------------------------------------------------ */

/* For images whose size is no multiple of the unit too: what repeats at the edges has a code. */
static void ranges_are_those_of_the_code(void)
{
    static const struct {
        const char *text;
        size_t count, channels, height, width;
    } cases[] = {
        {small_net, 3, 2, 10, 13}, {small_net, 70, 2, 8, 12},       {small_net, 1, 2, 200, 90},
        {dense_net, 67, 1, 6, 5},  {picture_net, 5, 1, SIDE, SIDE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t way = 0; way < 4; way++) {
            const size_t height = cases[i].height, width = cases[i].width;
            float *images = noise(cases[i].count * cases[i].channels * height * width, i);
            cae_model *m = new_model(cases[i].text, 5);
            size_t channels = 0;
            expect_context("case %zu, way %zu", i, way);
            OK(cae_model_set(m, "threads", way < 3 ? (double)way + 1 : 0));
            OK(cae_model_set(m, "memory_limit", way == 2 ? 1 << 19 : 1 << 30));
            OK(cae_fit_code(m, images, cases[i].count, height, width));
            OK(cae_model_set(m, "reproducible", 1));
            const struct ranges wanted =
                ranges_by_hand(m, images, cases[i].count, height, width, &channels);
            const struct ranges got = ranges_of(m, channels);
            EXPECT(same_ranges(&got, &wanted, channels));
            free(images);
            cae_model_free(m);
        }
    }
}

static void fitting_changes_nothing_else(void)
{
    float *images = draw_all(4);
    cae_model *m = trained(picture_net, images, 4, 3);
    cae_model *twin = copy_model(m);
    float before[2000], after[2000];
    double len = 0;
    OK(cae_model_get(m, "parameters", &len));
    OK(cae_train_gradient(m, images, images, 4, SIDE, SIDE, NULL));
    OK(cae_train_gradient(twin, images, images, 4, SIDE, SIDE, NULL));
    OK(cae_gradient_get(m, before, (size_t)len));
    OK(cae_fit_code(m, images + PIXELS, 1, SIDE, SIDE));
    OK(cae_gradient_get(m, after, (size_t)len));
    EXPECT(memcmp(before, after, (size_t)len * sizeof(float)) == 0);
    OK(cae_train_apply(m));
    OK(cae_train_apply(twin));
    OK(cae_fit_code(m, images, 4, SIDE, SIDE));
    OK(cae_fit_code(twin, images, 4, SIDE, SIDE));
    EXPECT(same_models(m, twin));
    free(images);
    cae_model_free(m);
    cae_model_free(twin);
}

static void what_fails_leaves_the_model(void)
{
    static const char wild[] = "input 1 16 16\nconv 4 kernel 3 pad 1\ncode\nconv 1 kernel 1\n";
    float *images = draw_all(2);
    cae_model *m = trained(picture_net, images, 2, 2);
    cae_model *twin = copy_model(m);
    images[PIXELS + 3] = NAN;
    FAILS(cae_fit_code(m, images, 2, SIDE, SIDE), CAE_E_NONFINITE, "images");
    EXPECT(same_models(m, twin));
    cae_model *open = new_model(wild, 1);
    cae_model *open_twin = copy_model(open);
    for (size_t i = 0; i < 2 * (size_t)PIXELS; i++) {
        images[i] = i % 2 == 0 ? 3.3e38f : -3.3e38f;
    }
    FAILS(cae_fit_code(open, images, 2, SIDE, SIDE), CAE_E_NONFINITE, "overflowed");
    EXPECT(same_models(open, open_twin));
    free(images);
    cae_model_free(open);
    cae_model_free(open_twin);
    cae_model_free(m);
    cae_model_free(twin);
}

/* ---- Weights from outside -------------------------------------------------------------------- */

static void weights_from_outside_need_a_fit(void)
{
    static const char *const texts[] = {picture_net, flat_net};
    enum { COUNT = 100 };
    float *images = draw_all(COUNT);
    for (size_t t = 0; t < 2; t++) {
        cae_model *source = trained(texts[t], images, COUNT, 10);
        cae_model *m = new_model(texts[t], 2);
        cae_model *loaded = NULL;
        uint8_t pixels[PIXELS] = {0}, data[DATA];
        size_t size = 0;
        expect_context("network %zu", t);
        OK(cae_fit_code(source, images, COUNT, SIDE, SIDE));
        OK(cae_compress(source, pixels, SIDE, SIDE, SIDE, 0, data, sizeof(data), &size));
        copy_tensors(source, m);
        FAILS(cae_compress(m, pixels, SIDE, SIDE, SIDE, 0, data, sizeof(data), &size),
              CAE_E_UNSUPPORTED, "cae_fit_code");
        FAILS(cae_compress(m, pixels, SIDE, SIDE, SIDE, 0, NULL, 0, &size), CAE_E_UNSUPPORTED, "");
        FAILS(cae_decompress(m, data, size, pixels, SIDE, SIDE, SIDE), CAE_E_UNSUPPORTED,
              "cae_fit_code");
        EXPECT(cae_compress_bound(m, SIDE, SIDE) == cae_compress_bound(source, SIDE, SIDE));
        /* A file keeps it so, and so does a copy. */
        struct bytes file = save_bytes(m, CAE_SAVE_TRAINING);
        OK(cae_model_load_memory(&loaded, file.data, file.size));
        EXPECT(same_models(m, loaded));
        FAILS(cae_compress(loaded, pixels, SIDE, SIDE, SIDE, 0, NULL, 0, &size), CAE_E_UNSUPPORTED,
              "cae_fit_code");
        cae_model_free(loaded);
        OK(cae_model_copy(&loaded, m, 0));
        FAILS(cae_compress(loaded, pixels, SIDE, SIDE, SIDE, 0, NULL, 0, &size), CAE_E_UNSUPPORTED,
              "cae_fit_code");
        OK(cae_fit_code(m, images, COUNT, SIDE, SIDE));
        EXPECT(loss_of_files(m, images, 20, 50) == loss_of_files(source, images, 20, 50));
        OK(cae_decompress(m, data, size, pixels, SIDE, SIDE, SIDE));
        /* The same weights again are no others. */
        copy_tensors(source, m);
        OK(cae_compress(m, pixels, SIDE, SIDE, SIDE, 0, data, sizeof(data), &size));
        free_bytes(&file);
        cae_model_free(loaded);
        cae_model_free(source);
        cae_model_free(m);
    }
    free(images);
}

/* The gradient was gathered with other weights, so its ranges say nothing of these. */
static void a_gradient_of_other_weights_brings_no_ranges(void)
{
    float *images = draw_all(4);
    cae_model *m = trained(picture_net, images, 4, 1);
    const float bias[CHANNELS] = {3, 3, 3, 3};
    size_t size = 0;
    uint8_t pixels[PIXELS] = {0};
    OK(cae_train_gradient(m, images, images, 4, SIDE, SIDE, NULL));
    OK(cae_tensor_set(m, 2, bias, CHANNELS));
    OK(cae_train_apply(m));
    FAILS(cae_compress(m, pixels, SIDE, SIDE, SIDE, 0, NULL, 0, &size), CAE_E_UNSUPPORTED, "");
    OK(cae_train_step(m, images, images, 4, SIDE, SIDE, NULL));
    OK(cae_compress(m, pixels, SIDE, SIDE, SIDE, 0, NULL, 0, &size));
    free(images);
    cae_model_free(m);
}

/* A model that only applies what others computed. */
static void gradients_from_outside_bring_no_ranges(void)
{
    float *images = draw_all(4);
    float gradient[2000];
    double len = 0;
    size_t size = 0;
    uint8_t pixels[PIXELS] = {0};
    cae_model *worker = new_model(picture_net, 1);
    cae_model *m = new_model(picture_net, 1);
    OK(cae_model_get(m, "parameters", &len));
    for (int i = 0; i < 2; i++) {
        OK(cae_train_gradient(worker, images, images, 4, SIDE, SIDE, NULL));
        OK(cae_gradient_get(worker, gradient, (size_t)len));
        OK(cae_train_apply(worker));
        OK(cae_gradient_set(m, gradient, (size_t)len));
        OK(cae_train_apply(m));
        OK(cae_compress(worker, pixels, SIDE, SIDE, SIDE, 0, NULL, 0, &size));
        FAILS(cae_compress(m, pixels, SIDE, SIDE, SIDE, 0, NULL, 0, &size), CAE_E_UNSUPPORTED,
              "cae_fit_code");
    }
    OK(cae_fit_code(m, images, 4, SIDE, SIDE));
    OK(cae_fit_code(worker, images, 4, SIDE, SIDE));
    EXPECT(same_models(m, worker));
    /* Nor do they leave those of the weights before. */
    OK(cae_gradient_set(m, gradient, (size_t)len));
    OK(cae_train_apply(m));
    FAILS(cae_compress(m, pixels, SIDE, SIDE, SIDE, 0, NULL, 0, &size), CAE_E_UNSUPPORTED,
          "cae_fit_code");
    free(images);
    cae_model_free(worker);
    cae_model_free(m);
}

/* ---- Training -------------------------------------------------------------------------------- */

/* 301 images in batches of 50: the last batch of an epoch is one image, and that is a pale one. */
static void one_pale_image_does_not_decide(void)
{
    enum { COUNT = 301, EPOCHS = 12 };
    float *images = draw_all(COUNT);
    for (size_t i = 0; i < PIXELS; i++) {
        images[(COUNT - 1) * PIXELS + i] = 0.5f;
    }
    cae_model *m = trained(picture_net, images, COUNT, EPOCHS);
    const double without = loss_of_files(m, images, 40, 80);
    OK(cae_fit_code(m, images, COUNT, SIDE, SIDE));
    const double with = loss_of_files(m, images, 40, 80);
    OK(cae_fit_code(m, images + (COUNT - 1) * PIXELS, 1, SIDE, SIDE));
    const double alone = loss_of_files(m, images, 40, 80);
    EXPECT_SAID(without < 1.15 * with, "%g by training, %g by cae_fit_code", without, with);
    EXPECT_SAID(alone > 2 * with, "%g by the pale one alone, %g by all", alone, with);
    free(images);
    cae_model_free(m);
}

static struct ranges join(struct ranges a, const struct ranges *b, size_t channels)
{
    for (size_t c = 0; c < channels; c++) {
        a.low[c] = b->low[c] < a.low[c] ? b->low[c] : a.low[c];
        a.high[c] = b->high[c] > a.high[c] ? b->high[c] : a.high[c];
    }
    return a;
}

/* With weights that stay: each batch's ranges are known. `halves`: by gradient and apply. */
static void check_epochs(const char *text, bool halves)
{
    enum { IMAGES = 6 };
    static const struct {
        int image; /* the batch; -1: the epoch changes */
        size_t from, end;
    } script[] = {{0, 0, 1}, {1, 0, 2},  {2, 0, 3},  {-1, 0, 3}, {3, 0, 4},
                  {4, 0, 5}, {-1, 3, 5}, {-1, 3, 5}, {5, 3, 6},  {-1, 5, 6}};
    float *images = draw_all(IMAGES);
    struct ranges each[IMAGES];
    cae_model *m = new_model(text, 7);
    size_t channels = 0;
    double epoch = 0;
    OK(cae_model_set(m, "reproducible", 1));
    OK(cae_model_set(m, "learning_rate", 0));
    for (size_t i = 0; i < IMAGES; i++) {
        each[i] = ranges_by_hand(m, images + i * PIXELS, 1, SIDE, SIDE, &channels);
    }
    for (size_t i = 0; i < sizeof(script) / sizeof(script[0]); i++) {
        const float *image = images + (script[i].image < 0 ? 0 : script[i].image) * PIXELS;
        expect_context("%s, line %zu", halves ? "halves" : "steps", i);
        if (script[i].image < 0) {
            OK(cae_model_set(m, "epoch", ++epoch));
        } else if (halves) {
            OK(cae_train_gradient(m, image, image, 1, SIDE, SIDE, NULL));
            OK(cae_train_apply(m));
        } else {
            OK(cae_train_step(m, image, image, 1, SIDE, SIDE, NULL));
        }
        OK(cae_model_set(m, "epoch", epoch)); /* the same value is no change */
        struct ranges wanted = each[script[i].from];
        for (size_t k = script[i].from; k < script[i].end; k++) {
            wanted = join(wanted, &each[k], channels);
        }
        const struct ranges got = ranges_of(m, channels);
        EXPECT(same_ranges(&got, &wanted, channels));
    }
    free(images);
    cae_model_free(m);
}

static void ranges_are_of_a_whole_epoch_at_least(void)
{
    for (int halves = 0; halves < 2; halves++) {
        check_epochs(picture_net, halves == 1);
        check_epochs(flat_net, halves == 1);
    }
}

/* A fit within an epoch is not lost at its end. */
static void a_new_epoch_keeps_what_was_fitted(void)
{
    float *images = draw_all(8);
    cae_model *m = trained(picture_net, images, 8, 2);
    OK(cae_fit_code(m, images, 8, SIDE, SIDE));
    const struct ranges fitted = ranges_of(m, CHANNELS);
    OK(cae_model_set(m, "learning_rate", 0));
    OK(cae_train_step(m, images, images, 1, SIDE, SIDE, NULL));
    OK(cae_model_set(m, "epoch", 9));
    const struct ranges after = ranges_of(m, CHANNELS);
    const struct ranges both = join(after, &fitted, CHANNELS);
    EXPECT(same_ranges(&after, &both, CHANNELS));
    free(images);
    cae_model_free(m);
}

/* By a file or a copy in the middle of an epoch, as without. */
static void resumed_runs_gather_the_same(void)
{
    enum { COUNT = 12, STEPS = 20, PER_EPOCH = 6 };
    float *images = draw_all(COUNT);
    for (int fit = 0; fit < 2; fit++) {
        for (int stop = 0; stop < STEPS; stop++) {
            cae_model *straight = new_model(picture_net, 1);
            cae_model *m = new_model(picture_net, 1);
            expect_context("stopped after %d steps, %s", stop, fit ? "fitted" : "not fitted");
            for (int step = 0; step < STEPS; step++) {
                const float *image = images + step % COUNT * PIXELS;
                if (step == stop) {
                    struct bytes file = save_bytes(m, CAE_SAVE_TRAINING);
                    cae_model *next = NULL;
                    OK(stop % 2 == 0 ? cae_model_load_memory(&next, file.data, file.size)
                                     : cae_model_copy(&next, m, CAE_SAVE_TRAINING));
                    EXPECT(same_models(m, next));
                    cae_model_free(m);
                    m = next;
                    free_bytes(&file);
                }
                OK(cae_train_step(m, image, image, 1, SIDE, SIDE, NULL));
                OK(cae_train_step(straight, image, image, 1, SIDE, SIDE, NULL));
                OK(cae_model_set(m, "epoch", (step + 1) / PER_EPOCH));
                OK(cae_model_set(straight, "epoch", (step + 1) / PER_EPOCH));
                if (fit && step == stop) {
                    OK(cae_fit_code(m, images, COUNT, SIDE, SIDE));
                }
            }
            if (fit) {
                OK(cae_fit_code(m, images, COUNT, SIDE, SIDE));
                OK(cae_fit_code(straight, images, COUNT, SIDE, SIDE));
            }
            EXPECT(same_models(m, straight));
            cae_model_free(m);
            cae_model_free(straight);
        }
    }
    free(images);
}

/* What is since the last epoch is in the training state alone, and only where there is something.
 */
static void files_hold_what_is_recent(void)
{
    float *images = draw_all(2);
    cae_model *m = new_model(picture_net, 1);
    EXPECT(!in_file(m, "train.codec"));
    OK(cae_train_step(m, images, images, 2, SIDE, SIDE, NULL));
    EXPECT(in_file(m, "train.codec.max") && in_file(m, "train.codec.min"));
    OK(cae_model_set(m, "epoch", 1));
    EXPECT(!in_file(m, "train.codec"));
    OK(cae_train_step(m, images, images, 2, SIDE, SIDE, NULL));
    cae_model *served = NULL;
    OK(cae_model_copy(&served, m, 0));
    EXPECT(in_file(m, "train.codec") && !in_file(served, "train.codec"));
    free(images);
    cae_model_free(m);
    cae_model_free(served);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(ranges_are_those_of_the_code),
        TEST(fitting_changes_nothing_else),
        TEST(what_fails_leaves_the_model),
        TEST(weights_from_outside_need_a_fit),
        TEST(a_gradient_of_other_weights_brings_no_ranges),
        TEST(gradients_from_outside_bring_no_ranges),
        TEST(one_pale_image_does_not_decide),
        TEST(ranges_are_of_a_whole_epoch_at_least),
        TEST(a_new_epoch_keeps_what_was_fitted),
        TEST(resumed_runs_gather_the_same),
        TEST(files_hold_what_is_recent),
    };
    return RUN_TESTS(argc, argv, tests);
}
