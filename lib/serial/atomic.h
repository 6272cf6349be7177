/*
 * A file that replaces another at once or not at all: written beside its target, flushed, renamed
 * over it, the folder flushed. Before the rename the old file is untouched; a failure removes the
 * temporary file. Its name follows from the target's, and it is locked while it is in use, so a
 * process that is killed leaves at most one, which the next save replaces. A target that is a
 * symbolic link stays one: the file that it leads to is replaced or made.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_ATOMIC_H
#define CAE_SERIAL_ATOMIC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"

typedef struct cae_atomic {
    const cae_memory *memory;
    const char *path; /* the target as the caller named it, for messages */
    const char *name; /* its last part, or that of what it links to, in `folder` */
    char *link;       /* holds `name` where it comes from a link */
    char *temporary;  /* its name in the folder */
    int folder;
    int file;           /* the temporary file; -1 when there is none */
    bool target_exists; /* then the next three are its own */
    unsigned mode, owner, group;
} cae_atomic;

/* Looks at the target and makes the temporary file. `path` must live until the end. On failure
 * there is nothing to close. */
int cae_atomic_open(cae_atomic *a, const cae_memory *memory, const char *path);

int cae_atomic_write(cae_atomic *a, const void *data, size_t size);

/* Does what a commit does but for putting the file in the target's place: flushes it, and finds out
 * whether the rest would be allowed. */
int cae_atomic_try(const cae_atomic *a);

/* Puts the file in the target's place. */
int cae_atomic_commit(cae_atomic *a);

/* Needed in every case; removes the temporary file if it was not committed. */
void cae_atomic_close(cae_atomic *a);

#endif
