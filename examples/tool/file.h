/*
 * Whole files in, whole files out: reading with a limit, and writing so that a failure leaves
 * either the old file or none, never half of one. SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_FILE_H
#define CAE_TOOL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Reads a regular file of at most `limit` bytes into memory that the caller frees, with a zero byte
 * behind it that `size` does not count. With cut, a longer file is not an error but cut off. */
enum file_excess { FILE_REFUSE_MORE, FILE_CUT };
int file_read(const char *path, size_t limit, enum file_excess excess, uint8_t **data,
              size_t *size);

/* The same in more ways. With streams, for a file that the user names and the program does not
 * find, a pipe or socket is read too, up to 2^28 bytes of it, if anything writes to it at once. What is neither,
 * such as a device, is never opened. `wanted`, unless NULL, sees the first bytes, 64 KiB if there
 * are as many: if it returns false, no more are read, and these are the result. */
struct file_reading {
    size_t limit;
    enum file_excess excess;
    bool streams;
    bool (*wanted)(const uint8_t *data, size_t size);
};
int file_read_as(const struct file_reading *how, const char *path, uint8_t **data, size_t *size);

/* What a file is, in words ("a pipe"); NULL for a regular file. */
const char *file_kind(mode_t mode);

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
