/*
 * SHA-256 (FIPS 180-4), for the id of a model.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_SHA256_H
#define CAE_SERIAL_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct cae_sha256 {
    uint32_t state[8];
    uint64_t size;     /* bytes so far */
    uint8_t block[64]; /* holds size % 64 of them */
} cae_sha256;

void cae_sha256_start(cae_sha256 *s);
void cae_sha256_add(cae_sha256 *s, const void *data, size_t size);
void cae_sha256_finish(cae_sha256 *s, uint8_t digest[32]);

#endif
