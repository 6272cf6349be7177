/*
 * The estimate of an image's noise: right for flat images, gradients and channels that are alike,
 * and an answer for any finite image. What it does on photographs is measured by
 * tests/quality/noise_levels.py.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "contract.h"

static float level_of(const float *images, size_t c, size_t h, size_t w)
{
    float sigma = -1;
    OK(cae_estimate_noise(images, 1, c, h, w, &sigma));
    return sigma;
}

static void expect_near(float got, float expected, float part, const char *what)
{
    EXPECT_SAID(fabsf(got - expected) <= part * expected, "%s: %g is not %g", what, (double)got,
                (double)expected);
}

/* What an image of those kinds has at a pixel. */
enum kind { FLAT, SLOPE, TEXT, KINDS };

static float shown(enum kind kind, size_t y, size_t x)
{
    return kind == FLAT    ? 0.5f
           : kind == SLOPE ? (float)(x + 2 * y) / 400
                           : (y / 24 % 2 == 0 && x / 3 % 2 == 0 && y % 5 < 3 ? 0.2f : 0.8f);
}

enum { H = 117, W = 130, LEN = H * W };

static float *picture(enum kind kind, size_t channels)
{
    float *image = calloc(channels * LEN, sizeof(float));
    for (size_t i = 0; i < channels * LEN; i++) {
        image[i] = shown(kind, i % LEN / W, i % W);
    }
    return image;
}

static void finds_the_level(void)
{
    static const float levels[] = {2, 5, 25, 75};
    for (int kind = 0; kind < KINDS; kind++) {
        for (size_t channels = 1; channels <= 5; channels += 2) {
            float *image = picture((enum kind)kind, channels);
            EXPECT_SAID(level_of(image, channels, H, W) < 0.2f / 255, "without noise");
            for (size_t i = 0; i < 4; i++) {
                float *noisy = picture((enum kind)kind, channels);
                OK(cae_add_noise(noisy, channels * LEN, levels[i] / 255, i));
                expect_near(level_of(noisy, channels, H, W) * 255, levels[i], 0.12f, "level");
                free(noisy);
            }
            free(image);
        }
    }
}

/* A grey picture saved as RGB has the same noise three times. */
static void equal_channels(void)
{
    float *image = picture(SLOPE, 3);
    OK(cae_add_noise(image, LEN, 0.1f, 1));
    memcpy(image + LEN, image, LEN * sizeof(float));
    memcpy(image + 2 * (size_t)LEN, image, LEN * sizeof(float));
    expect_near(level_of(image, 3, H, W), 0.1f, 0.06f, "three times the same");
    free(image);
}

/* Half of the picture is so bright that a file shows none of its noise. */
static void clipped(void)
{
    float *image = picture(FLAT, 1);
    for (size_t i = LEN / 2; i < LEN; i++) {
        image[i] = 1.0f;
    }
    OK(cae_add_noise(image, LEN, 0.05f, 1));
    for (size_t i = 0; i < LEN; i++) {
        image[i] = image[i] < 0 ? 0 : image[i] > 1 ? 1 : rintf(image[i] * 255) / 255;
    }
    expect_near(level_of(image, 1, H, W), 0.05f, 0.08f, "clipped");
    free(image);
}

/* An image alone is as in company; its scale is that of its values. */
static void images_are_independent(void)
{
    float *images = calloc(2 * (size_t)LEN, sizeof(float));
    float both[2], alone[2];
    OK(cae_add_noise(images, LEN, 0.1f, 1));
    OK(cae_add_noise(images + LEN, LEN, 0.3f, 2));
    OK(cae_estimate_noise(images, 2, 1, H, W, both));
    for (size_t n = 0; n < 2; n++) {
        alone[n] = level_of(images + n * LEN, 1, H, W);
    }
    EXPECT_SAID(memcmp(both, alone, sizeof both) == 0, "company changes an estimate");
    for (size_t i = 0; i < LEN; i++) {
        images[i] *= 0x1p60f;
    }
    EXPECT_SAID(level_of(images, 1, H, W) == alone[0] * 0x1p60f, "the scale changes the estimate");
    free(images);
}

static void any_size(void)
{
    static const float rows[] = {0, FLT_MAX, -FLT_MAX, 0.5f, 1e-40f};
    float *image = calloc(4 * 40 * 40, sizeof(float));
    for (size_t h = 1; h < 40; h = h < 10 ? h + 1 : h + 9) {
        for (size_t w = 1; w < 40; w = w < 10 ? w + 1 : w + 9) {
            for (size_t i = 0; i < 4 * h * w; i++) {
                image[i] = 0;
            }
            EXPECT_SAID(level_of(image, 4, h, w) == 0, "black");
            OK(cae_add_noise(image, 4 * h * w, 0.1f, h * w));
            const float level = level_of(image, 4, h, w);
            EXPECT_SAID(h * w == 1 ? level == 0 : level > 0 && level < 0.4f, "noise");
            for (size_t i = 0; i < 4 * h * w; i++) {
                image[i] = rows[i * 7 % 5];
            }
            const float extreme = level_of(image, 4, h, w);
            EXPECT_SAID(extreme >= 0 && extreme <= FLT_MAX, "extremes");
        }
    }
    free(image);
}

static void refusals(void)
{
    float image[64] = {0}, sigma = 7;
    FAILS(cae_estimate_noise(NULL, 1, 1, 8, 8, &sigma), CAE_E_ARGUMENT, "images");
    FAILS(cae_estimate_noise(image, 1, 1, 8, 8, NULL), CAE_E_ARGUMENT, "sigma");
    FAILS(cae_estimate_noise(image, 0, 1, 8, 8, &sigma), CAE_E_ARGUMENT, "count");
    FAILS(cae_estimate_noise(image, 1, 0, 8, 8, &sigma), CAE_E_ARGUMENT, "channels");
    FAILS(cae_estimate_noise(image, 1, 1, 0, 8, &sigma), CAE_E_ARGUMENT, "height");
    FAILS(cae_estimate_noise(image, 1, 1, 8, 0, &sigma), CAE_E_ARGUMENT, "width");
    FAILS(cae_estimate_noise(image, SIZE_MAX / 2, 4, 8, 8, &sigma), CAE_E_ARGUMENT, "memory");
    image[63] = NAN;
    FAILS(cae_estimate_noise(image, 1, 1, 8, 8, &sigma), CAE_E_NONFINITE, "images");
    image[63] = -INFINITY;
    FAILS(cae_estimate_noise(image, 1, 1, 8, 8, &sigma), CAE_E_NONFINITE, "images");
    EXPECT_SAID(sigma == 7, "a refusal writes sigma");
}

/* Without a level a network is told the estimate, but no less than 0.5/255. */
static void denoises_as_estimated(void)
{
    cae_model *m = NULL;
    float *images = calloc(2 * (size_t)LEN, sizeof(float));
    float *out = calloc(2 * (size_t)LEN, sizeof(float));
    float *expected = calloc(2 * (size_t)LEN, sizeof(float));
    float sigma[2];
    OK(cae_model_new(&m, "input 1 8 8 noise\nconv 1 kernel 3 pad 1\n", 1));
    OK(cae_add_noise(images, LEN, 0.1f, 1));
    OK(cae_estimate_noise(images, 2, 1, H, W, sigma));
    EXPECT_SAID(sigma[1] == 0, "a black image has noise");
    OK(cae_denoise(m, images, 2, H, W, 0, out));
    OK(cae_denoise(m, images, 1, H, W, sigma[0], expected));
    OK(cae_denoise(m, images + LEN, 1, H, W, 0.5f / 255, expected + LEN));
    EXPECT_SAID(memcmp(out, expected, 2 * LEN * sizeof(float)) == 0,
                "another level than estimated");
    images[LEN] = NAN;
    FAILS(cae_denoise(m, images, 2, H, W, 0, out), CAE_E_NONFINITE, "noisy");
    FAILS(cae_denoise(m, images, SIZE_MAX / 4, H, W, 0, out), CAE_E_ARGUMENT, "memory");
    cae_model_free(m);
    free(images);
    free(out);
    free(expected);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(finds_the_level),        TEST(equal_channels), TEST(clipped),
        TEST(images_are_independent), TEST(any_size),       TEST(refusals),
        TEST(denoises_as_estimated),
    };
    return RUN_TESTS(argc, argv, tests);
}
