/*
 * Kernels of the portable tier, for any processor. All of it comes from vector.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernels/simd_c.h"

#include "kernels/vector.h"

const cae_kernels cae_kernels_c = CAE_KERNEL_TABLE("c", true);
