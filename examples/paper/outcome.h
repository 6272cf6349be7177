/*
 * How well a way to restore faces does on a set of them, and the first few restored faces to look
 * at. Networks, filters and PCA are all judged here, by the same measures.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_PAPER_OUTCOME_H
#define CAE_PAPER_OUTCOME_H

#include "study.h"

enum { SHOWN = 16 }; /* faces in a picture of the report */

struct outcome {
    bool have;
    double mse;        /* on [0,1], mean over faces */
    double psnr, ssim; /* of 8-bit pixels, mean over faces; psnr is infinite if any face is equal */
    double *each;      /* mse of each face */
    size_t len;
    float *shown; /* the first faces: up to SHOWN x PIXELS values */
    size_t shown_len;
};

/* The faces of a set as floats, len x PIXELS, in memory that the caller frees; with noise of
 * `sigma` (0-255 scale, may be 0) that depends on the seed and each face's name. NULL after a
 * failure, which has been said. */
float *outcome_input(const struct image_set *set, double sigma, uint64_t seed);

/* Judges `restored`, len x PIXELS values, against the faces of a set. */
int outcome_judge(struct outcome *outcome, const struct image_set *set, const float *restored);
void outcome_free(struct outcome *outcome);

/* On how many faces a is nearer to the original than b; both judged on the same set. */
size_t outcome_wins(const struct outcome *a, const struct outcome *b);

#endif
