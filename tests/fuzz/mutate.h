/*
 * Damage, for fuzzing with libFuzzer and without: edits that are likely to get past the first
 * checks of our two formats. Everything follows from the state of the random numbers
 * (support/numbers.h), so a failure can be repeated from its number. The repairs after an edit make the
 * checksum, and mostly the frame, right again: what is left to find is behind them.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TESTS_FUZZ_MUTATE_H
#define CAE_TESTS_FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

#include "numbers.h"

/* One edit in place; the size may change up to `capacity`. */
size_t fuzz_edit(uint8_t *data, size_t size, size_t capacity, uint64_t *state);

/* Writes the right CRC32 into a model file or a compressed image, where there is room for one. */
void fuzz_repair_model(uint8_t *data, size_t size);
void fuzz_repair_image(uint8_t *data, size_t size);

/* A few edits with repairs. Returns the new size. */
size_t fuzz_mutate_model(uint8_t *data, size_t size, size_t capacity, uint64_t *state);
size_t fuzz_mutate_image(uint8_t *data, size_t size, size_t capacity, uint64_t *state);

#endif
