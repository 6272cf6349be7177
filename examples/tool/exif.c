/*
 * EXIF's orientation: see exif.h. One directory is searched once, from its first entry to its last
 * or the data's end: nothing is followed but its place, so nothing can go round in circles.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "exif.h"

#include <stdbool.h>
#include <string.h>

enum { UPRIGHT = 1, LAST = 8 };
enum { TAG_ORIENTATION = 0x0112, TYPE_BYTE = 1, TYPE_SHORT = 3, TYPE_LONG = 4, ENTRY_SIZE = 12 };

struct tiff {
    const uint8_t *data;
    size_t size;
    bool big; /* the higher byte first */
};

/* The whole number in `len` bytes, which must be there. */
static uint32_t number(const struct tiff *tiff, size_t at, size_t len)
{
    uint32_t value = 0;
    for (size_t i = 0; i < len; i++) {
        value = value << 8 | tiff->data[at + (tiff->big ? i : len - 1 - i)];
    }
    return value;
}

/* The value of one entry: one number, which stands in the entry itself. */
static unsigned orientation_at(const struct tiff *tiff, size_t entry)
{
    const uint32_t type = number(tiff, entry + 2, 2), count = number(tiff, entry + 4, 4);
    const size_t len = type == TYPE_BYTE ? 1 : type == TYPE_SHORT ? 2 : type == TYPE_LONG ? 4 : 0;
    const uint32_t value = len == 0 || count != 1 ? 0 : number(tiff, entry + 8, len);
    return value >= UPRIGHT && value <= LAST ? value : UPRIGHT;
}

unsigned exif_orientation(const uint8_t *data, size_t size)
{
    if (size >= 6 && memcmp(data, "Exif", 5) == 0) {
        data += 6;
        size -= 6;
    }
    if (size < 8 || (memcmp(data, "II*\0", 4) != 0 && memcmp(data, "MM\0*", 4) != 0)) {
        return UPRIGHT;
    }
    const struct tiff tiff = {data, size, data[0] == 'M'};
    const size_t directory = number(&tiff, 4, 4);
    if (directory > size - 2) {
        return UPRIGHT;
    }
    const size_t count = number(&tiff, directory, 2);
    for (size_t i = 0; i < count; i++) {
        const size_t entry = directory + 2 + i * ENTRY_SIZE;
        if (entry > size || size - entry < ENTRY_SIZE) {
            break;
        }
        if (number(&tiff, entry, 2) == TAG_ORIENTATION) {
            return orientation_at(&tiff, entry);
        }
    }
    return UPRIGHT;
}

unsigned exif_orientation_of_jpeg(const uint8_t *data, size_t size)
{
    size_t at = 2; /* behind the start of the image */
    while (at < size) {
        /* As libjpeg does, over whatever stands before a marker. */
        const uint8_t *start = memchr(data + at, 0xff, size - at);
        at = start == NULL ? size : (size_t)(start - data);
        while (at < size && data[at] == 0xff) {
            at++;
        }
        if (size - at < 3) {
            break;
        }
        const unsigned marker = data[at++];
        if (marker == 0xda || marker == 0xd9) { /* scans, or the end */
            break;
        }
        if (marker <= 0x01 || (marker >= 0xd0 && marker <= 0xd8)) { /* those have no length */
            continue;
        }
        const size_t len = (size_t)data[at] << 8 | data[at + 1];
        if (len < 2 || len > size - at) {
            break;
        }
        if (marker == 0xe1 && len >= 8 && memcmp(data + at + 2, "Exif", 5) == 0) {
            return exif_orientation(data + at + 2, len - 2);
        }
        at += len;
    }
    return UPRIGHT;
}
