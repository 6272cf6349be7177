/*
 * Principal components by what defines them: orthonormal, no error at full number, an error on the
 * fitted images that is the variance left out, the same answer on either way of computing; and what
 * becomes of images without variance.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "../unit/unit.h"
#undef fail /* an old name of Check's */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pca.h"
#include "random.h"

enum { MAX_VALUES = 12000, SKIPPED = 77 };

/* Fewer images than values and more of them; blocks of images filled and not. */
static const size_t shapes[][2] = {{2, 1},   {2, 5},   {8, 30},  {12, 12},
                                   {13, 12}, {40, 12}, {300, 40}};
enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

/* Values whose spread falls from one direction to the next, so that components differ. */
static void make_images(float *images, size_t count, size_t len)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < len; j++) {
            double value = 0.5;
            for (size_t f = 0; f < len; f++) {
                const double weight = random_unit(1, RANDOM_FACE, i, f) - 0.5;
                value += weight * sin((double)((f + 1) * (j + 1))) / (double)(f + 1);
            }
            images[i * len + j] = (float)value;
        }
    }
}

/* The mean over images of the squared distance. */
static double distance(const float *a, const float *b, size_t count, size_t len)
{
    double sum = 0;
    for (size_t i = 0; i < count * len; i++) {
        const double difference = (double)a[i] - (double)b[i];
        sum += difference * difference;
    }
    return sum / (double)count;
}

static size_t most_components(size_t count, size_t len)
{
    return count - 1 < len ? count - 1 : len;
}

START_TEST(all_components_restore_exactly)
{
    static float images[MAX_VALUES], restored[MAX_VALUES];
    for (size_t s = 0; s < SHAPES; s++) {
        const size_t count = shapes[s][0], len = shapes[s][1];
        make_images(images, count, len);
        struct pca pca;
        ck_assert_int_eq(pca_fit(&pca, images, count, len, count - 1), PCA_OK);
        ck_assert_uint_eq(pca.len, len);
        ck_assert_uint_eq(pca.components, most_components(count, len));
        ck_assert_double_eq_tol(pca.explained, 1, 1e-12);
        ck_assert_int_eq(pca_restore(&pca, images, count, restored), PCA_OK);
        for (size_t i = 0; i < count * len; i++) {
            ck_assert_float_eq_tol(restored[i], images[i], 1e-6f);
        }
        pca_free(&pca);
    }
}
END_TEST

START_TEST(components_are_orthonormal)
{
    static float images[MAX_VALUES];
    for (size_t s = 0; s < SHAPES; s++) {
        const size_t count = shapes[s][0], len = shapes[s][1];
        make_images(images, count, len);
        struct pca pca;
        ck_assert_int_eq(pca_fit(&pca, images, count, len, count), PCA_OK);
        for (size_t a = 0; a < pca.components; a++) {
            for (size_t b = 0; b <= a; b++) {
                double product = 0;
                for (size_t j = 0; j < len; j++) {
                    product += pca.vectors[a * len + j] * pca.vectors[b * len + j];
                }
                ck_assert_double_eq_tol(product, a == b ? 1 : 0, 1e-9);
            }
        }
        pca_free(&pca);
    }
}
END_TEST

START_TEST(the_error_is_the_variance_left_out)
{
    static float images[MAX_VALUES], restored[MAX_VALUES];
    for (size_t s = 0; s < SHAPES; s++) {
        const size_t count = shapes[s][0], len = shapes[s][1];
        make_images(images, count, len);
        double before = INFINITY;
        for (size_t asked = 0; asked <= most_components(count, len); asked++) {
            struct pca pca;
            ck_assert_int_eq(pca_fit(&pca, images, count, len, asked), PCA_OK);
            ck_assert_uint_eq(pca.components, asked);
            ck_assert_int_eq(pca_restore(&pca, images, count, restored), PCA_OK);
            const double error = distance(images, restored, count, len);
            ck_assert_double_lt(error, before);
            ck_assert_double_eq_tol(error, pca.variance * (1 - pca.explained), 1e-7);
            before = error;
            pca_free(&pca);
        }
    }
}
END_TEST

/* The largest eigenvalue of the covariance, by multiplying a vector with it again and again. */
static double largest_variance(const float *images, size_t count, size_t len)
{
    double mean[64] = {0}, vector[64], value = 0;
    for (size_t i = 0; i < count * len; i++) {
        mean[i % len] += (double)images[i] / (double)count;
    }
    for (size_t j = 0; j < len; j++) {
        vector[j] = 1 + (double)j;
    }
    for (int round = 0; round < 2000; round++) {
        double next[64] = {0}, length = 0;
        for (size_t i = 0; i < count; i++) {
            double product = 0;
            for (size_t j = 0; j < len; j++) {
                product += ((double)images[i * len + j] - mean[j]) * vector[j];
            }
            for (size_t j = 0; j < len; j++) {
                next[j] += product * ((double)images[i * len + j] - mean[j]) / (double)count;
            }
        }
        for (size_t j = 0; j < len; j++) {
            length += next[j] * next[j];
        }
        value = sqrt(length);
        for (size_t j = 0; j < len; j++) {
            vector[j] = next[j] / value;
        }
    }
    return value;
}

START_TEST(the_first_component_has_the_most_variance)
{
    static float images[MAX_VALUES];
    for (size_t s = 0; s < SHAPES; s++) {
        const size_t count = shapes[s][0], len = shapes[s][1];
        make_images(images, count, len);
        struct pca pca;
        ck_assert_int_eq(pca_fit(&pca, images, count, len, 1), PCA_OK);
        ck_assert_double_eq_tol(pca.variance * pca.explained, largest_variance(images, count, len),
                                1e-9);
        pca_free(&pca);
    }
}
END_TEST

START_TEST(either_way_gives_the_same)
{
    enum { COUNT = 9, LEN = 24, TIMES = 4 };
    static float images[COUNT * LEN * TIMES], unseen[3 * LEN], a[3 * LEN], b[3 * LEN];
    make_images(images, COUNT, LEN);
    for (size_t i = 1; i < TIMES; i++) { /* the same distribution, and more images than values */
        memcpy(images + i * COUNT * LEN, images, COUNT * LEN * sizeof images[0]);
    }
    make_images(unseen, 3, LEN);
    for (size_t i = 0; i < 3 * LEN; i++) {
        unseen[i] += (float)random_unit(2, RANDOM_FACE, i, 0);
    }
    for (size_t asked = 0; asked < COUNT + 5; asked++) {
        struct pca few, many;
        ck_assert_int_eq(pca_fit(&few, images, COUNT, LEN, asked), PCA_OK);
        ck_assert_int_eq(pca_fit(&many, images, COUNT * TIMES, LEN, asked), PCA_OK);
        ck_assert_uint_eq(few.components, asked < COUNT ? asked : COUNT - 1);
        ck_assert_uint_eq(many.components, few.components); /* duplicates add no direction */
        ck_assert_double_eq_tol(many.variance, few.variance, 1e-12);
        ck_assert_double_eq_tol(many.explained, few.explained, 1e-12);
        ck_assert_int_eq(pca_restore(&few, unseen, 3, a), PCA_OK);
        ck_assert_int_eq(pca_restore(&many, unseen, 3, b), PCA_OK);
        for (size_t i = 0; i < 3 * LEN; i++) {
            ck_assert_float_eq_tol(a[i], b[i], 1e-6f);
        }
        pca_free(&few);
        pca_free(&many);
    }
}
END_TEST

START_TEST(restoring_is_a_projection)
{
    enum { COUNT = 20, LEN = 50 };
    static float images[COUNT * LEN], unseen[200 * LEN], once[200 * LEN];
    make_images(images, COUNT, LEN);
    for (size_t i = 0; i < 200 * LEN; i++) {
        unseen[i] = (float)random_unit(3, RANDOM_FACE, i, 0);
    }
    struct pca pca;
    ck_assert_int_eq(pca_fit(&pca, images, COUNT, LEN, 7), PCA_OK);
    ck_assert_int_eq(pca_restore(&pca, unseen, 200, once), PCA_OK);
    for (size_t i = 0; i < 200; i++) { /* what is lost has nothing along a component */
        for (size_t k = 0; k < 7; k++) {
            double product = 0;
            for (size_t j = 0; j < LEN; j++) {
                const double lost = (double)unseen[i * LEN + j] - (double)once[i * LEN + j];
                product += lost * pca.vectors[k * LEN + j];
            }
            ck_assert_double_eq_tol(product, 0, 1e-6);
        }
    }
    memcpy(unseen, once, sizeof once);
    ck_assert_int_eq(pca_restore(&pca, once, 200, once), PCA_OK); /* in place */
    for (size_t i = 0; i < 200 * LEN; i++) {
        ck_assert_float_eq_tol(once[i], unseen[i], 1e-6f);
    }
    pca_free(&pca);
}
END_TEST

START_TEST(a_line_has_one_component)
{
    /* Images at -2, -1, 0, 1, 2 along (3, 4) / 64: variance 2 x 25 / 4096. */
    float images[10], restored[10];
    for (int i = 0; i < 5; i++) {
        images[2 * i] = 0.5f + (float)(3 * (i - 2)) / 64;
        images[2 * i + 1] = 0.25f + (float)(4 * (i - 2)) / 64;
    }
    struct pca pca;
    ck_assert_int_eq(pca_fit(&pca, images, 5, 2, 2), PCA_OK);
    ck_assert_uint_eq(pca.components, 1);
    ck_assert_double_eq_tol(pca.variance, 50.0 / 4096, 1e-15);
    ck_assert_double_eq_tol(fabs(pca.vectors[0]), 0.6, 1e-12);
    ck_assert_double_eq_tol(fabs(pca.vectors[1]), 0.8, 1e-12);
    ck_assert_double_gt(pca.vectors[0] * pca.vectors[1], 0);
    ck_assert_int_eq(pca_restore(&pca, images, 5, restored), PCA_OK);
    ck_assert_double_lt(distance(images, restored, 5, 2), 1e-14);
    pca_free(&pca);
}
END_TEST

START_TEST(no_variance_has_no_components)
{
    float images[7 * 6], other[6] = {0.5f, 0, 1, 0.25f, 0.75f, 0.1f}, restored[6];
    for (size_t count = 2; count <= 7; count++) { /* on both ways */
        for (size_t i = 0; i < 7 * 6; i++) {
            images[i] = 0.1f * (float)(i % 6); /* equal images */
        }
        struct pca pca;
        ck_assert_int_eq(pca_fit(&pca, images, count, 6, count), PCA_OK);
        ck_assert_uint_eq(pca.components, 0);
        ck_assert_double_eq(pca.variance, 0);
        ck_assert_double_eq(pca.explained, 1);
        ck_assert_int_eq(pca_restore(&pca, other, 1, restored), PCA_OK);
        ck_assert_mem_eq(restored, images, sizeof restored); /* the mean */
        pca_free(&pca);
    }
}
END_TEST

START_TEST(equal_images_count_once)
{
    enum { COUNT = 6, LEN = 20 };
    float images[COUNT * LEN], restored[COUNT * LEN];
    make_images(images, COUNT, LEN);
    memcpy(images + 4 * LEN, images + LEN, LEN * sizeof images[0]);
    struct pca pca;
    ck_assert_int_eq(pca_fit(&pca, images, COUNT, LEN, COUNT - 1), PCA_OK);
    ck_assert_uint_eq(pca.components, COUNT - 2);
    ck_assert_int_eq(pca_restore(&pca, images, COUNT, restored), PCA_OK);
    ck_assert_double_lt(distance(images, restored, COUNT, LEN), 1e-10);
    pca_free(&pca);
}
END_TEST

static void assert_refused(const float *images, size_t count, size_t len, int status)
{
    struct pca pca;
    ck_assert_int_eq(pca_fit(&pca, images, count, len, 1), status);
    ck_assert_ptr_null(pca.mean);
    ck_assert_ptr_null(pca.vectors);
    ck_assert_uint_eq(pca.components, 0);
    ck_assert_uint_gt(strlen(pca_words(status)), 0);
    ck_assert_str_ne(pca_words(status), pca_words(PCA_OK));
    pca_free(&pca); /* frees nothing twice */
}

START_TEST(what_cannot_be_fitted_is_refused)
{
    float images[10 * 4] = {0};
    assert_refused(images, 0, 4, PCA_TOO_FEW);
    assert_refused(images, 1, 4, PCA_TOO_FEW);
    assert_refused(images, 40000, 40000, PCA_LIMIT); /* before it reads any */
    assert_refused(images, SIZE_MAX / 8, 2, PCA_LIMIT);
    assert_refused(images, 2, SIZE_MAX / 8, PCA_LIMIT);
    images[5] = NAN;
    assert_refused(images, 3, 4, PCA_FAILED);
    assert_refused(images, 10, 4, PCA_FAILED);
    images[5] = INFINITY;
    assert_refused(images, 3, 4, PCA_FAILED);
    assert_refused(images, 10, 4, PCA_FAILED);
}
END_TEST

int main(void)
{
    if (!pca_available()) {
        struct pca pca;
        const float images[2] = {0, 1};
        printf("skipped: %s\n", pca_words(PCA_ABSENT));
        return pca_fit(&pca, images, 2, 1, 1) == PCA_ABSENT ? SKIPPED : EXIT_FAILURE;
    }
    const TTest *const tests[] = {
        all_components_restore_exactly,
        components_are_orthonormal,
        the_error_is_the_variance_left_out,
        the_first_component_has_the_most_variance,
        either_way_gives_the_same,
        restoring_is_a_projection,
        a_line_has_one_component,
        no_variance_has_no_components,
        equal_images_count_once,
        what_cannot_be_fitted_is_refused,
        NULL,
    };
    return unit_run("paper pca", tests);
}
