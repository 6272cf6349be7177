#ifndef P
#define P
#include <stdbool.h>
#include <stddef.h>
enum { PCA_OK };
struct pca;
bool pca_available(void);
int pca_fit(struct pca **, const float *, size_t, size_t, size_t);
size_t pca_components(const struct pca *);
void pca_restore(const struct pca *, const float *, float *);
void pca_free(struct pca *);
#endif
