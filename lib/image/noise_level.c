/*
 * The level of the noise in an image, after N. Ponomarenko et al., "An automatic approach to lossy
 * compression of AVIRIS images", IGARSS 2007. White noise is equally strong in all coefficients of
 * an orthonormal transform, and independent in them, while what an image shows is mostly in the low
 * frequencies. So the blocks with the least energy in the low frequencies show the least, and
 * choosing them by these coefficients does not favour blocks whose noise is small in the high ones,
 * where it is measured.
 *
 * All channels have the same noise, but not the same picture: their differences show less than
 * they do. So blocks are taken of the combination of channels (of unit length, so that it has the
 * noise of one) that varies least. Sums are those of doubles, in the order of the loops.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "image/noise_level.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "base/assert.h"
#include "base/exact.h"
#include "base/size.h"

enum {
    SIDE = 8,
    PIXELS = SIDE * SIDE,
    FIRST_HIGH = 9,      /* a coefficient is high where the sum of its indices is this or more */
    HIGH = 21,           /* so many are */
    STRIDE = 2,          /* from block to block, in images with few of them */
    MOST_BLOCKS = 16384, /* looked at */
    LEAST_WEAK = 64,     /* blocks measured, and one more for each so many looked at: */
    BLOCKS_A_WEAK = 256,
    MOST_WEAK = LEAST_WEAK + MOST_BLOCKS / BLOCKS_A_WEAK,
    CHANNELS = 4,    /* the first, of images with more */
    MOST_CLIPPED = 3 /* pixels of a block whose noise counts as whole */
};

/* Below this a combination of channels does not vary: rounded to 8 bits, they are the same. */
static const double LEAST_DEVIATION = 0.5 / 255;

/* A block by its place, and its energy in the low frequencies. */
struct block {
    double energy;
    size_t y, x;
};

/* The blocks with the least energy of those seen, as a heap: the one with the most comes first. */
struct weakest {
    size_t len, capacity;
    struct block of[MOST_WEAK];
};

struct search {
    const cae_source *images;
    size_t image; /* its number */
    size_t channels, height, width;
    double weights[CHANNELS];  /* the combination of channels */
    double per_channel;        /* the noise's variance in a channel, of that in the combination */
    double low, high;          /* values at which the image was clipped; none: not in the image */
    struct weakest whole, all; /* blocks without clipped pixels; all blocks */
    size_t blocks, white;      /* blocks seen, and those that are clipped everywhere */
};

/* ---- Channels -------------------------------------------------------------------------------- */

typedef double matrix[CHANNELS][CHANNELS];

/* Value number i of a channel, row by row. */
static double value_at(const struct search *s, size_t channel, size_t i)
{
    const size_t y = i / s->width, x = i % s->width;
    float value = 0;
    s->images->read(s->images->from, s->image, channel, y, x, x + 1, &value);
    return (double)value;
}

/* Sums of products of the channels' deviations from their means, of the values that a large image
 * is thinned out to. */
static void covariance(const struct search *s, matrix c)
{
    const size_t len = s->height * s->width;
    const size_t step = cae_div_up(len, (size_t)MOST_BLOCKS * 4) | 1;
    double mean[CHANNELS] = {0};
    for (size_t k = 0; k < s->channels; k++) {
        for (size_t i = 0; i < len; i += step) {
            mean[k] += value_at(s, k, i);
        }
        mean[k] /= (double)cae_div_up(len, step);
    }
    for (size_t i = 0; i < len; i += step) {
        double deviation[CHANNELS];
        for (size_t k = 0; k < s->channels; k++) {
            deviation[k] = value_at(s, k, i) - mean[k];
            for (size_t l = 0; l <= k; l++) {
                c[k][l] += deviation[k] * deviation[l];
            }
        }
    }
    for (size_t k = 0; k < s->channels; k++) {
        for (size_t l = 0; l <= k; l++) {
            c[k][l] /= (double)cae_div_up(len, step);
            c[l][k] = c[k][l];
        }
    }
}

/* One rotation of Jacobi's: c[p][q] becomes 0. The columns of v collect the rotations. */
static void rotate(matrix c, matrix v, size_t p, size_t q, size_t n)
{
    const double half = (c[q][q] - c[p][p]) / (2 * c[p][q]);
    const double t = (half < 0 ? -1 : 1) / (fabs(half) + sqrt(half * half + 1));
    const double cosine = 1 / sqrt(t * t + 1);
    const double sine = t * cosine;
    for (size_t i = 0; i < n; i++) {
        const double a = c[i][p], b = c[i][q];
        c[i][p] = cosine * a - sine * b;
        c[i][q] = sine * a + cosine * b;
    }
    for (size_t i = 0; i < n; i++) {
        const double a = c[p][i], b = c[q][i], d = v[i][p], e = v[i][q];
        c[p][i] = cosine * a - sine * b;
        c[q][i] = sine * a + cosine * b;
        v[i][p] = cosine * d - sine * e;
        v[i][q] = sine * d + cosine * e;
    }
}

/* The combination that varies least, of those that vary: channels that repeat others add none. */
static void choose_combination(struct search *s)
{
    enum { SWEEPS = 12 };
    const size_t n = s->channels;
    s->weights[0] = s->per_channel = 1;
    if (n == 1) {
        return; /* whatever it is */
    }
    matrix c = {{0}}, v = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
    covariance(s, c);
    for (size_t sweep = 0; sweep < SWEEPS; sweep++) {
        for (size_t p = 0; p + 1 < n; p++) {
            for (size_t q = p + 1; q < n; q++) {
                if (fabs(c[p][q]) > DBL_EPSILON * sqrt(fabs(c[p][p] * c[q][q]))) {
                    rotate(c, v, p, q, n);
                }
            }
        }
    }
    size_t best = 0, varying = 0;
    for (size_t k = 0; k < n; k++) {
        const bool varies = c[k][k] > LEAST_DEVIATION * LEAST_DEVIATION;
        if (varies && (varying == 0 || c[k][k] < c[best][best])) {
            best = k;
        }
        varying += varies;
    }
    for (size_t k = 0; k < n; k++) {
        s->weights[k] = v[k][best];
    }
    s->per_channel = varying == 0 ? 1 : (double)varying / (double)n;
}

/* The combination of channels at a pixel. */
static double combined(const struct search *s, size_t index)
{
    double sum = 0;
    for (size_t k = 0; k < s->channels; k++) {
        sum += s->weights[k] * value_at(s, k, index);
    }
    return sum;
}

/* A block's row of one channel. */
static void read_row(const struct search *s, size_t channel, size_t y, size_t x, float row[SIDE])
{
    s->images->read(s->images->from, s->image, channel, y, x, x + SIDE, row);
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

/* The orthonormal cosine transform of 8 values in the columns of `in`, column by column: row k of
 * `out` has coefficient k. Even coefficients need the sums of opposite values only, odd ones the
 * differences. */
static void transform(double in[SIDE][SIDE], double out[SIDE][SIDE])
{
    /* cos(k pi / 16) / 2, k = 1 .. 7; k = 4 is that of coefficient 0 as well. */
    static const double c1 = 0.49039264020161522456, c2 = 0.46193976625564337806,
                        c3 = 0.41573480615127261854, c4 = 0.35355339059327376220,
                        c5 = 0.27778511650980111237, c6 = 0.19134171618254488586,
                        c7 = 0.09754516100806413392;
    for (size_t x = 0; x < SIDE; x++) {
        const double a0 = in[0][x] + in[7][x], a1 = in[1][x] + in[6][x];
        const double a2 = in[2][x] + in[5][x], a3 = in[3][x] + in[4][x];
        const double b0 = in[0][x] - in[7][x], b1 = in[1][x] - in[6][x];
        const double b2 = in[2][x] - in[5][x], b3 = in[3][x] - in[4][x];
        const double e0 = a0 + a3, e1 = a1 + a2, e2 = a0 - a3, e3 = a1 - a2;
        out[0][x] = c4 * (e0 + e1);
        out[1][x] = c1 * b0 + c3 * b1 + c5 * b2 + c7 * b3;
        out[2][x] = c2 * e2 + c6 * e3;
        out[3][x] = c3 * b0 - c7 * b1 - c1 * b2 - c5 * b3;
        out[4][x] = c4 * (e0 - e1);
        out[5][x] = c5 * b0 - c1 * b1 + c7 * b2 + c3 * b3;
        out[6][x] = c6 * e2 - c2 * e3;
        out[7][x] = c7 * b0 - c5 * b1 + c3 * b2 - c1 * b3;
    }
}

/* The coefficients of a block. */
static void coefficients(const struct search *s, size_t y, size_t x, double out[SIDE][SIDE])
{
    double in[SIDE][SIDE] = {{0}}, half[SIDE][SIDE];
    float row[SIDE];
    for (size_t i = 0; i < SIDE; i++) {
        for (size_t k = 0; k < s->channels; k++) {
            read_row(s, k, y + i, x, row);
            for (size_t j = 0; j < SIDE; j++) {
                in[j][i] += s->weights[k] * (double)row[j];
            }
        }
    }
    transform(in, half);
    for (size_t i = 0; i < SIDE; i++) {
        for (size_t j = 0; j < SIDE; j++) {
            in[i][j] = half[j][i];
        }
    }
    transform(in, out);
}

static double low_energy(double c[SIDE][SIDE])
{
    double sum = 0;
    for (size_t i = 0; i < SIDE; i++) {
        for (size_t j = i == 0; j < SIDE && i + j < FIRST_HIGH; j++) {
            sum += c[i][j] * c[i][j];
        }
    }
    return sum;
}

/* The most of its channels' pixels that have the value at which the image was clipped. */
static size_t count_clipped(const struct search *s, size_t y, size_t x)
{
    float row[SIDE];
    size_t most = 0;
    for (size_t k = 0; k < s->channels; k++) {
        size_t clipped = 0;
        for (size_t i = 0; i < PIXELS; i++) {
            if (i % SIDE == 0) {
                read_row(s, k, y + i / SIDE, x, row);
            }
            const double value = (double)row[i % SIDE];
            clipped += value <= s->low || value >= s->high;
        }
        most = cae_size_max(most, clipped);
    }
    return most;
}

/* ---- The weakest ----------------------------------------------------------------------------- */

/* Puts a block in the place of the heap's first. */
static void sink(struct weakest *w, const struct block *block)
{
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < w->len && w->of[child + 1].energy > w->of[child].energy) {
            child++;
        }
        if (child >= w->len || !(w->of[child].energy > block->energy)) {
            break;
        }
        w->of[at] = w->of[child];
        at = child;
    }
    w->of[at] = *block;
}

static void keep_if_weak(struct weakest *w, const struct block *block)
{
    if (w->len == w->capacity) {
        if (block->energy < w->of[0].energy) {
            sink(w, block);
        }
        return;
    }
    size_t at = w->len++;
    for (; at > 0 && w->of[(at - 1) / 2].energy < block->energy; at = (at - 1) / 2) {
        w->of[at] = w->of[(at - 1) / 2];
    }
    w->of[at] = *block;
}

static void look_at(struct search *s, size_t y, size_t x)
{
    double c[SIDE][SIDE];
    coefficients(s, y, x, c);
    const struct block block = {low_energy(c), y, x};
    const size_t clipped = count_clipped(s, y, x);
    s->white += clipped == PIXELS;
    if (clipped <= MOST_CLIPPED) {
        keep_if_weak(&s->whole, &block);
    }
    keep_if_weak(&s->all, &block);
}

/* The mean energy of the high coefficients, without the quarters of them that have the most and the
 * least: a fine regular pattern is in few of them. */
static double high_energy(const struct search *s, const struct weakest *w)
{
    double sums[HIGH] = {0};
    for (size_t n = 0; n < w->len; n++) {
        double c[SIDE][SIDE];
        size_t k = 0;
        coefficients(s, w->of[n].y, w->of[n].x, c);
        for (size_t i = 0; i < SIDE; i++) {
            for (size_t j = SIDE; j-- > 0 && i + j >= FIRST_HIGH; k++) {
                sums[k] += c[i][j] * c[i][j];
            }
        }
        CAE_ASSERT(k == HIGH);
    }
    for (size_t i = 1; i < HIGH; i++) { /* sorts them */
        const double sum = sums[i];
        size_t at = i;
        for (; at > 0 && sums[at - 1] > sum; at--) {
            sums[at] = sums[at - 1];
        }
        sums[at] = sum;
    }
    double sum = 0;
    for (size_t i = HIGH / 4; i < HIGH - HIGH / 4; i++) {
        sum += sums[i];
    }
    return sum / (double)(HIGH - 2 * (HIGH / 4)) / (double)w->len;
}

/* ---- An image -------------------------------------------------------------------------------- */

/* Values at the ends of [0,1] were clipped if nothing is beyond them. */
static void find_clipping(struct search *s)
{
    enum { STRETCH = 64 };
    float values[STRETCH];
    float least = FLT_MAX, most = -FLT_MAX;
    for (size_t row = 0; row < s->channels * s->height; row++) {
        for (size_t x = 0; x < s->width; x += STRETCH) {
            const size_t len = cae_size_min(STRETCH, s->width - x);
            s->images->read(s->images->from, s->image, row / s->height, row % s->height, x, x + len,
                            values);
            for (size_t i = 0; i < len; i++) {
                least = values[i] < least ? values[i] : least;
                most = values[i] > most ? values[i] : most;
            }
        }
    }
    s->low = least < 0 ? -DBL_MAX : 0;
    s->high = most > 1 ? DBL_MAX : 1;
}

/* An image that has no block: mean energy of what neighbours do not share. */
static double small_variance(const struct search *s)
{
    const size_t h = s->height, w = s->width;
    const size_t down = h > 1, right = w > 1;
    if (h * w == 1) {
        return 0;
    }
    double sum = 0;
    for (size_t y = down; y < h; y++) {
        for (size_t x = right; x < w; x++) {
            const size_t at = y * w + x;
            double d = combined(s, at) - combined(s, at - (right ? 1 : w));
            if (down && right) {
                d -= combined(s, at - w) - combined(s, at - w - 1);
            }
            sum += d * d;
        }
    }
    return sum / (double)((h - down) * (w - right)) / (down && right ? 4 : 2);
}

static double block_variance(struct search *s)
{
    const size_t rows = s->height - SIDE, columns = s->width - SIDE;
    size_t stride = STRIDE;
    while (cae_size_mul(rows / stride + 1, columns / stride + 1) > MOST_BLOCKS) {
        stride++;
    }
    s->blocks = (rows / stride + 1) * (columns / stride + 1);
    s->whole.capacity = s->all.capacity = LEAST_WEAK + s->blocks / BLOCKS_A_WEAK;
    for (size_t y = 0; y <= rows; y += stride) {
        for (size_t x = 0; x <= columns; x += stride) {
            look_at(s, y, x);
        }
    }
    /* Where most of the image is white, or few blocks are whole, there is no choice. */
    const bool choice = s->whole.len == s->whole.capacity && s->white <= s->blocks / 2;
    return high_energy(s, choice ? &s->whole : &s->all);
}

float cae_noise_level(const cae_source *images, size_t image, size_t channels)
{
    struct search s = {.images = images,
                       .image = image,
                       .channels = cae_size_min(channels, CHANNELS),
                       .height = images->h,
                       .width = images->w};
    find_clipping(&s);
    choose_combination(&s);
    const bool small = s.height < SIDE || s.width < SIDE;
    const double variance = small ? small_variance(&s) : block_variance(&s);
    const double sigma = sqrt(variance * s.per_channel);
    return sigma < (double)FLT_MAX ? (float)sigma : FLT_MAX;
}
