/*
 * Whole files in, whole files out: reading with a limit, and writing so that a failure leaves
 * either the old file or none, never half of one. SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_FILE_H
#define CAE_TOOL_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Reads a file of at most `limit` bytes into memory that the caller frees, with a zero byte behind
 * it that `size` does not count. With cut, a longer file is not an error but cut off. */
enum file_excess { FILE_REFUSE_MORE, FILE_CUT };
int file_read(const char *path, size_t limit, enum file_excess excess, uint8_t **data,
              size_t *size);

/* A file being written. It appears under its name at output_commit; until then, and for ever when
 * output_discard comes first, the old file stands. What is no regular file (/dev/stdout, a pipe) is
 * written straight. */
struct output {
    FILE *file;
    char *target;
    char *temporary; /* NULL when written straight */
};

int output_open(struct output *output, const char *path);
int output_commit(struct output *output);

/* Commits when all went well until here (`result` is DONE), else discards and passes `result` on. */
int output_end(struct output *output, int result);
void output_discard(struct output *output); /* also after a commit, where it does nothing */

/* Fails when a file could not be written to `path` later: no folder, no right, no regular file. */
int file_check_target(const char *path);

/* The folder that holds `path`, in memory that the caller frees; NULL when there is none left. */
char *file_folder(const char *path);

/* folder/name, in memory that the caller frees; NULL when there is none left. */
char *file_join(const char *folder, const char *name);

#endif
