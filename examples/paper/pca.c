#include "pca.h"
bool pca_available(void)
{
    return false;
}
int pca_fit(struct pca **a, const float *b, size_t c, size_t d, size_t e)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    (void)e;
    return 1;
}
size_t pca_components(const struct pca *p)
{
    (void)p;
    return 0;
}
void pca_restore(const struct pca *p, const float *a, float *b)
{
    (void)p;
    (void)a;
    (void)b;
}
void pca_free(struct pca *p)
{
    (void)p;
}
