/*
 * Memory: the library allocates only through these functions and a context that is stored in the
 * model, so that a user's allocator can be added without a change of callers. No other folder calls
 * malloc.
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

/* `count` elements of `size` bytes, aligned to 64 bytes and zeroed; NULL, with the message
 * set (CAE_E_NOMEM), when the product overflows or memory is out. A count of 0 gives a block that
 * may only be released. */
void *cae_alloc_zeroed(const cae_memory *memory, size_t count, size_t size);

/* The same with unspecified contents, for blocks that are overwritten completely. */
void *cae_alloc(const cae_memory *memory, size_t count, size_t size);

void cae_release(const cae_memory *memory, void *block);

/* A copy of a string; NULL as above. */
char *cae_alloc_string(const cae_memory *memory, const char *text);

#endif
