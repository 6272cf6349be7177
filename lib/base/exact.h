/*
 * Refuses compiler options that change IEEE 754 arithmetic, because results must be the same bits
 * everywhere. Every header that code with arithmetic includes first includes this one.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_BASE_EXACT_H
#define CAE_BASE_EXACT_H

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "libcae computes exactly: build it without -ffast-math and -Ofast"
#endif

#endif
