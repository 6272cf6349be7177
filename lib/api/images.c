/*
 * The exported functions around compressed images: check the arguments, call, return.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "api/check.h"
#include "base/fpenv.h"
#include "base/status.h"
#include "image/compress.h"
#include "model/file.h"

enum { DEFAULT_QUALITY = 50 };

int cae_fit_code(cae_model *m, const float *images, size_t count, size_t height, size_t width)
{
    CAE_TRY(cae_check_batch(m, images, "images", count, height, width));
    CAE_TRY(cae_check_code(m));
    const cae_fpenv saved = cae_fpenv_enter();
    const int status = cae_model_fit_code(m, images, count, height, width);
    cae_fpenv_leave(saved);
    return status;
}

static cae_image_codec make_codec(const cae_model *m)
{
    return (cae_image_codec){.engine = cae_model_engine(m, m->exact), .ranges = m->ranges};
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
    CAE_TRY(cae_check_pixels(m, pixels, height, width, stride));
    CAE_TRY(cae_check_output(data, capacity, size));
    if (quality > CAE_IMAGE_QUALITY) {
        return cae_fail(CAE_E_ARGUMENT, "quality is %u; it can be 1 to 100, or 0 for the default",
                        (unsigned)quality);
    }
    CAE_TRY(cae_check_ranges(m));
    const cae_image_codec codec = make_codec(m);
    const cae_pixels in = {.in = pixels,
                           .channels = m->net->input.c,
                           .height = height,
                           .width = width,
                           .stride = stride};
    cae_image_file file;
    uint8_t *payload = NULL;
    const cae_fpenv saved = cae_fpenv_enter();
    int status =
        cae_image_compress(&codec, &in, quality != 0 ? quality : DEFAULT_QUALITY, &file, &payload);
    cae_fpenv_leave(saved);
    if (status == CAE_OK) {
        status = cae_model_id(m, file.model_id);
    }
    if (status == CAE_OK) {
        status = cae_image_file_write(&file, data, capacity, size);
    }
    cae_release(m->memory, payload);
    return status;
}

int cae_decompress(const cae_model *m, const void *data, size_t size, uint8_t *pixels,
                   size_t height, size_t width, size_t stride)
{
    cae_image_file file;
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_pointer(data, "data"));
    CAE_TRY(cae_check_pixels(m, pixels, height, width, stride));
    CAE_TRY(cae_check_ranges(m));
    CAE_TRY(cae_image_file_parse(&file, data, size));
    uint8_t id[CAE_IMAGE_ID];
    CAE_TRY(cae_model_id(m, id));
    CAE_TRY(cae_check_image_file(m, id, &file, height, width));
    const cae_image_codec codec = make_codec(m);
    const cae_pixels out = {.out = pixels,
                            .channels = m->net->input.c,
                            .height = height,
                            .width = width,
                            .stride = stride};
    const cae_fpenv saved = cae_fpenv_enter();
    const int status = cae_image_decompress(&codec, &file, &out);
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
