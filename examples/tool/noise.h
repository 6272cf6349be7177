/*
 * Noise levels: one, or a range from which every image draws its own.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_NOISE_H
#define CAE_TOOL_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

/* On the 0-255 scale; equal: one level. */
struct noise {
    double low, high;
};

/* Reads a level from 0 to 255; what is behind it, or NULL when it is none. */
const char *noise_read_level(const char *text, double *level);

/* What --sigma tells of noise that is there: NULL and "auto" that it is to be estimated, which
 * leaves *level alone; else a level. "auto" does not go with a gain. DONE or USAGE. */
bool noise_is_estimated(const char *text);
int noise_read_told(const char *command, const char *text, double gain, double *level);

/* The least level of a range, and of a network that takes levels: it divides by them. */
extern const double noise_least;

/* Of an option, into a struct noise: "SIGMA" or "LOW-HIGH", noise_least <= LOW < HIGH; levels are
 * at most 255. */
extern const struct option_reading noise_reading;

/* Writes it so that reading it gives the same numbers; returns `text`. */
enum { NOISE_TEXT = 64 }; /* two of NUMBER_TEXT */
const char *noise_text(const struct noise *noise, char text[NOISE_TEXT]);

/* The level of image `number` in an epoch. Of a range the logarithm is uniform: small levels, where
 * a decibel is a smaller step, come as often as large ones. Equal on every machine. */
double noise_level(const struct noise *noise, uint64_t seed, uint64_t epoch, uint64_t number);

/* The levels that stand for all, and how many: of a range the middles, by the logarithm, of its
 * four quarters. */
enum { NOISE_LEVELS = 4 };
size_t noise_levels(const struct noise *noise, double levels[NOISE_LEVELS]);

#endif
