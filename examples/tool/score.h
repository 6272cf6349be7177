/*
 * How well a model does on a set of images: means over the images of what each one scores.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_SCORE_H
#define CAE_TOOL_SCORE_H

#include <stdint.h>

#include <cae/cae.h>

#include "image_set.h"

/* PSNR is infinite where an image came back unchanged; NaN stands for what there is not: sizes of a
 * model that cannot compress, scores of the input without noise. */
struct scores {
    size_t count;
    double mse;        /* of the network's own output, on [0,1], not rounded to pixels */
    double psnr, ssim; /* of the output as 8-bit pixels */
    double bytes;      /* what cae_compress makes of the image at default quality */
    double input_psnr, input_ssim; /* of the noisy input as 8-bit pixels */
};

enum score_depth { SCORE_MSE, SCORE_ALL };

/* Runs every image through the whole network, with Gaussian noise of `sigma` (0-255 scale) on the
 * input. The noise of an image depends on the seed and its file's name alone. */
int score_images(const cae_model *model, const struct image_set *set, double sigma, uint64_t seed,
                 enum score_depth depth, struct scores *scores);

/* The same of the files that cae_compress writes at a quality: each image, noisy if sigma > 0 and
 * rounded to pixels, is compressed and restored, and the scores, mse among them, are those of the
 * restored pixels; bytes is the size of that very file. */
int score_files(const cae_model *model, const struct image_set *set, double sigma, uint64_t seed,
                uint32_t quality, struct scores *scores);

/* Image `index` as the network's input: floats with Gaussian noise of `sigma`, as above. */
int score_input(const struct image_set *set, size_t index, double sigma, uint64_t seed,
                float *values);

/* The mean size of what cae_compress makes of the images at default quality; NaN when the model
 * cannot compress. */
int score_bytes(const cae_model *model, const struct image_set *set, double *bytes);

/* Takes images whose size the model cannot take out of the set and names them; it is a failure when
 * none is left. */
int score_keep_sizes(const cae_model *model, struct image_set *set);

#endif
