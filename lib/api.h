/*
 * What the files of public functions share: checks of arguments, each with words that name the
 * argument.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_API_H
#define CAE_API_H

#include "model.h"

/* CAE_E_UNSUPPORTED on a processor that the library cannot run on. Asked, before anything is
 * computed, by every function that takes no model and does more than hand out words. */
int cae_check_processor(void);

/* CAE_E_ARGUMENT for NULL. */
int cae_check_pointer(const void *p, const char *name);

/* `data` of `capacity` bytes, or NULL with 0 to ask for the size. */
int cae_check_output(const void *data, size_t capacity, const size_t *size);

/* CAE_E_ARGUMENT for a side of 0. */
int cae_check_sides(size_t height, size_t width);

/* CAE_E_NONFINITE, naming the first bad value. */
int cae_check_finite(const float *values, size_t len, const char *name);

/* A model and a batch of its images: pointers, sizes, finiteness. */
int cae_check_images(const cae_model *m, const float *images, const char *name, size_t count,
                     size_t height, size_t width);

/* CAE_E_ARGUMENT unless finite and not negative. */
int cae_check_sigma(float sigma);

/* CAE_E_UNSUPPORTED when the code does not stand alone. */
int cae_check_code(const cae_model *m);

#endif
