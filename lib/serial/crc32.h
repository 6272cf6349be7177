/*
 * The checksum of both file formats: zlib's CRC32, for more bytes than an unsigned int counts.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_CRC32_H
#define CAE_SERIAL_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Goes on with `crc`; the first call passes 0. */
uint32_t cae_crc32(uint32_t crc, const void *data, size_t size);

#endif
