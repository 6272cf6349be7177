/*
 * Kernels of the exact avx512 tier: 512 bits, multiply then add. All of it comes from vector.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernels/simd_avx512.h"

#include "kernels/vector.h"

const cae_kernels cae_kernels_avx512_exact = CAE_KERNEL_TABLE("avx512-exact", true);
