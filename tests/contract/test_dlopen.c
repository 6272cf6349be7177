/*
 * The shared library opened, used and closed two hundred times by a program that is not linked with
 * it: opening leaves the floating-point state alone (some libraries' start-up code sets
 * flush-to-zero), and nothing is left behind. What the library used then comes from it: no test
 * support, which would need the library at link time.
 *
 *     test_dlopen LIBRARY
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <dlfcn.h>
#include <fenv.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "cae/cae.h"

/* A sanitizer keeps freed memory for a while, and finds leaks by itself. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED 0
#endif

enum { SIDE = 8 };

static const char text[] = "input 1 8 8\nconv 3 kernel 3 pad 1 relu\nmaxpool 2\ncode\n"
                           "tconv 1 kernel 2 stride 2\n";

struct functions {
    int (*make)(cae_model **, const char *, uint64_t);
    int (*set)(cae_model *, const char *, double);
    int (*step)(cae_model *, const float *, const float *, size_t, size_t, size_t, float *);
    void (*unmake)(cae_model *);
};

/* ISO C knows no cast from an object's address to a function's; POSIX promises that this works. */
static bool find(void *handle, const char *name, void *function)
{
    void *symbol = dlsym(handle, name);
    memcpy(function, &symbol, sizeof(symbol));
    return symbol != NULL;
}

static unsigned float_state(void)
{
#if defined(__SSE__)
    return _mm_getcsr() & ~0x3fu; /* without the flags */
#else
    return (unsigned)fegetround();
#endif
}

static bool use(void *handle)
{
    struct functions f;
    cae_model *m = NULL;
    float images[2 * SIDE * SIDE] = {0.25f};
    float loss = -1;
    const bool found =
        find(handle, "cae_model_new", &f.make) && find(handle, "cae_model_set", &f.set) &&
        find(handle, "cae_train_step", &f.step) && find(handle, "cae_model_free", &f.unmake);
    const bool good = found && f.make(&m, text, 1) == CAE_OK && f.set(m, "threads", 2) == CAE_OK &&
                      f.step(m, images, images, 2, SIDE, SIDE, &loss) == CAE_OK && loss > 0;
    if (found) {
        f.unmake(m);
    }
    return good;
}

static bool open_use_close(const char *library)
{
    const unsigned before = float_state();
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return false;
    }
    const bool kept = float_state() == before;
    const bool used = use(handle);
    if (!kept || !used) {
        fprintf(stderr, kept ? "the library does not work\n" : "opening changed the float state\n");
    }
    return dlclose(handle) == 0 && kept && used;
}

/* Threads and open files of this process. */
static size_t entries(const char *path)
{
    size_t count = 0;
    DIR *folder = opendir(path);
    while (folder != NULL && readdir(folder) != NULL) {
        count++;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count;
}

static long resident_pages(void)
{
    long all = 0;
    long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL) {
        if (fscanf(file, "%ld %ld", &all, &resident) != 2) {
            resident = 0;
        }
        fclose(file);
    }
    return resident;
}

int main(int argc, char **argv)
{
    if (argc != 2 || !open_use_close(argv[1])) {
        return 1;
    }
    const long pages = resident_pages();
    const size_t threads = entries("/proc/self/task");
    const size_t files = entries("/proc/self/fd");
    for (int i = 0; i < 200; i++) {
        if (!open_use_close(argv[1])) {
            return 1;
        }
    }
    /* A leak of anything in each round would be above this. */
    if (!SANITIZED && resident_pages() > pages + 400) {
        fprintf(stderr, "memory grew from %ld to %ld pages\n", pages, resident_pages());
        return 1;
    }
    return threads != entries("/proc/self/task") || files != entries("/proc/self/fd");
}
