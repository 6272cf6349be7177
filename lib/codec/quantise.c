/*
 * The quantiser. The format defines every operation, in float32 and in this order: the same file
 * must give the same values everywhere.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "codec/quantise.h"

#include <float.h>
#include <string.h>

#include "base/status.h"

/* Steps across the range, times 256: round(256 * 255^((q - 1) / 99)) for q = 1 to 100. The table is
 * the definition, since powers differ in the last bit between computers. It ascends strictly. */
static const uint32_t steps_256[100] = {
    256,   271,   286,   303,   320,   339,   358,   379,   401,   424,   448,   474,   501,
    530,   560,   593,   627,   663,   701,   741,   784,   829,   877,   928,   981,   1037,
    1097,  1160,  1227,  1298,  1372,  1451,  1535,  1623,  1717,  1816,  1920,  2031,  2148,
    2271,  2402,  2540,  2687,  2841,  3005,  3178,  3361,  3554,  3759,  3975,  4204,  4446,
    4702,  4973,  5259,  5562,  5882,  6220,  6579,  6957,  7358,  7781,  8229,  8703,  9204,
    9734,  10294, 10887, 11514, 12177, 12878, 13619, 14403, 15232, 16109, 17036, 18017, 19054,
    20151, 21311, 22538, 23836, 25208, 26659, 28194, 29817, 31533, 33349, 35268, 37299, 39446,
    41717, 44119, 46658, 49344, 52185, 55189, 58366, 61727, 65280,
};

static uint32_t steps_of(unsigned quality)
{
    return steps_256[quality < 1 ? 0 : quality > 100 ? 99 : quality - 1];
}

unsigned cae_quantise_top(unsigned quality)
{
    return (steps_of(quality) + 128) >> 8;
}

/* The step of a channel, 0 for a flat one. The bounds keep every intermediate result normal and
 * finite: lo + top * step <= 2^120 + 1.5 * 2^121, and step >= 2^-100 / 255. */
static float step_of(float lo, float hi, unsigned quality)
{
    static const float largest = 0x1p120f, smallest = 0x1p-100f;
    const bool usable = lo >= -largest && hi <= largest && lo < hi && hi - lo >= smallest;
    return usable ? (hi - lo) / ((float)steps_of(quality) / 256.0f) : 0.0f;
}

/* Rounds half up by comparison and truncation: no rounding mode and no library function matters. A
 * NaN is not greater than 0. */
static uint8_t to_symbol(float v, float lo, float step, unsigned top)
{
    const float x = (v - lo) / step + 0.5f;
    if (!(x > 0.0f)) {
        return 0;
    }
    return x >= (float)(top + 1) ? (uint8_t)top : (uint8_t)x;
}

void cae_quantise(void *symbols, const float *values, size_t len, float lo, float hi,
                  unsigned quality)
{
    uint8_t *bytes = symbols;
    const unsigned top = cae_quantise_top(quality);
    const float step = step_of(lo, hi, quality);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = step > 0.0f ? to_symbol(values[i], lo, step, top) : 0;
    }
}

void cae_dequantise(float *values, const void *symbols, size_t len, float lo, float hi,
                    unsigned quality)
{
    const uint8_t *bytes = symbols;
    const float step = step_of(lo, hi, quality);
    for (size_t i = 0; i < len; i++) {
        values[i] = lo + (float)bytes[i] * step;
    }
}

int cae_symbols_check(const void *symbols, size_t len, unsigned quality)
{
    const uint8_t *bytes = symbols;
    const unsigned top = cae_quantise_top(quality);
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] > top) {
            return cae_fail(CAE_E_FORMAT, "symbol %zu of the payload is above the largest, %u", i,
                            top);
        }
    }
    return CAE_OK;
}

int cae_ranges_make(cae_ranges *r, const cae_memory *memory, size_t channels)
{
    r->channels = channels;
    r->lo = cae_alloc(memory, channels, sizeof(float));
    r->hi = cae_alloc(memory, channels, sizeof(float));
    if (r->lo == NULL || r->hi == NULL) {
        cae_ranges_free(r, memory);
        return CAE_E_NOMEM;
    }
    return CAE_OK;
}

void cae_ranges_free(cae_ranges *r, const cae_memory *memory)
{
    cae_release(memory, r->lo);
    cae_release(memory, r->hi);
    *r = (cae_ranges){0};
}

void cae_ranges_reset(const cae_ranges *r)
{
    for (size_t c = 0; c < r->channels; c++) {
        r->lo[c] = 0.0f;
        r->hi[c] = 1.0f;
    }
}

/* The quantiser treats these as flat channels. Their values overflow in the network, so older
 * readers report an error instead of a meaningless picture. */
void cae_ranges_clear(const cae_ranges *r)
{
    for (size_t c = 0; c < r->channels; c++) {
        r->lo[c] = FLT_MAX;
        r->hi[c] = -FLT_MAX;
    }
}

bool cae_ranges_empty(const cae_ranges *r)
{
    for (size_t c = 0; c < r->channels; c++) {
        if (r->lo[c] <= r->hi[c]) {
            return false;
        }
    }
    return true;
}

void cae_ranges_copy(const cae_ranges *r, const cae_ranges *from)
{
    memcpy(r->lo, from->lo, r->channels * sizeof(float));
    memcpy(r->hi, from->hi, r->channels * sizeof(float));
}

void cae_ranges_extend(const cae_ranges *r, const cae_ranges *by)
{
    if (cae_ranges_empty(r)) { /* by any values: a file may have others than ours */
        cae_ranges_copy(r, by);
        return;
    }
    for (size_t c = 0; c < r->channels; c++) {
        r->lo[c] = by->lo[c] < r->lo[c] ? by->lo[c] : r->lo[c];
        r->hi[c] = by->hi[c] > r->hi[c] ? by->hi[c] : r->hi[c];
    }
}
