/*
 * Reading whole files, and parts of names: see file.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"

/* ---- Names ----------------------------------------------------------------------------------- */

char *file_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return strdup(".");
    }
    const size_t len = slash == path ? 1 : (size_t)(slash - path);
    return strndup(path, len);
}

char *file_join(const char *folder, const char *name)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    const char *separator = folder[strlen(folder) - 1] == '/' ? "" : "/";
    char *path = malloc(size);
    if (path != NULL) {
        snprintf(path, size, "%s%s%s", folder, separator, name);
    }
    return path;
}

bool file_is_stream(const char *path)
{
    struct stat status;
    return strcmp(path, "-") == 0 || (stat(path, &status) == 0 && S_ISFIFO(status.st_mode));
}

const char *file_input_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Makes room for one more byte than `size`, up to limit + 1 bytes in all. */
static int grow(uint8_t **data, size_t *capacity, size_t size, size_t limit)
{
    if (size < *capacity) {
        return DONE;
    }
    size_t wanted = *capacity == 0 ? 65536 : 2 * *capacity;
    if (wanted > limit + 1) {
        wanted = limit + 1;
    }
    uint8_t *more = realloc(*data, wanted + 1); /* and the zero byte */
    if (more == NULL) {
        return FAILED;
    }
    *data = more;
    *capacity = wanted;
    return DONE;
}

const char *file_kind(mode_t mode)
{
    return S_ISREG(mode)                    ? NULL
           : S_ISDIR(mode)                  ? "a folder"
           : S_ISFIFO(mode)                 ? "a pipe"
           : S_ISSOCK(mode)                 ? "a socket"
           : S_ISCHR(mode) || S_ISBLK(mode) ? "a device"
                                            : "no regular file";
}

/* Whether this reading takes files of this kind; says so if not. */
static int check_kind(const struct file_reading *how, mode_t mode, const char *path)
{
    const char *kind = file_kind(mode);
    if (kind == NULL || (how->streams && (S_ISFIFO(mode) || S_ISSOCK(mode)))) {
        return DONE;
    }
    return fail("%s: is %s, not a file to be read", path, kind);
}

/* Makes reads from a pipe wait for data, having made sure that there will be some: a pipe by a name
 * may have no writer, now or ever. */
static int wait_for_writer(int descriptor, FILE *file, const char *path)
{
    const int patience = 3000; /* milliseconds */
    struct pollfd ready = {.fd = descriptor, .events = POLLIN};
    unsigned char byte = 0;
    if (poll(&ready, 1, patience) == 0) {
        const ssize_t got = read(descriptor, &byte, 1); /* does not wait yet */
        if (got == 0) {
            return fail("%s: is a pipe that nothing writes to", path);
        }
        if (got == 1) { /* just now */
            ungetc(byte, file);
        }
    }
    const int flags = fcntl(descriptor, F_GETFL);
    return flags >= 0 && fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK) == 0
               ? DONE
               : fail("%s: %s", path, strerror(errno));
}

/* The file of a descriptor, which it closes with it, if it is of a kind that is read; NULL after
 * saying why not. */
static FILE *take_descriptor(const struct file_reading *how, int descriptor, const char *name,
                             struct stat *status)
{
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "rb");
    if (file == NULL || fstat(descriptor, status) != 0) {
        fail("%s: %s", name, strerror(errno));
    } else if (check_kind(how, status->st_mode, name) == DONE) {
        return file;
    }
    if (file != NULL) {
        fclose(file);
    } else if (descriptor >= 0) {
        close(descriptor);
    }
    return NULL;
}

/* Standard input, which can be read once. */
static FILE *open_standard_input(const struct file_reading *how, struct stat *status)
{
    static bool taken;
    const char *name = file_input_name("-");
    if (taken) {
        fail("%s was read already: `-` can stand for one file alone", name);
        return NULL;
    }
    taken = true;
    if ((fcntl(STDIN_FILENO, F_GETFL) & O_ACCMODE) == O_WRONLY) {
        fail("%s: %s", name, strerror(EBADF)); /* it was closed: see output_fill_descriptors */
        return NULL;
    }
    return take_descriptor(how, fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), name, status);
}

/* Opens a file of a kind that is read, or says why not. The kind is looked at before, for to open a
 * device may do something, and again behind, for names may change hands in between. */
static FILE *open_input(const struct file_reading *how, const char *path, struct stat *status)
{
    if (how->streams && strcmp(path, "-") == 0) {
        return open_standard_input(how, status);
    }
    if (stat(path, status) != 0) {
        fail("%s: %s", path, strerror(errno));
        return NULL;
    }
    if (check_kind(how, status->st_mode, path) != DONE) {
        return NULL;
    }
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    FILE *file = take_descriptor(how, descriptor, path, status);
    if (file != NULL && S_ISFIFO(status->st_mode) &&
        wait_for_writer(descriptor, file, path) != DONE) {
        fclose(file);
        return NULL;
    }
    return file;
}

static int read_all(FILE *file, const struct file_reading *how, size_t limit, uint8_t **data,
                    size_t *size)
{
    size_t capacity = 0;
    while (*size <= limit) {
        if (grow(data, &capacity, *size, limit) != DONE) {
            errno = ENOMEM;
            return FAILED;
        }
        const bool first = *size == 0;
        const size_t got = fread(*data + *size, 1, capacity - *size, file);
        *size += got;
        if (got == 0) {
            return ferror(file) ? FAILED : DONE;
        }
        if (first && how->wanted != NULL && !how->wanted(*data, *size)) {
            return DONE;
        }
    }
    return DONE; /* over the limit */
}

int file_read_as(const struct file_reading *how, const char *path, uint8_t **data, size_t *size)
{
    const size_t stream_limit = (size_t)1 << 28;
    const char *name = how->streams ? file_input_name(path) : path;
    size_t limit = how->limit;
    int result = FAILED;
    *data = NULL;
    *size = 0;
    struct stat status;
    FILE *file = open_input(how, path, &status);
    if (file == NULL) {
        return FAILED;
    }
    if (!S_ISREG(status.st_mode) && limit > stream_limit) {
        limit = stream_limit; /* what has no size may have no end */
    }
    if (read_all(file, how, limit, data, size) != DONE) {
        fail("%s: %s", name, strerror(errno));
        goto done;
    }
    if (*size > limit && how->excess == FILE_REFUSE_MORE) {
        fail("%s: larger than %zu bytes", name, limit);
        goto done;
    }
    *size = *size > limit ? limit : *size;
    (*data)[*size] = 0;
    result = DONE;
done:
    fclose(file);
    if (result != DONE) {
        free(*data);
        *data = NULL;
    }
    return result;
}

int file_read(const char *path, size_t limit, enum file_excess excess, uint8_t **data, size_t *size)
{
    const struct file_reading how = {.limit = limit, .excess = excess};
    return file_read_as(&how, path, data, size);
}
