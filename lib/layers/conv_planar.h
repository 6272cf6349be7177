/*
 * The planar path: an implicit GEMM that writes fewer than CAE_FEW channels; the sums are those of
 * conv_gemm.c.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LAYERS_CONV_PLANAR_H
#define CAE_LAYERS_CONV_PLANAR_H

#include "layers/conv_gemm.h"

/* Bytes of scratch memory of one worker for output of this width; SIZE_MAX when that overflows. */
size_t cae_conv_planar_size(const cae_layer *l, const cae_packing *p, size_t out_width,
                            bool to_coarse);

/* One image, activation included. */
void cae_conv_planar_image(const cae_conv_gemm_job *g, size_t image, cae_batch_entries entries,
                           void *scratch);

#endif
