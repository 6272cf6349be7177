/*
 * Philox4x32-10 and the inverse normal distribution. All arithmetic is integer or exact IEEE double
 * (add, multiply, divide, square root): the numbers are the same on every machine.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "base/random.h"

#include <math.h>
#include <string.h>

#include "base/math.h"

/* Ten rounds of Philox on the counter (index, stream) under the key `seed`; constants from the
 * paper, table 2 and section 4. */
static void philox(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4])
{
    uint32_t c[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream,
                     (uint32_t)(stream >> 32)};
    uint32_t k0 = (uint32_t)seed;
    uint32_t k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c[0];
        const uint64_t p1 = (uint64_t)0xCD9E8D57u * c[2];
        const uint32_t c1 = c[1];
        const uint32_t c3 = c[3];
        c[0] = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c[1] = (uint32_t)p1;
        c[2] = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c[3] = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    memcpy(out, c, sizeof(c));
}

uint32_t cae_random_bits(uint64_t seed, uint64_t stream, uint64_t index)
{
    /* Four numbers share one block. */
    uint32_t block[4];
    philox(seed, stream, index / 4, block);
    return block[index % 4];
}

float cae_random_uniform(uint64_t seed, uint64_t stream, uint64_t index)
{
    return (float)(cae_random_bits(seed, stream, index) >> 8) * (1.0f / 16777216.0f);
}

static double polynomial(const double *c, int degree, double x)
{
    double sum = c[degree];
    for (int i = degree - 1; i >= 0; i--) {
        sum = sum * x + c[i];
    }
    return sum;
}

/* Inverse of the standard normal distribution function: algorithm AS 241, PPND7 (Wichura 1988,
 * Applied Statistics 37), accurate to about 1 part in 10^7. Its third branch, for p below exp(-25),
 * is left out: p is at least 2^-33 here, where sqrt(-log p) = 4.78. */
static double inverse_normal(double p)
{
    static const double a[] = {3.3871327179, 50.434271938, 159.29113202, 59.109374720};
    static const double b[] = {1, 17.895169469, 78.757757664, 67.187563600};
    static const double c[] = {1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103};
    static const double d[] = {1, 0.73700164250, 0.12021132975};
    const double q = p - 0.5;
    if (q >= -0.425 && q <= 0.425) {
        const double r = 0.180625 - q * q;
        return q * polynomial(a, 3, r) / polynomial(b, 3, r);
    }
    const double r = sqrt(-cae_log(q < 0 ? p : 1 - p));
    const double x = polynomial(c, 3, r - 1.6) / polynomial(d, 2, r - 1.6);
    return q < 0 ? -x : x;
}

double cae_random_normal(uint64_t seed, uint64_t stream, uint64_t index)
{
    /* The middles of 2^32 equal cells: never 0 or 1, symmetric. */
    const double p = ((double)cae_random_bits(seed, stream, index) + 0.5) * (1.0 / 4294967296.0);
    return inverse_normal(p);
}

void cae_random_add_normal(float *values, size_t len, float scale, uint64_t seed, uint64_t stream)
{
    for (size_t i = 0; i < len; i++) {
        values[i] += scale * (float)cae_random_normal(seed, stream, i);
    }
}
