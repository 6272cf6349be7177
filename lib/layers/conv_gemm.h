/*
 * The two passes of (transposed) convolution that are implicit GEMMs (im2row without the copy):
 * every pixel written is a sum over taps of the other map. See conv_geometry.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LAYERS_CONV_GEMM_H
#define CAE_LAYERS_CONV_GEMM_H

#include "base/memory.h"
#include "layers/conv_geometry.h"

/* y from x, activation included; or, backward, dx from dy. Spread over the team by images. */
void cae_conv_gemm(const cae_pass *p, bool backward);

/* Bytes of scratch memory; SIZE_MAX when that overflows. */
size_t cae_conv_gemm_scratch(const cae_layer *l, const cae_pass *pass, bool backward);

/* ---- For conv_gemm.c and conv_planar.c ---- */

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

/* How many taps of a kernel's row or column fine pixels of a phase see: kx = phase, phase + stride,
 * ... */
static inline size_t cae_phase_taps(const cae_layer *l, size_t phase)
{
    return phase < l->kernel ? (l->kernel - 1 - phase) / l->stride + 1 : 0;
}

#endif
