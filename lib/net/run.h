/*
 * Whole calls on a network: images in, images, codes, a loss or a gradient out, spread over threads
 * and made in tiles that stay in the caches and within the memory limit. What comes out does not
 * depend on either.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_NET_RUN_H
#define CAE_NET_RUN_H

#include "net/exec.h"

/* Runs a part of the network: images -> images, images -> codes, codes -> images. height and
 * width are the images'; `in` and `out` need no sizes, they follow. All checks of the arguments
 * are the caller's. CAE_E_SHAPE, _LIMIT, _NOMEM, _NONFINITE. */
int cae_net_infer(const cae_engine *e, cae_part part, cae_source in, size_t count, size_t height,
                  size_t width, cae_sink out);

/* Whether cae_net_infer of one such image would keep within the memory limit. */
int cae_net_check(const cae_engine *e, cae_part part, size_t height, size_t width);

/* The same from and to planar floats. */
int cae_net_infer_planar(const cae_engine *e, cae_part part, const float *in, size_t count,
                         size_t height, size_t width, float *out);

/* The mean of (output - target)^2 over all values of all images; with a sampled code, and kl_weight
 * times its divergence divided by the values of an image, mean over images. */
int cae_net_loss(const cae_engine *e, const float *in, const float *target, size_t count,
                 size_t height, size_t width, float *loss);

/* The gradient of that mean, in file order; the mean itself; and the range of each channel of the
 * code. */
typedef struct cae_gradient {
    float *weights;
    float *low, *high;
    float loss;
} cae_gradient;

int cae_net_gradient(const cae_engine *e, const float *in, const float *target, size_t count,
                     size_t height, size_t width, cae_gradient *out);

/* A whole training step of a network with layers that defer their gradients, if it can be made
 * without storing their gradients: *done says so. If not, nothing has changed and nothing is known:
 * cae_net_gradient will tell. The state holds the weights in file order. out->weights is scratch
 * for the other gradients; it may be NULL when there are none. */
int cae_net_step(const cae_engine *e, const float *in, const float *target, size_t count,
                 size_t height, size_t width, const cae_adam *adam, cae_adam_state *state,
                 cae_gradient *out, bool *done);

#endif
