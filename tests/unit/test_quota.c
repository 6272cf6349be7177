/*
 * Quotas of control groups, on trees of files that are made here as Linux shows them: v2, v1, both
 * at once, seen from inside a container and from outside, with parents, and odd in every way.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serial/quota.h"

static char root[64];

static void make_tree(void)
{
    snprintf(root, sizeof(root), "/tmp/cae-quota-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void remove_tree(void)
{
    char command[100];
    snprintf(command, sizeof(command), "rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
}

/* A file below the root, and the folders that it needs. */
static void put(const char *path, const char *text)
{
    char full[2048];
    snprintf(full, sizeof(full), "%s%s", root, path);
    for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        ck_assert(mkdir(full, 0700) == 0 || errno == EEXIST);
        *at = '/';
    }
    FILE *f = fopen(full, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

static size_t quota(void)
{
    errno = 77;
    const size_t found = cae_quota_processors(root);
    ck_assert_int_eq(errno, 77);
    return found;
}

#define MOUNT_V2 "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define MOUNT_V1                                                                           \
    "31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 master:3 - cgroup cgroup " \
    "rw,cpu,cpuacct\n"
#define OTHERS                                                          \
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"           \
    "32 30 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n" \
    "33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"

/* ---- One file -------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    size_t processors;
} lines[] = {
    {"max 100000\n", SIZE_MAX},
    {"max\n", SIZE_MAX},
    {"100000 100000\n", 1},
    {"1000 100000\n", 1},
    {"100001 100000\n", 2},
    {"150000 100000\n", 2},
    {"200000 100000", 2},
    {"50000 10000\n", 5},
    {"4294967296000 100000\n", 42949673},
    {"", SIZE_MAX},
    {"\n", SIZE_MAX},
    {"0 100000\n", SIZE_MAX},
    {"200000 0\n", SIZE_MAX},
    {"200000\n", SIZE_MAX},
    {"200000 \n", SIZE_MAX},
    {"-1 100000\n", SIZE_MAX},
    {"200000 100000 1\n", SIZE_MAX},
    {"200000 1e5\n", SIZE_MAX},
    {"99999999999999999999999999 100000\n", SIZE_MAX},
    {"nonsense\n", SIZE_MAX},
};

START_TEST(a_quota_is_rounded_up)
{
    put("/proc/self/cgroup", "0::/\n");
    put("/proc/self/mountinfo", OTHERS MOUNT_V2);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        put("/sys/fs/cgroup/cpu.max", lines[i].text);
        ck_assert_msg(quota() == lines[i].processors, "%s: %zu", lines[i].text, quota());
    }
}
END_TEST

START_TEST(version_1_has_two_files)
{
    put("/proc/self/cgroup", "4:cpuset:/a\n3:cpu,cpuacct:/a/b\n1:name=systemd:/\n");
    put("/proc/self/mountinfo", OTHERS MOUNT_V1);
    put("/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n");
    ck_assert_uint_eq(quota(), SIZE_MAX);
    put("/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "250000\n");
    ck_assert_uint_eq(quota(), 3);
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "150000\n");
    ck_assert_uint_eq(quota(), 3); /* no period: no quota */
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    ck_assert_uint_eq(quota(), 2);
    put("/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "9000\n");
    ck_assert_uint_eq(quota(), 1);
    put("/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "0\n");
    ck_assert_uint_eq(quota(), 2);
}
END_TEST

/* ---- Trees ----------------------------------------------------------------------------------- */

START_TEST(parents_count)
{
    put("/proc/self/cgroup", "0::/user.slice/user-1000.slice/app.scope\n");
    put("/proc/self/mountinfo", MOUNT_V2 OTHERS);
    put("/sys/fs/cgroup/user.slice/user-1000.slice/app.scope/cpu.max", "max 100000\n");
    ck_assert_uint_eq(quota(), SIZE_MAX);
    put("/sys/fs/cgroup/user.slice/cpu.max", "300000 100000\n");
    ck_assert_uint_eq(quota(), 3);
    put("/sys/fs/cgroup/user.slice/user-1000.slice/app.scope/cpu.max", "700000 100000\n");
    ck_assert_uint_eq(quota(), 3);
    put("/sys/fs/cgroup/user.slice/user-1000.slice/cpu.max", "50000 100000\n");
    ck_assert_uint_eq(quota(), 1);
    /* Nobody's parent, nor what stands above the mount. */
    put("/sys/fs/cgroup/user.slice/user-1000.slice/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/system.slice/cpu.max", "100000 100000\n");
    put("/sys/fs/cpu.max", "100000 100000\n");
    ck_assert_uint_eq(quota(), 3);
}
END_TEST

START_TEST(both_versions_at_once)
{
    put("/proc/self/cgroup", "9:name=systemd:/\n1:cpu,cpuacct:/x\n0::/y\n");
    put("/proc/self/mountinfo", OTHERS MOUNT_V1 "40 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 "
                                                "cgroup2 rw\n");
    put("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "400000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
    ck_assert_uint_eq(quota(), 4);
    put("/sys/fs/cgroup/unified/y/cpu.max", "200000 100000\n");
    ck_assert_uint_eq(quota(), 2);
    put("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "100000\n");
    ck_assert_uint_eq(quota(), 1);
}
END_TEST

/* Rows of /proc/self/cgroup and mountinfo for one quota, 2, in the folder of the mount `at`. */
static const struct {
    const char *what, *group, *mount, *file;
    size_t processors;
} views[] = {
    {"a namespace of its own", "0::/\n", "1 2 0:1 / /cg rw - cgroup2 c rw\n", "/cg/cpu.max", 2},
    {"the host's name, its folder mounted", "0::/docker/77\n",
     "1 2 0:1 /docker/77 /cg rw - cgroup2 c rw\n", "/cg/cpu.max", 2},
    {"a group within it", "0::/docker/77/in\n", "1 2 0:1 /docker/77 /cg rw - cgroup2 c rw\n",
     "/cg/in/cpu.max", 2},
    {"one whose name only begins alike", "0::/docker/778\n1:cpu:/\n",
     "1 2 0:1 /docker/77 /cg rw - cgroup2 c rw\n1 2 0:1 / /all rw - cgroup2 c rw\n", "/cg/cpu.max",
     SIZE_MAX},
    {"mounted from outside the namespace", "0::/\n", "1 2 0:1 /../.. /cg rw - cgroup2 c rw\n",
     "/cg/cpu.max", 2},
    {"moved out of the namespace", "0::/../other\n", "1 2 0:1 / /cg rw - cgroup2 c rw\n",
     "/cg/cpu.max", 2},
    {"another root than the group's", "0::/a\n", "1 2 0:1 /b /cg rw - cgroup2 c rw\n",
     "/cg/cpu.max", 2},
    {"a better mount beside it", "0::/a\n",
     "1 2 0:1 /b /cg rw - cgroup2 c rw\n1 2 0:1 / /all rw - cgroup2 c rw\n", "/cg/cpu.max",
     SIZE_MAX},
    {"mounted at /", "0::/a\n", "1 2 0:1 / / rw - cgroup2 c rw\n", "/a/cpu.max", 2},
    {"a blank in the path", "0::/a b\n", "1 2 0:1 / /c\\040g rw - cgroup2 c rw\n",
     "/c g/a b/cpu.max", 2},
    {"a colon in the path", "0::/a:b\n", "1 2 0:1 / /cg rw - cgroup2 c rw\n", "/cg/a:b/cpu.max", 2},
    {"fields that come and go", "0::/\n", "1 2 0:1 / /cg rw a:1 b:2 c - cgroup2 c rw\n",
     "/cg/cpu.max", 2},
    {"not of this kind", "0::/\n", "1 2 0:1 / /cg rw - cgroup c rw,cpuset\n", "/cg/cpu.max",
     SIZE_MAX},
    {"no group of this kind", "1:cpuset:/\n", "1 2 0:1 / /cg rw - cgroup2 c rw\n", "/cg/cpu.max",
     SIZE_MAX},
    {"no mount", "0::/\n", "", "/cg/cpu.max", SIZE_MAX},
    {"a mount cut short", "0::/\n", "1 2 0:1 / /cg rw -", "/cg/cpu.max", SIZE_MAX},
    {"few words", "0::/\n", "1\n\n - \n1 2 0:1 / /cg\n-\n", "/cg/cpu.max", SIZE_MAX},
    {"no end of line", "0::/", "1 2 0:1 / /cg rw - cgroup2 c rw", "/cg/cpu.max", 2},
    {"no path", "0::\n", "1 2 0:1 / /cg rw - cgroup2 c rw\n", "/cg/cpu.max", SIZE_MAX},
    {"nonsense", "\xff\xfe:::\n:\n\n::/\n", "1 2 0:1 / /cg rw - cgroup2 c rw\n", "/cg/cpu.max", 2},
};

START_TEST(groups_are_found_however_they_are_mounted)
{
    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        put("/proc/self/cgroup", views[i].group);
        put("/proc/self/mountinfo", views[i].mount);
        put(views[i].file, "200000 100000\n");
        ck_assert_msg(quota() == views[i].processors, "%s: %zu", views[i].what, quota());
        remove_tree();
        make_tree();
    }
}
END_TEST

START_TEST(odd_files_are_no_quota)
{
    char path[128];
    ck_assert_uint_eq(quota(), SIZE_MAX); /* nothing there */
    put("/proc/self/cgroup", "0::/\n");
    ck_assert_uint_eq(quota(), SIZE_MAX);
    put("/proc/self/mountinfo", MOUNT_V2);
    ck_assert_uint_eq(quota(), SIZE_MAX);
    /* A pipe is not waited for, a folder is no file, a device without end has one. */
    snprintf(path, sizeof(path), "%s/sys/fs/cgroup/cpu.max", root);
    put("/sys/fs/cgroup/x", "");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_uint_eq(quota(), SIZE_MAX);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_uint_eq(quota(), SIZE_MAX);
    ck_assert_int_eq(rmdir(path), 0);
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"sys/fs/cgroup/cpu.max", "proc/self/mountinfo",
                                            "proc/self/cgroup"};
        snprintf(path, sizeof(path), "%s/%s", root, names[i]);
        unlink(path);
        ck_assert_int_eq(symlink("/dev/zero", path), 0);
        ck_assert_uint_eq(quota(), SIZE_MAX);
    }
}
END_TEST

/* Long lines are passed over, and what stands behind them is read. */
START_TEST(long_lines_do_no_harm)
{
    static char text[20000];
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
    for (size_t len = 400; len < 9000; len += 321) {
        memset(text, 0, sizeof(text));
        memset(text, 'x', len);
        strcpy(text + len, "\n" MOUNT_V2);
        put("/proc/self/mountinfo", text);
        memset(text, 0, sizeof(text));
        strcpy(text, "5:cpu:/");
        memset(text + 7, 'g', len);
        strcpy(text + 7 + len, "\n0::/\n");
        put("/proc/self/cgroup", text);
        ck_assert_uint_eq(quota(), 2);
    }
    /* A path that fits the buffer alone, but not with the file's name. */
    for (size_t len = 800; len < 1100; len++) {
        memset(text, 0, sizeof(text));
        strcpy(text, "0::/");
        memset(text + 4, 'g', len);
        put("/proc/self/cgroup", text);
        const size_t found = quota();
        ck_assert(found == 2 || found == SIZE_MAX);
    }
}
END_TEST

/* The system's own, whatever it is. */
START_TEST(here_it_is_at_least_one)
{
    ck_assert_uint_ge(cae_quota_processors(""), 1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_quota_is_rounded_up,
        version_1_has_two_files,
        parents_count,
        both_versions_at_once,
        groups_are_found_however_they_are_mounted,
        odd_files_are_no_quota,
        long_lines_do_no_harm,
        here_it_is_at_least_one,
        NULL,
    };
    return unit_run_with("quota", tests, make_tree, remove_tree);
}
