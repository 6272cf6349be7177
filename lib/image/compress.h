/*
 * Compressed images: pixels to a file of the container format and back, through a network's code.
 * The pixels are turned into floats and back as rows come by, and the code is held as one byte a
 * symbol, so memory beside the caller's pixels stays within the engine's limit.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_IMAGE_COMPRESS_H
#define CAE_IMAGE_COMPRESS_H

#include "codec/quantise.h"
#include "net/run.h"
#include "serial/image_file.h"

/* What both directions need of a model; the engine's kernels are exact ones. */
typedef struct cae_image_coder {
    cae_engine engine;
    cae_ranges ranges;
    uint8_t id[CAE_IMAGE_ID];
} cae_image_coder;

/* Interleaved 8-bit pixels, rows `stride` bytes apart; of one of the two directions. */
typedef struct cae_pixels {
    const uint8_t *in;
    uint8_t *out;
    size_t height, width, stride;
} cae_pixels;

/* The most bytes that a compressed image of this size takes; CAE_E_SHAPE, _LIMIT. */
int cae_image_bound(const cae_net *net, size_t height, size_t width, size_t *bound);

/* Whether either direction keeps within the engine's memory limit; CAE_E_LIMIT otherwise, before
 * the work's memory is taken. Of a file to be restored, not NULL, CAE_E_FORMAT first of all when
 * its payload cannot hold so large a code. Leaves in `engine` the limit for the network alone. */
int cae_image_check(cae_engine *engine, cae_part part, size_t height, size_t width,
                    const cae_image_file *file);

/* Both after cae_image_check, with its engine. */
int cae_image_compress(const cae_image_coder *coder, const cae_pixels *pixels, unsigned quality,
                       void *data, size_t capacity, size_t *size);

/* `file` as parsed, of the model's id and the size of `pixels`. */
int cae_image_decompress(const cae_image_coder *coder, const cae_image_file *file,
                         const cae_pixels *pixels);

#endif
