/*
 * The floating-point environment: every call that computes, and every worker, runs with rounding to
 * nearest and with denormals. Afterwards the caller's environment is restored, including its
 * exception flags.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_BASE_FPENV_H
#define CAE_BASE_FPENV_H

/* 32-bit x86 uses both units: 64-bit integers are converted to floats by the x87 unit. */
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
