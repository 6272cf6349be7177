/*
 * What compressed images promise: bytes and fidelity grow with quality, the bound holds, sizes
 * asked for are sizes written, gaps between rows stay untouched, only the same model restores, and
 * every truncation and every flipped bit is an error.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "contract.h"

enum { SIDE = 32, IMAGES = 24, PIXELS = SIDE * SIDE };

static const char picture_net[] = "input 1 32 32\n"
                                  "conv 8 kernel 3 pad 1 relu\n"
                                  "maxpool 2\n"
                                  "conv 6 kernel 3 stride 2 pad 1 relu\n"
                                  "code\n"
                                  "tconv 8 kernel 4 stride 2 pad 1 relu\n"
                                  "tconv 1 kernel 4 stride 2 pad 1 sigmoid\n";

/* Smooth blobs of light. */
static void draw_picture(uint8_t *pixels, uint64_t seed)
{
    const double x0 = (double)(random_next(&seed) % SIDE);
    const double y0 = (double)(random_next(&seed) % SIDE);
    const double size = 4 + (double)(random_next(&seed) % 12);
    const double slope = (double)(random_next(&seed) % 100) / SIDE;
    for (int i = 0; i < PIXELS; i++) {
        const double dx = (i % SIDE - x0) / size;
        const double dy = (i / SIDE - y0) / size;
        pixels[i] = (uint8_t)(40 + slope * (i % SIDE) + 110 * exp(-dx * dx - dy * dy));
    }
}

static cae_model *trained(int steps)
{
    cae_model *m = new_model(picture_net, 1);
    float *images = need(IMAGES * PIXELS, sizeof(*images));
    uint8_t pixels[PIXELS];
    for (uint64_t k = 0; k < IMAGES; k++) {
        draw_picture(pixels, k);
        for (int i = 0; i < PIXELS; i++) {
            images[k * PIXELS + (size_t)i] = (float)pixels[i] / 255.0f;
        }
    }
    OK(cae_model_set(m, "learning_rate", 5e-3));
    for (int i = 0; i < steps; i++) {
        OK(cae_train_step(m, images, images, IMAGES, SIDE, SIDE, NULL));
    }
    free(images);
    return m;
}

static double error_of(const uint8_t *a, const uint8_t *b, size_t len)
{
    double sum = 0;
    for (size_t i = 0; i < len; i++) {
        const double d = (double)a[i] - (double)b[i];
        sum += d * d;
    }
    return sum / (double)len;
}

static void bytes_and_fidelity_grow_with_quality(void)
{
    static const uint32_t qualities[] = {1, 20, 40, 60, 80, 100};
    enum { QUALITIES = 6, SHOWN = 16 };
    cae_model *m = trained(150);
    double bytes[QUALITIES] = {0};
    double error[QUALITIES] = {0};
    for (uint64_t k = 0; k < SHOWN; k++) {
        uint8_t pixels[PIXELS], restored[PIXELS], data[4 * PIXELS];
        draw_picture(pixels, 1000 + k);
        for (size_t q = 0; q < QUALITIES; q++) {
            size_t size = 0;
            OK(cae_compress(m, pixels, SIDE, SIDE, SIDE, qualities[q], data, sizeof(data), &size));
            OK(cae_decompress(m, data, size, restored, SIDE, SIDE, SIDE));
            bytes[q] += (double)size;
            error[q] += error_of(pixels, restored, PIXELS);
        }
    }
    for (size_t q = 1; q < QUALITIES; q++) {
        EXPECT_SAID(bytes[q] > bytes[q - 1] && error[q] <= error[q - 1] * 1.01,
                    "quality %u: %g bytes, error %g; before it %g bytes, error %g", qualities[q],
                    bytes[q] / SHOWN, error[q] / SHOWN, bytes[q - 1] / SHOWN, error[q - 1] / SHOWN);
    }
    EXPECT_SAID(error[0] > 1.2 * error[QUALITIES - 1], "errors %g and %g", error[0],
                error[QUALITIES - 1]);
    cae_model_free(m);
}

/* The best quality comes close to the network without a quantiser: the gathered ranges fit. */
static void ranges_are_gathered_while_training(void)
{
    cae_model *m = trained(0);
    float *bias = need(8, sizeof(*bias));
    float *other = noise(PIXELS, 1);
    uint8_t pixels[PIXELS], restored[PIXELS], data[4 * PIXELS];
    float images[PIXELS], clean[PIXELS];
    size_t size = 0;
    draw_picture(pixels, 5);
    for (int i = 0; i < PIXELS; i++) {
        images[i] = (float)pixels[i] / 255.0f;
    }
    for (size_t i = 0; i < 6; i++) { /* codes of about 5, those of noise spread by other values */
        bias[i] = 5;
    }
    OK(cae_tensor_set(m, 2, bias, 6));
    FAILS(cae_compress(m, pixels, SIDE, SIDE, SIDE, 100, data, sizeof(data), &size),
          CAE_E_UNSUPPORTED, "cae_fit_code");
    OK(cae_fit_code(m, other, 1, SIDE, SIDE));
    OK(cae_compress(m, pixels, SIDE, SIDE, SIDE, 100, data, sizeof(data), &size));
    OK(cae_model_set(m, "learning_rate", 0));
    cae_model *before = copy_model(m);
    OK(cae_train_step(m, images, images, 1, SIDE, SIDE, NULL));
    FAILS(cae_decompress(m, data, size, restored, SIDE, SIDE, SIDE), CAE_E_MODEL, "");
    OK(cae_compress(m, pixels, SIDE, SIDE, SIDE, 100, data, sizeof(data), &size));
    OK(cae_decompress(m, data, size, restored, SIDE, SIDE, SIDE));
    OK(cae_denoise(m, images, 1, SIDE, SIDE, 0, clean));
    uint8_t whole[PIXELS];
    for (int i = 0; i < PIXELS; i++) {
        whole[i] = (uint8_t)(clean[i] * 255.0f + 0.5f);
    }
    const double with = error_of(whole, restored, PIXELS);
    EXPECT_SAID(with < 1, "%g with gathered ranges", with);
    OK(cae_denoise(before, images, 1, SIDE, SIDE, 0, other));
    EXPECT(memcmp(other, clean, sizeof(clean)) == 0); /* learning rate 0 left the weights alone */
    free(other);
    free(bias);
    cae_model_free(before);
    cae_model_free(m);
}

static void the_bound_holds_for_any_pixels(void)
{
    static const size_t sizes[][2] = {{1, 1}, {3, 50}, {33, 31}, {200, 9}, {64, 64}};
    cae_model *m = new_model(small_net, 1);
    uint64_t state = 1;
    for (size_t i = 0; i < 5 * 4; i++) {
        const size_t h = sizes[i / 4][0], w = sizes[i / 4][1];
        const uint32_t quality = (uint32_t[]){0, 1, 99, 100}[i % 4];
        const size_t bound = cae_compress_bound(m, h, w);
        uint8_t *pixels = need(h * w * 2, 1);
        uint8_t *data = need(bound, 1);
        size_t size = 0, asked = 0;
        for (size_t k = 0; k < h * w * 2; k++) {
            pixels[k] = (uint8_t)random_next(&state);
        }
        expect_context("%zu x %zu, quality %u", h, w, quality);
        EXPECT(bound > 0);
        OK(cae_compress(m, pixels, h, w, w * 2, quality, NULL, 0, &asked));
        OK(cae_compress(m, pixels, h, w, w * 2, quality, data, bound, &size));
        EXPECT_SAID(size == asked && size <= bound, "%zu bytes, asked %zu, bound %zu", size, asked,
                    bound);
        size_t shape[3];
        OK(cae_compressed_info(data, size, shape));
        EXPECT(shape[0] == 2 && shape[1] == h && shape[2] == w);
        OK(cae_decompress(m, data, size, pixels, h, w, w * 2));
        free(pixels);
        free(data);
    }
    cae_model_free(m);
}

static void the_default_quality_is_50(void)
{
    cae_model *m = trained(3);
    uint8_t pixels[PIXELS], a[4 * PIXELS], b[4 * PIXELS];
    size_t a_size = 0, b_size = 1;
    draw_picture(pixels, 3);
    OK(cae_compress(m, pixels, SIDE, SIDE, SIDE, 0, a, sizeof(a), &a_size));
    OK(cae_compress(m, pixels, SIDE, SIDE, SIDE, 50, b, sizeof(b), &b_size));
    EXPECT(a_size == b_size && memcmp(a, b, a_size) == 0);
    cae_model_free(m);
}

static void rows_may_stand_apart(void)
{
    enum { STRIDE = SIDE + 13 };
    cae_model *m = trained(3);
    uint8_t pixels[PIXELS], tight[4 * PIXELS], apart[SIDE * STRIDE], loose[4 * PIXELS];
    size_t tight_size = 0, loose_size = 1;
    draw_picture(pixels, 3);
    memset(apart, 0xee, sizeof(apart));
    for (size_t y = 0; y < SIDE; y++) {
        memcpy(apart + y * STRIDE, pixels + y * SIDE, SIDE);
    }
    OK(cae_compress(m, pixels, SIDE, SIDE, SIDE, 0, tight, sizeof(tight), &tight_size));
    OK(cae_compress(m, apart, SIDE, SIDE, STRIDE, 0, loose, sizeof(loose), &loose_size));
    EXPECT(tight_size == loose_size && memcmp(tight, loose, tight_size) == 0);
    OK(cae_decompress(m, tight, tight_size, pixels, SIDE, SIDE, SIDE));
    /* The last row ends with the image, not with the stride. */
    memset(apart, 0xee, sizeof(apart));
    OK(cae_decompress(m, tight, tight_size, apart, SIDE, SIDE, STRIDE));
    for (size_t i = 0; i < sizeof(apart); i++) {
        const uint8_t wanted = i % STRIDE < SIDE ? pixels[i / STRIDE * SIDE + i % STRIDE] : 0xee;
        EXPECT(apart[i] == wanted);
    }
    cae_model_free(m);
}

static void only_the_same_model_restores(void)
{
    cae_model *m = trained(3);
    uint8_t pixels[PIXELS], data[4 * PIXELS];
    size_t size = 0;
    float bias[8];
    static const float image[PIXELS];
    draw_picture(pixels, 3);
    OK(cae_compress(m, pixels, SIDE, SIDE, SIDE, 0, data, sizeof(data), &size));
    /* Settings and the optimizer's state do not make another model. */
    cae_model *same = NULL;
    OK(cae_model_copy(&same, m, 0));
    OK(cae_model_set(same, "threads", 3));
    OK(cae_decompress(same, data, size, pixels, SIDE, SIDE, SIDE));
    /* One bit of one weight does. */
    OK(cae_tensor_get(same, 0, bias, 8));
    bias[3] = nextafterf(bias[3], 1);
    OK(cae_tensor_set(same, 0, bias, 8));
    OK(cae_fit_code(same, image, 1, SIDE, SIDE));
    FAILS(cae_decompress(same, data, size, pixels, SIDE, SIDE, SIDE), CAE_E_MODEL, "model");
    cae_model *other = new_model(picture_net, 2);
    FAILS(cae_decompress(other, data, size, pixels, SIDE, SIDE, SIDE), CAE_E_MODEL, "model");
    cae_model_free(m);
    cae_model_free(same);
    cae_model_free(other);
}

static void expect_damage(const cae_model *m, const uint8_t *data, size_t size)
{
    uint8_t pixels[PIXELS];
    forget_message();
    const int status = cae_decompress(m, data, size, pixels, SIDE, SIDE, SIDE);
    EXPECT_SAID(status == CAE_E_FORMAT || status == CAE_E_VERSION || status == CAE_E_MODEL ||
                    status == CAE_E_SHAPE || status == CAE_E_UNSUPPORTED,
                "status %d", status);
    EXPECT(strcmp(cae_last_error(), "m is NULL") != 0 && *cae_last_error() != '\0');
}

static void every_truncation_and_flipped_bit_is_an_error(void)
{
    cae_model *m = trained(3);
    uint8_t pixels[PIXELS], data[4 * PIXELS];
    size_t size = 0;
    size_t shape[3];
    draw_picture(pixels, 3);
    OK(cae_compress(m, pixels, SIDE, SIDE, SIDE, 0, data, sizeof(data), &size));
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *part = need(cut, 1); /* of its own, so that reading beyond is seen */
        memcpy(part, data, cut);
        expect_context("cut at %zu of %zu", cut, size);
        expect_damage(m, part, cut);
        (void)cae_compressed_info(part, cut, shape);
        free(part);
    }
    data[size] = 0;
    expect_context("one byte more");
    expect_damage(m, data, size + 1);
    for (size_t bit = 0; bit < size * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        expect_context("bit %zu flipped", bit);
        expect_damage(m, data, size);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    expect_context("whole again");
    OK(cae_decompress(m, data, size, pixels, SIDE, SIDE, SIDE));
    cae_model_free(m);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(bytes_and_fidelity_grow_with_quality),
        TEST(ranges_are_gathered_while_training),
        TEST(the_bound_holds_for_any_pixels),
        TEST(the_default_quality_is_50),
        TEST(rows_may_stand_apart),
        TEST(only_the_same_model_restores),
        TEST(every_truncation_and_flipped_bit_is_an_error),
    };
    return RUN_TESTS(argc, argv, tests);
}
