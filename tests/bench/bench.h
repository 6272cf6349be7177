/*
 * What the parts of the bench's worker share: clocks, probes of the machine, windows, and the
 * commands. The worker measures and judges nothing: it prints every window with what the probes saw
 * before and behind it, and bench.py decides which to keep.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TESTS_BENCH_H
#define CAE_TESTS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Clocks, in seconds (probe.c) ---- */

double bench_cpu(void); /* of this thread */
double bench_wall(void);

/* ---- Probes ---- */

/* What two loops of known work reach at the moment, in GFLOP/s: multiply-adds in registers, and
 * multiplies and adds with many loads. Neighbours on the machine slow one or the other. 0 where
 * the processor has not the instructions. */
typedef struct bench_probe {
    double fma, load;
} bench_probe;

bench_probe bench_probe_one(void); /* this core, by the thread's time */
bench_probe bench_probe_two(void); /* the sum of two cores at once, by the clock on the wall */

/* ---- Windows ---- */

typedef struct bench_window {
    bench_probe before, after;
    double cpu, wall; /* of all repetitions */
} bench_window;

/* Times `repeat` calls of run(arg) `len` times, with probes of one or two cores around each. False
 * when a call failed. */
bool bench_windows(bench_window *windows, size_t len, size_t repeat, bool two_cores,
                   bool (*run)(void *arg), void *arg);

/* Prints them as a list of lists for JSON. */
void bench_print_windows(const bench_window *windows, size_t len);

/* ---- Helpers; they end the program when they cannot ---- */

void *bench_need(size_t count, size_t size);   /* zeroed memory */
float *bench_noise(size_t len, uint64_t seed); /* uniform in [0,1) */
size_t bench_number(const char *text);

/* ---- Commands ---- */

/* Each prints one JSON object, or returns the words of a failure. `words` ends with a NULL. */
typedef const char *bench_command(char **words);

bench_command bench_machine, bench_probes, bench_copy, bench_update; /* machine.c */
bench_command bench_open, bench_call, bench_memory, bench_first;     /* calls.c */
bench_command bench_layers;                                          /* layers.c */

#endif
