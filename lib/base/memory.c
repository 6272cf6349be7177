/*
 * The default allocator and the checked wrappers around a memory context.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _GNU_SOURCE

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "base/size.h"
#include "base/status.h"

/* The size of huge pages on x86-64 and most others, and the size from which huge pages are asked
 * for. Smaller blocks are allocated by every call anew, and the system would clear their pages. */
enum { HUGE_PAGE = 1 << 21, LARGE = 1 << 25 };

/* The rows of a large matrix are pages apart, and looking up its pages can take as long as reading
 * them, so huge ones are asked for. This is a hint; failure is ignored. */
static void *default_allocate(void *user, size_t size)
{
    void *block = NULL;
    (void)user;
    if (posix_memalign(&block, size < LARGE ? CAE_ALIGN : HUGE_PAGE, size) != 0) {
        return NULL;
    }
#if defined(MADV_HUGEPAGE)
    if (size >= LARGE) {
        (void)madvise(block, size, MADV_HUGEPAGE);
    }
#endif
    return block;
}

static void default_release(void *user, void *block)
{
    (void)user;
    free(block);
}

const cae_memory *cae_memory_default(void)
{
    static const cae_memory memory = {default_allocate, default_release, NULL};
    return &memory;
}

void *cae_alloc(const cae_memory *memory, size_t count, size_t size)
{
    const size_t bytes = cae_size_mul(count, size);
    if (bytes == SIZE_MAX) {
        cae_fail(CAE_E_NOMEM, "out of memory: %zu elements of %zu bytes", count, size);
        return NULL;
    }
    void *block = memory->allocate(memory->user, bytes > 0 ? bytes : 1);
    if (block == NULL) {
        cae_fail(CAE_E_NOMEM, "out of memory: %zu bytes could not be allocated", bytes);
    }
    CAE_ASSERT((uintptr_t)block % CAE_ALIGN == 0);
    return block;
}

void *cae_alloc_zeroed(const cae_memory *memory, size_t count, size_t size)
{
    void *block = cae_alloc(memory, count, size);
    if (block != NULL) {
        memset(block, 0, count * size);
    }
    return block;
}

void cae_release(const cae_memory *memory, void *block)
{
    if (block != NULL) {
        memory->release(memory->user, block);
    }
}

char *cae_alloc_string(const cae_memory *memory, const char *text)
{
    const size_t size = strlen(text) + 1;
    char *copy = cae_alloc(memory, size, 1);
    if (copy != NULL) {
        memcpy(copy, text, size);
    }
    return copy;
}
