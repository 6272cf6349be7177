/*
 * Sorts an array of pointers in place, without recursion or memory. It is a heap sort, so that no
 * order of untrusted input is slow. Not stable.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_SORT_H
#define CAE_SERIAL_SORT_H

#include <stddef.h>

/* Ascending by compare(a, b) < 0, which receives two of the pointers. */
void cae_sort(const void **items, size_t len, int (*compare)(const void *a, const void *b));

#endif
