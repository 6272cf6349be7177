/*
 * A file that replaces another completely or not at all: it is written beside its target, flushed
 * and renamed over it, and the folder is flushed. Before the rename the old file is untouched; a
 * failure removes the temporary file. The temporary file's name follows from the target's, and the
 * file is locked while it is in use. So a process that is killed leaves at most one, which the next
 * save replaces. A target that is a symbolic link stays one: the file that it leads to is replaced
 * or made.
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

/* Checks the target and makes the temporary file. `path` must be valid until the end. After a
 * failure there is nothing to close. */
int cae_atomic_open(cae_atomic *a, const cae_memory *memory, const char *path);

int cae_atomic_write(cae_atomic *a, const void *data, size_t size);

/* Does what a commit does, without replacing the target: flushes the file and finds out whether the
 * rest would be allowed. */
int cae_atomic_try(const cae_atomic *a);

/* Puts the file in the target's place. */
int cae_atomic_commit(cae_atomic *a);

/* Must always be called; removes the temporary file if it was not committed. */
void cae_atomic_close(cae_atomic *a);

#endif
