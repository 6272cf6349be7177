/*
 * Memory: every byte that the library allocates comes from here, through a context that a model
 * carries, so that an allocator of the user's can come later without touching a caller. No other
 * folder calls malloc.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_BASE_MEMORY_H
#define CAE_BASE_MEMORY_H

#include <stddef.h>

typedef struct cae_memory {
    void *(*allocate)(void *user, size_t size); /* aligned to 64 bytes, or NULL */
    void (*release)(void *user, void *block);   /* NULL is fine */
    void *user;
} cae_memory;

enum { CAE_ALIGN = 64 };

/* The C library's allocator. */
const cae_memory *cae_memory_default(void);

/* `count` elements of `size` bytes, aligned to 64 bytes and zeroed; NULL, with the words set
 * (CAE_E_NOMEM), when the product overflows or memory cannot be had. A count of 0 gives a block
 * that may only be released. */
void *cae_alloc_zeroed(const cae_memory *memory, size_t count, size_t size);

/* The same, with contents unspecified: for what is overwritten whole. */
void *cae_alloc(const cae_memory *memory, size_t count, size_t size);

void cae_release(const cae_memory *memory, void *block);

/* A copy of a string; NULL as above. */
char *cae_alloc_string(const cae_memory *memory, const char *text);

#endif
