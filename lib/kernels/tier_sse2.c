/*
 * Kernels of the sse2 tier, the baseline of x86-64. All of it comes from vector.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernels/simd_sse2.h"

#include "kernels/vector.h"

const cae_kernels cae_kernels_sse2 = CAE_KERNEL_TABLE("sse2", true);
