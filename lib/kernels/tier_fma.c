/*
 * Kernels of the fma tier: AVX2 with fused multiply-add. All of it comes from vector.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef __FMA__
#error "this file must be compiled with -mfma"
#endif

#include "kernels/simd_avx2.h"

#include "kernels/vector.h"

const cae_kernels cae_kernels_fma = CAE_KERNEL_TABLE("fma", false);
