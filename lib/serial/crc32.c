/*
 * CRC32 by zlib; see crc32.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "serial/crc32.h"

#include <zlib.h>

#include "base/size.h"

uint32_t cae_crc32(uint32_t crc, const void *data, size_t size)
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
