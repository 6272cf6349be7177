/*
 * Series that converge fast on a short interval, and the exponent's part by itself.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "base/math.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* x = n log 2 + r with |r| <= log(2)/2, then the series of exp(r), whose next term is below 5e-18,
 * and 2^n by the exponent's bits. */
double cae_exp(double x)
{
    static const double c[] = {1,
                               1,
                               1.0 / 2,
                               1.0 / 6,
                               1.0 / 24,
                               1.0 / 120,
                               1.0 / 720,
                               1.0 / 5040,
                               1.0 / 40320,
                               1.0 / 362880,
                               1.0 / 3628800,
                               1.0 / 39916800,
                               1.0 / 479001600,
                               1.0 / 6227020800.0};
    /* Adding 1.5 * 2^52 rounds to a whole number. log 2 is taken off in two parts, the first of few
     * bits, so that n times it is exact. */
    const double magic = 6755399441055744.0;
    const double n = (x * 1.44269504088896340736 + magic) - magic;
    const double r = (x - n * 0.693145751953125) - n * 1.42860682030941723212e-6;
    double sum = 0;
    for (size_t i = sizeof(c) / sizeof(c[0]); i-- > 0;) {
        sum = sum * r + c[i];
    }
    const uint64_t bits = (uint64_t)((int64_t)n + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof(scale));
    return sum * scale;
}

/* x = 2^e m with m near 1, then the series of 2 artanh((m - 1)/(m + 1)). */
double cae_log(double x)
{
    int e = 0;
    for (; x < 0.70710678118654752; e--) {
        x *= 2;
    }
    const double s = (x - 1) / (x + 1);
    const double z = s * s;
    double sum = 0;
    /* |s| <= 0.1716, so that the term behind z^11/23 is below 2e-19. */
    for (int k = 23; k >= 1; k -= 2) {
        sum = sum * z + 1.0 / k;
    }
    return 2 * s * sum + e * 0.69314718055994530942;
}
