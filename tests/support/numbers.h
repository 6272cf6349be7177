/*
 * Random numbers and hashes of the tests: SplitMix64 (Steele, Lea and Flood 2014), for which any state
 * is good, and FNV-1a. The same on every machine; hashes that are written down in tests depend on
 * both.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TESTS_SUPPORT_NUMBERS_H
#define CAE_TESTS_SUPPORT_NUMBERS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 .. n - 1; 0 for n = 0. */
static inline size_t random_below(uint64_t *state, size_t n)
{
    return n == 0 ? 0 : (size_t)(random_next(state) % n);
}

/* Uniform in [0, 1). */
static inline void random_floats(float *values, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i++) {
        values[i] = (float)(random_next(&seed) >> 40) * 0x1p-24f;
    }
}

static const uint64_t hash_start = UINT64_C(0xcbf29ce484222325);

/* FNV-1a takes bytes; of larger values it makes one step each. */
static inline uint64_t hash_add(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * UINT64_C(0x100000001b3);
}

static inline uint64_t hash_bytes(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t hash = hash_start;
    for (size_t i = 0; i < size; i++) {
        hash = hash_add(hash, bytes[i]);
    }
    return hash;
}

/* By the values' bits, the same on machines of either byte order. */
static inline uint64_t hash_add_floats(uint64_t hash, const float *values, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, sizeof(bits));
        hash = hash_add(hash, bits);
    }
    return hash;
}

#endif
