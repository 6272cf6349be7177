/*
 * The filters of the study against plain formulas: blur without taking the axes apart, median by
 * sorting, non-local means pixel by pixel; and what each must do to a constant image, an impulse
 * and images of one row or one pixel.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "../unit/unit.h"
#undef fail /* an old name of Check's, and the command's way to say an error */

#include <math.h>
#include <stdlib.h>

#include "filters.h"
#include "measure.h"
#include "random.h"

enum { MAX_LEN = 400 };

static const size_t sizes[][2] = {{1, 1}, {1, 9}, {9, 1}, {2, 3}, {5, 7}, {16, 12}, {20, 20}};
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static void make_image(float *image, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i++) {
        image[i] = (float)random_unit(seed, RANDOM_FACE, i, 0);
    }
}

/* The pixel of the mirrored plane, found by walking back from edge to edge. */
static double pixel_at(const float *image, size_t height, size_t width, long y, long x)
{
    const long rows = (long)height, columns = (long)width;
    while (y < 0 || y >= rows) {
        y = y < 0 ? -1 - y : 2 * rows - 1 - y;
    }
    while (x < 0 || x >= columns) {
        x = x < 0 ? -1 - x : 2 * columns - 1 - x;
    }
    return (double)image[y * columns + x];
}

static double mean_of(const float *image, size_t len)
{
    double sum = 0;
    for (size_t i = 0; i < len; i++) {
        sum += (double)image[i];
    }
    return sum / (double)len;
}

static void assert_near(const float *found, double wanted, size_t len, double tolerance)
{
    for (size_t i = 0; i < len; i++) {
        ck_assert_double_eq_tol((double)found[i], wanted, tolerance);
    }
}

/* ---- Blur ------------------------------------------------------------------------------------ */

static double plain_blur(const float *image, size_t height, size_t width, double sigma, long y,
                         long x)
{
    const long radius = (long)ceil(5 * sigma);
    double sum = 0, weights = 0;
    for (long i = -radius; i <= radius; i++) {
        for (long j = -radius; j <= radius; j++) {
            const double weight = exp(-(double)(i * i + j * j) / (2 * sigma * sigma));
            sum += weight * pixel_at(image, height, width, y + i, x + j);
            weights += weight;
        }
    }
    return sum / weights;
}

START_TEST(blur_is_a_convolution)
{
    static const double sigmas[] = {0.3, 1.05, 1.7, 3};
    float image[MAX_LEN], blurred[MAX_LEN];
    for (size_t i = 0; i < SIZES; i++) {
        const size_t height = sizes[i][0], width = sizes[i][1];
        make_image(image, height * width, i);
        for (size_t s = 0; s < 4; s++) {
            /* Wider kernels than this are narrowed, which the next test looks at. */
            if (sigmas[s] > 2 * fmin((double)height, (double)width)) {
                continue;
            }
            ck_assert(filter_blur(image, height, width, sigmas[s], blurred));
            for (size_t p = 0; p < height * width; p++) {
                const double wanted = plain_blur(image, height, width, sigmas[s], (long)(p / width),
                                                 (long)(p % width));
                ck_assert_double_eq_tol((double)blurred[p], wanted, 1e-6);
            }
        }
    }
}
END_TEST

START_TEST(a_wide_blur_gives_the_mean)
{
    static const double sigmas[] = {41, 1000, 1e30};
    float image[MAX_LEN], blurred[MAX_LEN];
    for (size_t i = 0; i < SIZES; i++) {
        const size_t len = sizes[i][0] * sizes[i][1];
        make_image(image, len, i);
        for (size_t s = 0; s < 3; s++) {
            ck_assert(filter_blur(image, sizes[i][0], sizes[i][1], sigmas[s], blurred));
            assert_near(blurred, mean_of(image, len), len, 2e-6);
        }
    }
}
END_TEST

START_TEST(a_narrow_blur_changes_nothing)
{
    float image[MAX_LEN], blurred[MAX_LEN];
    make_image(image, MAX_LEN, 3);
    ck_assert(filter_blur(image, 20, 20, 0.01, blurred));
    ck_assert_mem_eq(image, blurred, sizeof image);
}
END_TEST

START_TEST(blur_keeps_the_sum)
{
    float image[MAX_LEN] = {0}, blurred[MAX_LEN];
    image[21] = 1; /* beside the corner: much of it goes over the edges and comes back */
    ck_assert(filter_blur(image, 20, 20, 1.5, blurred));
    ck_assert_double_eq_tol(mean_of(blurred, MAX_LEN) * MAX_LEN, 1, 1e-6);
    for (size_t y = 0; y < 20; y++) {
        for (size_t x = 0; x < 20; x++) {
            ck_assert_float_eq_tol(blurred[y * 20 + x], blurred[x * 20 + y], 1e-7f);
        }
    }
}
END_TEST

/* ---- Median ---------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

static double plain_median(const float *image, size_t height, size_t width, size_t side, long y,
                           long x)
{
    const long reach = (long)side / 2;
    double values[49];
    size_t len = 0;
    for (long i = -reach; i <= reach; i++) {
        for (long j = -reach; j <= reach; j++) {
            values[len++] = pixel_at(image, height, width, y + i, x + j);
        }
    }
    qsort(values, len, sizeof values[0], compare);
    return values[len / 2];
}

START_TEST(median_is_the_middle_of_the_sorted)
{
    float image[MAX_LEN], filtered[MAX_LEN];
    for (size_t i = 0; i < SIZES; i++) {
        const size_t height = sizes[i][0], width = sizes[i][1];
        make_image(image, height * width, 100 + i);
        for (size_t side = 3; side <= 7; side += 2) {
            ck_assert(filter_median(image, height, width, side, filtered));
            for (size_t p = 0; p < height * width; p++) {
                const double wanted =
                    plain_median(image, height, width, side, (long)(p / width), (long)(p % width));
                ck_assert_double_eq((double)filtered[p], wanted);
            }
        }
    }
}
END_TEST

START_TEST(median_removes_an_impulse)
{
    float image[MAX_LEN], filtered[MAX_LEN];
    for (size_t i = 0; i < MAX_LEN; i++) {
        image[i] = i == 87 ? 1 : 0.25f;
    }
    ck_assert(filter_median(image, 20, 20, 3, filtered));
    assert_near(filtered, 0.25, MAX_LEN, 1e-12);
}
END_TEST

/* ---- Non-local means ------------------------------------------------------------------------- */

static double plain_nlm(const float *image, size_t height, size_t width, const struct nlm *nlm,
                        long y, long x)
{
    const long patch = (long)nlm->patch_side / 2, search = (long)nlm->search_side / 2;
    double sum = 0, weights = 0;
    for (long v = y - search; v <= y + search; v++) {
        for (long u = x - search; u <= x + search; u++) {
            if (v < 0 || u < 0 || v >= (long)height || u >= (long)width) {
                continue;
            }
            double distance = 0;
            for (long i = -patch; i <= patch; i++) {
                for (long j = -patch; j <= patch; j++) {
                    const double difference = pixel_at(image, height, width, y + i, x + j) -
                                              pixel_at(image, height, width, v + i, u + j);
                    distance += difference * difference;
                }
            }
            distance /= (double)(nlm->patch_side * nlm->patch_side);
            const double excess = fmax(distance - 2 * nlm->sigma * nlm->sigma, 0);
            const double weight = exp(-excess / (nlm->h * nlm->h));
            sum += weight * pixel_at(image, height, width, v, u);
            weights += weight;
        }
    }
    return sum / weights;
}

START_TEST(nlm_is_that_of_the_formula)
{
    /* Windows smaller and larger than the image; weights all 1, all but 0, and in between. */
    static const struct nlm settings[] = {{0.2, 0.1, 3, 5},
                                          {0.1, 0.3, 5, 21},
                                          {0.25, 0.2, 1, 3},
                                          {0.02, 0.05, 9, 7},
                                          {0.05, 9, 3, 41}};
    float image[MAX_LEN], restored[MAX_LEN];
    for (size_t i = 0; i < SIZES; i++) {
        const size_t height = sizes[i][0], width = sizes[i][1];
        make_image(image, height * width, 200 + i);
        for (size_t s = 0; s < 5; s++) {
            ck_assert(filter_nlm(image, height, width, &settings[s], restored));
            for (size_t p = 0; p < height * width; p++) {
                const double wanted = plain_nlm(image, height, width, &settings[s],
                                                (long)(p / width), (long)(p % width));
                ck_assert_double_eq_tol((double)restored[p], wanted, 2e-6);
            }
        }
    }
}
END_TEST

START_TEST(nlm_joins_only_what_is_alike)
{
    /* Two flat halves, far apart: noise within each is averaged, none crosses. */
    float image[MAX_LEN], restored[MAX_LEN];
    for (size_t i = 0; i < MAX_LEN; i++) {
        const double noise = 0.05 * (random_unit(7, RANDOM_FACE, i, 0) - 0.5);
        image[i] = (float)((i % 20 < 10 ? 0.1 : 0.9) + noise);
    }
    const struct nlm nlm = {0.05, 0.02, 1, 41};
    ck_assert(filter_nlm(image, 20, 20, &nlm, restored));
    for (size_t i = 0; i < MAX_LEN; i++) {
        ck_assert_double_eq_tol((double)restored[i], i % 20 < 10 ? 0.1 : 0.9, 0.005);
    }
}
END_TEST

/* ---- All of them ----------------------------------------------------------------------------- */

START_TEST(a_constant_image_stays)
{
    static const struct filter filters[] = {
        {FILTER_BLUR, 1.3, 0, 0}, {FILTER_MEDIAN, 0, 5, 0}, {FILTER_NLM, 0.4, 5, 21}};
    float image[MAX_LEN], restored[MAX_LEN];
    for (size_t i = 0; i < MAX_LEN; i++) {
        image[i] = 0.3f;
    }
    for (size_t f = 0; f < 3; f++) {
        for (size_t i = 0; i < SIZES; i++) {
            const struct filter_images one = {image, 1, sizes[i][0], sizes[i][1], 0.1};
            ck_assert(filter_run(&filters[f], &one, restored));
            assert_near(restored, (double)0.3f, sizes[i][0] * sizes[i][1], 5e-6);
        }
    }
}
END_TEST

enum { COUNT = 3, SIDE = 16, LEN = SIDE * SIDE };

/* Smooth images with an edge, and noise of sigma / 255 (uniform, which is noise enough). */
static void make_noisy(float *clean, float *noisy, double sigma)
{
    for (size_t i = 0; i < COUNT * LEN; i++) {
        const double x = (double)(i % SIDE), y = (double)(i / SIDE % SIDE);
        const double value = 0.4 + 0.2 * sin(0.3 * (x + y) + (double)(i / LEN)) + (x < 6 ? 0.2 : 0);
        const double noise = sqrt(12.0) * (random_unit(5, RANDOM_FACE, i, 0) - 0.5);
        clean[i] = (float)value;
        noisy[i] = (float)(value + sigma / 255 * noise);
    }
}

/* By its formula: the mean over images of 10 log10(255^2 / MSE) of rounded and clipped values. */
static double plain_psnr(const float *clean, const float *restored)
{
    double sum = 0;
    for (size_t n = 0; n < COUNT; n++) {
        double mse = 0;
        for (size_t i = n * LEN; i < (n + 1) * LEN; i++) {
            const double a = rint(255 * fmin(fmax((double)clean[i], 0), 1));
            const double b = rint(255 * fmin(fmax((double)restored[i], 0), 1));
            mse += (a - b) * (a - b) / LEN;
        }
        sum += 10 * log10(255.0 * 255.0 / mse) / COUNT;
    }
    return sum;
}

/* The best of a kind scores what is said of it, and no worse than the others tried here. */
static void check_choice(const struct filter *others, size_t len, double sigma)
{
    float clean[COUNT * LEN], noisy[COUNT * LEN], restored[COUNT * LEN];
    make_noisy(clean, noisy, sigma);
    const struct filter_images images = {noisy, COUNT, SIDE, SIDE, sigma / 255};
    struct filter best;
    double psnr = 0;
    ck_assert(filter_choose(others[0].kind, &images, clean, &best, &psnr));
    ck_assert_int_eq((int)best.kind, (int)others[0].kind);
    ck_assert(filter_run(&best, &images, restored));
    ck_assert_double_eq_tol(psnr, plain_psnr(clean, restored), 0.01);
    ck_assert_double_gt(psnr, plain_psnr(clean, noisy) + 1);
    for (size_t i = 0; i < len; i++) {
        ck_assert(filter_run(&others[i], &images, restored));
        ck_assert_double_ge(psnr + 0.01, plain_psnr(clean, restored));
    }
}

START_TEST(the_best_setting_is_chosen)
{
    static const struct filter blurs[] = {{FILTER_BLUR, 0.3, 0, 0}, {FILTER_BLUR, 0.5, 0, 0},
                                          {FILTER_BLUR, 0.8, 0, 0}, {FILTER_BLUR, 1.2, 0, 0},
                                          {FILTER_BLUR, 2.0, 0, 0}, {FILTER_BLUR, 3.0, 0, 0}};
    static const struct filter medians[] = {
        {FILTER_MEDIAN, 0, 3, 0}, {FILTER_MEDIAN, 0, 5, 0}, {FILTER_MEDIAN, 0, 7, 0}};
    static const struct filter means[] = {{FILTER_NLM, 0.4, 5, 21}, {FILTER_NLM, 0.4, 5, 5},
                                          {FILTER_NLM, 0.8, 9, 5},  {FILTER_NLM, 1.6, 5, 3},
                                          {FILTER_NLM, 0.8, 13, 5}, {FILTER_NLM, 1.2, 5, 11}};
    check_choice(blurs, 6, 25);
    check_choice(medians, 3, 25);
    check_choice(means, 6, 25);
}
END_TEST

START_TEST(more_noise_wants_more_blur)
{
    float clean[COUNT * LEN], noisy[COUNT * LEN];
    double before = 0;
    for (double sigma = 5; sigma <= 80; sigma *= 4) {
        make_noisy(clean, noisy, sigma);
        const struct filter_images images = {noisy, COUNT, SIDE, SIDE, sigma / 255};
        struct filter best;
        double psnr = 0;
        ck_assert(filter_choose(FILTER_BLUR, &images, clean, &best, &psnr));
        ck_assert_double_gt(best.strength, before);
        before = best.strength;
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        blur_is_a_convolution,
        a_wide_blur_gives_the_mean,
        a_narrow_blur_changes_nothing,
        blur_keeps_the_sum,
        median_is_the_middle_of_the_sorted,
        median_removes_an_impulse,
        nlm_is_that_of_the_formula,
        nlm_joins_only_what_is_alike,
        a_constant_image_stays,
        the_best_setting_is_chosen,
        more_noise_wants_more_blur,
        NULL,
    };
    return unit_run("paper filters", tests);
}
