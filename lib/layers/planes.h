/*
 * A gather that writes fewer than CAE_FEW channels; the sums are those of gather.c.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LAYERS_PLANES_H
#define CAE_LAYERS_PLANES_H

#include "layers/gather.h"

/* Bytes of scratch memory of one worker for output of this width; SIZE_MAX when that overflows. */
size_t cae_planes_size(const cae_layer *l, const cae_packing *p, size_t out_width, bool to_coarse);

/* One image, activation included. */
void cae_planes_image(const cae_gather_job *g, size_t image, cae_segments segments, void *scratch);

#endif
