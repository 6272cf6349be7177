/*
 * Functions that the C library has, too, but with other bits on other systems. All arithmetic is
 * that of IEEE 754 doubles, so the results are the same everywhere.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_BASE_MATH_H
#define CAE_BASE_MATH_H

#include "base/exact.h"

/* exp(x) for -700 <= x <= 700, to about 1e-15 of it. */
double cae_exp(double x);

/* log(x) for 2^-34 <= x < 1, to about 1e-16. */
double cae_log(double x);

#endif
