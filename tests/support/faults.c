/*
 * The calls that lib/serial makes to save or load a file, wrapped; see faults.h. These definitions
 * stand in the program, so they come before the C library's, which are found as the next ones.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _GNU_SOURCE /* RTLD_NEXT */

#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    bool armed;
    enum fault kind;
    int at, error, count, open_files;
    const char *victim;
} plan;

void faults_arm(enum fault kind, int at, int error)
{
    plan.kind = kind;
    plan.at = at;
    plan.error = error;
    plan.count = plan.open_files = 0;
    plan.victim = "";
    plan.armed = true;
}

int faults_disarm(void)
{
    plan.armed = false;
    return plan.count;
}

const char *faults_victim(void)
{
    return plan.victim;
}

int faults_open_files(void)
{
    return plan.open_files;
}

/* Counts a call; what is to happen to it. */
static enum fault suffer(const char *name)
{
    if (!plan.armed || plan.kind == FAULT_NONE) {
        plan.count += plan.armed;
        return FAULT_NONE;
    }
    plan.count++;
    if (plan.count == plan.at) {
        plan.victim = name;
    } else if (plan.kind != FAULT_FROM || plan.count < plan.at || strcmp(plan.victim, name) != 0) {
        return FAULT_NONE;
    }
    if (plan.kind == FAULT_KILL_BEFORE) {
        raise(SIGKILL);
    }
    errno = plan.error;
    return plan.kind;
}

static bool fails(enum fault fault)
{
    return fault == FAULT_ERROR || fault == FAULT_FROM;
}

static void die_after(enum fault fault)
{
    if (fault == FAULT_KILL_AFTER) {
        raise(SIGKILL);
    }
}

/* ISO C knows no conversion from an object pointer to a function pointer; POSIX promises one. */
#define NEXT(name) (*(void **)&next = dlsym(RTLD_NEXT, name))

/* Where files may be larger than a word can say, glibc calls these by other names, ours too. */
#if defined(__GLIBC__) && defined(__USE_FILE_OFFSET64) && __WORDSIZE == 32
#define WIDE(name) name "64"
#else
#define WIDE(name) name
#endif

#define WRAP(name, symbol, type, parameters, arguments)         \
    type name parameters                                        \
    {                                                           \
        type(*next) parameters;                                 \
        NEXT(symbol);                                           \
        const enum fault fault = suffer(#name);                 \
        const type result = fails(fault) ? -1 : next arguments; \
        die_after(fault);                                       \
        return result;                                          \
    }

WRAP(fchmod, "fchmod", int, (int file, mode_t mode), (file, mode))
WRAP(fchown, "fchown", int, (int file, uid_t owner, gid_t group), (file, owner, group))
WRAP(flock, "flock", int, (int file, int operation), (file, operation))
WRAP(fstat, WIDE("fstat"), int, (int file, struct stat *info), (file, info))
WRAP(fstatat, WIDE("fstatat"), int,
     (int folder, const char *restrict name, struct stat *restrict info, int flags),
     (folder, name, info, flags))
WRAP(renameat, "renameat", int, (int from, const char *old, int to, const char *new),
     (from, old, to, new))
WRAP(unlinkat, "unlinkat", int, (int folder, const char *name, int flags), (folder, name, flags))

/* No test pulls the plug, and thousands of saves need not wait for the disk. */
int fsync(int file)
{
    const enum fault fault = suffer("fsync");
    (void)file;
    die_after(fault);
    return fails(fault) ? -1 : 0;
}

ssize_t write(int file, const void *data, size_t size)
{
    ssize_t (*next)(int, const void *, size_t);
    NEXT("write");
    const enum fault fault = suffer("write");
    const size_t part = fault == FAULT_SHORT && size > 1 ? 1 : size;
    const ssize_t result = fails(fault) ? -1 : next(file, data, part);
    die_after(fault);
    return result;
}

ssize_t pread(int file, void *data, size_t size, off_t at)
{
    ssize_t (*next)(int, void *, size_t, off_t);
    NEXT(WIDE("pread"));
    const enum fault fault = suffer("pread");
    const size_t part = fault == FAULT_SHORT && size > 1 ? 1 : size;
    return fails(fault) ? -1 : next(file, data, part, at);
}

int close(int file)
{
    int (*next)(int);
    NEXT("close");
    const enum fault fault = suffer("close");
    plan.open_files -= plan.armed;
    /* As on Linux, the descriptor is gone even when closing fails. */
    const int result = next(file);
    die_after(fault);
    return fails(fault) ? -1 : result;
}

int openat(int folder, const char *path, int flags, ...)
{
    int (*next)(int, const char *, int, ...);
    va_list list;
    va_start(list, flags);
    const unsigned mode = (flags & O_CREAT) != 0 ? va_arg(list, unsigned) : 0;
    va_end(list);
    NEXT(WIDE("openat"));
    const enum fault fault = suffer("openat");
    const int result = fails(fault) ? -1 : next(folder, path, flags, mode);
    plan.open_files += plan.armed && result >= 0;
    die_after(fault);
    return result;
}
