/*
 * Parametric grey faces: pictures to train on where no photographs are at hand. A face is a
 * function of a seed and a number alone, the same to the last bit on every machine that computes
 * double as IEEE 754 says. SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_FACE_H
#define CAE_TOOL_FACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False where the compiler keeps double in wider registers: the last bit could differ there. */
bool face_is_exact(void);

/* Draws face `number` of `seed` into size x size grey pixels. */
void face_draw(uint64_t seed, uint64_t number, size_t size, uint8_t *pixels);

#endif
