/*
 * The tests' allocator; see limited_memory.h. Fresh blocks are full of rubbish, so that nobody
 * counts on zeros; each is preceded by one unit of alignment that holds its size.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "limited_memory.h"

#include <stdlib.h>
#include <string.h>

static void *allocate(void *user, size_t size)
{
    limited_memory *m = user;
    void *block = NULL;
    if (++m->calls == m->fail_at || posix_memalign(&block, CAE_ALIGN, CAE_ALIGN + size) != 0) {
        return NULL;
    }
    memset(block, 0xa5, CAE_ALIGN + size);
    memcpy(block, &size, sizeof(size));
    m->blocks++;
    m->size += size;
    m->peak = m->size > m->peak ? m->size : m->peak;
    return (char *)block + CAE_ALIGN;
}

static void release(void *user, void *block)
{
    limited_memory *m = user;
    size_t size;
    if (block != NULL) {
        char *start = (char *)block - CAE_ALIGN;
        memcpy(&size, start, sizeof(size));
        m->blocks--;
        m->size -= size;
        free(start);
    }
}

void limited_memory_start(limited_memory *m, size_t fail_at)
{
    *m = (limited_memory){.memory = {allocate, release, m}, .fail_at = fail_at};
}
