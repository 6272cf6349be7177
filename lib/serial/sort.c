/*
 * Heap sort (Williams 1964; Knuth, vol. 3, 5.2.3); see sort.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "serial/sort.h"

typedef int compare_fn(const void *a, const void *b);

/* Moves items[at] down until none of its children, at 2 at + 1 and 2 at + 2, is greater. */
static void sift_down(const void **items, size_t at, size_t len, compare_fn *compare)
{
    const void *item = items[at];
    for (size_t child = 2 * at + 1; child < len; child = 2 * at + 1) {
        if (child + 1 < len && compare(items[child], items[child + 1]) < 0) {
            child++;
        }
        if (compare(item, items[child]) >= 0) {
            break;
        }
        items[at] = items[child];
        at = child;
    }
    items[at] = item;
}

void cae_sort(const void **items, size_t len, compare_fn *compare)
{
    for (size_t i = len / 2; i > 0; i--) {
        sift_down(items, i - 1, len, compare);
    }
    for (size_t end = len; end > 1; end--) {
        const void *largest = items[0];
        items[0] = items[end - 1];
        sift_down(items, 0, end - 1, compare);
        items[end - 1] = largest;
    }
}
