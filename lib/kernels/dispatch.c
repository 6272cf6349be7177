/*
 * Dispatch: which tiers this processor can run, and which of them CAE_CPU allows. A processor may
 * have AVX while the system does not save its registers, so XGETBV is checked as well as CPUID. The
 * result is one of the library's two mutable globals. No lock is needed, because computing it twice
 * gives the same result.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kernels/kernels.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__i386__) || defined(CAE_TIER_AVX2)
#include <cpuid.h>
#endif

/* Called first by every function that makes a model or computes (lib/meson.build): this file is
 * compiled without the flags that allow the others SSE2. */
bool cae_kernels_processor(void)
{
#if defined(__i386__)
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(1, &a, &b, &c, &d) && (d & bit_SSE2) != 0;
#else
    return true;
#endif
}

#if defined(CAE_TIER_AVX2)

/* Whether the processor has these bits of CPUID's leaves 1 (ecx) and 7 (ebx), and the system saves
 * the registers that these bits of XCR0 stand for. */
static bool cpu_has(unsigned leaf1, unsigned leaf7, unsigned saved)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    leaf1 |= bit_OSXSAVE | bit_AVX;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & leaf1) != leaf1) {
        return false;
    }
    unsigned low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return (low & saved) == saved && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
           (b & leaf7) == leaf7;
}

enum { YMM = 0x06, ZMM = 0xe6 }; /* of XCR0 */

static bool has_avx2(void)
{
    return cpu_has(0, bit_AVX2, YMM);
}

static bool has_fma(void)
{
    return cpu_has(bit_FMA, bit_AVX2, YMM);
}
#endif

#if defined(CAE_TIER_AVX512)
static bool has_avx512(void)
{
    return cpu_has(bit_FMA, bit_AVX2 | bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL,
                   ZMM);
}

/* AMD's Zen 4 computes 512 bits as twice 256: nothing is won there, and what does not fill a vector
 * of 16 lanes is lost (docs/performance.md). Family 19h is Zen 3, without AVX-512, and Zen 4. */
static bool halves_avx512(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(0, &a, &b, &c, &d) && b == signature_AMD_ebx && c == signature_AMD_ecx &&
           d == signature_AMD_edx && __get_cpuid(1, &a, &b, &c, &d) &&
           ((a >> 8) & 0xf) + ((a >> 20) & 0xff) == 0x19;
}
#endif

/* Slowest first. A new tier is a file and a row. */
static const struct tier {
    const char *name; /* as CAE_CPU has it: two tables may share it, the exact one first */
    const cae_kernels *kernels;
    bool (*runs_here)(void);
} tiers[] = {
    {"c", &cae_kernels_c, cae_kernels_processor},
#if defined(CAE_TIER_SSE2)
    {"sse2", &cae_kernels_sse2, cae_kernels_processor},
#endif
#if defined(CAE_TIER_AVX2)
    {"avx2", &cae_kernels_avx2, has_avx2},
#endif
#if defined(CAE_TIER_FMA)
    {"fma", &cae_kernels_fma, has_fma},
#endif
#if defined(CAE_TIER_AVX512)
    {"avx512", &cae_kernels_avx512_exact, has_avx512},
    {"avx512", &cae_kernels_avx512, has_avx512},
#endif
};

enum { TIERS = sizeof(tiers) / sizeof(tiers[0]) };

const cae_kernels *cae_kernels_tier(size_t index)
{
    size_t i = 0;
    while (i < TIERS && (!tiers[i].runs_here() || index-- > 0)) {
        i++;
    }
    return i < TIERS ? tiers[i].kernels : NULL;
}

static const char *const names[] = {CAE_TIERS}; /* lib/meson.build */

enum { NAMES = sizeof(names) / sizeof(names[0]), UNKNOWN = 0, BAD = -1 };

static int rank_of(const char *name)
{
    int rank = 0;
    while (rank < NAMES && strcmp(name, names[rank]) != 0) {
        rank++;
    }
    return rank;
}

/* The highest rank where CAE_CPU does not say. */
static int usual_rank(void)
{
#if defined(CAE_TIER_AVX512)
    if (halves_avx512()) {
        return rank_of("avx512") - 1;
    }
#endif
    return NAMES - 1;
}

/* The highest rank that CAE_CPU allows, plus 1; or BAD. */
static int ceiling(void)
{
    static atomic_int cached = UNKNOWN;
    int found = atomic_load_explicit(&cached, memory_order_relaxed);
    if (found == UNKNOWN) {
        const char *asked = getenv("CAE_CPU");
        const int rank = asked != NULL && *asked != '\0' ? rank_of(asked) : usual_rank();
        found = rank < NAMES ? rank + 1 : BAD;
        atomic_store_explicit(&cached, found, memory_order_relaxed);
    }
    return found;
}

const cae_kernels *cae_kernels_choose(bool exact, const char **bad)
{
    const int top = ceiling();
    if (top == BAD) {
        const char *now = getenv("CAE_CPU");
        *bad = now != NULL ? now : "";
        return NULL;
    }
    const cae_kernels *best = &cae_kernels_c;
    for (size_t i = 0; i < TIERS; i++) {
        const cae_kernels *k = tiers[i].kernels;
        if (rank_of(tiers[i].name) < top && (k->exact || !exact) && tiers[i].runs_here()) {
            best = k;
        }
    }
    return best;
}
