/*
 * Whole files in, read with a limit (output.h is for those that are written), and their names. SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_FILE_H
#define CAE_TOOL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Reads a file of at most `limit` bytes into memory that the caller frees, with a zero byte behind
 * it that `size` does not count. With cut, a longer file is not an error but cut off. */
enum file_excess { FILE_REFUSE_MORE, FILE_CUT };
int file_read(const char *path, size_t limit, enum file_excess excess, uint8_t **data,
              size_t *size);

/* Whether a path is standard input ("-") or a pipe: something that can be read once alone. */
bool file_is_stream(const char *path);

/* What messages call a file that is read. */
const char *file_input_name(const char *path);

/* The folder that holds `path`, in memory that the caller frees; NULL when there is none left. */
char *file_folder(const char *path);

/* folder/name, in memory that the caller frees; NULL when there is none left. */
char *file_join(const char *folder, const char *name);

#endif
