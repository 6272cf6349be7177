/*
 * Processes: fork() before, between and during calls, and a main thread whose stack is small.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract.h"

enum { C = 2, H = 8, W = 12, LEN = C * H * W };

static uint64_t life(double threads)
{
    cae_model *m = new_model(small_net, 1);
    float *images = noise(LEN, 1);
    float *clean = need(LEN, sizeof(*clean));
    OK(cae_model_set(m, "threads", threads));
    OK(cae_train_step(m, images, images, 1, H, W, NULL));
    OK(cae_denoise(m, images, 1, H, W, 0, clean));
    const uint64_t hash = hash_bytes(clean, LEN * sizeof(*clean));
    cae_model_free(m);
    free(images);
    free(clean);
    return hash;
}

/* Whether a child that lives the same life comes to the same end. */
static void fork_and_live(uint64_t expected)
{
    const pid_t child = fork();
    if (child == 0) {
        _exit(life(2) == expected && expect_failures() == 0 ? 0 : 1);
    }
    int status = 1;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

static void a_fork_before_any_call(void)
{
    const pid_t child = fork();
    if (child == 0) {
        _exit(life(2) == life(1) && expect_failures() == 0 ? 0 : 1);
    }
    int status = 1;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

static void forks_between_calls(void)
{
    const uint64_t expected = life(3);
    for (int i = 0; i < 200; i++) {
        fork_and_live(expected);
    }
    EXPECT(life(3) == expected);
}

/* A sanitizer's allocator keeps its locks across fork(): a child of a program whose threads
 * allocate may wait for ever, whatever the library does. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static atomic_bool ended;

static void *live_on(void *arg)
{
    while (!ended) {
        EXPECT(life(2) == *(uint64_t *)arg);
    }
    return NULL;
}

/* A thread is inside the library while this one forks; its children start anew. */
static void forks_during_calls(void)
{
#if defined(SANITIZED)
    printf("SKIPPED under a sanitizer: forks while another thread allocates\n");
    return;
#endif
    pthread_t thread;
    uint64_t expected = life(1);
    ended = false;
    EXPECT(pthread_create(&thread, NULL, live_on, &expected) == 0);
    for (int i = 0; i < 50; i++) {
        fork_and_live(expected);
    }
    ended = true;
    pthread_join(thread, NULL);
}

/* A model made before the fork serves on both sides. */
static void a_model_lives_on_in_the_child(void)
{
    cae_model *m = new_model(small_net, 1);
    float *images = noise(LEN, 1);
    float *clean = need(LEN, sizeof(*clean));
    OK(cae_model_set(m, "threads", 3));
    OK(cae_denoise(m, images, 1, H, W, 0, clean));
    const uint64_t expected = hash_bytes(clean, LEN * sizeof(*clean));
    const pid_t child = fork();
    OK(cae_denoise(m, images, 1, H, W, 0, clean));
    const bool same = hash_bytes(clean, LEN * sizeof(*clean)) == expected;
    if (child == 0) {
        _exit(same && expect_failures() == 0 ? 0 : 1);
    }
    int status = 1;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child && status == 0 && same);
    cae_model_free(m);
    free(images);
    free(clean);
}

/* `ulimit -s 64` from the start: the program runs itself again. */
static void a_small_main_stack_suffices(void)
{
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {64 * 1024, 64 * 1024};
        char self[4096];
        const ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
        self[len > 0 ? len : 0] = '\0';
        if (setrlimit(RLIMIT_STACK, &limit) == 0) {
            execl(self, self, "live", (char *)NULL);
        }
        _exit(2);
    }
    int status = 1;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(a_fork_before_any_call),      TEST(forks_between_calls),
        TEST(forks_during_calls),          TEST(a_model_lives_on_in_the_child),
        TEST(a_small_main_stack_suffices),
    };
    if (argc == 2 && strcmp(argv[1], "live") == 0) {
        return life(2) == life(1) && expect_failures() == 0 ? 0 : 1;
    }
    return RUN_TESTS(argc, argv, tests);
}
