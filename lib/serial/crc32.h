/*
 * The checksum of both file formats: zlib's CRC32, for any number of bytes.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_CRC32_H
#define CAE_SERIAL_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc`, which is 0 at first. */
uint32_t cae_crc32(uint32_t crc, const void *data, size_t size);

#endif
