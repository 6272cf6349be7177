/*
 * PSNR and SSIM: see measure.h. The Gaussian window is separable: for each row of positions the
 * moments are first summed down the columns, then along the row, so that memory is a few rows.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "measure.h"

#include <math.h>
#include <stdlib.h>

double measure_psnr(const struct image *a, const struct image *b)
{
    const size_t len = image_len(a);
    uint64_t sum = 0; /* at most 3 * 2^28 * 255^2 < 2^46 */
    for (size_t i = 0; i < len; i++) {
        const int difference = a->pixels[i] - b->pixels[i];
        sum += (uint64_t)(difference * difference);
    }
    return sum == 0 ? INFINITY : 10.0 * log10(255.0 * 255.0 * (double)len / (double)sum);
}

/* ---- SSIM ------------------------------------------------------------------------------------ */

enum { MAX_TAPS = 11 };

struct window {
    size_t taps;
    double weight[MAX_TAPS];
};

/* A Gaussian of sigma 1.5 that sums to 1, of 11 taps or as many as the side has. */
static struct window make_window(size_t side)
{
    struct window window = {.taps = side < MAX_TAPS ? side : MAX_TAPS};
    const double centre = (double)(window.taps - 1) / 2, sigma = 1.5;
    double sum = 0;
    for (size_t i = 0; i < window.taps; i++) {
        const double distance = ((double)i - centre) / sigma;
        window.weight[i] = exp(-0.5 * distance * distance);
        sum += window.weight[i];
    }
    for (size_t i = 0; i < window.taps; i++) {
        window.weight[i] /= sum;
    }
    return window;
}

/* Weighted moments of the two images under the window. */
struct moments {
    double a, b, aa, bb, ab;
};

static void add_moments(struct moments *sum, double weight, const struct moments *m)
{
    sum->a += weight * m->a;
    sum->b += weight * m->b;
    sum->aa += weight * m->aa;
    sum->bb += weight * m->bb;
    sum->ab += weight * m->ab;
}

/* The moments down column x of one channel, the window's top at row y. */
static struct moments column_moments(const struct image *a, const struct image *b,
                                     const struct window *window, size_t channel, size_t y,
                                     size_t x)
{
    struct moments sum = {0};
    const size_t stride = a->width * a->channels;
    size_t at = y * stride + x * a->channels + channel;
    for (size_t i = 0; i < window->taps; i++, at += stride) {
        const double p = a->pixels[at], q = b->pixels[at];
        add_moments(&sum, window->weight[i], &(struct moments){p, q, p * p, q * q, p * q});
    }
    return sum;
}

/* Equation 13 of the paper. */
static double similarity(const struct moments *m)
{
    const double c1 = (0.01 * 255) * (0.01 * 255), c2 = (0.03 * 255) * (0.03 * 255);
    const double variance_a = m->aa - m->a * m->a, variance_b = m->bb - m->b * m->b;
    const double covariance = m->ab - m->a * m->b;
    return (2 * m->a * m->b + c1) * (2 * covariance + c2) /
           ((m->a * m->a + m->b * m->b + c1) * (variance_a + variance_b + c2));
}

/* The sum of the similarities over the positions of one row of windows. */
static double row_sum(const struct moments *columns, size_t positions, const struct window *window)
{
    double sum = 0;
    for (size_t x = 0; x < positions; x++) {
        struct moments m = {0};
        for (size_t i = 0; i < window->taps; i++) {
            add_moments(&m, window->weight[i], &columns[x + i]);
        }
        sum += similarity(&m);
    }
    return sum;
}

double measure_ssim(const struct image *a, const struct image *b)
{
    const struct window down = make_window(a->height), along = make_window(a->width);
    const size_t rows = a->height - down.taps + 1, positions = a->width - along.taps + 1;
    struct moments *columns = malloc(a->width * sizeof *columns);
    if (columns == NULL) {
        return NAN;
    }
    double sum = 0;
    for (size_t c = 0; c < a->channels; c++) {
        for (size_t y = 0; y < rows; y++) {
            for (size_t x = 0; x < a->width; x++) {
                columns[x] = column_moments(a, b, &down, c, y, x);
            }
            sum += row_sum(columns, positions, &along);
        }
    }
    free(columns);
    return sum / (double)(a->channels * rows * positions);
}
