/*
 * Reading and writing whole files: see file.h. A file is written under a temporary, hidden name in
 * the target's own folder and then renamed. There is no fsync: what the tool writes can be made
 * again from what it read (models, which cannot, are saved by the library, which does sync).
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

/* Opens a file of a kind that is read, or says why not. The kind is looked at before, for to open a
 * device may do something, and again behind, for names may change hands in between. */
static FILE *open_input(const struct file_reading *how, const char *path, struct stat *status)
{
    if (stat(path, status) != 0) {
        fail("%s: %s", path, strerror(errno));
        return NULL;
    }
    if (check_kind(how, status->st_mode, path) != DONE) {
        return NULL;
    }
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "rb");
    if (file == NULL || fstat(descriptor, status) != 0) {
        fail("%s: %s", path, strerror(errno));
    } else if (check_kind(how, status->st_mode, path) == DONE &&
               (!S_ISFIFO(status->st_mode) || wait_for_writer(descriptor, file, path) == DONE)) {
        return file;
    }
    if (file != NULL) {
        fclose(file);
    } else if (descriptor >= 0) {
        close(descriptor);
    }
    return NULL;
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
        fail("%s: %s", path, strerror(errno));
        goto done;
    }
    if (*size > limit && how->excess == FILE_REFUSE_MORE) {
        fail("%s: larger than %zu bytes", path, limit);
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

/* ---- Writing --------------------------------------------------------------------------------- */

/* The permissions of the old file, or those that a new one gets. */
static mode_t wanted_mode(const struct stat *old)
{
    if (old != NULL) {
        return old->st_mode & 07777;
    }
    const mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

/* Opens a new file beside the target; `old` is the target's status, NULL if there is none. */
static int open_beside(struct output *output, const struct stat *old)
{
    char *folder = file_folder(output->target);
    output->temporary = folder == NULL ? NULL : file_join(folder, ".cae-XXXXXX");
    free(folder);
    if (output->temporary == NULL) {
        errno = ENOMEM;
        return FAILED;
    }
    const int descriptor = mkstemp(output->temporary);
    if (descriptor < 0) {
        free(output->temporary); /* nothing there to be removed */
        output->temporary = NULL;
        return FAILED;
    }
    output->file = fdopen(descriptor, "wb");
    if (output->file == NULL) {
        close(descriptor);
        return FAILED;
    }
    return fchmod(descriptor, wanted_mode(old)) == 0 ? DONE : FAILED;
}

int output_open(struct output *output, const char *path)
{
    *output = (struct output){0};
    struct stat status;
    const bool exists = stat(path, &status) == 0, regular = exists && S_ISREG(status.st_mode);
    /* Through a symbolic link: the rename must replace what it points to, not the link. */
    output->target = regular ? realpath(path, NULL) : strdup(path);
    int result = FAILED;
    if (output->target == NULL) {
        result = FAILED;
    } else if (exists && !regular) {
        output->file = fopen(path, "wb");
        result = output->file != NULL ? DONE : FAILED;
    } else {
        result = open_beside(output, exists ? &status : NULL);
    }
    if (result != DONE) {
        fail("%s: cannot write: %s", path, strerror(errno));
        output_discard(output);
    }
    return result;
}

int output_commit(struct output *output)
{
    /* A full disk shows here at the latest: buffered bytes meet it at the flush or the close. */
    errno = 0;
    bool ok = fflush(output->file) == 0 && !ferror(output->file);
    ok = fclose(output->file) == 0 && ok;
    output->file = NULL;
    if (ok && output->temporary != NULL) {
        ok = rename(output->temporary, output->target) == 0;
    }
    if (!ok) {
        fail("%s: cannot write: %s", output->target,
             errno != 0 ? strerror(errno) : "write error; the disk may be full");
    } else {
        free(output->temporary);
        output->temporary = NULL;
    }
    output_discard(output);
    return ok ? DONE : FAILED;
}

int output_end(struct output *output, int result)
{
    if (result == DONE) {
        return output_commit(output);
    }
    output_discard(output);
    return result;
}

void output_discard(struct output *output)
{
    if (output->file != NULL) {
        fclose(output->file);
    }
    if (output->temporary != NULL) {
        unlink(output->temporary);
    }
    free(output->temporary);
    free(output->target);
    *output = (struct output){0};
}

int file_check_target(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        return fail("%s: not a regular file", path);
    }
    char *folder = file_folder(path);
    if (folder == NULL) {
        return fail("%s: out of memory", path);
    }
    int result = DONE;
    if (access(folder, W_OK | X_OK) != 0) {
        result = fail("%s: cannot write: %s: %s", path, folder, strerror(errno));
    }
    free(folder);
    return result;
}
