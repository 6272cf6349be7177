/*
 * The ranges that the quantiser needs, gathered from images. The code is looked at as its rows come
 * by and is never held, so memory beside the caller's images stays within the engine's limit.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_IMAGE_FIT_H
#define CAE_IMAGE_FIT_H

#include "codec/quantise.h"
#include "net/infer.h"

/* The smallest and the largest value of each channel of the code over all these images, the same
 * for any number of threads. The engine's kernels are exact ones, as in compress.h. `out` has the
 * code's channels; on failure its content is unspecified. CAE_E_SHAPE, _LIMIT, _NOMEM;
 * CAE_E_ARGUMENT and _NONFINITE for the images. */
int cae_image_fit(const cae_engine *engine, const float *images, size_t count, size_t height,
                  size_t width, const cae_ranges *out);

#endif
