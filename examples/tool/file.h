/*
 * Whole files in, read with a limit (output.h is for those that are written), and their names.
 *
 * SPDX-License-Identifier: BSD-2-Clause
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
 * find, a pipe or socket is read too, up to 2^28 bytes of it, if something writes to it within
 * three seconds. What is neither, such as a device, is never opened. `wanted`, unless NULL, sees
 * the first bytes, 64 KiB if there are as many: if it returns false, no more are read, and these
 * are the result. */
struct file_reading {
    size_t limit;
    enum file_excess excess;
    bool streams;
    bool (*wanted)(const uint8_t *data, size_t size);
};
int file_read_as(const struct file_reading *how, const char *path, uint8_t **data, size_t *size);

/* The kind of a file as text ("a pipe"); NULL for a regular file. */
const char *file_kind(mode_t mode);

/* Whether a path is standard input ("-") or a pipe: something that can be read once alone. */
bool file_is_stream(const char *path);

/* What messages call a file that is read. */
const char *file_input_name(const char *path);

/* The folder that holds `path`, in memory that the caller frees; NULL when there is none left. */
char *file_folder(const char *path);

/* folder/name, in memory that the caller frees; NULL when there is none left. */
char *file_join(const char *folder, const char *name);

#endif
