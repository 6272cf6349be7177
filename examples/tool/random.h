/*
 * Random numbers by counting: each is a function of a seed and of what it is for, and of nothing
 * that happened before. So a resumed run draws what an uninterrupted one would have drawn.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_RANDOM_H
#define CAE_TOOL_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* What numbers are for. The values are part of the tool's results: they never change. */
enum random_stream {
    RANDOM_ORDER = 1,       /* of the images in an epoch */
    RANDOM_CROP = 2,        /* where a larger image is cut */
    RANDOM_TRAIN_NOISE = 3, /* seeds for cae_add_noise */
    RANDOM_EVAL_NOISE = 4,
    RANDOM_FACE = 5,   /* the parameters of face number a */
    RANDOM_DRAW = 6,   /* which faces a study trains on */
    RANDOM_PEOPLE = 7, /* the order of people in a split */
    RANDOM_PART = 8,   /* seeds for the sampled codes of part a of a batch, in step b */
    RANDOM_LEVEL = 9,  /* noise levels, of a range of them */
    RANDOM_SYMMETRY = 10,
    RANDOM_NEIGHBOURS = 11, /* which pixels of a cell, or which frame, to learn from */
};

/* 64 well-mixed bits for number (a, b) of a stream. */
uint64_t random_bits(uint64_t seed, enum random_stream stream, uint64_t a, uint64_t b);

/* The same as a number in [0, 1), a multiple of 2^-53. */
double random_unit(uint64_t seed, enum random_stream stream, uint64_t a, uint64_t b);

/* FNV-1a over a string's bytes: a number for a name, or for the first `len` bytes of one; and over
 * further bytes behind what gave `hash`. */
uint64_t random_from_name(const char *name);
uint64_t random_from_bytes(const char *bytes, size_t len);
uint64_t random_from_more(uint64_t hash, const void *bytes, size_t len);

#endif
