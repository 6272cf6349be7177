/*
 * Checks of arguments; see check.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "api/check.h"

#include <float.h>
#include <string.h>

#include "base/floats.h"
#include "base/random.h"
#include "base/size.h"
#include "base/status.h"

/* ---- Any call -------------------------------------------------------------------------------- */

int cae_check_processor(void)
{
    return cae_kernels_processor()
               ? CAE_OK
               : cae_fail(CAE_E_UNSUPPORTED, "this processor has no SSE2, which libcae needs");
}

int cae_check_pointer(const void *p, const char *name)
{
    return p != NULL ? CAE_OK : cae_fail(CAE_E_ARGUMENT, "%s is NULL", name);
}

int cae_check_flags(uint32_t flags, uint32_t known)
{
    return (flags & ~known) == 0
               ? CAE_OK
               : cae_fail(CAE_E_ARGUMENT, "flags has unknown bits: %u", (unsigned)flags);
}

int cae_check_half(uint32_t flags)
{
    return (flags & CAE_SAVE_TRAINING) == 0 || (flags & CAE_SAVE_F16) == 0
               ? CAE_OK
               : cae_fail(CAE_E_ARGUMENT, "flags: CAE_SAVE_F16 and CAE_SAVE_TRAINING exclude each "
                                          "other; training goes on from weights as they are");
}

int cae_check_shipped(const char *name)
{
    enum { MOST = 64 };
    size_t size = 0;
    while ((name[size] >= 'a' && name[size] <= 'z') || (name[size] >= 'A' && name[size] <= 'Z') ||
           (name[size] >= '0' && name[size] <= '9') || name[size] == '-') {
        size++;
    }
    return size >= 1 && size <= MOST && name[size] == '\0'
               ? CAE_OK
               : cae_fail(CAE_E_ARGUMENT,
                          "name '%s' is none of a shipped model: 1 to %d letters, digits and '-'; "
                          "a file's path is for cae_model_load",
                          name, (int)MOST);
}

int cae_check_output(const void *data, size_t capacity, const size_t *size)
{
    CAE_TRY(cae_check_pointer(size, "size"));
    return data != NULL || capacity == 0
               ? CAE_OK
               : cae_fail(CAE_E_ARGUMENT, "data is NULL, but capacity is %zu", capacity);
}

int cae_check_len(size_t len, size_t needed, const char *what)
{
    return len == needed
               ? CAE_OK
               : cae_fail(CAE_E_SHAPE, "len is %zu, but %s has %zu values", len, what, needed);
}

int cae_check_sides(size_t height, size_t width)
{
    if (height == 0 || width == 0) {
        return cae_fail(CAE_E_ARGUMENT, "%s is 0", height == 0 ? "height" : "width");
    }
    return CAE_OK;
}

/* ---- Values ---------------------------------------------------------------------------------- */

int cae_check_sigma(float sigma)
{
    return cae_all_finite(&sigma, 1, NULL) && sigma >= 0
               ? CAE_OK
               : cae_fail(CAE_E_ARGUMENT, "sigma is %g; it must be finite and not negative",
                          (double)sigma);
}

int cae_check_noise(const float *images, size_t len, float sigma)
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

/* ---- Models and their images ----------------------------------------------------------------- */

int cae_check_batch(const cae_model *m, const float *values, const char *name, size_t count,
                    size_t height, size_t width)
{
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_pointer(values, name));
    CAE_TRY(cae_check_sides(height, width));
    return count > 0 ? CAE_OK : cae_fail(CAE_E_ARGUMENT, "count is 0");
}

int cae_check_pairs(const cae_model *m, const cae_pairs *p)
{
    CAE_TRY(cae_check_batch(m, p->input, "input", p->count, p->height, p->width));
    CAE_TRY(cae_check_pointer(p->target, "target"));
    if (m->net->noise != (p->sigma != NULL)) {
        return cae_fail(CAE_E_ARGUMENT, m->net->noise
                                            ? "the network takes noise levels: call the function "
                                              "whose name ends in _sigma"
                                            : "the network takes no noise level");
    }
    for (size_t n = 0; n < (p->sigma != NULL ? p->count : 0); n++) {
        if (!cae_all_finite(&p->sigma[n], 1, NULL) || !(p->sigma[n] > 0)) {
            return cae_fail(CAE_E_ARGUMENT, "sigma: value %zu is %g; it must be finite and above 0",
                            n, (double)p->sigma[n]);
        }
    }
    return CAE_OK;
}

int cae_check_code(const cae_model *m)
{
    if (!m->net->coded || m->net->noise) {
        return cae_fail(CAE_E_UNSUPPORTED,
                        m->net->coded ? "the network takes a noise level: only de-noising runs it"
                                      : "the network has no 'code'");
    }
    return !m->net->skip_crosses
               ? CAE_OK
               : cae_fail(CAE_E_UNSUPPORTED,
                          "a skip crosses 'code', so the code alone does not describe an image");
}

int cae_check_ranges(const cae_model *m)
{
    return !cae_ranges_empty(&m->ranges)
               ? CAE_OK
               : cae_fail(CAE_E_UNSUPPORTED,
                          "the ranges of the code are not known, for the weights or the gradients "
                          "came from outside: cae_fit_code gathers them from images");
}

int cae_check_gradient(const cae_model *m)
{
    return m->pending.valid
               ? CAE_OK
               : cae_fail(CAE_E_ARGUMENT, "there is no gradient: cae_train_gradient makes one");
}

int cae_check_rows(const char *name, size_t stride, size_t row, size_t height)
{
    if (stride < row) {
        return cae_fail(CAE_E_ARGUMENT, "%s is %zu bytes, less than a row of %zu", name, stride,
                        row);
    }
    return cae_size_mul(stride, height) <= SIZE_MAX / 2
               ? CAE_OK
               : cae_fail(CAE_E_ARGUMENT, "%s: %zu rows of %zu bytes are more than memory holds",
                          name, height, stride);
}

int cae_check_pixels(const cae_model *m, const void *pixels, size_t height, size_t width,
                     size_t stride)
{
    CAE_TRY(cae_check_pointer(pixels, "pixels"));
    CAE_TRY(cae_check_sides(height, width));
    CAE_TRY(cae_check_rows("stride", stride, cae_size_mul(width, m->net->input.c), height));
    return cae_check_code(m);
}

int cae_check_image_file(const cae_model *m, const uint8_t *id, const cae_image_file *file,
                         size_t height, size_t width)
{
    if (memcmp(file->model_id, id, CAE_IMAGE_ID) != 0 || file->channels != m->net->input.c) {
        return cae_fail(CAE_E_MODEL, "the image was compressed with another model");
    }
    if (file->height != height || file->width != width) {
        return cae_fail(CAE_E_SHAPE, "the image is %zu x %zu (height x width), not %zu x %zu",
                        file->height, file->width, height, width);
    }
    return CAE_OK;
}
