/*
 * Kernels of the avx512 tier: 512 bits with fused multiply-add. All of it comes from vector.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define CAE_FUSED

#include "kernels/simd_avx512.h"

#include "kernels/vector.h"

const cae_kernels cae_kernels_avx512 = CAE_KERNEL_TABLE("avx512", false);
