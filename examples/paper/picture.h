/*
 * Faces as a picture within a page. SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_PAPER_PICTURE_H
#define CAE_PAPER_PICTURE_H

#include <stddef.h>
#include <stdio.h>

/* Writes an <img> of `len` grey faces of SIDE x SIDE floats, four in a row, with the PNG in it.
 * `words` describe it for those who do not see it. */
int picture_write(const float *faces, size_t len, const char *words, FILE *file);

#endif
