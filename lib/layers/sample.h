/*
 * What the sampled code and its term in the loss share.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LAYERS_SAMPLE_H
#define CAE_LAYERS_SAMPLE_H

/* exp(log_variance), infinite when no float holds it: then divergence and loss are, too. */
double cae_variance(float log_variance);

#endif
