/*
 * Checks of arguments, each with a message that names the argument. The exported functions make
 * them before they do anything else; what takes a plan of the network is checked below.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_API_CHECK_H
#define CAE_API_CHECK_H

#include "model/model.h"
#include "net/exec.h"
#include "serial/image_file.h"

/* CAE_E_UNSUPPORTED on a processor that the library cannot run on. Asked, before anything is
 * computed, by every function that takes no model and does more than return texts. */
int cae_check_processor(void);

/* CAE_E_ARGUMENT for NULL. */
int cae_check_pointer(const void *p, const char *name);

/* CAE_E_ARGUMENT for a bit that is not in `known`. */
int cae_check_flags(uint32_t flags, uint32_t known);

/* CAE_E_ARGUMENT for weights as F16 beside training state, which needs all their bits. */
int cae_check_half(uint32_t flags);

/* CAE_E_ARGUMENT for what cannot be the name of a model that came with the library. */
int cae_check_shipped(const char *name);

/* `data` of `capacity` bytes, or NULL with 0 to ask for the size. */
int cae_check_output(const void *data, size_t capacity, const size_t *size);

/* CAE_E_SHAPE unless the caller's array has as many values as `what`. */
int cae_check_len(size_t len, size_t needed, const char *what);

/* CAE_E_ARGUMENT for a side of 0. */
int cae_check_sides(size_t height, size_t width);

/* CAE_E_ARGUMENT unless finite and not negative. */
int cae_check_sigma(float sigma);

/* CAE_E_NONFINITE when the sum of a value and of noise could overflow. */
int cae_check_noise(const float *images, size_t len, float sigma);

/* A model and a batch of its images or codes. The run that is made for them checks their size and
 * the values: shapes are worked out once. */
int cae_check_batch(const cae_model *m, const float *values, const char *name, size_t count,
                    size_t height, size_t width);

/* The same for what a model shall make of its input, both of which may be one array; with noise
 * levels if and only if the network takes them. */
int cae_check_pairs(const cae_model *m, const cae_pairs *p);

/* CAE_E_UNSUPPORTED when the code does not stand alone, or there is none. */
int cae_check_code(const cae_model *m);

/* CAE_E_UNSUPPORTED when the ranges of the code are not known. */
int cae_check_ranges(const cae_model *m);

/* CAE_E_ARGUMENT when no gradient waits. */
int cae_check_gradient(const cae_model *m);

/* Rows of `row` bytes that begin `stride` bytes apart, which `name` stands for. */
int cae_check_rows(const char *name, size_t stride, size_t row, size_t height);

/* Rows of bytes that a model whose code stands alone can take. */
int cae_check_pixels(const cae_model *m, const void *pixels, size_t height, size_t width,
                     size_t stride);

/* A compressed image of this model, whose id is `id`, and of this size: CAE_E_MODEL, CAE_E_SHAPE.
 */
int cae_check_image_file(const cae_model *m, const uint8_t *id, const cae_image_file *file,
                         size_t height, size_t width);

#endif
