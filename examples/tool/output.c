/*
 * Writing whole files: see output.h. A regular file is written under a temporary, hidden name in
 * the target's own folder and then renamed. There is no fsync: what the tool writes can be made
 * again from what it read (models, which cannot, are saved by the library, which does sync).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "message.h"
#include "options.h"

enum { MOST_LINKS = 40, MOST_DESCRIPTOR = 1 << 20 };

/* ---- Descriptors ----------------------------------------------------------------------------- */

void output_fill_descriptors(void)
{
    for (int i = 0; i < 3; i++) {
        if (fcntl(i, F_GETFD) == -1 && errno == EBADF) {
            /* Opened in the wrong direction, so reading or writing it is an error. The lowest free
             * number is i. */
            (void)!open("/dev/null", i == 0 ? O_WRONLY : O_RDONLY);
        }
    }
}

static int number_of(const char *digits)
{
    char *end = NULL;
    if (digits[0] < '0' || digits[0] > '9') {
        return -1;
    }
    const long number = strtol(digits, &end, 10);
    return *end == '\0' && number <= MOST_DESCRIPTOR ? (int)number : -1;
}

/* Whether a folder is the system's list of this process's descriptors. */
static bool lists_descriptors(const char *folder)
{
    char begin[64];
    const size_t len = strlen(folder);
    snprintf(begin, sizeof begin, "/proc/%ld/", (long)getpid());
    return strcmp(folder, "/dev/fd") == 0 || (strncmp(folder, begin, strlen(begin)) == 0 &&
                                              len > 3 && strcmp(folder + len - 3, "/fd") == 0);
}

/* The text of a symbolic link, as a path from where `path` starts; NULL with errno, which is EINVAL
 * where there is no link. */
static char *link_path(const char *path)
{
    char text[4096];
    const ssize_t size = readlink(path, text, sizeof text);
    if (size < 0 || (size_t)size == sizeof text) {
        errno = size < 0 ? errno : ENAMETOOLONG;
        return NULL;
    }
    text[size] = '\0';
    char *folder = text[0] == '/' ? strdup("/") : file_folder(path);
    char *joined = folder == NULL ? NULL : file_join(folder, text + (text[0] == '/'));
    free(folder);
    errno = joined == NULL ? ENOMEM : 0;
    return joined;
}

/* The descriptor that a path names without a link, or -1. */
static int descriptor_named(const char *path)
{
    char *folder = file_folder(path);
    char *real = folder == NULL ? NULL : realpath(folder, NULL);
    const char *slash = strrchr(path, '/');
    const int number =
        real != NULL && lists_descriptors(real) ? number_of(slash != NULL ? slash + 1 : path) : -1;
    free(real);
    free(folder);
    return number;
}

/* The descriptor that a path names, through any links, or -1. The links of /proc are not followed
 * further: their text may be the name of a file, which is something else than the open file. */
static int descriptor_of(const char *path)
{
    if (strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0) {
        return STDOUT_FILENO;
    }
    if (strcmp(path, "/dev/stderr") == 0) {
        return STDERR_FILENO;
    }
    int number = -1;
    char *at = strdup(path);
    for (int links = 0; at != NULL && links < MOST_LINKS; links++) {
        number = descriptor_named(at);
        char *next = number < 0 ? link_path(at) : NULL;
        free(at);
        at = next;
    }
    free(at);
    return number;
}

static int copy_descriptor(int number, bool is_dash)
{
    const int flags = fcntl(number, F_GETFL);
    if (flags == -1 || (flags & O_ACCMODE) == O_RDONLY) {
        errno = EBADF;
        return -1;
    }
    if (is_dash && isatty(number)) {
        errno = ENOTSUP; /* the caller prints the message */
        return -1;
    }
    return fcntl(number, F_DUPFD_CLOEXEC, 3);
}

/* Opens a pipe that has a name, which waits for a reader; that is said where there is none yet. */
static int open_pipe(const char *path)
{
    const int flags = O_WRONLY | O_CLOEXEC | O_NOCTTY;
    const int descriptor = open(path, flags | O_NONBLOCK);
    if (descriptor < 0 && errno == ENXIO) {
        note("%s: waiting for a reader", path);
        return open(path, flags);
    }
    const int now = descriptor < 0 ? -1 : fcntl(descriptor, F_GETFL);
    if (now != -1) {
        fcntl(descriptor, F_SETFL, now & ~O_NONBLOCK); /* else output_write waits by itself */
    }
    return descriptor;
}

bool output_is_stream(const char *path)
{
    struct stat status;
    return descriptor_of(path) >= 0 ||
           (stat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode));
}

int output_open_stream(const char *path)
{
    struct stat status;
    const int number = descriptor_of(path);
    if (number >= 0) {
        return copy_descriptor(number, strcmp(path, "-") == 0);
    }
    if (stat(path, &status) != 0 || S_ISREG(status.st_mode)) {
        errno = 0;
        return -1;
    }
    return S_ISFIFO(status.st_mode) ? open_pipe(path) : open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
}

const char *output_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard output" : path;
}

bool output_write(int descriptor, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        const ssize_t written = write(descriptor, at, size);
        if (written < 0 && errno == EAGAIN) {
            poll(&(struct pollfd){.fd = descriptor, .events = POLLOUT}, 1, -1);
        } else if (written < 0 && errno != EINTR) {
            return false;
        } else if (written > 0) {
            at += written;
            size -= (size_t)written;
        }
    }
    return true;
}

/* ---- Behind links ---------------------------------------------------------------------------- */

/* Another user's link in a folder that all may write to: the system does not follow those. */
static bool is_another_users(const char *path, const struct stat *link)
{
    struct stat status;
    char *folder = file_folder(path);
    const bool known = folder != NULL && stat(folder, &status) == 0;
    free(folder);
    return known && (status.st_mode & S_ISVTX) != 0 && (status.st_mode & S_IWOTH) != 0 &&
           link->st_uid != geteuid() && link->st_uid != status.st_uid;
}

char *output_resolve(const char *path)
{
    char *at = strdup(path);
    for (int links = 0; at != NULL; links++) {
        struct stat status;
        if (lstat(at, &status) != 0 || !S_ISLNK(status.st_mode)) {
            return at;
        }
        char *next = NULL;
        if (links == MOST_LINKS || is_another_users(at, &status)) {
            errno = links == MOST_LINKS ? ELOOP : EACCES;
        } else {
            next = link_path(at);
        }
        free(at);
        at = next;
    }
    return NULL;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* The permissions of the old file, or those that a new one gets. */
static mode_t wanted_mode(const char *target)
{
    struct stat old;
    if (stat(target, &old) == 0) {
        return old.st_mode & 07777;
    }
    const mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

/* Opens a new file beside the target; -1 with errno. */
static int open_beside(struct output *output)
{
    char *folder = file_folder(output->target);
    output->temporary = folder == NULL ? NULL : file_join(folder, ".cae-XXXXXX");
    free(folder);
    if (output->temporary == NULL) {
        errno = ENOMEM;
        return -1;
    }
    const int descriptor = mkstemp(output->temporary);
    if (descriptor < 0) {
        free(output->temporary); /* nothing there to be removed */
        output->temporary = NULL;
        return -1;
    }
    if (fchmod(descriptor, wanted_mode(output->target)) != 0) {
        const int error = errno;
        close(descriptor);
        errno = error;
        return -1;
    }
    return descriptor;
}

/* Says that a file cannot be written and, where that is another than the one named, which. */
static int say_cannot_write(const char *name, const char *target, int error)
{
    const char *why = error != 0 ? strerror(error) : "write error; the disk may be full";
    if (target == NULL || strcmp(target, name) == 0) {
        return fail("%s: cannot write: %s", name, why);
    }
    return fail("%s: cannot write: it leads to %s: %s", name,
                target + (strncmp(target, "./", 2) == 0 ? 2 : 0), why);
}

static int fail_to_write(const struct output *output, const char *path, int error)
{
    const char *name = output->name != NULL ? output->name : path;
    return error == ENOTSUP && strcmp(path, "-") == 0
               ? fail("%s is a terminal: send it to a file or a pipe", name)
               : say_cannot_write(name, output->target, error);
}

int output_cannot_open(const char *path, int error)
{
    char *target = output_is_stream(path) ? NULL : output_resolve(path);
    const int result = error == ENOTSUP ? fail("%s: cannot write: a terminal", output_name(path))
                                        : say_cannot_write(output_name(path), target, error);
    free(target);
    return result;
}

int output_open(struct output *output, const char *path)
{
    *output = (struct output){.descriptor = -1};
    output->name = strdup(output_name(path));
    output->descriptor = output_open_stream(path);
    if (output->descriptor < 0 && errno == 0) {
        output->target = output_resolve(path);
        output->descriptor = output->target != NULL ? open_beside(output) : -1;
    }
    if (output->descriptor >= 0) {
        output->file = open_memstream(&output->bytes, &output->size);
    }
    if (output->file == NULL) {
        fail_to_write(output, path, errno);
        output_discard(output);
        return FAILED;
    }
    return DONE;
}

int output_commit(struct output *output)
{
    errno = 0;
    bool ok = fflush(output->file) == 0 && !ferror(output->file);
    ok = ok && output_write(output->descriptor, output->bytes, output->size);
    const int error = errno;
    const bool closed = close(output->descriptor) == 0;
    output->descriptor = -1;
    errno = ok ? errno : error;
    ok = ok && closed;
    if (ok && output->temporary != NULL) {
        ok = rename(output->temporary, output->target) == 0;
    }
    if (!ok) {
        fail_to_write(output, "", errno);
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
    if (output->descriptor >= 0) {
        close(output->descriptor);
    }
    if (output->temporary != NULL) {
        unlink(output->temporary);
    }
    free(output->bytes);
    free(output->temporary);
    free(output->target);
    free(output->name);
    *output = (struct output){.descriptor = -1};
}

/* ---- Names ----------------------------------------------------------------------------------- */

static bool look_at(const struct named_file *file, struct stat *status)
{
    if (strcmp(file->path, "-") == 0) {
        return fstat(file->is_output ? STDOUT_FILENO : STDIN_FILENO, status) == 0;
    }
    return stat(file->path, status) == 0;
}

/* The whole path of a file that may not be there yet; NULL when its folder is not. */
static char *whole_path(const char *path)
{
    char *target = output_resolve(path);
    char *folder = target == NULL ? NULL : file_folder(target);
    char *real = folder == NULL ? NULL : realpath(folder, NULL);
    const char *slash = target == NULL ? NULL : strrchr(target, '/');
    char *whole = real == NULL ? NULL : file_join(real, slash != NULL ? slash + 1 : target);
    free(real);
    free(folder);
    free(target);
    return whole;
}

static bool is_same_name(const char *a, const char *b)
{
    char *whole_a = whole_path(a), *whole_b = whole_path(b);
    const bool same = whole_a != NULL && whole_b != NULL && strcmp(whole_a, whole_b) == 0;
    free(whole_a);
    free(whole_b);
    return same;
}

static bool is_same(const struct named_file *a, const struct named_file *b)
{
    struct stat one, other;
    const bool there = look_at(a, &one), other_there = look_at(b, &other);
    if (!there || !other_there) {
        /* An input that is not there may be no file, such as a preset. */
        return a->is_output && b->is_output && !there && !other_there &&
               is_same_name(a->path, b->path);
    }
    /* A device such as /dev/null may be everything at once; what goes to a pipe would be mixed. */
    const bool counts =
        S_ISREG(one.st_mode) || (a->is_output && b->is_output && !S_ISCHR(one.st_mode));
    return counts && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/* An image may be worked on in place. */
static bool may_be_same(const struct named_file *a, const struct named_file *b)
{
    return (strcmp(a->name, "IN.png") == 0 && strcmp(b->name, "OUT.png") == 0) ||
           (!a->is_output && !b->is_output);
}

int output_check_names(const char *command, const struct named_file *files, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct named_file *a = &files[k], *b = &files[i];
            if (a->path != NULL && b->path != NULL && !may_be_same(a, b) && is_same(a, b)) {
                return usage_error(command,
                                   "%s and %s are the same file, %s: one would destroy the "
                                   "other",
                                   a->name, b->name,
                                   b->is_output ? output_name(b->path) : file_input_name(b->path));
            }
        }
    }
    return DONE;
}
