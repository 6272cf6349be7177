/*
 * Noise levels: see noise.h. Arithmetic is that of doubles and of sqrt, which IEEE 754 makes equal
 * everywhere; pow and log are not.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "noise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

/* Digits, a point, an exponent; no sign, no word such as "inf". */
static const char *read_level(const char *text, double *level)
{
    char *end = NULL;
    if (*text != '.' && (*text < '0' || *text > '9')) {
        return NULL;
    }
    *level = strtod(text, &end);
    return *level >= 0 && *level <= 255 ? end : NULL;
}

bool noise_parse(struct noise *noise, const char *text)
{
    const char *end = read_level(text, &noise->low);
    if (end == NULL || *end == '\0') {
        noise->high = noise->low;
        return end != NULL;
    }
    end = *end == '-' ? read_level(end + 1, &noise->high) : NULL;
    return end != NULL && *end == '\0' && noise->low > 0 && noise->low < noise->high;
}

/* The fewest digits that give the number back. */
static int write_level(double level, char *text, size_t size)
{
    int len = 0;
    for (int digits = 6; digits <= 17; digits++) {
        len = snprintf(text, size, "%.*g", digits, level);
        if (strtod(text, NULL) == level) {
            break;
        }
    }
    return len;
}

const char *noise_text(const struct noise *noise, char text[NOISE_TEXT])
{
    const int len = write_level(noise->low, text, NOISE_TEXT / 2);
    if (noise->high > noise->low) {
        text[len] = '-';
        write_level(noise->high, text + len + 1, NOISE_TEXT / 2 - 1);
    }
    return text;
}

double noise_level(const struct noise *noise, uint64_t seed, uint64_t epoch, uint64_t number)
{
    enum { BITS = 24 };
    const uint64_t bits = random_bits(seed, RANDOM_LEVEL, epoch, number) >> (64 - BITS);
    double level = noise->low, factor = noise->high / noise->low;
    if (noise->high <= noise->low) {
        return noise->low;
    }
    /* low * (high / low)^u for u = 0.bits, from the highest bit down. */
    for (int i = BITS - 1; i >= 0; i--) {
        factor = sqrt(factor);
        if (bits >> i & 1) {
            level *= factor;
        }
    }
    return level;
}

double noise_middle(const struct noise *noise)
{
    return noise->high > noise->low ? sqrt(noise->low * noise->high) : noise->low;
}
