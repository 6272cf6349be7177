/*
 * Bounded readers and writers (bytes.h), and scans of float arrays.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "base/bytes.h"

#include <string.h>

#include "base/assert.h"

uint32_t cae_load_u32(const void *p)
{
    const uint8_t *b = p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

uint64_t cae_load_u64(const void *p)
{
    return cae_load_u32(p) | (uint64_t)cae_load_u32((const uint8_t *)p + 4) << 32;
}

void cae_store_u32(void *p, uint32_t value)
{
    uint8_t *b = p;
    for (int i = 0; i < 4; i++) {
        b[i] = (uint8_t)(value >> 8 * i);
    }
}

void cae_store_u64(void *p, uint64_t value)
{
    cae_store_u32(p, (uint32_t)value);
    cae_store_u32((uint8_t *)p + 4, (uint32_t)(value >> 32));
}

cae_reader cae_reader_make(const void *data, size_t size)
{
    return (cae_reader){data, size, 0, false};
}

size_t cae_reader_left(const cae_reader *r)
{
    CAE_ASSERT(r->at <= r->size);
    return r->size - r->at;
}

const uint8_t *cae_read_span(cae_reader *r, size_t size)
{
    if (r->failed || size > cae_reader_left(r)) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *span = r->data + r->at;
    r->at += size;
    return span;
}

uint8_t cae_read_u8(cae_reader *r)
{
    const uint8_t *p = cae_read_span(r, 1);
    return p != NULL ? *p : 0;
}

uint32_t cae_read_u32(cae_reader *r)
{
    const uint8_t *p = cae_read_span(r, 4);
    return p != NULL ? cae_load_u32(p) : 0;
}

uint64_t cae_read_varint(cae_reader *r)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && !r->failed; shift += 7) {
        const uint8_t byte = cae_read_u8(r);
        /* The tenth byte holds bit 63 alone; a last byte of 0 would be a longer form than
         * needed. */
        if ((shift == 63 && byte > 1) || (byte == 0 && shift > 0)) {
            break;
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return r->failed ? 0 : value;
        }
    }
    r->failed = true;
    return 0;
}

cae_writer cae_writer_make(void *data, size_t capacity)
{
    return (cae_writer){data, capacity, 0, false};
}

void cae_write_span(cae_writer *w, const void *data, size_t size)
{
    if (w->data != NULL && w->at <= w->capacity && size <= w->capacity - w->at) {
        if (size > 0) {
            memcpy(w->data + w->at, data, size);
        }
    } else {
        w->failed = true;
    }
    w->at = size <= SIZE_MAX - w->at ? w->at + size : SIZE_MAX;
    CAE_ASSERT(w->failed || w->at <= w->capacity);
}

void cae_write_u8(cae_writer *w, uint8_t value)
{
    cae_write_span(w, &value, 1);
}

void cae_write_u32(cae_writer *w, uint32_t value)
{
    uint8_t bytes[4];
    cae_store_u32(bytes, value);
    cae_write_span(w, bytes, sizeof(bytes));
}

void cae_write_u64(cae_writer *w, uint64_t value)
{
    uint8_t bytes[8];
    cae_store_u64(bytes, value);
    cae_write_span(w, bytes, sizeof(bytes));
}

void cae_write_varint(cae_writer *w, uint64_t value)
{
    while (value >= 0x80) {
        cae_write_u8(w, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    cae_write_u8(w, (uint8_t)value);
}

/* A loop for each size, so that where nothing changes compilers make copies of them. */
void cae_reorder(void *to, const void *from, size_t size, size_t len)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if (size == 8) {
        for (size_t i = 0; i < len; i++) {
            const uint64_t bits = cae_load_u64(in + 8 * i);
            memcpy(out + 8 * i, &bits, 8);
        }
    } else if (size == 4) {
        for (size_t i = 0; i < len; i++) {
            const uint32_t bits = cae_load_u32(in + 4 * i);
            memcpy(out + 4 * i, &bits, 4);
        }
    } else if (size == 2) {
        for (size_t i = 0; i < len; i++) {
            const uint16_t bits = (uint16_t)(in[2 * i] | in[2 * i + 1] << 8);
            memcpy(out + 2 * i, &bits, 2);
        }
    } else {
        CAE_ASSERT(size == 1);
        memmove(out, in, len);
    }
}
