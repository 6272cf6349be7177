/*
 * code sampled: the code of a variational autoencoder (Kingma & Welling 2014). Of 2C channels the
 * first C are means, the others log variances; of them come C channels. In training the code is
 * drawn, z = mean + exp(log variance / 2) eps (their equation 10); its symbols are the means. The
 * term of the loss is the divergence from the standard normal distribution, 1/2 sum(mean^2 +
 * exp(log variance) - log variance - 1) (their appendix B).
 *
 * All arithmetic is in double and rounded once, the same in every tier. eps is a function of the
 * model's seed, the step, the image's place in the batch and the value's place in the planar code.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/math.h"
#include "base/random.h"
#include "base/status.h"
#include "latent/latent.h"

static int shape(const cae_op *op, const cae_shape in[2], cae_shape *out)
{
    if (in[0].c % 2 != 0) {
        return cae_op_error(
            op, cae_fail(CAE_E_SHAPE,
                         "'code sampled' takes as many means as log variances, and %zu channels is "
                         "an odd number",
                         in[0].c));
    }
    *out = (cae_shape){in[0].c / 2, in[0].h, in[0].w};
    return CAE_OK;
}

/* exp(log_variance); infinite when no float holds it, as the loss is then. */
static double variance(float log_variance)
{
    /* log(FLT_MAX) is 88.72; below -700 the bits of 2^n would end. NaN counts as infinite. */
    if (!(log_variance <= 88.8f)) {
        return (double)INFINITY;
    }
    const double v = log_variance < -700.0f ? 0.0 : cae_exp((double)log_variance);
    return v > (double)FLT_MAX ? (double)INFINITY : v;
}

static double divergence(const float *pixel, const float *code, size_t channels)
{
    (void)code;
    double sum = 0;
    for (size_t c = 0; c < channels; c++) {
        const double mean = (double)pixel[c];
        const float log_variance = pixel[channels + c];
        sum += mean * mean + variance(log_variance) - (double)log_variance - 1;
    }
    return 0.5 * sum;
}

static void means(const float *pixel, size_t channels, float *symbols)
{
    memcpy(symbols, pixel, channels * sizeof(float));
}

/* z = mean + exp(log variance / 2) eps. */
static void draw(const cae_latent_pixel *at, const float *mean, float *z)
{
    const cae_training *s = at->pass->training;
    const cae_shape *code = &at->pass->out;
    const float *log_variance = mean + code->c;
    for (size_t c = 0; c < code->c; c++) {
        const uint64_t row =
            ((uint64_t)(s->first + at->image) * code->c + c) * code->h + (size_t)at->y;
        const double eps =
            cae_random_normal(s->seed, CAE_STREAM_SAMPLE + s->step, row * code->w + (size_t)at->x);
        z[c] = mean[c] + (float)(sqrt(variance(log_variance[c])) * eps);
    }
}

/*
 * With d = dz: the gradient of the mean is d + scale mean, that of the log variance
 * 1/2 (d (z - mean) + scale (exp(log variance) - 1)), for z - mean = exp(log variance / 2) eps is
 * twice its own derivative.
 */
static void gradient(const cae_latent_pixel *at, const float *mean, const float *z, const float *dz,
                     float *dx, bool begun)
{
    const double scale = at->pass->training->term_scale;
    const size_t channels = at->pass->out.c;
    for (size_t c = 0; c < channels; c++) {
        const double d = (double)dz[c];
        const double m = (double)mean[c];
        const double of_term = scale * (variance(mean[channels + c]) - 1);
        const float dm = (float)(d + scale * m);
        const float dv = (float)(0.5 * (d * ((double)z[c] - m) + of_term));
        dx[c] = begun ? dx[c] + dm : dm;
        dx[channels + c] = begun ? dx[channels + c] + dv : dv;
    }
}

static const cae_op_type operator= {
    .word = "code sampled",
    .unnamed = true,
    .shape = shape,
    .needs = cae_op_needs_same,
    .forward = cae_latent_forward,
    .backward = cae_latent_backward,
};

const cae_latent cae_latent_gaussian = {
    .word = "sampled",
    .setting = "kl_weight",
    .op = &operator,
    .transform = draw,
    .symbols = means,
    .term = divergence,
    .gradient = gradient,
};
