/*
 * Runs a fuzz target without a fuzzer: every file as it is and then COUNT damaged versions of them,
 * always the same ones.
 *
 *     fuzz_TARGET COUNT FILE...
 *
 * Fails when the target does, and when the damaged files are all good or none of them is: then the
 * damage does not test what it should.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "fuzz.h"

enum { ROOM = 4096 /* for growth */ };

/* A block of exactly the input's size each time, so that a sanitizer sees the first byte beyond. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        exit(99);
    }
    memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static unsigned long run_file(const char *path, unsigned long count)
{
    size_t size;
    uint8_t *data = file_read(path, &size);
    uint8_t *damaged = malloc(size + ROOM);
    if (data == NULL || damaged == NULL) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(99);
    }
    run(data, size);
    fuzz_check(fuzz_accepted == 1);
    fuzz_accepted = 0;
    for (unsigned long i = 0; i < count; i++) {
        memcpy(damaged, data, size);
        run(damaged, LLVMFuzzerCustomMutator(damaged, size, size + ROOM, (unsigned)i));
    }
    const unsigned long accepted = fuzz_accepted;
    fuzz_accepted = 0;
    printf("%s: %lu damaged, %lu of them still good\n", path, count, accepted);
    free(damaged);
    free(data);
    return accepted;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s COUNT FILE...\n", argv[0]);
        return 2;
    }
    const unsigned long count = strtoul(argv[1], NULL, 10);
    for (int i = 2; i < argc; i++) {
        const unsigned long accepted = run_file(argv[i], count);
        if (count > 0 && (accepted < count / 100 || accepted > count / 2)) {
            fprintf(stderr, "%s: %lu good ones of %lu: the damage tests little\n", argv[i],
                    accepted, count);
            return 1;
        }
    }
    return 0;
}
