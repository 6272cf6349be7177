/*
 * Damage to files; see mutate.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "mutate.h"

#include <stdbool.h>
#include <string.h>
#include <zlib.h>

/* ---- Edits ---- */

static const char *const words[] = {
    "0",
    "1",
    "2",
    "4",
    "64",
    "256",
    "65536",
    "16777217",
    "4294967295",
    "4294967296",
    "9007199254740991",
    "9007199254740992",
    "18446744073709551616",
    "-1",
    "00",
    "1.0",
    "1e3",
    "null",
    "true",
    "{}",
    "[]",
    "[1]",
    "[0,4]",
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    ":",
    " ",
    "\n",
    "\\n",
    "\\u0041",
    "\\ud83d\\ude00",
    "\\ud800",
    "\\u0000",
    "\xc3\xa9",
    "\xed\xa0\x80",
    "F32",
    "F64",
    "I64",
    "F16",
    "BF16",
    "U8",
    "\"dtype\":\"F32\"",
    "\"shape\":[1]",
    "\"shape\":[]",
    "\"data_offsets\":[0,4]",
    "__metadata__",
    "libcae.version",
    "libcae.crc32",
    "libcae.architecture",
    "\"a.note\":\"\\u00e9\",",
    "train.step",
    "codec.max",
    "0.weight",
    ",\"0.weight\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}",
};

/* With infinity and NaN as a float has them, and infinity as a double. */
static const uint64_t numbers[] = {0,
                                   1,
                                   7,
                                   8,
                                   63,
                                   64,
                                   127,
                                   128,
                                   255,
                                   0xffff,
                                   0x100000,
                                   0x100001,
                                   0x7f800000,
                                   0x7fc00000,
                                   0x7fffffff,
                                   0x80000000u,
                                   0xffffffffu,
                                   UINT64_MAX,
                                   UINT64_MAX - 7,
                                   UINT64_C(0x7ff0000000000000)};

enum { WORDS = sizeof(words) / sizeof(words[0]), NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };

/* Replaces `old` bytes at `at` by `new` bytes; does nothing when they do not fit. */
static size_t splice(uint8_t *data, size_t size, size_t capacity, size_t at, size_t old,
                     const void *with, size_t new)
{
    if (at > size || old > size - at || size - old + new > capacity) {
        return size;
    }
    memmove(data + at + new, data + at + old, size - at - old);
    memcpy(data + at, with, new);
    return size - old + new;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* Puts another number in the place of some decimal number. */
static size_t edit_decimal(uint8_t *data, size_t size, size_t capacity, uint64_t *state)
{
    size_t at = random_below(state, size);
    while (at < size && !is_digit(data[at])) {
        at++;
    }
    size_t old = 0;
    while (at + old < size && is_digit(data[at + old])) {
        old++;
    }
    const char *word = words[random_below(state, WORDS)];
    return splice(data, size, capacity, at, old, word, strlen(word));
}

static size_t edit_binary(uint8_t *data, size_t size, uint64_t *state)
{
    const uint64_t value = numbers[random_below(state, NUMBERS)];
    const size_t width = (size_t)1 << random_below(state, 4);
    const size_t at = random_below(state, size);
    for (size_t i = 0; i < width && at + i < size; i++) {
        data[at + i] = (uint8_t)(value >> 8 * i);
    }
    return size;
}

static size_t edit_copy(uint8_t *data, size_t size, size_t capacity, uint64_t *state)
{
    uint8_t span[64];
    size_t len = 1 + random_below(state, sizeof(span));
    const size_t from = random_below(state, size);
    len = len < size - from ? len : size - from;
    memcpy(span, data + from, len);
    const size_t at = random_below(state, size);
    const size_t old = random_below(state, 2) * (len < size - at ? len : size - at);
    return splice(data, size, capacity, at, old, span, len);
}

size_t fuzz_edit(uint8_t *data, size_t size, size_t capacity, uint64_t *state)
{
    const size_t at = random_below(state, size);
    const char *word = words[random_below(state, WORDS)];
    if (size == 0) {
        return splice(data, size, capacity, 0, 0, word, strlen(word));
    }
    switch (random_below(state, 8)) {
    case 0:
    case 1:
        data[at] ^= (uint8_t)(1u << random_below(state, 8));
        return size;
    case 2:
        data[at] = (uint8_t)random_next(state);
        return size;
    case 3:
        return splice(data, size, capacity, at, 1 + random_below(state, 16), "", 0);
    case 4:
        return splice(data, size, capacity, at, 0, word, strlen(word));
    case 5:
        return edit_decimal(data, size, capacity, state);
    case 6:
        return edit_binary(data, size, state);
    default:
        return edit_copy(data, size, capacity, state);
    }
}

/* ---- Repairs ---- */

static uint64_t load(const uint8_t *p, size_t size)
{
    uint64_t value = 0;
    for (size_t i = size; i > 0; i--) {
        value = value << 8 | p[i - 1];
    }
    return value;
}

static void store(uint8_t *p, size_t size, uint64_t value)
{
    for (size_t i = 0; i < size; i++) {
        p[i] = (uint8_t)(value >> 8 * i);
    }
}

void fuzz_repair_model(uint8_t *data, size_t size)
{
    static const char key[] = "\"libcae.crc32\":\"";
    const size_t key_size = sizeof(key) - 1;
    for (size_t at = 8; at + key_size + 8 <= size; at++) {
        if (memcmp(data + at, key, key_size) == 0) {
            uint8_t *digits = data + at + key_size;
            memset(digits, '0', 8);
            uint32_t crc = (uint32_t)crc32(0, data, (uInt)size);
            for (int i = 0; i < 8; i++, crc <<= 4) {
                digits[i] = (uint8_t) "0123456789abcdef"[crc >> 28];
            }
            return;
        }
    }
}

void fuzz_repair_image(uint8_t *data, size_t size)
{
    if (size >= 4) {
        store(data + size - 4, 4, crc32(0, data, (uInt)(size - 4)));
    }
}

/* Where the data begins by the length field, or 0 when that leads out of the file. */
static size_t data_begin(const uint8_t *data, size_t size)
{
    const uint64_t header = size >= 8 ? load(data, 8) : UINT64_MAX;
    return header <= size && header + 8 <= size ? (size_t)header + 8 : 0;
}

/* Edits the header alone, pads it again and sets the length field. */
static size_t mutate_header(uint8_t *data, size_t size, size_t capacity, uint64_t *state)
{
    const size_t begin = data_begin(data, size);
    const size_t behind = size - begin;
    if (begin < 9 || capacity < size + 128) {
        return fuzz_edit(data, size, capacity, state);
    }
    uint8_t header[8192];
    size_t header_size = begin - 8;
    while (header_size > 0 && data[8 + header_size - 1] == ' ') {
        header_size--;
    }
    if (header_size > sizeof(header) - 1024) {
        return fuzz_edit(data, size, capacity, state);
    }
    memcpy(header, data + 8, header_size);
    header_size = fuzz_edit(header, header_size, sizeof(header) - 64, state);
    while ((8 + header_size) % 64 != 0) {
        header[header_size++] = ' ';
    }
    if (8 + header_size + behind > capacity) {
        return size;
    }
    memmove(data + 8 + header_size, data + begin, behind);
    memcpy(data + 8, header, header_size);
    store(data, 8, header_size);
    return 8 + header_size + behind;
}

size_t fuzz_mutate_model(uint8_t *data, size_t size, size_t capacity, uint64_t *state)
{
    for (size_t edits = 1 + random_below(state, 3); edits > 0; edits--) {
        const size_t begin = data_begin(data, size);
        const size_t place = random_below(state, 8);
        if (place == 0) {
            size = fuzz_edit(data, size, capacity, state);
        } else if (place == 1 && begin > 0 && begin < size) {
            size = begin + fuzz_edit(data + begin, size - begin, capacity - begin, state);
        } else {
            size = mutate_header(data, size, capacity, state);
        }
    }
    fuzz_repair_model(data, size);
    return size;
}

size_t fuzz_mutate_image(uint8_t *data, size_t size, size_t capacity, uint64_t *state)
{
    /* The file is short, so that the header gets its share; the CRC at the end is made anew. */
    size_t body = size > 4 ? size - 4 : 0;
    for (size_t edits = 1 + random_below(state, 3); edits > 0; edits--) {
        body = fuzz_edit(data, body, capacity - 4, state);
    }
    fuzz_repair_image(data, body + 4);
    return body + 4;
}
