/*
 * What the kernel tests share. A trial is one tier against its reference; a case is one call of one
 * kernel on random contents, drawn from the seed and the case's number alone, so that any failure
 * can be repeated by itself. Buffers lie against pages that may not be touched, and inputs are
 * read-only while a kernel runs: what reads or writes where it must not ends the program.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TESTS_KERNELS_TRIAL_H
#define CAE_TESTS_KERNELS_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

typedef struct trial {
    const cae_kernels *tier;
    const cae_kernels *reference;
    uint64_t random; /* state of the generator, set anew for each case */
    size_t number;   /* of the case */
    bool quiet;
    size_t failures;
} trial;

void trial_begin_case(trial *t, uint64_t seed, size_t number);

/* Counts a failure and says where: kernel, tier, case and `detail`. */
void trial_fail(trial *t, const char *kernel, const char *detail);

/* ---- Random contents ---- */

uint64_t draw(trial *t);
size_t draw_below(trial *t, size_t end);
size_t draw_from(trial *t, size_t first, size_t last);
bool draw_chance(trial *t, size_t one_in);

/* Ordinary values, or one in eight hostile (NaN, infinities, denormals, -0, huge), or all tiny, or
 * all huge, or few values with many ties: one kind for the whole array. */
void draw_floats(trial *t, float *values, size_t len);

/* ---- Guarded buffers ---- */

enum { SLOTS = 12, SLOT_SIZE = 1 << 20 };

/* Bytes left between a buffer and the page behind it: none, so that reading past an end is found
 * out, unless CAE_TEST_SLACK says how many. For emulators that read more than an instruction does:
 * qemu 7.2 takes 16 bytes for a vfmadd231ss from memory, which are 4, and all 32 for a
 * vmaskmovps. */
size_t slack(void);

/* `size` bytes in slot `slot`, aligned for float and no more: flush with the page behind, or with
 * the page before, or somewhere between. Replaces what the slot held. */
void *place(trial *t, int slot, size_t size);
float *place_floats(trial *t, int slot, size_t len); /* with drawn contents */
float *place_copy(trial *t, int slot, const float *values, size_t len);

void lock_slot(int slot); /* read-only until the next place() */

/* Equal bit for bit, all NaNs being equal to each other; false prints the first difference. */
bool floats_equal(trial *t, const char *kernel, const char *what, const float *reference,
                  const float *tier, size_t len);

/* Adam's scalars, between the first step and a late one. */
cae_adam_step draw_step(trial *t);

/* ---- The cases ---- */

void case_gemm(trial *t);
void case_transpose(trial *t);
void case_activate(trial *t);
void case_activate_back(trial *t);
void case_add(trial *t);
void case_sum_rows(trial *t);
void case_pool(trial *t);
void case_pool_back(trial *t);
void case_occupancy_bits(trial *t);
void case_sparse_weights(trial *t);
void case_sparse_data(trial *t);
void case_adam(trial *t);
void case_dense_step(trial *t);

/* Activations against the C library's in double; returns how many faults were printed. */
size_t check_accuracy(const cae_kernels *tier);

#endif
