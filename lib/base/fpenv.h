/*
 * The floating-point environment: every call that computes, and every worker, runs with rounding to
 * nearest and denormals kept, and gives the caller's environment back, exception flags included.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_BASE_FPENV_H
#define CAE_BASE_FPENV_H

/* On 32-bit x86 both units compute: 64-bit integers become floats in the old one. */
#if defined(__SSE_MATH__) && defined(__x86_64__)

#include <xmmintrin.h>

typedef unsigned cae_fpenv;

static inline cae_fpenv cae_fpenv_enter(void)
{
    const unsigned saved = _mm_getcsr();
    _mm_setcsr(0x1f80); /* power-on state: all exceptions masked, nearest, FTZ and DAZ off */
    return saved;
}

static inline void cae_fpenv_leave(cae_fpenv saved)
{
    _mm_setcsr(saved);
}

#else

#include <fenv.h>

typedef fenv_t cae_fpenv;

static inline cae_fpenv cae_fpenv_enter(void)
{
    fenv_t saved;
    fegetenv(&saved);
    fesetenv(FE_DFL_ENV);
    return saved;
}

static inline void cae_fpenv_leave(cae_fpenv saved)
{
    fesetenv(&saved);
}

#endif
#endif
