/*
 * Messages for errno. strerror is not thread-safe, and the similar functions follow the locale and
 * differ between C libraries.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include "serial/system.h"

#include <errno.h>
#include <stddef.h>

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
