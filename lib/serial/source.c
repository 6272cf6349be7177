/*
 * Bytes from memory or a file. Files are read by position and never mapped.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include "serial/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "serial/system.h"

cae_file_source cae_file_source_make(const void *data, size_t size)
{
    return (cae_file_source){data, -1, size};
}

int cae_file_source_open(cae_file_source *s, const char *path)
{
    struct stat info;
    int file;
    *s = (cae_file_source){NULL, -1, 0};
    do {
        /* O_NONBLOCK: opening a pipe must not wait for its writer. */
        file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    } while (file < 0 && errno == EINTR);
    if (file < 0) {
        return cae_fail_system("open", errno, path);
    }
    int status = CAE_OK;
    if (fstat(file, &info) != 0) {
        status = cae_fail_system("read", errno, path);
    } else if (!S_ISREG(info.st_mode)) {
        status = cae_fail(CAE_E_IO, "not a regular file: cannot read %s", path);
    }
    if (status != CAE_OK) {
        close(file);
        return status;
    }
    *s = (cae_file_source){NULL, file, (uint64_t)info.st_size};
    return CAE_OK;
}

static int read_file(const cae_file_source *s, uint64_t at, uint8_t *bytes, size_t size)
{
    while (size > 0) {
        const ssize_t got = pread(s->file, bytes, size, (off_t)at);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return cae_fail_system("read", errno, "the model file");
        }
        if (got == 0) {
            return cae_fail(CAE_E_IO, "the model file shrank while it was read");
        }
        bytes += got;
        at += (uint64_t)got;
        size -= (size_t)got;
    }
    return CAE_OK;
}

int cae_file_source_read(const cae_file_source *s, uint64_t at, void *bytes, size_t size)
{
    if (at > s->size || size > s->size - at) {
        return cae_fail(CAE_E_FORMAT, "model file: it ends before byte %llu",
                        (unsigned long long)(at + size));
    }
    if (s->file >= 0) {
        return read_file(s, at, bytes, size);
    }
    if (size > 0) {
        memcpy(bytes, s->data + at, size);
    }
    return CAE_OK;
}

void cae_file_source_close(cae_file_source *s)
{
    if (s->file >= 0) {
        close(s->file);
    }
    s->file = -1;
}
