/*
 * The colour of noise: see noise_colour.h. Of the blocks of 8 x 8 a sixteenth is taken, those with
 * the least energy in the low frequencies of the cosine transform, where images have theirs. In
 * white noise the others are independent of these, so that choosing does not change them.
 * Texture has more energy in middle frequencies than in high ones, as noise that was smoothed has.
 * Noise is everywhere and texture is not: so of the middle frequencies the lower quartile is taken,
 * and of the high ones the median.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "noise_colour.h"

#include <math.h>
#include <stdlib.h>

#include "message.h"

enum { SIDE = 8, LEAST_BLOCKS = 64, BLOCKS_OF_ONE = 16 };

const double noise_colour_most = 1.4;

/* The lower quartile of the mean square of 21 normal numbers is 0.778 of their variance, the median
 * of that of 15 is 0.956. */
static const double quartile_for_median = 0.778 / 0.956;

struct block {
    double low, middle, high; /* mean energies */
};

/* Rows of the cosine transform, without the factor that all but the first share: cos(k pi / 16) by
 * square roots, which are equal everywhere. */
static void make_transform(double rows[SIDE][SIDE])
{
    double cosine[4 * SIDE + 1] = {1};
    cosine[4] = sqrt(0.5);
    cosine[2] = sqrt((1 + cosine[4]) / 2);
    cosine[6] = sqrt((1 - cosine[4]) / 2);
    cosine[1] = sqrt((1 + cosine[2]) / 2);
    cosine[7] = sqrt((1 - cosine[2]) / 2);
    cosine[3] = sqrt((1 + cosine[6]) / 2);
    cosine[5] = sqrt((1 - cosine[6]) / 2);
    for (int i = 0; i < SIDE; i++) {
        cosine[2 * SIDE - i] = -cosine[i];
    }
    for (int i = 0; i <= 2 * SIDE; i++) {
        cosine[4 * SIDE - i] = cosine[i];
    }
    for (int k = 0; k < SIDE; k++) {
        for (int x = 0; x < SIDE; x++) {
            rows[k][x] = cosine[(2 * x + 1) * k % (4 * SIDE)] * (k == 0 ? sqrt(0.125) : 0.5);
        }
    }
}

static void transform(double rows[SIDE][SIDE], const float *values, size_t width,
                      double result[SIDE][SIDE])
{
    double half[SIDE][SIDE];
    for (int y = 0; y < SIDE; y++) {
        for (int k = 0; k < SIDE; k++) {
            half[y][k] = 0;
            for (int x = 0; x < SIDE; x++) {
                half[y][k] += rows[k][x] * (double)values[(size_t)y * width + (size_t)x];
            }
        }
    }
    for (int k = 0; k < SIDE; k++) {
        for (int x = 0; x < SIDE; x++) {
            result[k][x] = 0;
            for (int y = 0; y < SIDE; y++) {
                result[k][x] += rows[k][y] * half[y][x];
            }
        }
    }
}

static struct block measure(double rows[SIDE][SIDE], const float *values, size_t width)
{
    double energy[SIDE][SIDE];
    struct block b = {0, 0, 0};
    transform(rows, values, width, energy);
    for (int v = 0; v < SIDE; v++) {
        for (int u = 0; u < SIDE; u++) {
            const double square = energy[v][u] * energy[v][u];
            b.low += u + v >= 1 && u + v <= 4 ? square / 14 : 0;
            b.middle += u + v >= 5 && u + v <= 7 ? square / 21 : 0;
            b.high += u + v >= 10 ? square / 15 : 0;
        }
    }
    return b;
}

static int order(double a, double b)
{
    return (a > b) - (a < b);
}

static int by_low(const void *a, const void *b)
{
    return order(((const struct block *)a)->low, ((const struct block *)b)->low);
}

static int by_middle(const void *a, const void *b)
{
    return order(((const struct block *)a)->middle, ((const struct block *)b)->middle);
}

static int by_high(const void *a, const void *b)
{
    return order(((const struct block *)a)->high, ((const struct block *)b)->high);
}

static double ratio_of(struct block *blocks, size_t len, double step)
{
    /* Rounding has a variance of step^2 / 12; a float's, of values up to 1, is far below 1e-6^2. */
    const double nothing = fmax(0.25 * step * step, 1e-12);
    size_t chosen = len / BLOCKS_OF_ONE;
    if (len < LEAST_BLOCKS) {
        return 0;
    }
    chosen = chosen < LEAST_BLOCKS ? LEAST_BLOCKS : chosen;
    qsort(blocks, len, sizeof *blocks, by_low);
    qsort(blocks, chosen, sizeof *blocks, by_middle);
    const double middle = blocks[chosen / 4].middle;
    qsort(blocks, chosen, sizeof *blocks, by_high);
    const double high = blocks[chosen / 2].high;
    return high > nothing ? middle / high / quartile_for_median : (double)INFINITY;
}

/* The ends of the image's values, where files clip. */
static void find_ends(const float *values, size_t len, float *low, float *high)
{
    *low = *high = values[0];
    for (size_t i = 1; i < len; i++) {
        *low = values[i] < *low ? values[i] : *low;
        *high = values[i] > *high ? values[i] : *high;
    }
}

/* Whether a block is all black or all white: it has lost its noise, and says nothing of it. */
static bool is_clipped(const float *values, size_t width, float low, float high)
{
    const float first = values[0];
    if (first > low && first < high) {
        return false;
    }
    for (size_t i = 0; i < (size_t)SIDE * SIDE; i++) {
        const float value = values[i / SIDE * width + i % SIDE];
        if (value < first || value > first) {
            return false;
        }
    }
    return true;
}

int noise_colour(const float *values, size_t height, size_t width, double step, double *ratio)
{
    double rows[SIDE][SIDE];
    const size_t down = height / SIDE, across = width / SIDE;
    struct block *blocks = calloc(down * across + 1, sizeof *blocks);
    size_t len = 0;
    if (blocks == NULL) {
        return fail("out of memory");
    }
    float low = 0, high = 0;
    make_transform(rows);
    if (down * across > 0) {
        find_ends(values, height * width, &low, &high);
    }
    for (size_t y = 0; y < down; y++) {
        for (size_t x = 0; x < across; x++) {
            const float *block = values + SIDE * (y * width + x);
            if (!is_clipped(block, width, low, high)) {
                blocks[len++] = measure(rows, block, width);
            }
        }
    }
    *ratio = down * across >= LEAST_BLOCKS && len < LEAST_BLOCKS ? (double)INFINITY
                                                                 : ratio_of(blocks, len, step);
    free(blocks);
    return DONE;
}
