/*
 * Counter-based random numbers: number `index` of stream `stream` under `seed` is a function of
 * these three alone, so nothing depends on the order of calls, on threads or on earlier calls.
 * The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy
 * as 1, 2, 3", SC 2011); normal numbers come from the inverse of the normal distribution function
 * in double.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_BASE_RANDOM_H
#define CAE_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "base/exact.h"

/* Streams in use. A new use takes a new number. */
enum {
    CAE_STREAM_NOISE = 1,    /* cae_add_noise */
    CAE_STREAM_WEIGHTS = 256 /* initial weights: this plus the number of the tensor in file order */
};

/* Sampled codes: this plus the number of updates before the step. */
#define CAE_STREAM_SAMPLE ((uint64_t)1 << 32)

/* 32 random bits. */
uint32_t cae_random_bits(uint64_t seed, uint64_t stream, uint64_t index);

/* Uniform in [0,1), a multiple of 2^-24. */
float cae_random_uniform(uint64_t seed, uint64_t stream, uint64_t index);

/* Standard normal, |x| < CAE_NORMAL_BOUND. */
#define CAE_NORMAL_BOUND 6.5
double cae_random_normal(uint64_t seed, uint64_t stream, uint64_t index);

/* values[i] += scale * (float)(normal number i), for i < len. */
void cae_random_add_normal(float *values, size_t len, float scale, uint64_t seed, uint64_t stream);

#endif
