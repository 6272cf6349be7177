/*
 * The two probes, on one core or on two at once; see bench.h. Each takes about a quarter of a
 * millisecond. The first is bound by the multipliers and uses a third of what a core can start in
 * a cycle, the second is a small matrix product that fills nearly all of it, so that it sees what a
 * neighbour on the same core takes away.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "bench.h"

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double bench_cpu(void)
{
    return seconds(CLOCK_THREAD_CPUTIME_ID);
}

double bench_wall(void)
{
    return seconds(CLOCK_MONOTONIC);
}

/* ---- The loops ------------------------------------------------------------------------------- */

#if defined(__x86_64__)
/* In assembler, since a compiler that moves loads ahead runs out of registers and measures its own
 * spills. Twelve chains hide the latency of a multiply-add. */
enum { CHAINS = 12, LOAD_FLOPS = CHAINS * 8 * 2, ROUNDS = 2, TABLE = 24 * ROUNDS };

#define REGISTERS                                                                            \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

#define TWELVE(f)  f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7) f(8) f(9) f(10) f(11)
#define CLEAR(a)   "vxorps %%ymm" #a ", %%ymm" #a ", %%ymm" #a "\n\t" /* and the upper half of zmm */
#define LOOP(body) ".p2align 5\n1:\n\t" body "dec %0\n\tjnz 1b\n\tvzeroupper"

/* What the loops read. No chain overflows or meets denormals, which have times of their own. */
static const float table[TABLE] = {0.5f, 0.25f};

/* Whether a multiply-add of 512 bits is the widest. */
static bool is_wide(void)
{
    return __builtin_cpu_supports("avx512f");
}

static double loop_flops(void)
{
    return CHAINS * (is_wide() ? 16 : 8) * 2;
}

/* a = 0.25 a + 0.5, twelve times. */
static void multiply_add(size_t loops)
{
#define CONSTANTS(reg) "vbroadcastss (%1), %%" reg "12\n\tvbroadcastss 4(%1), %%" reg "13\n\t"
#define STEP(a)        "vfmadd213ps %%ymm12, %%ymm13, %%ymm" #a "\n\t"
#define WIDE(a)        "vfmadd213ps %%zmm12, %%zmm13, %%zmm" #a "\n\t"
    if (is_wide()) {
        __asm__ volatile(TWELVE(CLEAR) CONSTANTS("zmm") LOOP(TWELVE(WIDE))
                         : "+r"(loops)
                         : "r"(table), "m"(table)
                         : REGISTERS, "cc");
        return;
    }
    __asm__ volatile(TWELVE(CLEAR) CONSTANTS("ymm") LOOP(TWELVE(STEP))
                     : "+r"(loops)
                     : "r"(table), "m"(table)
                     : REGISTERS, "cc");
#undef CONSTANTS
#undef STEP
#undef WIDE
}

/* Six rows by sixteen columns of a matrix product: 6 broadcasts and 2 loads for 12 multiplies and
 * 12 adds; two such rounds before the loop goes back. */
static void load_heavy(size_t loops)
{
#define ROW(at, low, high)                             \
    "vbroadcastss " #at "(%1), %%ymm14\n\t"            \
    "vmulps %%ymm12, %%ymm14, %%ymm15\n\t"             \
    "vaddps %%ymm15, %%ymm" #low ", %%ymm" #low "\n\t" \
    "vmulps %%ymm13, %%ymm14, %%ymm14\n\t"             \
    "vaddps %%ymm14, %%ymm" #high ", %%ymm" #high "\n\t"
#define COLUMNS(at) "vmovups " #at "(%1), %%ymm12\n\tvmovups " #at "+32(%1), %%ymm13\n\t"
#define UPPER(at)   ROW(at + 64, 0, 1) ROW(at + 68, 2, 3) ROW(at + 72, 4, 5)
#define LOWER(at)   ROW(at + 76, 6, 7) ROW(at + 80, 8, 9) ROW(at + 84, 10, 11)
#define ROUND(at)   COLUMNS(at) UPPER(at) LOWER(at)
    size_t rounds = loops / ROUNDS;
    __asm__ volatile(TWELVE(CLEAR) LOOP(ROUND(0) ROUND(96))
                     : "+r"(rounds)
                     : "r"(table), "m"(table)
                     : REGISTERS, "cc");
#undef ROW
#undef COLUMNS
#undef UPPER
#undef LOWER
#undef ROUND
}

static bool can_probe(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#else
enum { LOAD_FLOPS = 1 };

static double loop_flops(void)
{
    return 1;
}

static void multiply_add(size_t loops)
{
    (void)loops;
}

static void load_heavy(size_t loops)
{
    (void)loops;
}

static bool can_probe(void)
{
    return false;
}
#endif

/* ---- One core -------------------------------------------------------------------------------- */

/* Loops for a quarter of a millisecond; both probes take as many. */
static size_t loops(void)
{
    static size_t found;
    if (found == 0) {
        const size_t trial = 20000;
        multiply_add(trial);
        const double start = bench_wall();
        multiply_add(trial);
        found = (size_t)(0.25e-3 / (bench_wall() - start) * (double)trial);
        found += 4 - found % 4; /* the second loop does 4 at a time */
    }
    return found;
}

static double rate_of(void (*loop)(size_t), size_t len, double flops, double (*clock)(void))
{
    const double start = clock();
    loop(len);
    return (double)len * flops * 1e-9 / (clock() - start);
}

bench_probe bench_probe_one(void)
{
    if (!can_probe()) {
        return (bench_probe){0, 0};
    }
    return (bench_probe){rate_of(multiply_add, loops(), loop_flops(), bench_cpu),
                         rate_of(load_heavy, loops(), LOAD_FLOPS, bench_cpu)};
}

/* ---- Two cores at once ----------------------------------------------------------------------- */

struct side {
    atomic_int *arrived;
    size_t loops;
    size_t cpu;
    bench_probe found;
};

static void pin(size_t cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    (void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* Both go on together. */
static void meet(atomic_int *arrived, int all)
{
    atomic_fetch_add(arrived, 1);
    while (atomic_load(arrived) < all) {
    }
}

static void *run_side(void *arg)
{
    struct side *s = arg;
    pin(s->cpu);
    meet(s->arrived, 2);
    s->found.fma = rate_of(multiply_add, s->loops, loop_flops(), bench_wall);
    meet(s->arrived, 4);
    s->found.load = rate_of(load_heavy, s->loops, LOAD_FLOPS, bench_wall);
    return NULL;
}

/* The first two processors of the set; false when there is one. */
static bool first_two(const cpu_set_t *set, size_t cpus[2])
{
    size_t found = 0;
    for (size_t cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++) {
        if (CPU_ISSET(cpu, set)) {
            cpus[found++] = cpu;
        }
    }
    return found == 2;
}

bench_probe bench_probe_two(void)
{
    cpu_set_t allowed;
    size_t cpus[2];
    pthread_t other;
    atomic_int arrived = 0;
    if (!can_probe() || pthread_getaffinity_np(pthread_self(), sizeof(allowed), &allowed) != 0 ||
        !first_two(&allowed, cpus)) {
        return (bench_probe){0, 0};
    }
    struct side sides[2] = {{&arrived, loops(), cpus[0], {0, 0}},
                            {&arrived, loops(), cpus[1], {0, 0}}};
    if (pthread_create(&other, NULL, run_side, &sides[1]) != 0) {
        return (bench_probe){0, 0};
    }
    (void)run_side(&sides[0]);
    (void)pthread_join(other, NULL);
    (void)pthread_setaffinity_np(pthread_self(), sizeof(allowed), &allowed);
    return (bench_probe){sides[0].found.fma + sides[1].found.fma,
                         sides[0].found.load + sides[1].found.load};
}
