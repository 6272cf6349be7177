/*
 * Saving a model to a path: targets of every kind, permissions, temporary files, several savers.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _DEFAULT_SOURCE /* flock, symlink, setgroups */

#include "unit.h"

#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/status.h"
#include "files.h"
#include "sample_model.h"
#include "serial/model_file.h"

#define TEMPORARY ".m.safetensors.cae-tmp"

static const char target[] = "m.safetensors";

static unsigned mode_of(const char *path)
{
    struct stat info;
    ck_assert_int_eq(lstat(path, &info), 0);
    return info.st_mode & 07777;
}

static void expect_refused(const char *path, int status, const char *words)
{
    const size_t before = folder_count();
    ck_assert_int_eq(sample_save(SAMPLE_ALL, path), status);
    ck_assert_msg(strstr(cae_message(), words) != NULL, "%s: %s", path, cae_message());
    ck_assert_uint_eq(folder_count(), before);
}

/* ---- Targets ---- */

START_TEST(a_new_file_obeys_the_umask)
{
    umask(027);
    ck_assert_int_eq(sample_save(SAMPLE_ALL, target), CAE_OK);
    ck_assert_int_eq(sample_which(target), 'n');
    ck_assert_uint_eq(mode_of(target), 0640);
    ck_assert_uint_eq(folder_count(), 1);
    umask(0);
    ck_assert_int_eq(sample_save(SAMPLE_ALL, "open"), CAE_OK);
    ck_assert_uint_eq(mode_of("open"), 0666);
}
END_TEST

START_TEST(an_old_file_keeps_its_permissions)
{
    static const mode_t modes[] = {0600, 0644, 0666, 0444, 0755};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        unlink(target);
        umask(022);
        ck_assert_int_eq(sample_save(SAMPLE_WEIGHTS, target), CAE_OK);
        ck_assert_int_eq(chmod(target, modes[i]), 0);
        umask(077);
        ck_assert_int_eq(sample_save(SAMPLE_ALL, target), CAE_OK);
        ck_assert_int_eq(sample_which(target), 'n');
        ck_assert_uint_eq(mode_of(target), modes[i]);
    }
}
END_TEST

START_TEST(an_open_reader_keeps_the_old_file)
{
    cae_model_file *f;
    float value[2];
    ck_assert_int_eq(sample_save(SAMPLE_WEIGHTS, target), CAE_OK);
    ck_assert_int_eq(cae_model_file_open_path(&f, cae_memory_default(), target, CAE_FILE_MODEL),
                     CAE_OK);
    ck_assert_int_eq(sample_save(SAMPLE_ALL, target), CAE_OK);
    ck_assert_uint_eq(cae_model_file_len(f), SAMPLE_WEIGHTS);
    ck_assert_int_eq(cae_model_file_read(f, cae_model_file_find(f, "codec.max"), value), CAE_OK);
    cae_model_file_close(f);
}
END_TEST

START_TEST(a_target_that_is_no_regular_file_is_refused)
{
    ck_assert_int_eq(sample_save(SAMPLE_WEIGHTS, target), CAE_OK);
    ck_assert_int_eq(mkdir("folder", 0777), 0);
    ck_assert_int_eq(mkfifo("pipe", 0666), 0);
    ck_assert_int_eq(symlink("folder", "to folder"), 0);
    ck_assert_int_eq(symlink("folder/", "slash"), 0);
    ck_assert_int_eq(symlink("missing/m", "astray"), 0);
    ck_assert_int_eq(symlink("round", "round"), 0);
    ck_assert_int_eq(symlink("pipe", "to pipe"), 0);
    expect_refused("folder", CAE_E_IO, "a folder");
    expect_refused("folder/", CAE_E_ARGUMENT, "names no file");
    expect_refused("", CAE_E_ARGUMENT, "names no file");
    expect_refused(".", CAE_E_IO, "a folder");
    expect_refused("..", CAE_E_IO, "a folder");
    expect_refused("/", CAE_E_ARGUMENT, "names no file");
    expect_refused("pipe", CAE_E_IO, "a pipe");
    expect_refused("/dev/full", CAE_E_IO, "a device");
    expect_refused("/dev/null", CAE_E_IO, "a device");
    expect_refused("to folder", CAE_E_IO, "a folder");
    expect_refused("slash", CAE_E_ARGUMENT, "names no file");
    expect_refused("astray", CAE_E_IO, "no such file or folder");
    expect_refused("round", CAE_E_IO, "too many");
    expect_refused("to pipe", CAE_E_IO, "a pipe");
    expect_refused("missing/m", CAE_E_IO, "no such file or folder");
    expect_refused("m.safetensors/m", CAE_E_IO, "not a folder");
    ck_assert_int_eq(sample_which(target), 'o');
}
END_TEST

static void expect_link(const char *link, const char *text)
{
    char found[64] = "";
    ck_assert_int_gt(readlink(link, found, sizeof(found) - 1), 0);
    ck_assert_str_eq(found, text);
}

/* `latest -> runs/17/m` is what people have: the link stays, the file behind it is replaced, with
 * the temporary file beside it. */
START_TEST(a_link_stays_and_its_file_is_replaced)
{
    ck_assert_int_eq(mkdir("runs", 0777), 0);
    ck_assert_int_eq(mkdir("runs/17", 0777), 0);
    ck_assert_int_eq(symlink("runs/17", "run"), 0);
    ck_assert_int_eq(symlink("run/m", "latest"), 0);
    ck_assert_int_eq(symlink("../latest", "runs/again"), 0);
    ck_assert_int_eq(sample_save(SAMPLE_WEIGHTS, "latest"), CAE_OK); /* dangles */
    ck_assert_int_eq(sample_which("runs/17/m"), 'o');
    ck_assert_int_eq(chmod("runs/17/m", 0640), 0);
    ck_assert_int_eq(sample_save(SAMPLE_ALL, "runs/again"), CAE_OK);
    ck_assert_int_eq(sample_which("runs/17/m"), 'n');
    ck_assert_uint_eq(mode_of("runs/17/m"), 0640);
    expect_link("latest", "run/m");
    expect_link("runs/again", "../latest");
    ck_assert_uint_eq(folder_count(), 3);
    ck_assert_int_eq(unlink("runs/17/m"), 0);
    ck_assert_int_eq(rmdir("runs/17"), 0); /* nothing else is there */
    ck_assert_int_eq(unlink("runs/again"), 0);
}
END_TEST

/* The open file must not be replaced, though the text of the link is its name. */
START_TEST(an_open_file_is_not_replaced)
{
    if (access("/proc/self/fd", F_OK) != 0) {
        return;
    }
    char name[64];
    ck_assert_int_eq(sample_save(SAMPLE_WEIGHTS, target), CAE_OK);
    const int file = open(target, O_RDWR);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
    expect_refused(name, CAE_E_IO, "an open file");
    ck_assert_int_eq(symlink(name, "link"), 0);
    expect_refused("link", CAE_E_IO, "an open file");
    ck_assert_int_eq(sample_which(target), 'o');
    close(file);
}
END_TEST

static int try_save(const char *path)
{
    return cae_model_file_write_path(cae_memory_default(), sample_model(SAMPLE_ALL), path, true);
}

/* Becomes another user where it is root; false where it cannot. */
static bool become(unsigned user)
{
    return geteuid() == 0 && setgroups(0, NULL) == 0 && setgid(user) == 0 && setuid(user) == 0;
}

START_TEST(a_try_leaves_everything_as_it_is)
{
    ck_assert_int_eq(try_save("new"), CAE_OK);
    ck_assert_int_ne(access("new", F_OK), 0);
    ck_assert_int_eq(sample_save(SAMPLE_WEIGHTS, target), CAE_OK);
    ck_assert_int_eq(try_save(target), CAE_OK);
    ck_assert_int_eq(sample_which(target), 'o');
    ck_assert_int_eq(symlink("behind", "link"), 0);
    ck_assert_int_eq(try_save("link"), CAE_OK);
    ck_assert_uint_eq(folder_count(), 2);
    ck_assert_int_eq(try_save("missing/m"), CAE_E_IO);
    ck_assert_int_eq(try_save("."), CAE_E_IO);
}
END_TEST

/* A folder as /tmp is: anyone may make files, and replace only one's own. */
START_TEST(a_try_knows_the_files_of_others)
{
    if (geteuid() != 0) {
        return;
    }
    ck_assert_int_eq(mkdir("shared", 0777), 0);
    ck_assert_int_eq(chmod("shared", 01777), 0);
    ck_assert_int_eq(chmod(".", 0755), 0);
    ck_assert_int_eq(sample_save(SAMPLE_WEIGHTS, "shared/m"), CAE_OK);
    ck_assert_int_eq(chmod("shared/m", 0666), 0);
    ck_assert_int_eq(symlink("elsewhere", "shared/link"), 0);
    ck_assert_int_eq(lchown("shared/link", 12345, 12345), 0);
    const pid_t child = fork();
    if (child == 0) {
        bool ok = become(65534);
        ok = ok && try_save("shared/m") == CAE_E_IO &&
             strstr(cae_message(), "not permitted") != NULL;
        ok = ok && sample_save(SAMPLE_ALL, "shared/m") == CAE_E_IO;
        ok = ok && try_save("shared/link") == CAE_E_IO &&
             strstr(cae_message(), "another user's symbolic link") != NULL;
        ok = ok && try_save("shared/new") == CAE_OK;
        _exit(ok ? 0 : 1);
    }
    int result;
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    ck_assert_int_eq(sample_which("shared/m"), 'o');
    ck_assert_int_eq(unlink("shared/m"), 0);
    ck_assert_int_eq(unlink("shared/link"), 0);
    ck_assert_int_eq(rmdir("shared"), 0);
    ck_assert_int_eq(result, 0);
}
END_TEST

START_TEST(only_regular_files_are_read)
{
    cae_model_file *f;
    ck_assert_int_eq(mkfifo("pipe", 0666), 0);
    static const char *const paths[] = {"pipe", ".", "/dev/null", "/dev/zero", "missing", ""};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        ck_assert_int_eq(
            cae_model_file_open_path(&f, cae_memory_default(), paths[i], CAE_FILE_MODEL), CAE_E_IO);
        ck_assert_ptr_null(f);
    }
    ck_assert_int_eq(sample_save(SAMPLE_ALL, target), CAE_OK);
    ck_assert_int_eq(symlink(target, "link"), 0);
    ck_assert_int_eq(cae_model_file_open_path(&f, cae_memory_default(), "link", CAE_FILE_MODEL),
                     CAE_OK);
    cae_model_file_close(f);
}
END_TEST

START_TEST(long_names_work)
{
    char name[300];
    memset(name, 'n', sizeof(name));
    name[255] = '\0';
    ck_assert_int_eq(sample_save(SAMPLE_ALL, name), CAE_OK);
    ck_assert_int_eq(sample_which(name), 'n');
    name[255] = 'n';
    name[256] = '\0';
    expect_refused(name, CAE_E_IO, "name too long");
    ck_assert_int_eq(mkdir("folder", 0777), 0);
    ck_assert_int_eq(sample_save(SAMPLE_ALL, "folder/../folder//m"), CAE_OK);
    ck_assert_int_eq(sample_which("folder/m"), 'n');
    ck_assert_int_eq(unlink("folder/m"), 0);
}
END_TEST

/* Root may write anywhere, so the test becomes another user where it is root. */
START_TEST(a_folder_without_permission_is_an_error)
{
    ck_assert_int_eq(sample_save(SAMPLE_WEIGHTS, target), CAE_OK);
    ck_assert_int_eq(chmod(".", 0555), 0);
    const pid_t child = fork();
    if (child == 0) {
        const bool dropped =
            geteuid() != 0 || (setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
        const int status = sample_save(SAMPLE_ALL, target);
        _exit(dropped && status == CAE_E_IO && strstr(cae_message(), "permission denied") != NULL
                  ? 0
                  : 1);
    }
    int result;
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    ck_assert_int_eq(chmod(".", 0755), 0);
    ck_assert_int_eq(result, 0);
    ck_assert_int_eq(sample_which(target), 'o');
    ck_assert_uint_eq(folder_count(), 1);
}
END_TEST

/* ---- Temporary files ---- */

START_TEST(a_stale_temporary_file_is_replaced)
{
    file_write(TEMPORARY, "rubbish", 7);
    ck_assert_int_eq(sample_save(SAMPLE_ALL, target), CAE_OK);
    ck_assert_int_eq(sample_which(target), 'n');
    ck_assert_uint_eq(folder_count(), 1);
}
END_TEST

START_TEST(a_save_under_way_is_not_disturbed)
{
    file_write(TEMPORARY, "under way", 9);
    const int file = open(TEMPORARY, O_RDWR);
    ck_assert_int_eq(flock(file, LOCK_EX), 0);
    ck_assert_int_eq(sample_save(SAMPLE_WEIGHTS, "other"), CAE_OK);
    expect_refused(target, CAE_E_IO, "another save is under way");
    close(file);
    ck_assert_int_eq(sample_save(SAMPLE_ALL, target), CAE_OK);
}
END_TEST

/* What another user could leave in a shared folder: nothing outside it may be touched. */
START_TEST(a_temporary_file_that_is_a_link_is_not_followed)
{
    file_write("victim", "precious", 8);
    ck_assert_int_eq(symlink("victim", TEMPORARY), 0);
    expect_refused(target, CAE_E_IO, "symbolic link");
    unlink(TEMPORARY);
    ck_assert_int_eq(link("victim", TEMPORARY), 0);
    ck_assert_int_eq(sample_save(SAMPLE_ALL, target), CAE_OK);
    size_t size;
    uint8_t *data = file_read("victim", &size);
    ck_assert_uint_eq(size, 8);
    ck_assert_mem_eq(data, "precious", 8);
    free(data);
}
END_TEST

/* Two processes save to one path again and again; each save ends well or is refused, and a reader
 * always finds a whole file. */
START_TEST(savers_at_the_same_time_leave_a_whole_file)
{
    enum { SAVERS = 3, ROUNDS = 60 };
    pid_t savers[SAVERS];
    ck_assert_int_eq(sample_save(SAMPLE_WEIGHTS, target), CAE_OK);
    for (int i = 0; i < SAVERS; i++) {
        savers[i] = fork();
        if (savers[i] == 0) {
            int bad = 0;
            for (int k = 0; k < ROUNDS; k++) {
                const int status = sample_save((i + k) % 2 ? SAMPLE_ALL : SAMPLE_WEIGHTS, target);
                bad += status != CAE_OK && strstr(cae_message(), "under way") == NULL;
            }
            _exit(bad == 0 ? 0 : 1);
        }
    }
    for (int left = SAVERS; left > 0;) {
        const char found = sample_which(target);
        ck_assert(found == 'o' || found == 'n');
        int result;
        while (left > 0 && waitpid(-1, &result, WNOHANG) > 0) {
            ck_assert_int_eq(result, 0);
            left--;
        }
    }
    ck_assert_uint_eq(folder_count(), 1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_new_file_obeys_the_umask,
        an_old_file_keeps_its_permissions,
        an_open_reader_keeps_the_old_file,
        a_target_that_is_no_regular_file_is_refused,
        a_link_stays_and_its_file_is_replaced,
        an_open_file_is_not_replaced,
        a_try_leaves_everything_as_it_is,
        a_try_knows_the_files_of_others,
        only_regular_files_are_read,
        long_names_work,
        a_folder_without_permission_is_an_error,
        a_stale_temporary_file_is_replaced,
        a_save_under_way_is_not_disturbed,
        a_temporary_file_that_is_a_link_is_not_followed,
        savers_at_the_same_time_leave_a_whole_file,
        NULL,
    };
    return unit_run_with("saving", tests, folder_enter, folder_leave);
}
