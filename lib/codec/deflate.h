/*
 * Coder 0 of compressed images: the symbols as one raw deflate stream (RFC 1951) by zlib.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_CODEC_DEFLATE_H
#define CAE_CODEC_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

/* What packing and unpacking take beside their arguments: zlib's state, with room for
 * that of other zlibs. */
enum { CAE_DEFLATE_MEMORY = 512 << 10, CAE_INFLATE_MEMORY = 64 << 10 };

/* The most bytes that `len` symbols take; SIZE_MAX when that is more than a size_t holds. Does not
 * depend on zlib's version. */
size_t cae_deflate_bound(size_t len);

/* Packs `len` symbols into at least cae_deflate_bound(len) bytes at `data`; *size receives how many
 * it took. Equal symbols and zlib versions give equal bytes. CAE_E_NOMEM alone can happen. */
int cae_deflate(const cae_memory *memory, const uint8_t *symbols, size_t len, uint8_t *data,
                size_t *size);

/* False when `size` bytes cannot hold `len` symbols, whatever they are. Ask before memory is
 * allocated for untrusted input. */
bool cae_deflate_could_hold(size_t size, size_t len);

/* Unpacks exactly `len` symbols from exactly `size` bytes; anything else is CAE_E_FORMAT. */
int cae_inflate(const cae_memory *memory, const uint8_t *data, size_t size, uint8_t *symbols,
                size_t len);

#endif
