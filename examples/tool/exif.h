/*
 * How a picture was held, from the EXIF data that cameras and phones put into their files.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_EXIF_H
#define CAE_TOOL_EXIF_H

#include <stddef.h>
#include <stdint.h>

/* The orientation that EXIF data have, from 1 (upright) to 8, as in TIFF 6.0: where the first row
 * and the first column of the pixels belong. Damaged data, and data without an orientation or with
 * another number, are upright. They start as a TIFF file does, or with "Exif" in front. */
unsigned exif_orientation(const uint8_t *data, size_t size);

/* The same from a JPEG, where they are in the first segment APP1 that starts with "Exif". */
unsigned exif_orientation_of_jpeg(const uint8_t *data, size_t size);

#endif
