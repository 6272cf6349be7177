/*
 * PNG in and out through libpng's classic interface. No other file of the tool includes png.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_PNGIO_H
#define CAE_TOOL_PNGIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "images.h"

/* True when the bytes claim to be a PNG, even one whose signature a text-mode transfer damaged. */
bool pngio_recognise(const uint8_t *data, size_t size);

/* Reads a PNG from memory as 8-bit grey or RGB: palettes and low depths are expanded, 16 bits are
 * rounded, alpha is dropped (image->changes says so); gamma and colour profiles are ignored. A
 * `whole` image keeps 16 bits and alpha. The
 * pixels are as they are stored, with the orientation of a chunk eXIf beside them. Damage is a
 * failure, printed with `path` in front, unless libpng finds all pixels: that is a flaw. */
int pngio_read(struct image *image, const uint8_t *data, size_t size, const char *path, bool whole);

/* Stored: without compression, so that the file's bytes depend on the pixels alone and on no
 * version of zlib. */
enum pngio_method { PNGIO_COMPRESSED, PNGIO_STORED };
int pngio_write(const struct image *image, FILE *file, const char *path, enum pngio_method method);

#endif
