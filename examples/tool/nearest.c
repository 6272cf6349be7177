/*
 * The nearest word: see nearest.h. The distance counts letters that are added, left out, changed or
 * swapped with the next (optimal string alignment); a beginning of the word counts as near.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "nearest.h"

#include <string.h>

enum { MOST = 40 /* letters of a word that is compared */ };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][MOST + 1] = {{0}}; /* two rows ago, the last, this one */
    for (size_t k = 0; k <= b_len; k++) {
        rows[1][k] = k;
    }
    for (size_t i = 1; i <= a_len; i++) {
        rows[2][0] = i;
        for (size_t k = 1; k <= b_len; k++) {
            const size_t changed = rows[1][k - 1] + (a[i - 1] != b[k - 1]);
            rows[2][k] = least(changed, 1 + least(rows[1][k], rows[2][k - 1]));
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1]) {
                rows[2][k] = least(rows[2][k], rows[0][k - 2] + 1);
            }
        }
        memcpy(rows[0], rows[1], sizeof rows[0]);
        memcpy(rows[1], rows[2], sizeof rows[1]);
    }
    return rows[1][b_len];
}

struct nearest nearest_start(const char *word, size_t len)
{
    return (struct nearest){.word = word, .len = len, .distance = (size_t)-1};
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
    const size_t len = strlen(candidate);
    if (nearest->len > MOST || len > MOST || nearest->len == 0) {
        return;
    }
    const size_t longer = len > nearest->len ? len : nearest->len;
    const size_t most = longer <= 2 ? 0 : longer <= 4 ? 1 : longer <= 8 ? 2 : 3;
    size_t found = distance(nearest->word, nearest->len, candidate, len);
    if (nearest->len >= 2 && strncmp(candidate, nearest->word, nearest->len) == 0) {
        found = least(found, 1);
    }
    if (nearest->len == 1 && len == 1 && candidate[0] == nearest->word[0]) {
        found = 0; /* --n for -n */
    }
    if (found <= most && found < nearest->distance) {
        nearest->best = candidate;
        nearest->distance = found;
    }
}

const char *nearest_found(const struct nearest *nearest)
{
    return nearest->best;
}
