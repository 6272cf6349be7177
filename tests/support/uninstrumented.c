/*
 * Clang's sanitizer of memory follows what clang compiled with it, and knows most functions of the C
 * library. These are what the tests call beside: zlib, whose input is looked at here and whose output
 * is declared written; stat and its sisters, which clang 14 takes for others; and fwrite, which Check
 * alone calls and with bytes of its own making.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <sanitizer/msan_interface.h>
#include <stdio.h>
#include <sys/stat.h>
#include <zlib.h>

union function {
    void *symbol;
    int (*stream)(z_stream *stream, int flush);
    int (*path)(const char *path, struct stat *out);
    int (*descriptor)(int descriptor, struct stat *out);
    int (*at)(int folder, const char *path, struct stat *out, int flags);
    int (*more)(int folder, const char *path, int flags, unsigned mask, struct statx *out);
    size_t (*fwrite)(const void *data, size_t size, size_t len, FILE *file);
};

/* The one that stands behind this file's. */
static union function real(const char *name)
{
    return (union function){dlsym(RTLD_NEXT, name)};
}

static int run_stream(const char *name, z_stream *stream, int flush)
{
    const Bytef *out = stream->next_out;
    __msan_check_mem_is_initialized(stream->next_in, stream->avail_in);
    const int status = real(name).stream(stream, flush);
    __msan_unpoison(out, (size_t)(stream->next_out - out));
    return status;
}

int inflate(z_stream *stream, int flush)
{
    return run_stream("inflate", stream, flush);
}

int deflate(z_stream *stream, int flush)
{
    return run_stream("deflate", stream, flush);
}

int stat(const char *path, struct stat *out)
{
    __msan_unpoison(out, sizeof(*out));
    return real("stat").path(path, out);
}

int lstat(const char *path, struct stat *out)
{
    __msan_unpoison(out, sizeof(*out));
    return real("lstat").path(path, out);
}

int fstat(int descriptor, struct stat *out)
{
    __msan_unpoison(out, sizeof(*out));
    return real("fstat").descriptor(descriptor, out);
}

int fstatat(int folder, const char *path, struct stat *out, int flags)
{
    __msan_unpoison(out, sizeof(*out));
    return real("fstatat").at(folder, path, out, flags);
}

int statx(int folder, const char *path, int flags, unsigned mask, struct statx *out)
{
    __msan_unpoison(out, sizeof(*out));
    return real("statx").more(folder, path, flags, mask, out);
}

size_t fwrite(const void *data, size_t size, size_t len, FILE *file)
{
    __msan_unpoison(data, size * len);
    return real("fwrite").fwrite(data, size, len, file);
}
