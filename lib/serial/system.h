/*
 * What saving, loading and the quotas need of the operating system: files opened, the source of a
 * model file, and the message of a failed call, independent of the locale.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_SYSTEM_H
#define CAE_SERIAL_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* CAE_E_IO with the message "<meaning of the errno value>: cannot <verb> <path>", in this order
 * because a long path is cut. */
int cae_fail_system(const char *verb, int error, const char *path);

/* As openat, for this process alone; signals do not disturb it, and it never waits for the other
 * end of a pipe. */
int cae_system_open(int folder, const char *path, int flags, mode_t mode);

/* Whether there is something of that name, readable or not; errors other than that there is nothing
 * are met again by opening it. */
bool cae_system_exists(const char *path);

/* Memory or a regular file. A read has a position and is complete or an error. A file that shrinks
 * while it is read is an error too, so files are not mapped. */
typedef struct cae_file_source {
    const uint8_t *data; /* NULL: a file */
    int file;
    uint64_t size;
} cae_file_source;

/* `data` must outlive the source. */
cae_file_source cae_file_source_make(const void *data, size_t size);

/* Opens a regular file; symbolic links are followed. */
int cae_file_source_open(cae_file_source *s, const char *path);

int cae_file_source_read(const cae_file_source *s, uint64_t at, void *bytes, size_t size);

void cae_file_source_close(cae_file_source *s);

#endif
