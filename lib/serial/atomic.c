/*
 * Atomic replacement of a file. All calls are relative to the open folder, so renaming the folder
 * in between has no effect.
 *
 * The owner of the temporary file is the process whose lock (flock) is on the file with its name. A
 * saver creates the file with O_EXCL, locks it, and checks whether the name still refers to it. If
 * the name exists already, the saver opens that file and tries to lock it. If it is locked, another
 * save is under way. If not, its owner has ended, and the file is removed under the lock. A
 * temporary file is renamed or removed only by the holder of its lock, so no other saver can lose
 * it.
 *
 * Symbolic links are followed here, one after the other, so that the folder that the last one leads
 * to stays open. As the system does (fs.protected_symlinks), another user's link in a folder that
 * all may write to is not followed.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* flock, statx */
#endif
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include "serial/atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h> /* renameat */
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/size.h"
#include "base/status.h"
#include "serial/system.h"

enum {
    NAME_PART = 200,  /* of the target's name; with ".", ".cae-tmp" below the usual 255 */
    SHORT_PART = 100, /* where the file system allows less, such as 143 */
    MOST_LINKS = 40,  /* one after the other: as many as Linux follows */
    LINK_SIZE = 4096, /* the longest path of a link, with its zero byte */
};

static int open_folder(cae_atomic *a)
{
    const char *slash = strrchr(a->path, '/');
    a->name = slash != NULL ? slash + 1 : a->path;
    char *folder = cae_alloc_string(a->memory, slash != NULL ? a->path : ".");
    if (folder == NULL) {
        return CAE_E_NOMEM;
    }
    if (slash != NULL) {
        folder[a->name - a->path] = '\0'; /* with its slash: "/" is a folder too */
    }
    a->folder = cae_system_open(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0);
    const int error = errno;
    cae_release(a->memory, folder);
    return a->folder >= 0 ? CAE_OK : cae_fail_system("open the folder of", error, a->path);
}

/* Refuses a link that the system would not follow either (fs.protected_symlinks), and one whose
 * text is not what it leads to: links of /proc refer to an open file, which a save would replace
 * while a process has it open. */
static int refuse_link(const cae_atomic *a, const struct stat *link)
{
    struct stat folder, proc;
    if (fstat(a->folder, &folder) != 0) {
        return cae_fail_system("look at the folder of", errno, a->path);
    }
    const bool shared = (folder.st_mode & S_ISVTX) != 0 && (folder.st_mode & S_IWOTH) != 0;
    if (shared && link->st_uid != geteuid() && link->st_uid != folder.st_uid) {
        return cae_fail(CAE_E_IO,
                        "the target is another user's symbolic link in a folder that all may write "
                        "to: cannot save %s",
                        a->path);
    }
    if (stat("/proc/self/fd", &proc) == 0 && proc.st_dev == folder.st_dev) {
        return cae_fail(CAE_E_IO, "the target is an open file and no name: cannot save %s",
                        a->path);
    }
    return CAE_OK;
}

/* Follows the link `name` to another name, mostly in another folder. */
static int follow_link(cae_atomic *a, const struct stat *link)
{
    char text[LINK_SIZE];
    CAE_TRY(refuse_link(a, link));
    const ssize_t size = readlinkat(a->folder, a->name, text, sizeof(text));
    if (size < 0 || (size_t)size == sizeof(text)) {
        return cae_fail_system("follow the link", size < 0 ? errno : ENAMETOOLONG, a->path);
    }
    text[size] = '\0';
    char *slash = strrchr(text, '/');
    char *name = cae_alloc_string(a->memory, slash != NULL ? slash + 1 : text);
    if (name == NULL) {
        return CAE_E_NOMEM;
    }
    cae_release(a->memory, a->link);
    a->name = a->link = name;
    if (slash == NULL) {
        return CAE_OK;
    }
    slash[1] = '\0';
    const int folder = cae_system_open(a->folder, text, O_RDONLY | O_DIRECTORY, 0);
    if (folder < 0) {
        return cae_fail_system("open the folder that the link leads to,", errno, text);
    }
    close(a->folder);
    a->folder = folder;
    return CAE_OK;
}

static int look_at_target(cae_atomic *a)
{
    struct stat info;
    for (int links = 0;; links++) {
        if (*a->name == '\0') {
            return cae_fail(CAE_E_ARGUMENT, "path: names no file: '%s'", a->path);
        }
        if (fstatat(a->folder, a->name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
            return errno == ENOENT ? CAE_OK : cae_fail_system("look at", errno, a->path);
        }
        if (!S_ISLNK(info.st_mode)) {
            break;
        }
        if (links == MOST_LINKS) {
            return cae_fail_system("look at", ELOOP, a->path);
        }
        CAE_TRY(follow_link(a, &info));
    }
    if (!S_ISREG(info.st_mode)) {
        return cae_fail(CAE_E_IO, "the target is %s: cannot save %s",
                        S_ISDIR(info.st_mode) ? "a folder" : "a device, a pipe or a socket",
                        a->path);
    }
    a->target_exists = true;
    a->mode = info.st_mode & 0777;
    a->owner = info.st_uid;
    a->group = info.st_gid;
    return CAE_OK;
}

static int name_temporary(cae_atomic *a, size_t most)
{
    const size_t part = cae_size_min(strlen(a->name), most);
    char *text = cae_alloc(a->memory, part + sizeof(".") - 1 + sizeof(".cae-tmp"), 1);
    if (text == NULL) {
        return CAE_E_NOMEM;
    }
    text[0] = '.';
    memcpy(text + 1, a->name, part);
    memcpy(text + 1 + part, ".cae-tmp", sizeof(".cae-tmp"));
    cae_release(a->memory, a->temporary);
    a->temporary = text;
    return CAE_OK;
}

enum lock { LOCKED, HELD_BY_ANOTHER, NO_LOCKS };

static enum lock try_lock(int file)
{
    int result;
    do {
        result = flock(file, LOCK_EX | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? LOCKED : errno == EWOULDBLOCK ? HELD_BY_ANOTHER : NO_LOCKS;
}

/* True when the temporary file's name refers to this open file. */
static bool is_temporary(const cae_atomic *a, int file)
{
    struct stat mine, named;
    return fstat(file, &mine) == 0 &&
           fstatat(a->folder, a->temporary, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
}

/* The name exists: removes a file that a killed process left, refuses one that is in use. */
static int remove_stale(const cae_atomic *a)
{
    const int file = cae_system_open(a->folder, a->temporary, O_RDWR | O_NOFOLLOW, 0);
    if (file < 0) {
        return errno == ENOENT ? CAE_OK
                               : cae_fail_system("open the temporary file of", errno, a->path);
    }
    int status = CAE_OK;
    const enum lock lock = try_lock(file);
    if (lock != LOCKED) {
        status = cae_fail(CAE_E_IO, "another save is under way (if not, remove %s): cannot save %s",
                          a->temporary, a->path);
    } else if (is_temporary(a, file) && unlinkat(a->folder, a->temporary, 0) != 0) {
        status = cae_fail_system("remove the old temporary file of", errno, a->path);
    }
    close(file);
    return status;
}

static int make_temporary(cae_atomic *a)
{
    /* The successor of a private file must be private from the start; a new file's mode follows
     * from the umask. */
    const mode_t mode = a->target_exists ? 0600 : 0666;
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    for (int attempt = 0; attempt < 8; attempt++) {
        int file = cae_system_open(a->folder, a->temporary, flags, mode);
        if (file < 0 && errno == ENAMETOOLONG) {
            CAE_TRY(name_temporary(a, SHORT_PART));
            file = cae_system_open(a->folder, a->temporary, flags, mode);
        }
        if (file < 0 && errno != EEXIST) {
            return cae_fail_system("make a temporary file beside", errno, a->path);
        }
        if (file < 0) {
            CAE_TRY(remove_stale(a));
            continue;
        }
        /* Before it was locked, another saver may have removed the file as a stale one. */
        if (try_lock(file) != HELD_BY_ANOTHER && is_temporary(a, file)) {
            a->file = file;
            return CAE_OK;
        }
        close(file);
    }
    return cae_fail(CAE_E_IO, "other saves are under way: cannot save %s", a->path);
}

static int take_over_mode(cae_atomic *a)
{
    if (!a->target_exists) {
        return CAE_OK;
    }
    if (fchown(a->file, a->owner, a->group) != 0) {
        /* Only root can give a file away; otherwise the new file belongs to the saving user. */
    }
    if (fchmod(a->file, a->mode) != 0) {
        return cae_fail_system("set the permissions of the successor of", errno, a->path);
    }
    return CAE_OK;
}

int cae_atomic_open(cae_atomic *a, const cae_memory *memory, const char *path)
{
    int status;
    *a = (cae_atomic){.memory = memory, .path = path, .folder = -1, .file = -1};
    if ((status = open_folder(a)) != CAE_OK || (status = look_at_target(a)) != CAE_OK ||
        (status = name_temporary(a, NAME_PART)) != CAE_OK ||
        (status = make_temporary(a)) != CAE_OK || (status = take_over_mode(a)) != CAE_OK) {
        cae_atomic_close(a);
    }
    return status;
}

int cae_atomic_write(cae_atomic *a, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        const ssize_t written = write(a->file, at, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return cae_fail_system("write", written < 0 ? errno : EIO, a->path);
        }
        at += written;
        size -= (size_t)written;
    }
    return CAE_OK;
}

static int flush(int file)
{
    int result;
    do {
        result = fsync(file);
    } while (result != 0 && errno == EINTR);
    return result;
}

static bool is_mount_point(const cae_atomic *a)
{
#ifdef STATX_ATTR_MOUNT_ROOT
    struct statx info;
    return statx(a->folder, a->name, AT_SYMLINK_NOFOLLOW, 0, &info) == 0 &&
           (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
#else
    (void)a; /* the rename will fail */
    return false;
#endif
}

static int fail_rename(const cae_atomic *a, int error)
{
    if (error == EBUSY) {
        return cae_fail(CAE_E_IO,
                        "the target is a mount point, which nothing can replace (a folder that is "
                        "mounted will do): cannot save %s",
                        a->path);
    }
    if (error == EPERM) {
        return cae_fail(CAE_E_IO,
                        "operation not permitted (another user's file in a folder like /tmp, or "
                        "one that must not change): cannot replace %s",
                        a->path);
    }
    return cae_fail_system("rename the temporary file over", error, a->path);
}

int cae_atomic_try(const cae_atomic *a)
{
    if (flush(a->file) != 0) {
        return cae_fail_system("flush", errno, a->path);
    }
    if (!a->target_exists) {
        return CAE_OK; /* a file could be made in the folder, so it can also be renamed there */
    }
    if (is_mount_point(a)) {
        return fail_rename(a, EBUSY);
    }
    /* Removing a file as a folder fails, but before that the system checks whether this user may
     * remove it at all, as it does for a rename: sticky folders, immutable files, read-only file
     * systems. */
    if (unlinkat(a->folder, a->name, AT_REMOVEDIR) != 0 &&
        (errno == EPERM || errno == EACCES || errno == EROFS || errno == EBUSY)) {
        return fail_rename(a, errno);
    }
    return CAE_OK;
}

int cae_atomic_commit(cae_atomic *a)
{
    if (flush(a->file) != 0) {
        return cae_fail_system("flush", errno, a->path);
    }
    if (renameat(a->folder, a->temporary, a->folder, a->name) != 0) {
        return fail_rename(a, errno);
    }
    close(a->file); /* it is flushed, so closing cannot lose anything */
    a->file = -1;
    /* Some file systems cannot flush a folder (EINVAL); they order a rename in another way or not
     * at all. Any other failure is reported, though the new file is in place: it may not survive a
     * power cut. */
    if (flush(a->folder) != 0 && errno != EINVAL) {
        return cae_fail_system("flush the folder of (the new file is in place)", errno, a->path);
    }
    return CAE_OK;
}

void cae_atomic_close(cae_atomic *a)
{
    if (a->file >= 0) {
        (void)unlinkat(a->folder, a->temporary, 0);
        close(a->file);
    }
    if (a->folder >= 0) {
        close(a->folder);
    }
    cae_release(a->memory, a->temporary);
    cae_release(a->memory, a->link);
    *a = (cae_atomic){.memory = a->memory, .folder = -1, .file = -1};
}
