/*
 * Raw deflate by zlib. Symbols are packed by each of zlib's strategies for short noisy data, and
 * the smallest stream is used. On simulated sparse codes each of the three is the best for some
 * density (many zeros: run lengths; few: Huffman codes alone; large images: short matches
 * discouraged), and the default strategy for none. If all of them expand the symbols, these are
 * stored.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "codec/deflate.h"

#include <string.h>
#include <zlib.h>

#include "base/size.h"
#include "base/status.h"

enum {
    WINDOW_BITS = -15,     /* negative: raw */
    MEMORY_LEVEL = 9,      /* blocks of 32768 symbols, so that few tables are sent */
    PATIENT_LEN = 1 << 18, /* beyond, zlib's longest search takes seconds to gain a few per cent */
    STORED_BLOCK = 65535,  /* RFC 1951, 3.2.4 */
    STORED_HEADER = 5,
    /* A length code and a distance code of one bit each give 258 bytes: 1032 per byte. */
    MOST_PER_BYTE = 1032
};

static const int strategies[] = {Z_RLE, Z_FILTERED, Z_HUFFMAN_ONLY};

enum { STRATEGIES = sizeof(strategies) / sizeof(strategies[0]) };

static voidpf allocate(voidpf user, uInt count, uInt size)
{
    /* Zeroed: zlib reads its window before it writes it. This is harmless, but memory checkers
     * report it. */
    return cae_alloc_zeroed(user, count, size);
}

static void release(voidpf user, voidpf block)
{
    cae_release(user, block);
}

static z_stream make_stream(const cae_memory *memory)
{
    return (z_stream){.zalloc = allocate, .zfree = release, .opaque = (voidpf)(uintptr_t)memory};
}

/* Gives zlib the next part of the rest: its counters are narrower than size_t. */
static void refill(uInt *avail, size_t *left)
{
    if (*avail == 0) {
        *avail = (uInt)cae_size_min(*left, 1u << 30);
        *left -= *avail;
    }
}

static size_t stored_blocks(size_t len)
{
    return cae_size_max(cae_div_up(len, STORED_BLOCK), 1);
}

size_t cae_deflate_bound(size_t len)
{
    return cae_size_add(len, stored_blocks(len) * STORED_HEADER);
}

static void store(const uint8_t *symbols, size_t len, uint8_t *data)
{
    const size_t blocks = stored_blocks(len);
    for (size_t i = 0; i < blocks; i++) {
        const size_t part = cae_size_min(len, STORED_BLOCK);
        const uint8_t header[STORED_HEADER] = {i + 1 == blocks, (uint8_t)part, (uint8_t)(part >> 8),
                                               (uint8_t)~part, (uint8_t)(~part >> 8)};
        memcpy(data, header, sizeof(header));
        if (part > 0) {
            memcpy(data + sizeof(header), symbols, part);
        }
        data += sizeof(header) + part;
        symbols += part;
        len -= part;
    }
}

/* Returns the stream's size, SIZE_MAX when it does not fit the bound. */
static size_t pack(z_stream *z, const uint8_t *symbols, size_t len, uint8_t *data)
{
    const size_t capacity = cae_deflate_bound(len);
    size_t in_left = len, out_left = capacity;
    int result = Z_OK;
    z->next_in = (z_const Bytef *)(uintptr_t)symbols;
    z->next_out = data;
    while (result == Z_OK) {
        refill(&z->avail_in, &in_left);
        refill(&z->avail_out, &out_left);
        if (z->avail_out == 0) {
            break;
        }
        result = deflate(z, in_left == 0 ? Z_FINISH : Z_NO_FLUSH);
    }
    return result == Z_STREAM_END ? capacity - out_left - z->avail_out : SIZE_MAX;
}

static int pack_with(const cae_memory *memory, int strategy, const uint8_t *symbols, size_t len,
                     uint8_t *data, size_t *size)
{
    z_stream z = make_stream(memory);
    const int level = len <= PATIENT_LEN ? Z_BEST_COMPRESSION : 6;
    if (deflateInit2(&z, level, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL, strategy) != Z_OK) {
        return cae_fail(CAE_E_NOMEM, "out of memory in the packer");
    }
    *size = pack(&z, symbols, len, data);
    (void)deflateEnd(&z);
    return CAE_OK;
}

int cae_deflate(const cae_memory *memory, const void *symbols, size_t len, uint8_t *data,
                size_t *size)
{
    size_t best_size = cae_deflate_bound(len);
    int best = -1; /* stored */
    for (int i = 0; i < STRATEGIES; i++) {
        size_t this_size;
        CAE_TRY(pack_with(memory, strategies[i], symbols, len, data, &this_size));
        if (this_size < best_size) {
            best_size = this_size;
            best = i;
        }
    }
    *size = best_size;
    if (best < 0) {
        store(symbols, len, data);
    } else if (best + 1 < STRATEGIES) {
        /* A later attempt has overwritten the best, which is made again: no second buffer is
         * needed. */
        return pack_with(memory, strategies[best], symbols, len, data, size);
    }
    return CAE_OK;
}

bool cae_deflate_could_hold(size_t size, size_t len)
{
    return size > 0 && cae_div_up(len, MOST_PER_BYTE) <= size;
}

static int fail_payload(const char *problem)
{
    return cae_fail(CAE_E_FORMAT, "compressed image: %s", problem);
}

static int unpack(z_stream *z, const uint8_t *data, size_t size, uint8_t *symbols, size_t len)
{
    size_t in_left = size, out_left = len;
    uint8_t beyond; /* receives a symbol too many */
    bool full = false;
    int result = Z_OK;
    z->next_in = (z_const Bytef *)(uintptr_t)data;
    z->next_out = symbols;
    while (result == Z_OK) {
        refill(&z->avail_in, &in_left);
        refill(&z->avail_out, &out_left);
        if (z->avail_out == 0 && full) {
            break;
        }
        if (z->avail_out == 0) {
            full = true;
            z->next_out = &beyond;
            z->avail_out = 1;
        }
        result = inflate(z, Z_NO_FLUSH);
    }
    if (result == Z_MEM_ERROR) {
        return cae_fail(CAE_E_NOMEM, "out of memory in the unpacker");
    }
    if (result != Z_OK && result != Z_STREAM_END) {
        return fail_payload("its payload is no deflate stream");
    }
    if (out_left + z->avail_out != (full ? 1u : 0u)) {
        return fail_payload("its payload does not hold the symbols of its size");
    }
    return in_left + z->avail_in == 0 ? CAE_OK : fail_payload("bytes follow its payload's stream");
}

int cae_inflate(const cae_memory *memory, const uint8_t *data, size_t size, void *symbols,
                size_t len)
{
    z_stream z = make_stream(memory);
    if (inflateInit2(&z, WINDOW_BITS) != Z_OK) {
        return cae_fail(CAE_E_NOMEM, "out of memory in the unpacker");
    }
    const int status = unpack(&z, data, size, symbols, len);
    (void)inflateEnd(&z);
    return status;
}
