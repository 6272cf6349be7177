/*
 * The source of a model file: memory or a regular file. A read has a position and is complete or an
 * error. A file that shrinks while it is read is an error too, so files are not mapped.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_SOURCE_H
#define CAE_SERIAL_SOURCE_H

#include <stddef.h>
#include <stdint.h>

typedef struct cae_file_source {
    const uint8_t *data; /* NULL: a file */
    int file;
    uint64_t size;
} cae_file_source;

/* `data` must outlive the source. */
cae_file_source cae_file_source_make(const void *data, size_t size);

/* Opens a regular file; symbolic links are followed. Never waits for the writer of a pipe. */
int cae_file_source_open(cae_file_source *s, const char *path);

int cae_file_source_read(const cae_file_source *s, uint64_t at, void *bytes, size_t size);

void cae_file_source_close(cae_file_source *s);

#endif
