/*
 * The planar path of an implicit GEMM, for fewer than CAE_FEW channels written, whose vectors would
 * stand empty: rows of the product are channels here and columns pixels. The sums are those of
 * conv_gemm.c. Also what the two paths share.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LAYERS_CONV_PLANAR_H
#define CAE_LAYERS_CONV_PLANAR_H

#include "layers/conv_weights.h"

/* What the workers of an implicit GEMM share. */
typedef struct cae_conv_gemm_job {
    const cae_pass *pass;
    const cae_view *from, *to;
    const float *packed;
    cae_packing packing;
    bool to_coarse;
    cae_gemm_start start; /* with a bias: by columns; the planar path has it by rows */
    const float *bias;
    cae_activation activation;
} cae_conv_gemm_job;

/* Tables of batch entries: where the map read begins, which tap it is, where the weights begin;
 * room for all taps. */
typedef struct cae_batch_entries {
    ptrdiff_t *map, *tap, *weight;
    size_t len;
} cae_batch_entries;

/* Bytes of scratch memory of one worker for output of this width; SIZE_MAX when that overflows. */
size_t cae_conv_planar_size(const cae_op *op, const cae_packing *p, size_t out_width,
                            bool to_coarse);

/* One image, activation included. */
void cae_conv_planar_image(const cae_conv_gemm_job *g, size_t image, cae_batch_entries entries,
                           void *scratch);

#endif
