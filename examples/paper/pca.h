/*
 * Principal component analysis of images: the best linear code there is, for the images that it was
 * fitted to. What an autoencoder has to beat on unseen ones. No files, no messages.
 *
 * CBLAS and LAPACKE do the linear algebra, in pca.c alone. A build without them has pca_absent.c,
 * where pca_available() is false and all else says PCA_ABSENT.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_PAPER_PCA_H
#define CAE_PAPER_PCA_H

#include <stdbool.h>
#include <stddef.h>

enum {
    PCA_OK,
    PCA_NO_MEMORY,
    PCA_TOO_FEW, /* one image has no variance */
    PCA_LIMIT,   /* more images or values than LAPACK counts */
    PCA_FAILED,  /* values that are not finite, or eigenvalues that LAPACK did not find */
    PCA_ABSENT,
};

struct pca {
    size_t len;        /* values per image */
    size_t components; /* orthonormal rows of `vectors`, in ascending order of variance */
    double variance;   /* of the images it was fitted to: mean squared distance from their mean */
    double explained;  /* the components' share of it, 0 to 1; 1 when there is none */
    double *mean;
    double *vectors;
};

bool pca_available(void);

/* What a status means, in words. */
const char *pca_words(int status);

/* Fits to `count` images of `len` values, one behind the other. Components: as many as asked, at
 * most count - 1, and none whose variance is below 1e-10 of the first's: on 8-bit images only
 * duplicates have such, and rounding would leave them skewed.
 *
 * Memory, in bytes: 24 side^2 for the smaller side of count x len, 8 count len more where that is
 * count, and 8 len for each component. *pca is empty after a failure; else pca_free frees what it
 * holds. */
int pca_fit(struct pca *pca, const float *images, size_t count, size_t len, size_t asked);
void pca_free(struct pca *pca);

/* Projects `count` images onto the components and back; `restored` may be `images`. */
int pca_restore(const struct pca *pca, const float *images, size_t count, float *restored);

#endif
