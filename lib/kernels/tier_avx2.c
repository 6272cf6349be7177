/*
 * Kernels of the avx2 tier: 256 bits, multiply then add. All of it comes from vector.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifdef __FMA__
#error "this file must be compiled with -mno-fma"
#endif

#include "kernels/simd_avx2.h"

#include "kernels/vector.h"

const cae_kernels cae_kernels_avx2 = CAE_KERNEL_TABLE("avx2", true);
