/*
 * What a fuzz target defines. The names of the first two are libFuzzer's; replay.c calls the same
 * ones, so that every target is also an ordinary test.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TESTS_FUZZ_FUZZ_H
#define CAE_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Runs the code under test on one input; ends the program with fuzz_check where a promise fails. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Damages an input in a way that goes deep; returns the new size. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed);

/* How many inputs so far were found good: shows that the damage is not all noticed at the door. */
extern unsigned long fuzz_accepted;

#define fuzz_check(condition) ((condition) ? (void)0 : fuzz_failed(__FILE__, __LINE__, #condition))

void fuzz_failed(const char *file, int line, const char *condition);

#endif
