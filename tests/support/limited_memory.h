/*
 * An allocator for tests: it counts, remembers its peak, and fails where it is set to.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TESTS_SUPPORT_LIMITED_MEMORY_H
#define CAE_TESTS_SUPPORT_LIMITED_MEMORY_H

#include <stddef.h>

#include "base/memory.h"

typedef struct limited_memory {
    cae_memory memory; /* pass &memory on */
    size_t
        fail_at; /* the first call that fails, counted from 1; 0 for none. All later ones succeed */
    size_t calls;
    size_t blocks; /* not released yet */
    size_t size;   /* bytes not released yet */
    size_t peak;
} limited_memory;

/* The struct must not move afterwards. Not for several threads. */
void limited_memory_start(limited_memory *m, size_t fail_at);

#endif
