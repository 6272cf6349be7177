/*
 * When a convolution and the max pool behind it can be fused; the operator is a row of the table.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LAYERS_CONV_POOL_H
#define CAE_LAYERS_CONV_POOL_H

#include "layers/op.h"

/* Whether `pool`, the only reader of convolution `op`, can be fused with it. */
bool cae_conv_pool_applies(const cae_op *op, const cae_op *pool);

#endif
