/*
 * The promise of an atomic save under system calls that fail, are interrupted, write short or never
 * return, each of them in turn; and loading under the same.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _DEFAULT_SOURCE /* usleep */

#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/status.h"
#include "faults.h"
#include "files.h"
#include "limited_memory.h"
#include "sample_model.h"

#define TEMPORARY ".m.safetensors.cae-tmp"

static const char target[] = "m.safetensors";

/* What a killed process could have left, or no such thing. */
static void make_stale(bool stale)
{
    unlink(TEMPORARY);
    if (stale) {
        file_write(TEMPORARY, "rubbish", 7);
    }
}

static bool is_stale(const char *path)
{
    size_t size;
    uint8_t *data = file_read(path, &size);
    const bool same = data != NULL && size == 7 && memcmp(data, "rubbish", 7) == 0;
    free(data);
    return same;
}

/* ---- Calls that fail ---- */

/* Without these a saver cannot know which temporary file is its own, and rather leaves one than
 * removes another's. */
static bool may_leave_temporary(enum fault kind)
{
    const char *victim = faults_victim();
    return strcmp(victim, "unlinkat") == 0 ||
           (kind == FAULT_FROM && strncmp(victim, "fstat", strlen("fstat")) == 0);
}

/* The promise: success and the new file, or an error and the old one; nothing else in the folder.
 * One exception: the folder is flushed when the new file is in place already. */
static void expect_promise(int status, enum fault kind, int error)
{
    const char *victim = faults_victim();
    const char found = sample_which(target);
    const bool in_place = strstr(cae_message(), "the new file is in place") != NULL;
    const bool good = status == CAE_OK ? found == 'n' : found == (in_place ? 'n' : 'o');
    ck_assert_msg(good, "%s, kind %d, error %d: status %d, file '%c', %s", victim, (int)kind, error,
                  status, found, cae_message());
    ck_assert(status == CAE_OK || (status == CAE_E_IO && *cae_message() != '\0'));
    ck_assert_msg(may_leave_temporary(kind) || access(TEMPORARY, F_OK) != 0 ||
                      (status != CAE_OK && is_stale(TEMPORARY)),
                  "%s: a temporary file is left", victim);
    ck_assert_msg(faults_open_files() == 0, "%s: %d files left open", victim, faults_open_files());
}

/* Arms every call of a save in turn, until a save runs through untouched. Returns their number. */
static int suffer_everywhere(enum fault kind, int error, bool stale)
{
    for (int at = 1;; at++) {
        ck_assert_int_eq(sample_save(SAMPLE_WEIGHTS, target), CAE_OK);
        make_stale(stale);
        cae_fail(CAE_E_IO, "nothing failed");
        faults_arm(kind, at, error);
        const int status = sample_save(SAMPLE_ALL, target);
        const int calls = faults_disarm();
        expect_promise(status, kind, error);
        make_stale(false);
        if (at > calls) {
            ck_assert_int_eq(status, CAE_OK);
            return calls;
        }
    }
}

START_TEST(every_call_may_fail)
{
    static const int errors[] = {ENOSPC, EIO, EACCES, EMFILE, EDQUOT, EROFS, ENOLCK, EINVAL};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        ck_assert_int_ge(suffer_everywhere(FAULT_ERROR, errors[i], false), 10);
        ck_assert_int_ge(suffer_everywhere(FAULT_ERROR, errors[i], true), 14);
    }
}
END_TEST

START_TEST(every_call_may_go_on_failing)
{
    suffer_everywhere(FAULT_FROM, ENOSPC, false);
    suffer_everywhere(FAULT_FROM, EIO, true);
}
END_TEST

START_TEST(interrupted_and_short_writes_go_on)
{
    suffer_everywhere(FAULT_ERROR, EINTR, false);
    suffer_everywhere(FAULT_SHORT, 0, false);
    /* Calls that wait, and so may be interrupted, are made again. */
    static const char *const patient[] = {"write", "fsync", "openat", "flock"};
    for (int at = 1; at <= 20; at++) {
        faults_arm(FAULT_ERROR, at, EINTR);
        const int status = sample_save(SAMPLE_ALL, target);
        faults_disarm();
        for (size_t i = 0; i < sizeof(patient) / sizeof(patient[0]); i++) {
            ck_assert_msg(strcmp(faults_victim(), patient[i]) != 0 || status == CAE_OK, "%s: %s",
                          patient[i], cae_message());
        }
    }
}
END_TEST

/* Opening and reading: an error, or everything as it should be. Returns the number of calls. */
static int load_everywhere(enum fault kind, int error)
{
    for (int at = 1;; at++) {
        cae_model_file *f;
        float values[2];
        faults_arm(kind, at, error);
        int status = cae_model_file_open_path(&f, cae_memory_default(), target, CAE_FILE_MODEL);
        if (status == CAE_OK) {
            status = cae_model_file_read(f, cae_model_file_find(f, "codec.max"), values);
            ck_assert(status != CAE_OK || (values[0] == 2.0f && values[1] == 1.5f));
        }
        cae_model_file_close(f);
        const int calls = faults_disarm();
        const bool harmless = kind == FAULT_SHORT || strcmp(faults_victim(), "close") == 0 ||
                              (error == EINTR && strcmp(faults_victim(), "fstat") != 0);
        ck_assert_msg(status == (at > calls || harmless ? CAE_OK : CAE_E_IO), "%s, %d: %d %s",
                      faults_victim(), error, status, cae_message());
        ck_assert_int_eq(faults_open_files(), 0);
        if (at > calls) {
            return calls;
        }
    }
}

START_TEST(every_call_of_a_load_may_fail)
{
    ck_assert_int_eq(sample_save(SAMPLE_ALL, target), CAE_OK);
    ck_assert_int_ge(load_everywhere(FAULT_ERROR, EIO), 6);
    ck_assert_int_ge(load_everywhere(FAULT_ERROR, EINTR), 6);
    ck_assert_int_ge(load_everywhere(FAULT_SHORT, 0), 6);
}
END_TEST

START_TEST(the_message_says_why_and_where)
{
    for (int at = 1; at <= 20; at++) {
        ck_assert_int_eq(sample_save(SAMPLE_WEIGHTS, target), CAE_OK);
        faults_arm(FAULT_ERROR, at, ENOSPC);
        const int status = sample_save(SAMPLE_ALL, target);
        faults_disarm();
        if (status != CAE_OK && strcmp(faults_victim(), "flock") != 0) {
            ck_assert_msg(strstr(cae_message(), "no space left on the device: cannot ") != NULL ||
                              strstr(cae_message(), "under way") != NULL,
                          "%s: %s", faults_victim(), cae_message());
            ck_assert_ptr_nonnull(strstr(cae_message(), target));
        }
    }
}
END_TEST

/* ---- Processes that die ---- */

/* Kills a save at each call in turn; counts how often the old and the new file were found. */
static void kill_everywhere(enum fault when, bool stale, int *olds, int *news)
{
    bool killed = true;
    *olds = *news = 0;
    for (int at = 1; killed; at++) {
        ck_assert_int_eq(sample_save(SAMPLE_WEIGHTS, target), CAE_OK);
        make_stale(stale);
        const pid_t child = fork();
        if (child == 0) {
            faults_arm(when, at, 0);
            _exit(sample_save(SAMPLE_ALL, target) == CAE_OK ? 0 : 1);
        }
        int result;
        ck_assert_int_eq(waitpid(child, &result, 0), child);
        killed = WIFSIGNALED(result);
        ck_assert(killed || result == 0);
        const char found = sample_which(target);
        ck_assert_msg(found == 'o' || found == 'n', "killed at call %d: '%c'", at, found);
        ck_assert_uint_le(folder_count(), 2);
        *olds += killed && found == 'o';
        *news += killed && found == 'n';
        /* No cleaning up: the next save meets what this one left. */
    }
}

START_TEST(a_kill_at_any_call_leaves_old_or_new)
{
    for (int stale = 0; stale < 2; stale++) {
        int olds, news;
        kill_everywhere(FAULT_KILL_BEFORE, stale, &olds, &news);
        ck_assert_int_ge(olds, 8);
        ck_assert_int_ge(news, 2);
        kill_everywhere(FAULT_KILL_AFTER, stale, &olds, &news);
        ck_assert_int_ge(olds, 8);
        ck_assert_int_ge(news, 3);
    }
    ck_assert_int_eq(sample_save(SAMPLE_ALL, target), CAE_OK);
    ck_assert_uint_eq(folder_count(), 1);
}
END_TEST

START_TEST(kills_at_random_times_leave_old_or_new)
{
    ck_assert_int_eq(sample_save(SAMPLE_WEIGHTS, target), CAE_OK);
    for (int round = 0; round < 50; round++) {
        const pid_t child = fork();
        if (child == 0) {
            for (size_t k = 0;; k++) {
                (void)sample_save(k % 2 ? SAMPLE_WEIGHTS : SAMPLE_ALL, target);
            }
        }
        usleep((useconds_t)(500 + 137 * round));
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        const char found = sample_which(target);
        ck_assert_msg(found == 'o' || found == 'n', "round %d: '%c'", round, found);
        ck_assert_uint_le(folder_count(), 2);
    }
}
END_TEST

START_TEST(failed_allocations_leave_the_old_file)
{
    int status, failures = 0;
    ck_assert_int_eq(sample_save(SAMPLE_WEIGHTS, target), CAE_OK);
    do {
        limited_memory memory;
        limited_memory_start(&memory, (size_t)failures + 1);
        status = cae_model_file_write_path(&memory.memory, sample_model(SAMPLE_ALL), target, false);
        ck_assert(status == CAE_OK || status == CAE_E_NOMEM);
        ck_assert_int_eq(sample_which(target), status == CAE_OK ? 'n' : 'o');
        ck_assert_uint_eq(memory.blocks, 0);
        ck_assert_uint_le(memory.peak, 10000);
        ck_assert_uint_eq(folder_count(), 1);
        failures += status != CAE_OK;
    } while (status != CAE_OK);
    ck_assert_int_ge(failures, 4);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        every_call_may_fail,
        every_call_may_go_on_failing,
        interrupted_and_short_writes_go_on,
        every_call_of_a_load_may_fail,
        the_message_says_why_and_where,
        a_kill_at_any_call_leaves_old_or_new,
        kills_at_random_times_leave_old_or_new,
        failed_allocations_leave_the_old_file,
        NULL,
    };
    return unit_run_with("saving under faults", tests, folder_enter, folder_leave);
}
