/*
 * Quotas of control groups. /proc/self/cgroup has the groups of the process, /proc/self/mountinfo
 * their folders. Files are read through small buffers of a fixed size; a line that does not fit is
 * skipped, because no line that matters is long.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64
#endif

#include "serial/quota.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "serial/system.h"

enum {
    PLACE = 1024, /* bytes of a path */
    LINE = 2048,
    WORDS = 24,    /* of a line of mountinfo */
    MOST = 4 << 20 /* bytes of a file that are read: more than any real file has */
};

/* ---- Files ----------------------------------------------------------------------------------- */

struct lines {
    int file;
    size_t at, len, left; /* in the block; of MOST */
    char block[512];
};

/* The next byte, or -1 at the end. */
static int next_byte(struct lines *l)
{
    if (l->at == l->len) {
        ssize_t got = 0;
        do {
            got = l->left > 0 ? read(l->file, l->block, sizeof(l->block)) : 0;
        } while (got < 0 && errno == EINTR);
        l->at = 0;
        l->len = got > 0 ? (size_t)got : 0;
        l->left -= l->len < l->left ? l->len : l->left;
    }
    return l->at < l->len ? (unsigned char)l->block[l->at++] : -1;
}

/* The next line without its end; one that does not fit, or holds a NUL, is left empty. */
static bool next_line(struct lines *l, char line[LINE])
{
    size_t len = 0;
    bool fits = true;
    int c = next_byte(l);
    const bool more = c >= 0;
    for (; c >= 0 && c != '\n'; c = next_byte(l)) {
        fits = fits && c != '\0' && len + 1 < LINE;
        if (fits) {
            line[len++] = (char)c;
        }
    }
    line[fits ? len : 0] = '\0';
    return more;
}

/* `a` and `b` behind each other; false when they do not fit. */
static bool join(char out[PLACE], const char *a, const char *b)
{
    const size_t a_len = strlen(a);
    const size_t b_len = strlen(b);
    if (a_len >= PLACE || b_len >= PLACE - a_len) {
        return false;
    }
    memcpy(out, a, a_len);
    memcpy(out + a_len, b, b_len + 1);
    return true;
}

static bool open_file(struct lines *l, const char *folder, const char *name)
{
    char path[PLACE];
    *l = (struct lines){.file = -1, .left = MOST};
    if (join(path, folder, name)) {
        l->file = cae_system_open(AT_FDCWD, path, O_RDONLY, 0);
    }
    return l->file >= 0;
}

static bool first_line(const char *folder, const char *name, char line[LINE])
{
    struct lines l;
    if (!open_file(&l, folder, name)) {
        return false;
    }
    const bool found = next_line(&l, line);
    close(l.file);
    return found;
}

/* ---- One group ------------------------------------------------------------------------------- */

/* 0 where the text is no number, or has too many digits. */
static uint64_t read_number(const char *text)
{
    uint64_t value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        value = value < UINT64_MAX / 16 ? value * 10 + (uint64_t)(*text - '0') : UINT64_MAX;
    }
    return *text == '\0' && value < UINT64_MAX ? value : 0;
}

static size_t processors(const char *quota_text, const char *period_text)
{
    const uint64_t quota = read_number(quota_text);
    const uint64_t period = read_number(period_text);
    if (quota == 0 || period == 0) {
        return SIZE_MAX;
    }
    const uint64_t whole = quota / period + (quota % period != 0);
    return whole < SIZE_MAX ? (size_t)whole : SIZE_MAX;
}

/* cpu.max: "max 100000", or a quota and a period. */
static size_t quota_of_v2(const char *folder)
{
    char line[LINE];
    char *blank = first_line(folder, "/cpu.max", line) ? strchr(line, ' ') : NULL;
    if (blank == NULL) {
        return SIZE_MAX;
    }
    *blank = '\0';
    return processors(line, blank + 1);
}

/* Quota and period have a file each; a quota of -1 is none. */
static size_t quota_of_v1(const char *folder)
{
    char quota[LINE];
    char period[LINE];
    const bool found = first_line(folder, "/cpu.cfs_quota_us", quota) &&
                       first_line(folder, "/cpu.cfs_period_us", period);
    return found ? processors(quota, period) : SIZE_MAX;
}

/* ---- Where the groups are -------------------------------------------------------------------- */

/* One of the two kinds of hierarchy. */
struct hierarchy {
    size_t (*quota_of)(const char *folder);
    char group[PLACE]; /* of this process; "" when it is in none */
    size_t least;      /* of the groups that were found */
    bool found;        /* a mount that holds the process's group */
    size_t other;      /* of mounts that do not seem to */
};

/* Whether `word` is one of the words of a list with commas. */
static bool lists(const char *list, const char *word)
{
    const size_t len = strlen(word);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, len) == 0 && (at[len] == ',' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

/* Lines "0::/group" of v2, "4:cpu,cpuacct:/group" of v1. */
static void read_groups(const char *root, struct hierarchy *v1, struct hierarchy *v2)
{
    struct lines l;
    char line[LINE];
    if (!open_file(&l, root, "/proc/self/cgroup")) {
        return;
    }
    while (next_line(&l, line)) {
        char *list = strchr(line, ':');
        char *group = list != NULL ? strchr(list + 1, ':') : NULL;
        if (group == NULL || group[1] != '/') {
            continue;
        }
        *group++ = '\0';
        list++;
        struct hierarchy *h = lists(list, "cpu") ? v1 : *list == '\0' ? v2 : NULL;
        if (h != NULL && !join(h->group, "", group)) {
            (void)join(h->group, "", "/.."); /* in no mount, so that the mount's own quota counts */
        }
    }
    close(l.file);
}

/* Whether the path has a part `..`, as it has outside of a namespace. */
static bool leads_up(const char *path)
{
    for (const char *at = strchr(path, '/'); at != NULL; at = strchr(at + 1, '/')) {
        if (at[1] == '.' && at[2] == '.' && (at[3] == '/' || at[3] == '\0')) {
            return true;
        }
    }
    return false;
}

/* The part of the group's path below the mount's root, "" if they are equal; NULL when the mount
 * does not contain the group. */
static const char *below(const char *group, const char *root)
{
    const size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);
    if (strncmp(group, root, len) != 0 || (group[len] != '/' && group[len] != '\0') ||
        leads_up(group)) {
        return NULL;
    }
    return strcmp(group + len, "/") == 0 ? "" : group + len;
}

/* The smallest quota of the process's group and of all above it, up to the mount. */
static size_t least_of(const struct hierarchy *h, const char *mount, const char *rest)
{
    char folder[PLACE];
    size_t least = SIZE_MAX;
    if (!join(folder, mount, rest) && !join(folder, mount, "")) {
        return least;
    }
    for (size_t len = strlen(folder);;) {
        const size_t here = h->quota_of(folder);
        least = here < least ? here : least;
        while (len > strlen(mount) && folder[len] != '/') {
            len--;
        }
        if (folder[len] != '/') {
            return least;
        }
        folder[len] = '\0';
    }
}

static void use_mount(struct hierarchy *h, const char *system, const char *root, const char *point)
{
    char mount[PLACE];
    if (h->group[0] == '\0' || !join(mount, system, point)) {
        return;
    }
    const char *rest = below(h->group, root);
    size_t *least = rest != NULL ? &h->least : &h->other;
    const size_t here = least_of(h, mount, rest != NULL ? rest : "");
    h->found = h->found || rest != NULL;
    *least = here < *least ? here : *least;
}

/* mountinfo has blanks and backslashes as \ and three octal digits. */
static void unescape(char *text)
{
    char *out = text;
    for (const char *at = text; *at != '\0'; at++) {
        if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
            at[3] >= '0' && at[3] <= '7') {
            *out++ = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
            at += 3;
        } else {
            *out++ = *at;
        }
    }
    *out = '\0';
}

/* Splits at blanks; the number of words, at most WORDS. */
static size_t split(char *line, char *words[WORDS])
{
    size_t len = 0;
    for (char *at = line; at != NULL && len < WORDS;) {
        words[len++] = at;
        at = strchr(at, ' ');
        if (at != NULL) {
            *at++ = '\0';
        }
    }
    return len;
}

/* A line of mountinfo: id, parent, device, root, mount point, options, any number of other fields,
 * "-", type, source, options of the file system. */
static void read_mount(char *line, const char *system, struct hierarchy *v1, struct hierarchy *v2)
{
    char *words[WORDS];
    const size_t len = split(line, words);
    size_t dash = 6;
    while (dash < len && strcmp(words[dash], "-") != 0) {
        dash++;
    }
    if (dash + 1 >= len) {
        return;
    }
    unescape(words[3]);
    unescape(words[4]);
    if (strcmp(words[dash + 1], "cgroup2") == 0) {
        use_mount(v2, system, words[3], words[4]);
    } else if (strcmp(words[dash + 1], "cgroup") == 0 && dash + 3 < len &&
               lists(words[dash + 3], "cpu")) {
        use_mount(v1, system, words[3], words[4]);
    }
}

static void read_mounts(const char *system, struct hierarchy *v1, struct hierarchy *v2)
{
    struct lines l;
    char line[LINE];
    if (open_file(&l, system, "/proc/self/mountinfo")) {
        while (next_line(&l, line)) {
            read_mount(line, system, v1, v2);
        }
        close(l.file);
    }
}

size_t cae_quota_processors(const char *root)
{
    const int saved = errno;
    struct hierarchy v1 = {.quota_of = quota_of_v1, .least = SIZE_MAX, .other = SIZE_MAX};
    struct hierarchy v2 = {.quota_of = quota_of_v2, .least = SIZE_MAX, .other = SIZE_MAX};
    read_groups(root, &v1, &v2);
    if (v1.group[0] != '\0' || v2.group[0] != '\0') {
        read_mounts(root, &v1, &v2);
    }
    /* A container may see its group under another name than the mount has. Then the mounted group
     * is its group or one above it. */
    const size_t one = v1.found ? v1.least : v1.other;
    const size_t two = v2.found ? v2.least : v2.other;
    errno = saved;
    return one < two ? one : two;
}
