/*
 * Counter-based random numbers: see random.h. Integer arithmetic only, equal on every machine.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "random.h"

#include <string.h>

/* The finaliser of SplitMix64 (Steele, Lea and Flood 2014): a bijection of 64 bits in which each
 * input bit changes about half of the output's. */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t random_bits(uint64_t seed, enum random_stream stream, uint64_t a, uint64_t b)
{
    return mix(mix(mix(mix(seed) ^ (uint64_t)stream) ^ a) ^ b);
}

double random_unit(uint64_t seed, enum random_stream stream, uint64_t a, uint64_t b)
{
    return (double)(random_bits(seed, stream, a, b) >> 11) * 0x1p-53;
}

uint64_t random_from_more(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ byte[i]) * 0x100000001b3u;
    }
    return hash;
}

uint64_t random_from_bytes(const char *bytes, size_t len)
{
    return random_from_more(0xcbf29ce484222325u, bytes, len);
}

uint64_t random_from_name(const char *name)
{
    return random_from_bytes(name, strlen(name));
}
