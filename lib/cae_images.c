/*
 * The public functions that put images through a model: check the arguments, call, return.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <float.h>
#include <string.h>

#include "api.h"
#include "base/bytes.h"
#include "base/fpenv.h"
#include "base/random.h"
#include "base/size.h"
#include "base/status.h"
#include "image/compress.h"

enum { DEFAULT_QUALITY = 50 };

/* ---- Checks ---------------------------------------------------------------------------------- */

int cae_check_output(const void *data, size_t capacity, const size_t *size)
{
    CAE_TRY(cae_check_pointer(size, "size"));
    return data != NULL || capacity == 0
               ? CAE_OK
               : cae_fail(CAE_E_ARGUMENT, "data is NULL, but capacity is %zu", capacity);
}

int cae_check_sides(size_t height, size_t width)
{
    if (height == 0 || width == 0) {
        return cae_fail(CAE_E_ARGUMENT, "%s is 0", height == 0 ? "height" : "width");
    }
    return CAE_OK;
}

int cae_check_finite(const float *values, size_t len, const char *name)
{
    size_t bad = 0;
    return cae_all_finite(values, len, &bad)
               ? CAE_OK
               : cae_fail(CAE_E_NONFINITE, "%s: value %zu is NaN or infinite", name, bad);
}

/* A buffer for a batch of count x c x h x w floats. */
static int check_room(const float *values, const char *name, size_t count, const cae_shape *shape,
                      size_t *len)
{
    size_t bytes = 0;
    CAE_TRY(cae_check_pointer(values, name));
    if (count == 0) {
        return cae_fail(CAE_E_ARGUMENT, "count is 0");
    }
    if (!cae_size_mul4(count, shape->c, shape->h, shape->w, len) ||
        !cae_size_mul(*len, sizeof(float), &bytes) || bytes > SIZE_MAX / 2) {
        return cae_fail(CAE_E_ARGUMENT,
                        "%s: %zu x %zu x %zu x %zu values are more than memory holds", name, count,
                        shape->c, shape->h, shape->w);
    }
    return CAE_OK;
}

/* The same with its values in it. */
static int check_batch(const float *values, const char *name, size_t count, const cae_shape *shape)
{
    size_t len = 0;
    CAE_TRY(check_room(values, name, count, shape, &len));
    return cae_check_finite(values, len, name);
}

int cae_check_images(const cae_model *m, const float *images, const char *name, size_t count,
                     size_t height, size_t width)
{
    cae_shape code;
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_pointer(images, name));
    CAE_TRY(cae_check_sides(height, width));
    CAE_TRY(cae_net_code_shape(m->net, height, width, &code));
    return check_batch(images, name, count, &(cae_shape){m->net->input.c, height, width});
}

/* ---- Floats ---------------------------------------------------------------------------------- */

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
    CAE_TRY(cae_check_images(m, input, "input", count, height, width));
    if (target != input) {
        CAE_TRY(cae_check_images(m, target, "target", count, height, width));
    }
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
    size_t len = 0;
    CAE_TRY(cae_check_images(m, images, "images", count, height, width));
    CAE_TRY(cae_check_code(m));
    CAE_TRY(cae_net_code_shape(m->net, height, width, &code));
    CAE_TRY(check_room(codes, "codes", count, &code, &len));
    return run(m, CAE_ENCODE, images, count, height, width, codes);
}

int cae_decode(const cae_model *m, const float *codes, size_t count, size_t height, size_t width,
               float *images)
{
    cae_shape code;
    size_t len = 0;
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_pointer(codes, "codes"));
    CAE_TRY(cae_check_pointer(images, "images"));
    CAE_TRY(cae_check_sides(height, width));
    CAE_TRY(cae_check_code(m));
    CAE_TRY(cae_net_code_shape(m->net, height, width, &code));
    CAE_TRY(check_batch(codes, "codes", count, &code));
    CAE_TRY(
        check_room(images, "images", count, &(cae_shape){m->net->input.c, height, width}, &len));
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

int cae_check_sigma(float sigma)
{
    return cae_all_finite(&sigma, 1, NULL) && sigma >= 0
               ? CAE_OK
               : cae_fail(CAE_E_ARGUMENT, "sigma is %g; it must be finite and not negative",
                          (double)sigma);
}

/* Whether the sum of any value and any noise stays finite, so that nothing is written otherwise. */
static int check_noise_fits(const float *images, size_t len, float sigma)
{
    const double most = (double)FLT_MAX - CAE_NORMAL_BOUND * (double)sigma;
    for (size_t i = 0; i < len; i++) {
        if (!((double)images[i] <= most && -(double)images[i] <= most)) {
            return cae_fail(CAE_E_NONFINITE,
                            "images: value %zu with noise of sigma %g may overflow", i,
                            (double)sigma);
        }
    }
    return CAE_OK;
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
    const int status = check_noise_fits(images, len, sigma);
    if (status == CAE_OK) {
        cae_random_add_normal(images, len, sigma, seed, CAE_STREAM_NOISE);
    }
    cae_fpenv_leave(saved);
    return status;
}

/* ---- Compressed images ----------------------------------------------------------------------- */

int cae_fit_code(cae_model *m, const float *images, size_t count, size_t height, size_t width)
{
    CAE_TRY(cae_check_images(m, images, "images", count, height, width));
    CAE_TRY(cae_check_code(m));
    const cae_fpenv saved = cae_fpenv_enter();
    const int status = cae_model_fit_code(m, images, count, height, width);
    cae_fpenv_leave(saved);
    return status;
}

static int check_ranges(const cae_model *m)
{
    return !cae_ranges_empty(&m->ranges)
               ? CAE_OK
               : cae_fail(CAE_E_UNSUPPORTED,
                          "the ranges of the code are not known, for the weights or the gradients "
                          "came from outside: cae_fit_code gathers them from images");
}

static cae_image_coder make_coder(const cae_model *m)
{
    return (cae_image_coder){.engine = cae_model_engine(m, m->exact), .ranges = m->ranges};
}

static int check_pixels(const cae_model *m, const void *pixels, size_t height, size_t width,
                        size_t stride)
{
    const size_t channels = m->net->input.c;
    size_t row = 0;
    size_t bytes = 0;
    CAE_TRY(cae_check_pointer(pixels, "pixels"));
    CAE_TRY(cae_check_sides(height, width));
    if (!cae_size_mul(width, channels, &row) || stride < row) {
        return cae_fail(CAE_E_ARGUMENT, "stride is %zu bytes, less than %zu pixels of %zu channels",
                        stride, width, channels);
    }
    if (!cae_size_mul(stride, height, &bytes) || bytes > SIZE_MAX / 2) {
        return cae_fail(CAE_E_ARGUMENT, "%zu rows of %zu bytes are more than memory holds", height,
                        stride);
    }
    return cae_check_code(m);
}

size_t cae_compress_bound(const cae_model *m, size_t height, size_t width)
{
    size_t bound = 0;
    const bool good = cae_check_pointer(m, "m") == CAE_OK &&
                      cae_check_sides(height, width) == CAE_OK && cae_check_code(m) == CAE_OK &&
                      cae_image_bound(m->net, height, width, &bound) == CAE_OK;
    return good ? bound : 0;
}

int cae_compress(const cae_model *m, const uint8_t *pixels, size_t height, size_t width,
                 size_t stride, uint32_t quality, void *data, size_t capacity, size_t *size)
{
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(check_pixels(m, pixels, height, width, stride));
    CAE_TRY(cae_check_output(data, capacity, size));
    if (quality > CAE_IMAGE_QUALITY) {
        return cae_fail(CAE_E_ARGUMENT, "quality is %u; it can be 1 to 100, or 0 for the default",
                        (unsigned)quality);
    }
    CAE_TRY(check_ranges(m));
    cae_image_coder coder = make_coder(m);
    CAE_TRY(cae_image_check(&coder.engine, CAE_ENCODE, height, width, NULL));
    CAE_TRY(cae_model_id(m, coder.id));
    const cae_pixels in = {.in = pixels, .height = height, .width = width, .stride = stride};
    const cae_fpenv saved = cae_fpenv_enter();
    const int status = cae_image_compress(&coder, &in, quality != 0 ? quality : DEFAULT_QUALITY,
                                          data, capacity, size);
    cae_fpenv_leave(saved);
    return status;
}

static int check_file(const cae_model *m, const cae_image_coder *coder, const cae_image_file *file,
                      size_t height, size_t width)
{
    if (memcmp(file->model_id, coder->id, CAE_IMAGE_ID) != 0 || file->channels != m->net->input.c) {
        return cae_fail(CAE_E_MODEL, "the image was compressed with another model");
    }
    if (file->height != height || file->width != width) {
        return cae_fail(CAE_E_SHAPE, "the image is %zu x %zu (height x width), not %zu x %zu",
                        file->height, file->width, height, width);
    }
    return CAE_OK;
}

int cae_decompress(const cae_model *m, const void *data, size_t size, uint8_t *pixels,
                   size_t height, size_t width, size_t stride)
{
    cae_image_file file;
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_pointer(data, "data"));
    CAE_TRY(check_pixels(m, pixels, height, width, stride));
    CAE_TRY(check_ranges(m));
    CAE_TRY(cae_image_file_parse(&file, data, size));
    cae_image_coder coder = make_coder(m);
    CAE_TRY(cae_model_id(m, coder.id));
    CAE_TRY(check_file(m, &coder, &file, height, width));
    CAE_TRY(cae_image_check(&coder.engine, CAE_DECODE, height, width, &file));
    const cae_pixels out = {.out = pixels, .height = height, .width = width, .stride = stride};
    const cae_fpenv saved = cae_fpenv_enter();
    const int status = cae_image_decompress(&coder, &file, &out);
    cae_fpenv_leave(saved);
    return status;
}

int cae_compressed_info(const void *data, size_t size, size_t shape[3])
{
    cae_image_file file;
    CAE_TRY(cae_check_processor());
    CAE_TRY(cae_check_pointer(data, "data"));
    CAE_TRY(cae_check_pointer(shape, "shape"));
    CAE_TRY(cae_image_file_parse_header(&file, data, size));
    shape[0] = file.channels;
    shape[1] = file.height;
    shape[2] = file.width;
    return CAE_OK;
}
