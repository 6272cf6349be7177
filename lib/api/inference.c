/*
 * The exported functions that compute with images as floats: check the arguments, call, return.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "api/check.h"
#include "base/fpenv.h"
#include "base/random.h"
#include "base/status.h"

static int run(const cae_model *m, cae_part part, const float *in, size_t count, size_t height,
               size_t width, float *out)
{
    const cae_fpenv saved = cae_fpenv_enter();
    const cae_engine engine = cae_model_engine(m, m->kernels);
    const int status = cae_net_infer_planar(&engine, part, in, count, height, width, out);
    cae_fpenv_leave(saved);
    return status;
}

int cae_evaluate(const cae_model *m, const float *input, const float *target, size_t count,
                 size_t height, size_t width, float *loss)
{
    float mean = 0;
    CAE_TRY(cae_check_pairs(m, input, target, count, height, width));
    const cae_fpenv saved = cae_fpenv_enter();
    const cae_engine engine = cae_model_engine(m, m->kernels);
    const int status = cae_net_loss(&engine, input, target, count, height, width, &mean);
    cae_fpenv_leave(saved);
    CAE_TRY(status);
    if (loss != NULL) {
        *loss = mean;
    }
    return CAE_OK;
}

int cae_encode(const cae_model *m, const float *images, size_t count, size_t height, size_t width,
               float *codes)
{
    cae_shape code;
    CAE_TRY(cae_check_images(m, images, "images", count, height, width));
    CAE_TRY(cae_check_code(m));
    CAE_TRY(cae_net_code_shape(m->net, height, width, &code));
    CAE_TRY(cae_check_room(codes, "codes", count, &code));
    return run(m, CAE_ENCODE, images, count, height, width, codes);
}

int cae_decode(const cae_model *m, const float *codes, size_t count, size_t height, size_t width,
               float *images)
{
    cae_shape code;
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_pointer(codes, "codes"));
    CAE_TRY(cae_check_pointer(images, "images"));
    CAE_TRY(cae_check_sides(height, width));
    CAE_TRY(cae_check_code(m));
    CAE_TRY(cae_net_code_shape(m->net, height, width, &code));
    CAE_TRY(cae_check_batch(codes, "codes", count, &code));
    CAE_TRY(cae_check_room(images, "images", count, &(cae_shape){m->net->input.c, height, width}));
    return run(m, CAE_DECODE, codes, count, height, width, images);
}

int cae_denoise(const cae_model *m, const float *noisy, size_t count, size_t height, size_t width,
                float sigma, float *clean)
{
    CAE_TRY(cae_check_images(m, noisy, "noisy", count, height, width));
    CAE_TRY(cae_check_pointer(clean, "clean"));
    CAE_TRY(cae_check_sigma(sigma));
    return run(m, CAE_WHOLE, noisy, count, height, width, clean);
}

int cae_add_noise(float *images, size_t len, float sigma, uint64_t seed)
{
    CAE_TRY(cae_check_processor());
    CAE_TRY(cae_check_pointer(images, "images"));
    if (len == 0 || len > SIZE_MAX / 2 / sizeof(float)) {
        return cae_fail(CAE_E_ARGUMENT, "len is %zu", len);
    }
    CAE_TRY(cae_check_sigma(sigma));
    CAE_TRY(cae_check_finite(images, len, "images"));
    const cae_fpenv saved = cae_fpenv_enter();
    const int status = cae_check_noise(images, len, sigma);
    if (status == CAE_OK) {
        cae_random_add_normal(images, len, sigma, seed, CAE_STREAM_NOISE);
    }
    cae_fpenv_leave(saved);
    return status;
}
