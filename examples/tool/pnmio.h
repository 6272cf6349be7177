/*
 * PGM and PPM, plain (P2, P3) and raw (P5, P6), as the netpbm manual pages describe them.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_PNMIO_H
#define CAE_TOOL_PNMIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "images.h"

bool pnmio_recognise(const uint8_t *data, size_t size);

/* Reads the first image of the file; values are rounded from their own maximum to 255, or, where
 * that is above 255 and the image shall be `whole`, to 65535. */
int pnmio_read(struct image *image, const uint8_t *data, size_t size, const char *path, bool whole);

/* Writes P5 for one channel, P6 for three, of 8 bits or 16; alpha is dropped, with a note. */
int pnmio_write(const struct image *image, FILE *file, const char *path);

#endif
