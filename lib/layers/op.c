/*
 * The table of the lines that an architecture text may have.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "layers/op.h"

const cae_op_type *const cae_op_types[] = {
    &cae_op_conv, &cae_op_tconv, &cae_op_maxpool, &cae_op_dense, &cae_op_add, &cae_op_concat, NULL,
};
