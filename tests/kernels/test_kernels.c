/*
 * Every kernel of every tier that this processor runs, against the reference, bit for bit. Tiers
 * come from the dispatch table, so a new one is tested by existing; a new kernel is a row below.
 * Before that the test shows that it can fail: tables with one fault each must be found out.
 *
 *     test_kernels                all; CAE_TEST_LONG=1 in the environment: ten times as many cases
 *     test_kernels KERNEL CASE    one case again
 *
 * It is a plain program without a test framework, so that it also runs under an emulator for other
 * processors, and its order of cases is its own.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trial.h"

static const uint64_t seed = 20260101;

/* The numbers of cases are multiples of 67 (widths), for gemm of 67 x 13 (heights). */
static const struct kernel {
    const char *name;
    void (*run_case)(trial *t);
    size_t cases;
} kernels[] = {
    {"gemm", case_gemm, 67 * 13 * 8},
    {"transpose", case_transpose, 67 * 20},
    {"activate", case_activate, 67 * 100},
    {"activate_back", case_activate_back, 67 * 100},
    {"add", case_add, 67 * 30},
    {"sum_rows", case_sum_rows, 67 * 60},
    {"pool", case_pool, 67 * 60},
    {"pool_back", case_pool_back, 67 * 60},
    {"occupancy_bits", case_occupancy_bits, 67 * 20},
    {"sparse_weights", case_sparse_weights, 67 * 60},
    {"sparse_data", case_sparse_data, 67 * 60},
    {"adam", case_adam, 67 * 80},
    {"dense_step", case_dense_step, 67 * 80},
};

enum { KERNELS = sizeof(kernels) / sizeof(kernels[0]) };

static trial make_trial(const cae_kernels *tier)
{
    return (trial){.tier = tier,
                   .reference = tier->exact ? &cae_kernels_reference : &cae_kernels_reference_fma};
}

/* Whether the environment variable is 1. */
static bool wanted(const char *variable)
{
    const char *value = getenv(variable);
    return value != NULL && strcmp(value, "1") == 0;
}

/* From a case to the next. For emulators CAE_TEST_SHORT=1 takes every fifth, and so, 5 being prime
 * to 67 and 13, all widths and heights in turn. */
static size_t stride(void)
{
    return wanted("CAE_TEST_SHORT") ? 5 : 1;
}

static void run_cases(trial *t, const struct kernel *k, size_t first, size_t end)
{
    for (size_t i = first; i < end; i += stride()) {
        trial_begin_case(t, seed, i);
        k->run_case(t);
    }
}

/* ---- Can it fail? -----------------------------------------------------------------------------
 */

static const cae_kernels *const honest = &cae_kernels_c;

static void gemm_wrong_in_the_last_bit(const cae_gemm *g)
{
    honest->gemm(g);
    if (g->m > 0 && g->n > 0) {
        uint32_t bits;
        float *last = g->c + (ptrdiff_t)g->n - 1;
        memcpy(&bits, last, sizeof(bits));
        bits ^= 1u;
        memcpy(last, &bits, sizeof(bits));
    }
}

static void gemm_writes_between_rows(const cae_gemm *g)
{
    honest->gemm(g);
    if (g->m > 1 && g->c_row > (ptrdiff_t)g->n) {
        g->c[g->n] = 1.0f;
    }
}

static void gemm_reads_behind_b(const cae_gemm *g)
{
    cae_gemm wider = *g;
    wider.n += 1;
    float c[13 * 128];
    wider.c = c;
    wider.c_row = 100;
    wider.line = 0;
    wider.b_over = false;
    wider.start = CAE_START_ZERO;
    honest->gemm(&wider);
    honest->gemm(g);
}

static void activate_forgets_the_tail(cae_activation activation, float *y, size_t len)
{
    honest->activate(activation, y, len - len % 4);
}

static void back_writes_its_input(cae_activation activation, const float *y, float *dy, size_t len)
{
    honest->activate_back(activation, y, dy, len);
    if (len > 0) {
        memset((void *)(uintptr_t)y, 0, sizeof(*y));
    }
}

static void add_in_wrong_order(float *y, const float *x, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        y[i] = (y[i] + x[i] * 0.5f) + x[i] * 0.5f;
    }
}

static void sum_backwards(float *sum, const float *x, size_t rows, size_t cols, ptrdiff_t stride)
{
    honest->sum_rows(sum, x + (rows > 0 ? (ptrdiff_t)(rows - 1) * stride : 0), rows, cols, -stride);
}

static void pool_last_maximum(const cae_pool *p, const float *x, float *y, uint32_t *argmax)
{
    honest->pool(p, x, y, argmax);
    for (size_t i = 0; argmax != NULL && p->pixels > 0 && i < p->channels; i++) {
        for (size_t tap = 0; tap < p->taps; tap++) {
            if (x[p->tap[tap] + (ptrdiff_t)i] == y[i]) {
                argmax[i] = p->id[tap];
            }
        }
    }
}

static void pool_back_without_zeros(const cae_pool *p, const float *dy, const uint32_t *argmax,
                                    float *dx)
{
    for (size_t i = 0; i < p->pixels * p->channels; i++) {
        for (size_t tap = 0; tap < p->taps; tap++) {
            if (p->id[tap] == argmax[i]) {
                dx[(ptrdiff_t)(i / p->channels) * p->x_step + p->tap[tap] +
                   (ptrdiff_t)(i % p->channels)] += dy[i];
            }
        }
    }
}

static bool adam_always_writes(const cae_adam_step *s, float *w, float *m, float *v, const float *g,
                               size_t len, bool write)
{
    (void)write;
    return honest->adam(s, w, m, v, g, len, true);
}

static bool adam_always_pleased(const cae_adam_step *s, float *w, float *m, float *v,
                                const float *g, size_t len, bool write)
{
    (void)honest->adam(s, w, m, v, g, len, write);
    return true;
}

static void dense_step_forgets_the_last_row(const cae_adam_step *s, const cae_dense_step *d)
{
    cae_dense_step less = *d;
    less.rows -= d->rows > 0 ? 1 : 0;
    honest->dense_step(s, &less);
}

static void dense_step_takes_whole_panels(const cae_adam_step *s, const cae_dense_step *d)
{
    cae_dense_step more = *d;
    more.cols = (d->cols + CAE_PANEL - 1) / CAE_PANEL * CAE_PANEL;
    honest->dense_step(s, &more);
}

/* Images in falling order: the same sum but for rounding. */
static void dense_step_sums_backwards(const cae_adam_step *s, const cae_dense_step *d)
{
    float dy[8 * 70], x[5 * CAE_PANEL * 70];
    cae_dense_step turned = *d;
    for (size_t n = 0; n < d->images; n++) {
        const size_t from = d->images - 1 - n;
        for (size_t o = 0; o < d->rows; o++) {
            dy[o * d->images + n] = d->dy[o * d->images + from];
        }
        for (size_t i = 0; i < 5 * CAE_PANEL && i < (d->cols + 15) / 16 * 16; i++) {
            const size_t panel = i / CAE_PANEL * d->images * CAE_PANEL + i % CAE_PANEL;
            x[panel + n * CAE_PANEL] = d->x[panel + from * CAE_PANEL];
        }
    }
    turned.dy = dy;
    turned.x = x;
    honest->dense_step(s, &turned);
}

/* Windows from right to left. */
static void sparse_data_in_wrong_order(const cae_sparse_grad *p, const cae_sparse_data *d)
{
    for (size_t x = p->cols; x-- > 0;) {
        cae_sparse_grad one = *p;
        cae_sparse_data to = *d;
        const size_t ids = p->side * p->side;
        one.cols = 1;
        one.dz += (ptrdiff_t)d->y * p->dz_row + (ptrdiff_t)(x * p->channels);
        one.bits += (d->y * p->cols + x) * ids * cae_occupancy_words(p->channels);
        to.y = 0;
        to.row += (ptrdiff_t)x * d->x_step;
        honest->sparse_data(&one, &to);
    }
}

static void sparse_weights_takes_zeros(const cae_sparse_grad *p, const cae_sparse_weights *w)
{
    honest->sparse_weights(p, w);
    for (size_t i = 0; i < w->len; i++) {
        w->grad[i] += w->x[i] * 0.0f;
    }
}

/* Whether the cases of kernel `name` end badly, or with failures counted, in a child process. */
static bool finds_fault(const char *name, const cae_kernels *faulty)
{
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        size_t which = 0;
        while (strcmp(kernels[which].name, name) != 0) {
            which++;
        }
        trial t = make_trial(faulty);
        t.quiet = true;
        (void)freopen("/dev/null", "w", stderr);
        run_cases(&t, &kernels[which], 0, 670);
        _exit(t.failures > 0 ? 1 : 0);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && status != 0;
}

static size_t check_the_test(void)
{
    enum { FAULTS = 16 };
    cae_kernels table[FAULTS];
    const char *kernel[FAULTS];
    for (size_t i = 0; i < FAULTS; i++) {
        table[i] = *honest;
    }
#define FAULT(i, member, function) table[i].member = function, kernel[i] = #member
    FAULT(0, gemm, gemm_wrong_in_the_last_bit);
    FAULT(1, gemm, gemm_writes_between_rows);
    FAULT(2, gemm, gemm_reads_behind_b);
    FAULT(3, activate, activate_forgets_the_tail);
    FAULT(4, activate_back, back_writes_its_input);
    FAULT(5, add, add_in_wrong_order);
    FAULT(6, sum_rows, sum_backwards);
    FAULT(7, pool, pool_last_maximum);
    FAULT(8, pool_back, pool_back_without_zeros);
    FAULT(9, adam, adam_always_writes);
    FAULT(10, adam, adam_always_pleased);
    FAULT(11, dense_step, dense_step_forgets_the_last_row);
    FAULT(12, dense_step, dense_step_takes_whole_panels);
    FAULT(13, dense_step, dense_step_sums_backwards);
    FAULT(14, sparse_data, sparse_data_in_wrong_order);
    FAULT(15, sparse_weights, sparse_weights_takes_zeros);
    size_t missed = 0;
    for (size_t i = 0; i < FAULTS; i++) {
        const bool hidden = table[i].gemm == gemm_reads_behind_b && slack() > 0;
        if (!hidden && !finds_fault(kernel[i], &table[i])) {
            fprintf(stderr, "the test does not find fault %zu, in %s\n", i, kernel[i]);
            missed++;
        }
    }
    if (finds_fault("gemm", honest)) {
        fprintf(stderr, "the test finds a fault where there is none\n");
        missed++;
    }
    return missed;
}

/* ---- All of it --------------------------------------------------------------------------------
 */

static size_t check_tier(const cae_kernels *tier, size_t times)
{
    trial t = make_trial(tier);
    size_t cases = 0;
    for (size_t i = 0; i < KERNELS; i++) {
        run_cases(&t, &kernels[i], 0, kernels[i].cases * times);
        cases += (kernels[i].cases * times - 1) / stride() + 1;
    }
    t.failures += check_accuracy(tier);
    printf("%s: %zu cases against %s, seed %llu, %zu failures\n", tier->name, cases,
           t.reference->name, (unsigned long long)seed, t.failures);
    return t.failures;
}

static int repeat_case(const char *name, size_t number)
{
    size_t failures = 0;
    for (size_t i = 0; cae_kernels_tier(i) != NULL; i++) {
        trial t = make_trial(cae_kernels_tier(i));
        for (size_t k = 0; k < KERNELS; k++) {
            if (strcmp(kernels[k].name, name) == 0) {
                run_cases(&t, &kernels[k], number, number + 1);
            }
        }
        failures += t.failures;
    }
    return failures > 0;
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        return repeat_case(argv[1], (size_t)strtoull(argv[2], NULL, 10));
    }
    const size_t times = wanted("CAE_TEST_LONG") ? 10 : 1;
    size_t failures = check_the_test();
    /* CAE_TEST_FROM: the first tier to try, where another emulator has tried those before it. */
    const char *from = getenv("CAE_TEST_FROM");
    size_t tried = 0;
    for (size_t i = 0; cae_kernels_tier(i) != NULL; i++) {
        const cae_kernels *tier = cae_kernels_tier(i);
        if (tried > 0 || from == NULL || strcmp(from, tier->name) == 0) {
            failures += check_tier(tier, times);
            tried++;
        }
    }
    return failures > 0 || tried == 0;
}
