/*
 * The uniform quantiser of the codes (docs/file-formats.md, section 3): one range per channel, one
 * byte per symbol. Every function accepts any input: NaN, infinities and all ranges give valid
 * symbols, and valid symbols give finite values if the range is finite.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_CODEC_QUANTISE_H
#define CAE_CODEC_QUANTISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/exact.h"
#include "base/memory.h"

/* The range of each channel's values. The owner of the arrays is not this struct. */
typedef struct cae_ranges {
    float *lo, *hi;
    size_t channels;
} cae_ranges;

/* Both arrays, values unspecified, or none: `lo` says whether they are there. CAE_E_NOMEM. */
int cae_ranges_make(cae_ranges *r, const cae_memory *memory, size_t channels);
void cae_ranges_free(cae_ranges *r, const cae_memory *memory);

/* [0,1] in every channel: for a model without gathered ranges. */
void cae_ranges_reset(const cae_ranges *r);

/* Empty ranges, lo > hi in every channel: for a model with weights from outside. Extending them by
 * other ranges gives these. */
void cae_ranges_clear(const cae_ranges *r);
bool cae_ranges_empty(const cae_ranges *r);

/* From ranges of as many channels. */
void cae_ranges_copy(const cae_ranges *r, const cae_ranges *from);
void cae_ranges_extend(const cae_ranges *r, const cae_ranges *by);

/* The largest symbol of a quality, 1 to 255. Qualities are 1 to 100 here and below. */
unsigned cae_quantise_top(unsigned quality);

/* Values of a channel, whose range is lo to hi, to symbols of one byte each, and back. Symbols that
 * come from a file must be checked first. */
void cae_quantise(void *symbols, const float *values, size_t len, float lo, float hi,
                  unsigned quality);
void cae_dequantise(float *values, const void *symbols, size_t len, float lo, float hi,
                    unsigned quality);

/* CAE_E_FORMAT when a symbol is above the quality's largest, naming the first that is. */
int cae_symbols_check(const void *symbols, size_t len, unsigned quality);

#endif
