/*
 * The coders of compressed images, a table by the id that files name them with. A coder turns the
 * values of a code into symbols, the symbols into a payload, and back. The coder decides how many
 * levels a symbol has: callers store symbols of `symbol_size` bytes each and do not interpret them.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_CODEC_CODER_H
#define CAE_CODEC_CODER_H

#include <stdbool.h>

#include "base/memory.h"
#include "codec/quantise.h"

typedef struct cae_coder {
    unsigned id;
    size_t symbol_size; /* bytes */

    /* Values of one channel, whose range is lo to hi, to symbols and back, for qualities of 1 to
     * 100. */
    void (*quantise)(void *symbols, const float *values, size_t len, float lo, float hi,
                     unsigned quality);
    void (*dequantise)(float *values, const void *symbols, size_t len, float lo, float hi,
                       unsigned quality);

    /* CAE_E_FORMAT when a symbol is invalid for this quality; called with the symbols of decode. */
    int (*check)(const void *symbols, size_t len, unsigned quality);

    /* The most bytes that `len` symbols take; SIZE_MAX when that is more than a size_t holds. */
    size_t (*bound)(size_t len);

    /* False when `size` bytes cannot hold any `len` symbols; called before memory is allocated for
     * untrusted input. */
    bool (*could_hold)(size_t size, size_t len);

    /* The most memory that encode and decode allocate. */
    size_t encode_memory, decode_memory;

    /* Into at least bound(len) bytes at `data`; *size receives the bytes used. Equal symbols give
     * equal bytes. The only error is CAE_E_NOMEM. */
    int (*encode)(const cae_memory *memory, const void *symbols, size_t len, uint8_t *data,
                  size_t *size);

    /* Exactly `len` symbols from exactly `size` bytes; anything else is CAE_E_FORMAT. */
    int (*decode)(const cae_memory *memory, const uint8_t *data, size_t size, void *symbols,
                  size_t len);
} cae_coder;

enum { CAE_CODER = 0 /* the id of the coder that new images are written with */ };

/* NULL when there is none. */
const cae_coder *cae_coder_find(unsigned id);

#endif
