/*
 * The kinds of layer, one file each.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LAYERS_TYPES_H
#define CAE_LAYERS_TYPES_H

#include "layers/layer.h"

extern const cae_layer_type cae_layer_conv;
extern const cae_layer_type cae_layer_tconv;
extern const cae_layer_type cae_layer_maxpool;
extern const cae_layer_type cae_layer_dense;
extern const cae_layer_type cae_layer_add;
extern const cae_layer_type cae_layer_concat;
extern const cae_layer_type cae_layer_sample;

#endif
