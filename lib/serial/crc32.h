/*
 * The checksum of both file formats: zlib's CRC32, for any number of bytes.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_CRC32_H
#define CAE_SERIAL_CRC32_H

#include <zlib.h>

#include "base/size.h"

/* Continues `crc`, which is 0 at first. */
static inline uint32_t cae_crc32(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size > 0) {
        const size_t part = cae_size_min(size, 1u << 30);
        crc = (uint32_t)crc32(crc, at, (uInt)part);
        at += part;
        size -= part;
    }
    return crc;
}

#endif
