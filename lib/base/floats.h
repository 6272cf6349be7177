/*
 * What is asked of arrays of float.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_BASE_FLOATS_H
#define CAE_BASE_FLOATS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/exact.h"

/* True when no value is NaN or infinite; `*bad` receives the index of the first that is. */
bool cae_all_finite(const float *values, size_t len, size_t *bad);

/* CAE_E_NONFINITE, naming the array and its first bad value. */
int cae_check_finite(const float *values, size_t len, const char *name);

/* The largest magnitude; infinity or NaN when one of the values is. 0 for none. */
float cae_largest(const float *values, size_t len);

#endif
