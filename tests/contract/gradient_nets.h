/*
 * The networks whose gradients are checked: every layer and activation, with odd sizes, strides,
 * paddings, overlapping windows, skips of every kind, and mixtures.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TESTS_CONTRACT_GRADIENT_NETS_H
#define CAE_TESTS_CONTRACT_GRADIENT_NETS_H

#include <stddef.h>

struct gradient_net {
    const char *name;
    const char *text;
    size_t count, height, width;
};

extern const struct gradient_net gradient_nets[];
extern const size_t gradient_net_len;

#endif
