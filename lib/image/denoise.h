/*
 * De-noising of pixels as applications have them: interleaved, of 8 or 16 bits or floats, in place
 * or not. Pixels become floats and return as rows come by, so memory beside the caller's pixels
 * stays within the engine's limit. Noise that grows with the value is made equal everywhere before
 * the network and the values are put back behind it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_IMAGE_DENOISE_H
#define CAE_IMAGE_DENOISE_H

#include "net/infer.h"

/* Interleaved pixels, the result's as the image's. Either `in` is `out`, with the same stride, or
 * they share no byte of any row. Nothing need be aligned. */
typedef struct cae_picture {
    const uint8_t *in;
    uint8_t *out;
    size_t in_stride, out_stride; /* bytes from row to row */
    uint32_t format;              /* CAE_U8, CAE_U16 or CAE_F32 */
    size_t height, width;
    size_t channels; /* of a pixel: those of the network, or any number for a network of one */
    bool alpha;      /* one more behind these, which is copied */
} cae_picture;

/* What is to be removed: noise whose variance at value x is sigma^2 + gain x on [0,1], both 0 if
 * not known; and how much of it. */
typedef struct cae_denoising {
    float sigma, gain, strength;
    cae_watch watch;
} cae_denoising;

/* The bytes of a pixel, alpha included. */
size_t cae_picture_pixel(const cae_picture *p);

/* CAE_E_SHAPE, _LIMIT, _NOMEM, _CANCELLED; CAE_E_NONFINITE for a float, naming it, or a result.
 * Nothing is written before the watch has been called with 0. */
int cae_image_denoise(const cae_engine *engine, const cae_picture *picture,
                      const cae_denoising *what);

#endif
