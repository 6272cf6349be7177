/*
 * The exported function that de-noises pixels: check the arguments, call, return.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "api/check.h"
#include "base/floats.h"
#include "base/fpenv.h"
#include "base/size.h"
#include "base/status.h"
#include "image/denoise.h"

enum { MOST_STRENGTH = 10 };

static int check_format(uint32_t format)
{
    return format == CAE_U8 || format == CAE_U16 || format == CAE_F32
               ? CAE_OK
               : cae_fail(CAE_E_ARGUMENT, "format is %u; it can be CAE_U8, CAE_U16 or CAE_F32",
                          (unsigned)format);
}

/* Splits the channels into those that the network sees and alpha. */
static int set_channels(cae_picture *p, const cae_model *m, size_t channels)
{
    const size_t own = m->net->input.c;
    if (channels == 0) {
        return cae_fail(CAE_E_ARGUMENT, "channels is 0");
    }
    p->alpha = own == 1 ? channels == 2 || channels == 4 : channels == own + 1;
    p->channels = p->alpha ? channels - 1 : channels;
    return own == 1 || p->channels == own
               ? CAE_OK
               : cae_fail(CAE_E_SHAPE, "channels is %zu; the model takes %zu, or %zu with alpha",
                          channels, own, own + 1);
}

/* The same rows, or rows that share no byte: apart in memory, or side by side in one image. */
static int check_overlap(const cae_picture *p, size_t row)
{
    const uintptr_t in = (uintptr_t)p->in, out = (uintptr_t)p->out;
    const size_t in_size = (p->height - 1) * p->in_stride + row;
    const size_t out_size = (p->height - 1) * p->out_stride + row;
    const bool same_stride = p->in_stride == p->out_stride;
    if (in == out && (same_stride || p->height == 1)) {
        return CAE_OK;
    }
    if (in < out ? out - in >= in_size : in - out >= out_size) {
        return CAE_OK;
    }
    const size_t apart = (in < out ? out - in : in - out) % p->in_stride;
    return same_stride && apart >= row && p->in_stride - apart >= row
               ? CAE_OK
               : cae_fail(CAE_E_ARGUMENT,
                          "in and out overlap; they may be the same rows, with the same stride");
}

static int check_noise_model(const cae_denoising *what)
{
    CAE_TRY(cae_check_sigma(what->sigma));
    if (!cae_all_finite(&what->gain, 1, NULL) || !(what->gain >= 0)) {
        return cae_fail(CAE_E_ARGUMENT, "gain is %g; it must be finite and not negative",
                        (double)what->gain);
    }
    return what->strength >= 0 && what->strength <= MOST_STRENGTH
               ? CAE_OK
               : cae_fail(CAE_E_ARGUMENT, "strength is %g; it can be 0 to %d",
                          (double)what->strength, MOST_STRENGTH);
}

/* The caller's function runs in the caller's floating-point environment. */
struct outside {
    cae_watch watch;
    cae_fpenv fpenv;
};

static int tell_outside(void *user, double done)
{
    struct outside *o = user;
    cae_fpenv_leave(o->fpenv);
    const int answer = o->watch.progress(o->watch.user, done);
    o->fpenv = cae_fpenv_enter();
    return answer;
}

int cae_denoise_pixels(const cae_model *m, const void *in, size_t in_stride, void *out,
                       size_t out_stride, uint32_t format, size_t height, size_t width,
                       size_t channels, float sigma, float gain, float strength,
                       int (*progress)(void *user, double done), void *user)
{
    cae_picture picture = {.in = in,
                           .out = out,
                           .in_stride = in_stride,
                           .out_stride = out_stride,
                           .format = format,
                           .height = height,
                           .width = width};
    struct outside outside = {.watch = {progress, user}};
    const cae_denoising what = {
        sigma, gain, strength, {progress != NULL ? tell_outside : NULL, &outside}};
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_pointer(in, "in"));
    CAE_TRY(cae_check_pointer(out, "out"));
    CAE_TRY(check_format(format));
    CAE_TRY(cae_check_sides(height, width));
    CAE_TRY(set_channels(&picture, m, channels));
    const size_t row = cae_size_mul(width, cae_picture_pixel(&picture));
    CAE_TRY(cae_check_rows("in_stride", in_stride, row, height));
    CAE_TRY(cae_check_rows("out_stride", out_stride, row, height));
    CAE_TRY(check_overlap(&picture, row));
    CAE_TRY(check_noise_model(&what));
    outside.fpenv = cae_fpenv_enter();
    const cae_engine engine = cae_model_engine(m, m->kernels);
    const int status = cae_image_denoise(&engine, &picture, &what);
    cae_fpenv_leave(outside.fpenv);
    return status;
}
