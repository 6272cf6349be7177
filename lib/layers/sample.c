/*
 * code sampled: the code of a variational autoencoder (Kingma & Welling 2014). Of 2C channels the
 * first C are means, the others log variances; of them come C channels. In training the code is
 * drawn, z = mean + exp(log variance / 2) eps (their equation 10), elsewhere it is the means.
 *
 * All arithmetic is in double and rounded once, the same in every tier. eps is a function of the
 * model's seed, the step, the image's place in the batch and the value's place in the planar code.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "layers/sample.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "base/status.h"
#include "layers/types.h"

static int shape(const cae_layer *l, const cae_shape in[2], cae_shape *out)
{
    (void)l;
    if (in[0].c % 2 != 0) {
        return cae_fail(CAE_E_SHAPE,
                        "'code sampled' takes as many means as log variances, and %zu channels is "
                        "an odd number",
                        in[0].c);
    }
    *out = (cae_shape){in[0].c / 2, in[0].h, in[0].w};
    return CAE_OK;
}

/* x = n log 2 + r with |r| <= log(2)/2, then the series of exp(r), whose next term is below 5e-18,
 * and 2^n by the exponent's bits. */
static double exponential(double x)
{
    static const double c[] = {1,
                               1,
                               1.0 / 2,
                               1.0 / 6,
                               1.0 / 24,
                               1.0 / 120,
                               1.0 / 720,
                               1.0 / 5040,
                               1.0 / 40320,
                               1.0 / 362880,
                               1.0 / 3628800,
                               1.0 / 39916800,
                               1.0 / 479001600,
                               1.0 / 6227020800.0};
    /* Adding 1.5 * 2^52 rounds to a whole number. log 2 is taken off in two parts, the first of few
     * bits, so that n times it is exact. */
    const double magic = 6755399441055744.0;
    const double n = (x * 1.44269504088896340736 + magic) - magic;
    const double r = (x - n * 0.693145751953125) - n * 1.42860682030941723212e-6;
    double sum = 0;
    for (size_t i = sizeof(c) / sizeof(c[0]); i-- > 0;) {
        sum = sum * r + c[i];
    }
    const uint64_t bits = (uint64_t)((int64_t)n + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof(scale));
    return sum * scale;
}

double cae_variance(float log_variance)
{
    /* log(FLT_MAX) is 88.72; below -700 the bits of 2^n would end. NaN counts as infinite. */
    if (!(log_variance <= 88.8f)) {
        return (double)INFINITY;
    }
    const double v = log_variance < -700.0f ? 0.0 : exponential((double)log_variance);
    return v > (double)FLT_MAX ? (double)INFINITY : v;
}

/* ---- In training ----------------------------------------------------------------------------- */

/* A pixel of a pass: where it is, and what a draw needs to know of it. */
struct pixel {
    const cae_pass *pass;
    size_t image;
    ptrdiff_t y, x;
};

typedef void (*pixel_function)(const struct pixel *at);

static void for_each_pixel(const cae_pass *p, pixel_function run)
{
    const cae_region *r = &p->y.region;
    struct pixel at = {.pass = p};
    for (at.image = 0; at.image < p->images; at.image++) {
        for (at.y = r->y0; at.y < r->y1; at.y++) {
            for (at.x = r->x0; at.x < r->x1; at.x++) {
                run(&at);
            }
        }
    }
}

static float *pixel_of(const struct pixel *at, const cae_view *v)
{
    return cae_view_at(v, at->image, at->y, at->x);
}

static void draw(const struct pixel *at)
{
    const cae_pass *p = at->pass;
    const cae_sampling *s = p->sampling;
    const cae_shape *code = &p->out;
    const float *mean = pixel_of(at, &p->x[0]);
    const float *log_variance = mean + code->c;
    float *z = pixel_of(at, &p->y);
    for (size_t c = 0; c < code->c; c++) {
        const uint64_t row =
            ((uint64_t)(s->first + at->image) * code->c + c) * code->h + (size_t)at->y;
        const double eps =
            cae_random_normal(s->seed, CAE_STREAM_SAMPLE + s->step, row * code->w + (size_t)at->x);
        z[c] = mean[c] + (float)(sqrt(cae_variance(log_variance[c])) * eps);
    }
}

static void forward(const cae_pass *p)
{
    if (p->sampling != NULL) {
        for_each_pixel(p, draw);
    } else {
        cae_view_copy(&p->y, 0, &p->x[0], 0, p->out.c, p->images);
    }
}

/*
 * With d = dz: the gradient of the mean is d + pull mean, that of the log variance
 * 1/2 (d (z - mean) + pull (exp(log variance) - 1)), for z - mean = exp(log variance / 2) eps is
 * twice its own derivative.
 */
static void hand_back(const struct pixel *at)
{
    const cae_pass *p = at->pass;
    const double pull = p->sampling->pull;
    const size_t channels = p->out.c;
    const float *mean = pixel_of(at, &p->x[0]);
    const float *z = pixel_of(at, &p->y);
    const float *dz = pixel_of(at, &p->dy);
    float *dx = pixel_of(at, &p->dx[0]);
    for (size_t c = 0; c < channels; c++) {
        const double d = (double)dz[c];
        const double m = (double)mean[c];
        const double pulled = pull * (cae_variance(mean[channels + c]) - 1);
        const float dm = (float)(d + pull * m);
        const float dv = (float)(0.5 * (d * ((double)z[c] - m) + pulled));
        dx[c] = p->dx_begun[0] ? dx[c] + dm : dm;
        dx[channels + c] = p->dx_begun[0] ? dx[channels + c] + dv : dv;
    }
}

static void backward(const cae_pass *p)
{
    if (p->dx_wanted[0]) {
        for_each_pixel(p, hand_back);
    }
}

const cae_layer_type cae_layer_sample = {
    .word = "code sampled",
    .takes = 0,
    .samples = true,
    .shape = shape,
    .needs = cae_layer_needs_same,
    .forward = forward,
    .backward = backward,
};
