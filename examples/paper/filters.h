/*
 * De-noising without a network: Gaussian blur, median and non-local means, and the choice of their
 * settings. What a network has to beat. Pure functions on grey images of floats, nominally [0,1];
 * no files, no messages.
 *
 * A setting is chosen on training faces, whose clean images are known, and then applied to faces
 * that the choice has not seen: as a network is trained and judged.
 *
 * Beyond its edges an image goes on as its mirror image, the edge pixel twice: c b a | a b c. All
 * functions return false when memory ran out, and only then; `restored` is another buffer than the
 * image and is then unspecified.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_PAPER_FILTERS_H
#define CAE_PAPER_FILTERS_H

#include <stdbool.h>
#include <stddef.h>

/* Gaussian blur. sigma > 0, in pixels; the kernel is sampled at whole pixels, cut off at 5 sigma
 * and made to sum to 1. Any sigma will do: a huge one gives the image's mean. */
bool filter_blur(const float *image, size_t height, size_t width, double sigma, float *restored);

/* The median of a square window; side 3, 5 or 7. */
bool filter_median(const float *image, size_t height, size_t width, size_t side, float *restored);

/* Non-local means, pixel by pixel, as in Buades, Coll, Morel, "Non-Local Means Denoising", Image
 * Processing On Line 1 (2011): each pixel p becomes the mean of the pixels q of a search window
 * around it, weighted by
 *     exp(-max(d^2(p, q) - 2 sigma^2, 0) / h^2),
 * where d^2 is the mean squared difference of the patches around p and q. Noise of sigma alone
 * makes d^2 = 2 sigma^2, so patches that differ by no more than noise all count alike. The idea is
 * that of the same authors, "A non-local algorithm for image denoising", CVPR 2005. The search
 * window ends at the image's edges; patches reach over them. */
struct nlm {
    double sigma;       /* of the noise, in the image's unit, > 0 */
    double h;           /* in the image's unit, > 0 */
    size_t patch_side;  /* odd */
    size_t search_side; /* odd */
};
bool filter_nlm(const float *image, size_t height, size_t width, const struct nlm *nlm,
                float *restored);

/* ---- Chosen settings ------------------------------------------------------------------------- */

enum filter_kind { FILTER_BLUR, FILTER_MEDIAN, FILTER_NLM };

/* A filter with its settings; those that a kind does not have are 0. */
struct filter {
    enum filter_kind kind;
    double strength;    /* blur: sigma in pixels; non-local means: h / sigma of the noise */
    size_t side;        /* of the median's window, of a patch */
    size_t search_side; /* non-local means */
};

/* Noisy images, one behind the other, and the sigma of their noise, in the images' unit, > 0. */
struct filter_images {
    const float *noisy;
    size_t count, height, width;
    double sigma;
};

/* Restores all images; `restored` has their size. */
bool filter_run(const struct filter *filter, const struct filter_images *images, float *restored);

/* Tries a fixed grid of settings and keeps the first with the highest mean over the images of the
 * PSNR against `clean`, on 8-bit pixels as in measure.h. The grid: blur 0.3, 0.35 ... 3 pixels;
 * median 3, 5, 7; non-local means h / sigma 0.2, 0.4 ... 1.4 with seven pairs of windows, the
 * paper's own for noise of 15 to 30 of 255 among them. count > 0. */
bool filter_choose(enum filter_kind kind, const struct filter_images *images, const float *clean,
                   struct filter *best, double *psnr);

#endif
