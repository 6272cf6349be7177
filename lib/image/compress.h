/*
 * Compressed images: pixels to a file of the container format and back, through a network's code.
 * The pixels are turned into floats and back as rows come by, and the code is held as symbols, so
 * memory beside the caller's pixels stays within the engine's limit.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_IMAGE_COMPRESS_H
#define CAE_IMAGE_COMPRESS_H

#include "codec/coder.h"
#include "net/infer.h"
#include "serial/image_file.h"

/* What both directions need of a model; the engine's kernels are exact ones. */
typedef struct cae_image_codec {
    cae_engine engine;
    cae_ranges ranges;
} cae_image_codec;

/* Interleaved 8-bit pixels, rows `stride` bytes apart; of one of the two directions. */
typedef struct cae_pixels {
    const uint8_t *in;
    uint8_t *out;
    size_t channels, height, width, stride; /* the network's channels */
} cae_pixels;

/* The most bytes that a compressed image of this size takes; CAE_E_SHAPE, _LIMIT. */
int cae_image_bound(const cae_net *net, size_t height, size_t width, size_t *bound);

/* All of a file but the model's id. Its payload is a block of the network's memory, which the
 * caller releases; NULL after a failure. CAE_E_SHAPE, _LIMIT, _NOMEM, _NONFINITE. */
int cae_image_compress(const cae_image_codec *codec, const cae_pixels *pixels, unsigned quality,
                       cae_image_file *file, uint8_t **payload);

/* `file` as parsed, of the model's id and the size of `pixels`. CAE_E_FORMAT when its payload
 * cannot hold the code, before anything is planned; then as above, and CAE_E_FORMAT for the payload
 * itself. */
int cae_image_decompress(const cae_image_codec *codec, const cae_image_file *file,
                         const cae_pixels *pixels);

/* The smallest and the largest value of each channel of the code over all these images, the same
 * for any number of threads. The engine's kernels are exact ones, as in compress.h. `out` has the
 * code's channels; on failure its content is unspecified. CAE_E_SHAPE, _LIMIT, _NOMEM;
 * CAE_E_ARGUMENT and _NONFINITE for the images. */
int cae_image_fit(const cae_engine *engine, const float *images, size_t count, size_t height,
                  size_t width, const cae_ranges *out);

#endif
