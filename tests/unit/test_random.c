/*
 * Random numbers: the published vectors of Philox4x32-10, through a second writing of it in this
 * file; the normal distribution against the error function; and numbers frozen for ever.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "unit.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/random.h"
#include "numbers.h"

typedef struct block {
    uint32_t word[4];
} block;

/* Philox4x32-10 from the paper's definition, with the key schedule written out of line. */
static block philox(block counter, uint32_t key0, uint32_t key1)
{
    for (uint32_t round = 0; round < 10; round++) {
        const uint32_t k0 = key0 + round * 0x9E3779B9u;
        const uint32_t k1 = key1 + round * 0xBB67AE85u;
        const uint64_t a = UINT64_C(0xD2511F53) * counter.word[0];
        const uint64_t b = UINT64_C(0xCD9E8D57) * counter.word[2];
        counter = (block){{(uint32_t)(b >> 32) ^ counter.word[1] ^ k0, (uint32_t)b,
                           (uint32_t)(a >> 32) ^ counter.word[3] ^ k1, (uint32_t)a}};
    }
    return counter;
}

static void expect_block(block got, block expected)
{
    ck_assert_int_eq(memcmp(&got, &expected, sizeof(got)), 0);
}

/* Random123's file of known answers, kat_vectors, philox4x32 with 10 rounds. */
START_TEST(the_second_writing_gives_the_published_vectors)
{
    expect_block(philox((block){{0, 0, 0, 0}}, 0, 0),
                 (block){{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
    expect_block(philox((block){{~0u, ~0u, ~0u, ~0u}}, ~0u, ~0u),
                 (block){{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
    expect_block(
        philox((block){{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0),
        (block){{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});
}
END_TEST

START_TEST(bits_are_philox_on_index_stream_and_seed)
{
    ck_assert_uint_eq(cae_random_bits(0, 0, 0), 0x6627e8d5);
    ck_assert_uint_eq(cae_random_bits(0, 0, 3), 0x9b00dbd8);
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 10000; i++) {
        uint64_t n[3];
        for (int k = 0; k < 3; k++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            n[k] = x >> (x % 60);
        }
        const uint64_t at = n[2] / 4;
        const block b = philox(
            (block){{(uint32_t)at, (uint32_t)(at >> 32), (uint32_t)n[1], (uint32_t)(n[1] >> 32)}},
            (uint32_t)n[0], (uint32_t)(n[0] >> 32));
        ck_assert_uint_eq(cae_random_bits(n[0], n[1], n[2]), b.word[n[2] % 4]);
    }
}
END_TEST

START_TEST(uniform_numbers_are_the_upper_24_bits)
{
    for (uint64_t i = 0; i < 100000; i++) {
        const float u = cae_random_uniform(3, 5, i);
        ck_assert(u >= 0.0f && u < 1.0f);
        ck_assert((uint32_t)(u * 0x1p24f) == cae_random_bits(3, 5, i) >> 8);
    }
}
END_TEST

START_TEST(normal_numbers_are_the_quantiles_of_the_bits)
{
    for (uint64_t i = 0; i < 1000000; i++) {
        const double p = ((double)cae_random_bits(11, 1, i) + 0.5) / 4294967296.0;
        const double x = cae_random_normal(11, 1, i);
        /* The smaller tail, where nothing cancels; AS 241's PPND7 promises 1e-7 in x. */
        const double tail = 0.5 * erfc(fabs(x) / sqrt(2));
        const double exact = p < 0.5 ? p : 1 - p;
        ck_assert_msg(fabs(tail - exact) <= 4e-6 * exact && (x < 0) == (p < 0.5),
                      "p %.17g gave %.17g", p, x);
    }
}
END_TEST

START_TEST(normal_numbers_have_the_moments)
{
    enum { LEN = 1000000 };
    double sum[5] = {0};
    double neighbour = 0;
    for (uint64_t i = 0; i < LEN; i++) {
        const double x = cae_random_normal(1, CAE_STREAM_NOISE, i);
        double power = 1;
        for (int k = 0; k < 5; k++, power *= x) {
            sum[k] += power;
        }
        neighbour += x * cae_random_normal(1, CAE_STREAM_NOISE, i + 1);
    }
    /* Five standard errors each: var(x^k) = 1, 2, 15, 96. */
    const double error = 5 / sqrt(LEN);
    ck_assert_double_le(fabs(sum[1] / LEN), error);
    ck_assert_double_le(fabs(sum[2] / LEN - 1), error * sqrt(2));
    ck_assert_double_le(fabs(sum[3] / LEN), error * sqrt(15));
    ck_assert_double_le(fabs(sum[4] / LEN - 3), error * sqrt(96));
    ck_assert_double_le(fabs(neighbour / LEN), error);
}
END_TEST

START_TEST(seeds_and_streams_are_unrelated)
{
    enum { LEN = 100000 };
    static const uint64_t pairs[][2] = {{2, 1}, {1, 2}, {1, 1u << 31}, {UINT64_C(1) << 32 | 1, 1}};
    for (size_t k = 0; k < sizeof(pairs) / sizeof(pairs[0]); k++) {
        double sum = 0;
        for (uint64_t i = 0; i < LEN; i++) {
            sum += cae_random_normal(1, 1, i) * cae_random_normal(pairs[k][0], pairs[k][1], i);
        }
        ck_assert_double_le(fabs(sum / LEN), 5 / sqrt(LEN));
    }
}
END_TEST

/* The same numbers on every machine and in every release: a change here breaks resumed training. */
START_TEST(numbers_are_frozen)
{
    uint64_t hash = hash_start;
    for (uint64_t i = 0; i < 10000; i++) {
        const double x = cae_random_normal(42, CAE_STREAM_NOISE, i);
        uint64_t bits;
        memcpy(&bits, &x, sizeof(bits));
        hash = hash_add(hash, bits);
    }
    ck_assert_msg(hash == UINT64_C(0x6ab5ee96f05e75e7), "0x%016llx", (unsigned long long)hash);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_second_writing_gives_the_published_vectors,
        bits_are_philox_on_index_stream_and_seed,
        uniform_numbers_are_the_upper_24_bits,
        normal_numbers_are_the_quantiles_of_the_bits,
        normal_numbers_have_the_moments,
        seeds_and_streams_are_unrelated,
        numbers_are_frozen,
        NULL,
    };
    return unit_run("random", tests);
}
