/*
 * Refuses compilers that have been told to compute otherwise than IEEE 754 says: results are the
 * same bits everywhere or they are nothing. Included by every header that what computes starts
 * from.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_BASE_EXACT_H
#define CAE_BASE_EXACT_H

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "libcae computes exactly: build it without -ffast-math and -Ofast"
#endif

#endif
