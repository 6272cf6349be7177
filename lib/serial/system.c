/*
 * Opening files, reading them by position, and messages for errno. strerror is not thread-safe, and
 * the similar functions follow the locale and differ between C libraries.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include "serial/system.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"

static const struct {
    int error;
    const char *meaning;
} errors[] = {
    {EACCES, "permission denied"},
    {EBUSY, "in use"},
    {EDQUOT, "the disk quota is used up"},
    {EEXIST, "exists already"},
    {EFBIG, "file too large"},
    {EIO, "input/output error"},
    {EISDIR, "is a folder"},
    {ELOOP, "a symbolic link where none is followed, or too many of them"},
    {EMFILE, "this process has too many open files"},
    {ENAMETOOLONG, "name too long"},
    {ENFILE, "the system has too many open files"},
    {ENODEV, "no such device"},
    {ENOENT, "no such file or folder"},
    {ENOMEM, "out of memory"},
    {ENOSPC, "no space left on the device"},
    {ENOTDIR, "a part of the path is not a folder"},
    {EPERM, "operation not permitted"},
    {EROFS, "read-only file system"},
    {ESTALE, "stale file handle"},
};

int cae_fail_system(const char *verb, int error, const char *path)
{
    char number[32];
    const char *meaning = cae_format(number, sizeof(number), "system error %d", error);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (errors[i].error == error) {
            meaning = errors[i].meaning;
        }
    }
    return cae_fail(CAE_E_IO, "%s: cannot %s %s", meaning, verb, path);
}

int cae_system_open(int folder, const char *path, int flags, mode_t mode)
{
    int file;
    do {
        file = openat(folder, path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode);
    } while (file < 0 && errno == EINTR);
    return file;
}

bool cae_system_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

cae_file_source cae_file_source_make(const void *data, size_t size)
{
    return (cae_file_source){data, -1, size};
}

int cae_file_source_open(cae_file_source *s, const char *path)
{
    struct stat info;
    const int file = cae_system_open(AT_FDCWD, path, O_RDONLY, 0);
    *s = (cae_file_source){NULL, -1, 0};
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
