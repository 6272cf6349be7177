/*
 * The word that was probably meant by one that is unknown. SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_NEAREST_H
#define CAE_TOOL_NEAREST_H

#include <stddef.h>

struct nearest {
    const char *word;
    size_t len;
    const char *best;
    size_t distance;
};

/* For the first `len` bytes of `word`. */
struct nearest nearest_start(const char *word, size_t len);

/* A word that may be meant; it must last. */
void nearest_offer(struct nearest *nearest, const char *candidate);

/* The nearest of those offered, or NULL when none is near. */
const char *nearest_found(const struct nearest *nearest);

#endif
