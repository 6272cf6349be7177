/*
 * Noise levels: see noise.h. Arithmetic is that of doubles and of sqrt, which IEEE 754 makes equal
 * everywhere; pow and log are not.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "noise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "random.h"

const double noise_least = 0.01;

/* Digits, a point, an exponent: strtod alone would also take signs, blanks, "inf", hexadecimal. */
const char *noise_read_level(const char *text, double *level)
{
    char *end = NULL;
    if ((*text != '.' && (*text < '0' || *text > '9')) || (text[1] == 'x' || text[1] == 'X')) {
        return NULL;
    }
    *level = strtod(text, &end);
    return end != text && *level >= 0 && *level <= 255 ? end : NULL;
}

bool noise_is_estimated(const char *text)
{
    return text == NULL || strcmp(text, "auto") == 0;
}

int noise_read_told(const char *command, const char *text, double gain, double *level)
{
    if (noise_is_estimated(text)) {
        return text == NULL || gain <= 0
                   ? DONE
                   : usage_error(command, "--gain needs a --sigma that is a number");
    }
    const char *end = noise_read_level(text, level);
    return end != NULL && *end == '\0'
               ? DONE
               : usage_error(command, "--sigma: \"%s\" is no number from 0 to 255, and not auto",
                             text);
}

static bool read_noise(void *value, const char *text)
{
    struct noise *noise = value;
    const char *end = noise_read_level(text, &noise->low);
    if (end == NULL || *end == '\0') {
        noise->high = noise->low;
        return end != NULL;
    }
    end = *end == '-' ? noise_read_level(end + 1, &noise->high) : NULL;
    return end != NULL && *end == '\0' && noise->low >= noise_least && noise->low < noise->high;
}

const struct option_reading noise_reading = {
    read_noise,
    "a level from 0 to 255 or two of them, LOW-HIGH with 0.01 <= LOW < HIGH",
};

const char *noise_text(const struct noise *noise, char text[NOISE_TEXT])
{
    const int len = number_write(noise->low, text);
    if (noise->high > noise->low) {
        text[len] = '-';
        number_write(noise->high, text + len + 1);
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

size_t noise_levels(const struct noise *noise, double levels[NOISE_LEVELS])
{
    levels[0] = noise->low;
    if (noise->high <= noise->low) {
        return 1;
    }
    const double quarter = sqrt(sqrt(noise->high / noise->low));
    levels[0] *= sqrt(quarter);
    for (size_t i = 1; i < NOISE_LEVELS; i++) {
        levels[i] = levels[i - 1] * quarter;
    }
    return NOISE_LEVELS;
}
