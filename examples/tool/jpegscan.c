/*
 * Walking over the blocks of a sequential JPEG scan without making pixels of them: see jpegscan.h.
 * Names are those of the standard, ITU-T T.81.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "jpegscan.h"

#include <stdlib.h>
#include <string.h>

enum {
    SOF0 = 0xc0,
    SOF1 = 0xc1,
    DHT = 0xc4,
    RST0 = 0xd0,
    RST7 = 0xd7,
    EOI = 0xd9,
    SOS = 0xda,
    DRI = 0xdd
};
enum { DC, AC };

/* ---- Bits and codes -------------------------------------------------------------------------- */

/* Entropy-coded bytes; 0 behind 0xff is no data. */
struct bits {
    const uint8_t *at, *end;
    unsigned byte;
    int left; /* of `byte` */
};

/* The next bit; -1 behind the last. */
static int next_bit(struct bits *b)
{
    if (b->left == 0) {
        if (b->at == b->end) {
            return -1;
        }
        b->byte = *b->at++;
        b->left = 8;
        if (b->byte == 0xff && b->at < b->end && *b->at == 0) {
            b->at++;
        }
    }
    b->left--;
    return b->byte >> b->left & 1;
}

static bool skip_bits(struct bits *b, unsigned count)
{
    while (count > 0 && next_bit(b) >= 0) {
        count--;
    }
    return count == 0;
}

/* Whether the rest of the byte is what fills up the last byte of a scan: ones. */
static bool is_filled_up(const struct bits *b)
{
    const unsigned ones = (1u << b->left) - 1;
    return (b->byte & ones) == ones;
}

struct codes {
    unsigned counts[17]; /* of each length */
    uint8_t values[256];
    bool known;
};

/* The value of the next code; -1 if there is none, or it is no code. */
static int next_value(const struct codes *codes, struct bits *b)
{
    unsigned code = 0, first = 0, index = 0;
    for (int len = 1; len <= 16; len++) {
        const int bit = next_bit(b);
        if (bit < 0) {
            return -1;
        }
        code = code << 1 | (unsigned)bit;
        first <<= 1;
        if (code >= first && code - first < codes->counts[len]) {
            return codes->values[index + code - first];
        }
        index += codes->counts[len];
        first += codes->counts[len];
    }
    return -1;
}

static bool skip_block(const struct codes *dc, const struct codes *ac, struct bits *b)
{
    const int size = next_value(dc, b);
    if (size < 0 || !skip_bits(b, (unsigned)size)) {
        return false;
    }
    for (int k = 1; k < 64; k++) {
        const int value = next_value(ac, b);
        if (value < 0 || !skip_bits(b, value & 15)) {
            return false;
        }
        if (value == 0) { /* the rest are zeros */
            break;
        }
        k += value >> 4;
    }
    return true;
}

/* ---- Header ---------------------------------------------------------------------------------- */

struct scan {
    struct codes codes[2][4];
    size_t height, width;
    size_t interval; /* units from one restart to the next; 0: there are none */
    unsigned components;
    struct {
        uint8_t name, across, down; /* how many blocks in a unit */
    } frame[4];
    unsigned blocks_len; /* of a unit */
    struct {
        uint8_t dc, ac;
    } blocks[64];
};

static bool read_codes(struct scan *scan, const uint8_t *at, size_t len)
{
    while (len >= 17) {
        unsigned total = 0;
        if (at[0] >> 4 > AC || (at[0] & 15) > 3) {
            return false;
        }
        struct codes *codes = &scan->codes[at[0] >> 4][at[0] & 15];
        for (int i = 1; i <= 16; i++) {
            codes->counts[i] = at[i];
            total += at[i];
        }
        if (total > 256 || total > len - 17) {
            return false;
        }
        memcpy(codes->values, at + 17, total);
        codes->known = true;
        at += 17 + total;
        len -= 17 + total;
    }
    return len == 0;
}

static bool read_frame(struct scan *scan, const uint8_t *at, size_t len)
{
    scan->components = len < 6 ? 0 : at[5];
    if (scan->components < 1 || scan->components > 4 || len < 6 + 3 * (size_t)scan->components) {
        return false;
    }
    scan->height = (size_t)at[1] << 8 | at[2];
    scan->width = (size_t)at[3] << 8 | at[4];
    for (unsigned i = 0; i < scan->components; i++) {
        const uint8_t *component = at + 6 + 3 * i;
        scan->frame[i].name = component[0];
        scan->frame[i].across = component[1] >> 4;
        scan->frame[i].down = component[1] & 15;
    }
    return true;
}

/* Which codes each block of a unit has; only for a scan of all components. */
static bool read_scan(struct scan *scan, const uint8_t *at, size_t len)
{
    if (scan->components == 0 || len < 1 || at[0] != scan->components || len < 1 + 2u * at[0]) {
        return false;
    }
    for (unsigned i = 0; i < scan->components; i++) {
        const uint8_t *component = at + 1 + 2 * i;
        const unsigned dc = component[1] >> 4, ac = component[1] & 15;
        const unsigned blocks =
            scan->components == 1 ? 1u : (unsigned)scan->frame[i].across * scan->frame[i].down;
        if (component[0] != scan->frame[i].name || scan->blocks_len + blocks > 64 || dc > 3 ||
            ac > 3 || !scan->codes[DC][dc].known || !scan->codes[AC][ac].known) {
            return false;
        }
        for (unsigned n = 0; n < blocks; n++) {
            scan->blocks[scan->blocks_len].dc = (uint8_t)dc;
            scan->blocks[scan->blocks_len++].ac = (uint8_t)ac;
        }
    }
    return scan->blocks_len > 0;
}

/* Reads up to the scan's header; where its data start, or 0 if the scan is not of a kind that can
 * be walked over. */
static size_t find_scan(struct scan *scan, const uint8_t *data, size_t end)
{
    size_t at = 2;
    while (at < end) {
        const uint8_t *mark = memchr(data + at, 0xff, end - at);
        at = mark == NULL ? end : (size_t)(mark - data);
        while (at < end && data[at] == 0xff) {
            at++;
        }
        if (end - at < 3) {
            return 0;
        }
        const unsigned marker = data[at++];
        if (marker <= 0x01 || (marker >= RST0 && marker <= EOI)) {
            continue;
        }
        const size_t len = (size_t)data[at] << 8 | data[at + 1];
        if (len < 2 || len > end - at) {
            return 0;
        }
        const uint8_t *body = data + at + 2;
        const bool frame =
            marker >= SOF0 && marker <= 0xcf && marker != DHT && marker != 0xc8 && marker != 0xcc;
        at += len;
        if (marker == SOS) {
            return read_scan(scan, body, len - 2) ? at : 0;
        }
        if (marker == DRI && len == 4) {
            scan->interval = (size_t)body[0] << 8 | body[1];
        }
        if ((frame && (marker > SOF1 || !read_frame(scan, body, len - 2))) ||
            (marker == DHT && !read_codes(scan, body, len - 2))) {
            return 0;
        }
    }
    return 0;
}

/* ---- The question ---------------------------------------------------------------------------- */

static bool is_even(const uint8_t *data, size_t len)
{
    for (size_t i = 1; i < len; i++) {
        if (data[i] != data[0]) {
            return false;
        }
    }
    return true;
}

/* Moves `start` behind the last restart before `end` and counts them; false where there is another
 * marker, of another scan. */
static bool find_last_restart(const uint8_t *data, size_t *start, size_t end, size_t *restarts)
{
    *restarts = 0;
    for (size_t i = *start; i + 1 < end; i++) {
        if (data[i] != 0xff || data[i + 1] == 0 || data[i + 1] == 0xff) {
            continue;
        }
        if (data[i + 1] < RST0 || data[i + 1] > RST7) {
            return false;
        }
        *start = i + 2;
        ++*restarts;
    }
    return true;
}

/* How many units the picture has. */
static size_t count_units(const struct scan *scan)
{
    size_t across = 1, down = 1; /* blocks of a unit */
    for (unsigned i = 0; scan->components > 1 && i < scan->components; i++) {
        across = scan->frame[i].across > across ? scan->frame[i].across : across;
        down = scan->frame[i].down > down ? scan->frame[i].down : down;
    }
    return ((scan->width + 8 * across - 1) / (8 * across)) *
           ((scan->height + 8 * down - 1) / (8 * down));
}

static bool skip_unit(const struct scan *scan, struct bits *b)
{
    for (unsigned i = 0; i < scan->blocks_len; i++) {
        if (!skip_block(&scan->codes[DC][scan->blocks[i].dc], &scan->codes[AC][scan->blocks[i].ac],
                        b)) {
            return false;
        }
    }
    return true;
}

/* What is known of walks, by where they are: at a bit, before a block of a unit. Walks fall into
 * step, so most of a walk has been walked before. */
enum { UNKNOWN, BROKEN, WHOLE };

struct walks {
    const uint8_t *data;
    uint8_t *known; /* of each bit and block */
    size_t *path;   /* places of the walk under way */
};

/* Whether what is left are blocks from the given one of a unit on, up to a whole unit. */
static bool ends_whole(const struct scan *scan, const struct walks *w, struct bits bits,
                       unsigned block)
{
    size_t len = 0;
    uint8_t result = UNKNOWN;
    while (result == UNKNOWN) {
        const size_t bit = (size_t)(bits.at - w->data) * 8 - (size_t)bits.left;
        const size_t place = bit * scan->blocks_len + block;
        if (w->known[place] != UNKNOWN) {
            result = w->known[place];
            break;
        }
        w->path[len++] = place;
        if (!skip_block(&scan->codes[DC][scan->blocks[block].dc],
                        &scan->codes[AC][scan->blocks[block].ac], &bits)) {
            result = BROKEN;
        }
        block = (block + 1) % scan->blocks_len;
        if (result == UNKNOWN && block == 0 && bits.at == bits.end && is_filled_up(&bits)) {
            result = WHOLE;
        }
    }
    while (len > 0) {
        w->known[w->path[--len]] = result;
    }
    return result == WHOLE;
}

/* Of the walks that start at any bit from `at` to behind `to`, with any block of a unit, how many
 * end with a whole unit at `end`, in thousandths, rounded up. Without memory all are said to. */
static size_t share_of_whole(const struct scan *scan, const uint8_t *data, size_t at, size_t to,
                             size_t end)
{
    const size_t bits_len = (end - at) * 8 + 1;
    const struct walks w = {data + at, calloc(bits_len, scan->blocks_len),
                            malloc(bits_len * sizeof(*w.path))};
    size_t walks = 0, whole = 0;
    struct bits bits = {.at = data + at, .end = data + end};
    if (w.known == NULL || w.path == NULL) {
        whole = walks = 1;
        goto done;
    }
    do {
        for (unsigned block = 0; block < scan->blocks_len; block++) {
            walks++;
            whole += ends_whole(scan, &w, bits, block);
        }
    } while (next_bit(&bits) >= 0 && bits.at <= data + to);

done:
    free(w.known);
    free(w.path);
    return (1000 * whole + walks - 1) / walks;
}

/* In bytes: the shortest padding, from how far before something walks start, and the longest
 * surplus that they go through. In thousandths: how many walks end with a whole unit by chance. */
enum { LEAST_PADDING = 4, RUN_UP = 256, MOST_WALKED = 1024, CHANCE = 20 };

/* Some bytes before `to`, not behind the 0xff of a byte that is two. */
static size_t go_back(const uint8_t *data, size_t start, size_t to)
{
    const size_t at = to - start > RUN_UP ? to - RUN_UP : start;
    return at + (at > start && at < to && data[at] == 0 && data[at - 1] == 0xff);
}

/* Whether the scan's last blocks may be in what is behind `over`. Codes fall into step: if the
 * blocks go on, then walks that start before it come to their end, whatever damage is farther
 * before. If they do not, all those that fell into step have ended at `over`. Where the damage is
 * near, only walks that start behind it count, and some come to the end by chance. */
static bool may_go_on(const struct scan *scan, const uint8_t *data, size_t start, size_t over,
                      size_t end)
{
    return (end - over <= MOST_WALKED &&
            share_of_whole(scan, data, go_back(data, start, over), over, end) > 0) ||
           share_of_whole(scan, data, go_back(data, over, end), end, end) > CHANCE;
}

bool jpegscan_surplus_is_foreign(const uint8_t *data, size_t end, size_t surplus)
{
    struct scan scan = {.components = 0};
    const bool padding =
        surplus >= LEAST_PADDING && surplus <= end && is_even(data + end - surplus, surplus);
    const size_t first = find_scan(&scan, data, end);
    size_t start = first, restarts = 0;
    if (first == 0 || !find_last_restart(data, &start, end, &restarts)) {
        return padding;
    }
    const size_t units = count_units(&scan);
    if (units == 0 || restarts != (scan.interval == 0 ? 0 : (units - 1) / scan.interval)) {
        return false;
    }
    struct bits bits = {.at = data + start, .end = data + end};
    for (size_t left = units - restarts * scan.interval; left > 0; left--) {
        if (!skip_unit(&scan, &bits)) {
            return false;
        }
    }
    const size_t over = (size_t)(bits.at - data);
    if (over >= end || !is_filled_up(&bits)) {
        return false;
    }
    if (end - over >= LEAST_PADDING && is_even(data + over, end - over)) {
        return true;
    }
    return !may_go_on(&scan, data, start, over, end);
}
