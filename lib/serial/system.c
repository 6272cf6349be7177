/*
 * Words for errno; see system.h. strerror is not safe among threads, and its relatives follow the
 * locale and differ between C libraries.
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
    const char *words;
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
    const char *words = cae_format(number, sizeof(number), "system error %d", error);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (errors[i].error == error) {
            words = errors[i].words;
        }
    }
    return cae_fail(CAE_E_IO, "%s: cannot %s %s", words, verb, path);
}
