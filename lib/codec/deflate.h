/*
 * Symbols of one byte as one raw deflate stream (RFC 1951) by zlib. The functions keep what coder.h
 * says of a coder's; equal symbols give equal bytes with equal versions of zlib.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_CODEC_DEFLATE_H
#define CAE_CODEC_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

/* zlib's state, with room for that of other zlibs. */
enum { CAE_DEFLATE_MEMORY = 512 << 10, CAE_INFLATE_MEMORY = 64 << 10 };

/* Does not depend on zlib's version. */
size_t cae_deflate_bound(size_t len);

int cae_deflate(const cae_memory *memory, const void *symbols, size_t len, uint8_t *data,
                size_t *size);

bool cae_deflate_could_hold(size_t size, size_t len);

int cae_inflate(const cae_memory *memory, const uint8_t *data, size_t size, void *symbols,
                size_t len);

#endif
