/*
 * JPEG in, through libjpeg. No other file of the tool includes jpeglib.h. A build without libjpeg
 * recognises a JPEG and says what is missing.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_JPEGIO_H
#define CAE_TOOL_JPEGIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images.h"

/* What a build without libjpeg says behind a file's name. */
#define JPEGIO_MISSING                                       \
    "this build reads no JPEG; build it again with libjpeg " \
    "(on Debian the package libjpeg62-turbo-dev)"

/* Whether this build reads JPEGs. */
bool jpegio_available(void);

/* True when the bytes claim to be a JPEG. */
bool jpegio_recognise(const uint8_t *data, size_t size);

/* Reads a baseline or progressive JPEG from memory as 8-bit grey or RGB. Any damage that libjpeg
 * notices, be it the lack of the last byte, is a failure, unless it costs no pixel: that is a flaw
 * of the image. CMYK and other colour spaces are a failure; colour profiles are ignored. The pixels
 * are as they are stored, with the orientation of the EXIF data beside them. The last bit of a
 * pixel may differ between libjpeg-turbo and other implementations: the standard allows it. */
int jpegio_read(struct image *image, const uint8_t *data, size_t size, const char *path);

#endif
