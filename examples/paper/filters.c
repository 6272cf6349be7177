/*
 * Blur, median and non-local means: see filters.h. Each extends the image by its mirror image
 * first, so that the loops know no edges.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "filters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where the mirrored image takes its value at `at - margin` from, on an axis of `side` pixels. */
static size_t mirrored(size_t at, size_t margin, size_t side)
{
    const size_t period = 2 * side;
    const size_t place = (at + (period - margin % period)) % period;
    return place < side ? place : period - 1 - place;
}

/* The image with `margin` mirrored pixels all around. NULL: no memory. */
static float *extended(const float *image, size_t height, size_t width, size_t margin)
{
    const size_t rows = height + 2 * margin, columns = width + 2 * margin;
    float *wide = malloc(rows * columns * sizeof *wide);
    for (size_t y = 0; wide != NULL && y < rows; y++) {
        const float *row = image + mirrored(y, margin, height) * width;
        for (size_t x = 0; x < columns; x++) {
            wide[y * columns + x] = row[mirrored(x, margin, width)];
        }
    }
    return wide;
}

/* ---- Gaussian blur --------------------------------------------------------------------------- */

/* Half a Gaussian kernel: weights[i] for the pixels at distance i. */
struct kernel {
    size_t radius;
    float *weights;
};

/* A mirrored axis repeats after 2 sides, and a Gaussian of sigma = 2 sides, folded onto that, is
 * flat to 5e-9 (2 exp(-2 pi^2), the first term of Poisson's sum): a wider one gives the same mean
 * and takes longer. What is cut off at 5 sigma is 6e-7 of the whole. */
static bool make_kernel(struct kernel *kernel, double sigma, size_t side)
{
    const double width = fmin(sigma, 2 * (double)side);
    kernel->radius = (size_t)ceil(5 * width);
    kernel->weights = malloc((kernel->radius + 1) * sizeof *kernel->weights);
    if (kernel->weights == NULL) {
        return false;
    }
    double sum = 0;
    for (size_t i = 0; i <= kernel->radius; i++) {
        const double distance = (double)i / width;
        sum += (i == 0 ? 1 : 2) * exp(-0.5 * distance * distance);
    }
    for (size_t i = 0; i <= kernel->radius; i++) {
        const double distance = (double)i / width;
        kernel->weights[i] = (float)(exp(-0.5 * distance * distance) / sum);
    }
    return true;
}

static void add_pair(float *sums, float weight, const float *a, const float *b, size_t len)
{
    for (size_t x = 0; x < len; x++) {
        sums[x] += weight * (a[x] + b[x]);
    }
}

static void blur_down(const struct kernel *kernel, const float *image, size_t height, size_t width,
                      float *blurred)
{
    memset(blurred, 0, height * width * sizeof *blurred);
    for (size_t y = 0; y < height; y++) {
        for (size_t i = 0; i <= kernel->radius; i++) {
            const size_t above = mirrored(y, i, height), below = mirrored(y + i, 0, height);
            add_pair(blurred + y * width, i == 0 ? kernel->weights[0] / 2 : kernel->weights[i],
                     image + above * width, image + below * width, width);
        }
    }
}

/* In place; `wide` has room for a row and the kernel's radius on both sides. */
static void blur_along(const struct kernel *kernel, float *image, size_t height, size_t width,
                       float *wide)
{
    const size_t radius = kernel->radius;
    for (size_t y = 0; y < height; y++) {
        float *row = image + y * width;
        for (size_t x = 0; x < width + 2 * radius; x++) {
            wide[x] = row[mirrored(x, radius, width)];
        }
        memset(row, 0, width * sizeof *row);
        for (size_t i = 0; i <= radius; i++) {
            add_pair(row, i == 0 ? kernel->weights[0] / 2 : kernel->weights[i], wide + radius - i,
                     wide + radius + i, width);
        }
    }
}

bool filter_blur(const float *image, size_t height, size_t width, double sigma, float *restored)
{
    struct kernel down = {0}, along = {0};
    float *wide = NULL;
    bool done = false;
    if (!make_kernel(&down, sigma, height) || !make_kernel(&along, sigma, width)) {
        goto done;
    }
    wide = malloc((width + 2 * along.radius) * sizeof *wide);
    if (wide == NULL) {
        goto done;
    }
    blur_down(&down, image, height, width, restored);
    blur_along(&along, restored, height, width, wide);
    done = true;
done:
    free(wide);
    free(along.weights);
    free(down.weights);
    return done;
}

/* ---- Median ---------------------------------------------------------------------------------- */

enum { MAX_MEDIAN_SIDE = 7 };

/* The median of the square whose first pixel is `corner`, by insertion. */
static float median_of(const float *corner, size_t columns, size_t side)
{
    float sorted[MAX_MEDIAN_SIDE * MAX_MEDIAN_SIDE];
    size_t len = 0;
    for (size_t y = 0; y < side; y++) {
        for (size_t x = 0; x < side; x++) {
            const float value = corner[y * columns + x];
            size_t at = len++;
            for (; at > 0 && sorted[at - 1] > value; at--) {
                sorted[at] = sorted[at - 1];
            }
            sorted[at] = value;
        }
    }
    return sorted[len / 2];
}

bool filter_median(const float *image, size_t height, size_t width, size_t side, float *restored)
{
    const size_t margin = side / 2, columns = width + 2 * margin;
    float *wide = extended(image, height, width, margin);
    for (size_t y = 0; wide != NULL && y < height; y++) {
        for (size_t x = 0; x < width; x++) {
            restored[y * width + x] = median_of(wide + y * columns + x, columns, side);
        }
    }
    const bool done = wide != NULL;
    free(wide);
    return done;
}

/* ---- Non-local means ------------------------------------------------------------------------- */

struct means {
    const struct nlm *nlm;
    const float *image;
    size_t height, width;
    float *wide;    /* the image with half a patch more on each side */
    float *sums;    /* of weight x pixel, for each pixel */
    float *totals;  /* of weights */
    float *columns; /* one row of squared differences, summed down a patch */
    float *weights; /* one row */
};

/* Past this power of e a weight is 1.4e-11: a whole window of 35 x 35 such pixels changes nothing
 * in a float, for the pixel itself has weight 1. */
static const float NEGLIGIBLE = 25;

static float weight_of(const struct nlm *nlm, float distance)
{
    const float excess = distance - (float)(2 * nlm->sigma * nlm->sigma);
    const float power = excess / (float)(nlm->h * nlm->h);
    return power <= 0 ? 1 : power >= NEGLIGIBLE ? 0 : expf(-power);
}

/* The weights between the pixels (y, x ...) and those at (other_y, other_x ...), `len` of each. */
static void weigh_row(struct means *m, size_t y, size_t x, size_t other_y, size_t other_x,
                      size_t len)
{
    const size_t side = m->nlm->patch_side, stride = m->width + side - 1, taps = len + side - 1;
    memset(m->columns, 0, taps * sizeof *m->columns);
    for (size_t i = 0; i < side; i++) {
        const float *a = m->wide + (y + i) * stride + x;
        const float *b = m->wide + (other_y + i) * stride + other_x;
        for (size_t j = 0; j < taps; j++) {
            m->columns[j] += (a[j] - b[j]) * (a[j] - b[j]);
        }
    }
    memset(m->weights, 0, len * sizeof *m->weights);
    for (size_t i = 0; i < side; i++) {
        for (size_t j = 0; j < len; j++) {
            m->weights[j] += m->columns[j + i];
        }
    }
    for (size_t j = 0; j < len; j++) {
        m->weights[j] = weight_of(m->nlm, m->weights[j] / (float)(side * side));
    }
}

/* Adds the pixels from `from` on, weighted, to those from `to` on. */
static void add_row(struct means *m, size_t to, size_t from, size_t len)
{
    for (size_t j = 0; j < len; j++) {
        m->sums[to + j] += m->weights[j] * m->image[from + j];
        m->totals[to + j] += m->weights[j];
    }
}

/* All pairs of pixels that lie `down` rows and right - left columns apart. A weight is the same
 * both ways, so each pair is weighed once. */
static void add_pairs(struct means *m, size_t down, size_t left, size_t right)
{
    if (down >= m->height || left + right >= m->width) { /* one of left and right is 0 */
        return;
    }
    const size_t len = m->width - left - right;
    for (size_t y = 0; y + down < m->height; y++) {
        const size_t a = y * m->width + left, b = (y + down) * m->width + right;
        weigh_row(m, y, left, y + down, right, len);
        add_row(m, a, b, len);
        add_row(m, b, a, len);
    }
}

static void add_all_pairs(struct means *m)
{
    const size_t reach = m->nlm->search_side / 2;
    for (size_t down = 0; down <= reach; down++) {
        for (size_t right = down == 0 ? 1 : 0; right <= reach; right++) {
            add_pairs(m, down, 0, right);
        }
        for (size_t left = 1; down > 0 && left <= reach; left++) {
            add_pairs(m, down, left, 0);
        }
    }
}

bool filter_nlm(const float *image, size_t height, size_t width, const struct nlm *nlm,
                float *restored)
{
    const size_t len = height * width, row = width + nlm->patch_side;
    struct means m = {.nlm = nlm, .image = image, .height = height, .width = width};
    m.wide = extended(image, height, width, nlm->patch_side / 2);
    m.sums = malloc((2 * len + 2 * row) * sizeof *m.sums);
    const bool done = m.wide != NULL && m.sums != NULL;
    if (done) {
        m.totals = m.sums + len;
        m.columns = m.totals + len;
        m.weights = m.columns + row;
        for (size_t i = 0; i < len; i++) {
            m.sums[i] = image[i];
            m.totals[i] = 1;
        }
        add_all_pairs(&m);
        for (size_t i = 0; i < len; i++) {
            restored[i] = m.sums[i] / m.totals[i];
        }
    }
    free(m.sums);
    free(m.wide);
    return done;
}
