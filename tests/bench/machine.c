/*
 * The machine apart from the library: probes, a copy, and an update in place as the optimizer's
 * memory sees it. Also the windows that all parts are timed in.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "kernels/kernels.h"
#include "numbers.h"

void *bench_need(size_t count, size_t size)
{
    void *block = calloc(count > 0 ? count : 1, size);
    if (block == NULL) {
        fprintf(stderr, "no memory for %zu x %zu bytes\n", count, size);
        exit(1);
    }
    return block;
}

float *bench_noise(size_t len, uint64_t seed)
{
    float *values = bench_need(len, sizeof(*values));
    random_floats(values, len, seed);
    return values;
}

size_t bench_number(const char *text)
{
    return text != NULL ? (size_t)strtoull(text, NULL, 10) : 0;
}

/* ---- Windows --------------------------------------------------------------------------------- */

bool bench_windows(bench_window *windows, size_t len, size_t repeat, bool two_cores,
                   bool (*run)(void *arg), void *arg)
{
    bench_probe (*probe)(void) = two_cores ? bench_probe_two : bench_probe_one;
    bool good = true;
    bench_probe last = probe();
    for (size_t i = 0; i < len && good; i++) {
        bench_window *w = &windows[i];
        w->before = last;
        const double wall = bench_wall();
        const double cpu = bench_cpu();
        for (size_t n = 0; n < repeat && good; n++) {
            good = run(arg);
        }
        w->cpu = bench_cpu() - cpu;
        w->wall = bench_wall() - wall;
        w->after = last = probe();
    }
    return good;
}

void bench_print_windows(const bench_window *windows, size_t len)
{
    printf("[");
    for (size_t i = 0; i < len; i++) {
        const bench_window *w = &windows[i];
        printf("%s[%.2f,%.2f,%.2f,%.2f,%.9f,%.9f]", i > 0 ? "," : "", w->before.fma, w->before.load,
               w->after.fma, w->after.load, w->cpu, w->wall);
    }
    printf("]");
}

/* ---- Commands -------------------------------------------------------------------------------- */

/* machine: the tiers that run here, and the one in use. */
const char *bench_machine(char **words)
{
    const char *bad = "";
    const cae_kernels *k = cae_kernels_choose(false, &bad);
    (void)words;
    if (k == NULL) {
        return "CAE_CPU holds no tier";
    }
    printf("{\"kernels\":\"%s\",\"tiers\":[", k->name);
    for (size_t i = 0; cae_kernels_tier(i) != NULL; i++) {
        printf("%s\"%s\"", i > 0 ? "," : "", cae_kernels_tier(i)->name);
    }
    printf("]}");
    return NULL;
}

/* probe CORES: one probe of each kind. */
const char *bench_probes(char **words)
{
    const bench_probe p = bench_number(words[1]) > 1 ? bench_probe_two() : bench_probe_one();
    printf("{\"fma\":%.2f,\"load\":%.2f}", p.fma, p.load);
    return NULL;
}

struct piece {
    float *to;
    const float *from;
    size_t len;
};

static bool run_copy(void *arg)
{
    const struct piece *p = arg;
    memcpy(p->to, p->from, p->len * sizeof(float));
    return true;
}

/* Reads and writes every float once, as Adam does with weights and moments. */
static bool run_update(void *arg)
{
    const struct piece *p = arg;
    for (size_t i = 0; i < p->len; i++) {
        p->to[i] = p->to[i] * 0.999f + 0.001f;
    }
    return true;
}

static const char *move(char **words, bool (*run)(void *arg))
{
    if (words[1] == NULL || words[2] == NULL || words[3] == NULL) {
        return "wanted: BYTES REPEAT WINDOWS";
    }
    const size_t len = bench_number(words[1]) / sizeof(float) + 1;
    const size_t window_len = bench_number(words[3]);
    float *from = bench_noise(len, 1);
    float *to = bench_noise(len, 2);
    struct piece p = {to, from, len};
    bench_window *windows = bench_need(window_len, sizeof(*windows));
    (void)bench_windows(windows, window_len, bench_number(words[2]), false, run, &p);
    printf("{\"windows\":");
    bench_print_windows(windows, window_len);
    printf("}");
    free(windows);
    free(to);
    free(from);
    return NULL;
}

/* copy BYTES REPEAT WINDOWS */
const char *bench_copy(char **words)
{
    return move(words, run_copy);
}

/* update BYTES REPEAT WINDOWS */
const char *bench_update(char **words)
{
    return move(words, run_update);
}
