/*
 * A build without CBLAS and LAPACKE has no principal components, and says so: see pca.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "pca.h"

bool pca_available(void)
{
    return false;
}

const char *pca_words(int status)
{
    return status == PCA_OK ? "done" : "built without CBLAS and LAPACKE";
}

int pca_fit(struct pca *pca, const float *images, size_t count, size_t len, size_t asked)
{
    (void)images, (void)count, (void)len, (void)asked;
    *pca = (struct pca){0};
    return PCA_ABSENT;
}

void pca_free(struct pca *pca)
{
    *pca = (struct pca){0};
}

int pca_restore(const struct pca *pca, const float *images, size_t count, float *restored)
{
    (void)pca, (void)images, (void)count, (void)restored;
    return PCA_ABSENT;
}
