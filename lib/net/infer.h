/*
 * Inference and evaluation: images in, images, codes or a loss out, spread over threads and made in
 * tiles that stay in the caches and within the memory limit. What comes out depends on neither.
 *
 * A call makes a run once: the shapes first, then tiles and memory, which are known to be allowed
 * before a thread starts or memory of the work's size is taken. Then it goes, once.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_NET_INFER_H
#define CAE_NET_INFER_H

#include "net/exec.h"

typedef struct cae_run cae_run;

/* Who is told how much of a call is done, 0 to 1, and may stop it by returning anything but 0. Only
 * the thread that made the call calls it. `progress` NULL: nobody. */
typedef struct cae_watch {
    int (*progress)(void *user, double done);
    void *user;
} cae_watch;

/* Of a part of the network: images -> images, images -> codes, codes -> images; or of a loss, which
 * needs CAE_WHOLE. height and width are the images'. The engine is copied; what it points to must
 * outlive the run. CAE_E_SHAPE, _LIMIT, _NOMEM. */
int cae_run_new(cae_run **out, const cae_engine *e, cae_part part, bool loss, size_t count,
                size_t height, size_t width);
void cae_run_free(cae_run *r); /* NULL is fine */

/* Chooses tiles, `reserved` bytes of the memory limit being the caller's. CAE_E_LIMIT, _NOMEM. */
int cae_run_fit(cae_run *r, size_t reserved);

/* The shape of one code. */
const cae_shape *cae_run_code(const cae_run *r);

/* Marks, with 1, the rows and columns with pixels that one tile makes and another reads: the halos.
 * Any other pixel is read by the tile that makes it alone, once, before that tile hands it out; so
 * it may be overwritten by the result. `rows` and `columns` have a number for each of the image's,
 * 0 before. For CAE_WHOLE, once the run fits. */
void cae_run_mark_halos(cae_run *r, uint32_t *rows, uint32_t *columns);

/* To be told of the run, after each strip that the calling thread has made, but not of its end. */
void cae_run_watch(cae_run *r, cae_watch watch);

/* Goes, once it fits. `in` and `out` need no sizes: they follow. CAE_E_NOMEM, _NONFINITE;
 * CAE_E_CANCELLED, after which any part of the result may have been handed out. */
int cae_run_infer(cae_run *r, cae_source in, cae_sink out);

/* The same from and to planar floats. */
int cae_run_infer_planar(cae_run *r, const float *in, float *out);

/* The mean of (output - target)^2 over all values of all images; plus, where the code has a term,
 * term_weight times that term divided by the values of an image, mean over images. */
int cae_run_loss(cae_run *r, const float *in, const float *target, float *loss);

#endif
