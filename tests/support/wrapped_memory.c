/*
 * Counted and failing allocations; see wrapped_memory.h. A table of the live blocks tells the
 * library's from others when they are freed.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "wrapped_memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int __real_posix_memalign(void **block, size_t alignment, size_t size);
void __real_free(void *block);
int __wrap_posix_memalign(void **block, size_t alignment, size_t size);
void __wrap_free(void *block);

enum { ROOM = 1 << 14 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    const void *block;
    size_t size;
} table[ROOM]; /* open addressing; a removed block leaves `removed` */
static const char removed[1];
static size_t calls, blocks, size_now, size_at_start, size_peak;
static size_t failing_at;
static bool failing_on;

static size_t first_place(const void *block)
{
    return (size_t)((uintptr_t)block / 64 * 0x9e3779b97f4a7c15u >> 20) % ROOM;
}

static void remember(const void *block, size_t size)
{
    size_t i = first_place(block);
    while (table[i].block != NULL && table[i].block != removed) {
        i = (i + 1) % ROOM;
    }
    table[i].block = block;
    table[i].size = size;
    blocks++;
    size_now += size;
    size_peak = size_now > size_peak ? size_now : size_peak;
    if (blocks > ROOM / 2) {
        fprintf(stderr, "more live blocks than the test has room for\n");
        exit(1);
    }
}

static void forget(const void *block)
{
    size_t i = first_place(block);
    for (size_t tries = 0; table[i].block != NULL && tries < ROOM; tries++, i = (i + 1) % ROOM) {
        if (table[i].block == block) {
            blocks--;
            size_now -= table[i].size;
            table[i].block = removed;
            return;
        }
    }
}

int __wrap_posix_memalign(void **block, size_t alignment, size_t size)
{
    pthread_mutex_lock(&lock);
    calls++;
    const bool fails =
        failing_at != 0 && (calls == failing_at || (failing_on && calls > failing_at));
    const int status = fails ? ENOMEM : __real_posix_memalign(block, alignment, size);
    if (status == 0) {
        remember(*block, size);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

void __wrap_free(void *block)
{
    if (block != NULL) {
        pthread_mutex_lock(&lock);
        forget(block);
        pthread_mutex_unlock(&lock);
    }
    __real_free(block);
}

void memory_fail(size_t at, bool on)
{
    pthread_mutex_lock(&lock);
    failing_at = at;
    failing_on = on;
    calls = 0;
    size_at_start = size_peak = size_now;
    pthread_mutex_unlock(&lock);
}

size_t memory_calls(void)
{
    return calls;
}

size_t memory_blocks(void)
{
    return blocks;
}

size_t memory_size(void)
{
    return size_now;
}

size_t memory_peak(void)
{
    return size_peak - size_at_start;
}
