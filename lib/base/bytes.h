/*
 * Bounded reading and writing of bytes, little-endian on every machine. A reader never reads past
 * its end and a writer never writes past its end. An attempt sets `failed`, which stays set, so a
 * parser may check once per record. All binary numbers of files go through readers and writers;
 * text in files (JSON, the architecture) is parsed as text, up to a NUL or an end.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_BASE_BYTES_H
#define CAE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/exact.h"

typedef struct cae_reader {
    const uint8_t *data;
    size_t size;
    size_t at;
    bool failed;
} cae_reader;

cae_reader cae_reader_make(const void *data, size_t size);
uint8_t cae_read_u8(cae_reader *r); /* 0 once failed, as all below */
uint32_t cae_read_u32(cae_reader *r);
/* Unsigned LEB128 of at most 10 bytes, in its shortest form only. */
uint64_t cae_read_varint(cae_reader *r);
const uint8_t *cae_read_span(cae_reader *r, size_t size); /* NULL when fewer bytes are left */
size_t cae_reader_left(const cae_reader *r);

/* A writer with data NULL only counts: `at` is the size that would be needed. Beyond `capacity`,
 * `failed` is set and `at` still counts, for the same purpose. */
typedef struct cae_writer {
    uint8_t *data;
    size_t capacity;
    size_t at;
    bool failed;
} cae_writer;

cae_writer cae_writer_make(void *data, size_t capacity);
void cae_write_u8(cae_writer *w, uint8_t value);
void cae_write_u32(cae_writer *w, uint32_t value);
void cae_write_u64(cae_writer *w, uint64_t value);
void cae_write_varint(cae_writer *w, uint64_t value);
void cae_write_span(cae_writer *w, const void *data, size_t size);

/* Little-endian loads and stores of single values at any alignment. */
uint32_t cae_load_u32(const void *p);
uint64_t cae_load_u64(const void *p);
void cae_store_u32(void *p, uint32_t value);
void cae_store_u64(void *p, uint64_t value);

/* Converts `len` elements of `size` bytes, 1, 2, 4 or 8, between the machine's byte order and the
 * file's: the same for both directions. `to` may be `from`; both may have any alignment. */
void cae_reorder(void *to, const void *from, size_t size, size_t len);

#endif
