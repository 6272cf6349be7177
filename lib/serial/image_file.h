/*
 * The container of a compressed image (docs/file-formats.md, section 2): all bytes around the
 * payload. Parsing gives checked values and a span of the file and allocates nothing. Of models and
 * coders it knows the numbers only.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_IMAGE_FILE_H
#define CAE_SERIAL_IMAGE_FILE_H

#include <stddef.h>
#include <stdint.h>

enum {
    CAE_IMAGE_OVERHEAD = 26, /* the most bytes around a payload that the writer makes */
    CAE_IMAGE_ID = 4,
    CAE_IMAGE_CHANNELS = 65536,
    CAE_IMAGE_SIDE = 1 << 24,
    CAE_IMAGE_FIELDS = 4096, /* bytes */
    CAE_IMAGE_QUALITY = 100
};

typedef struct cae_image_file {
    unsigned coder, quality;
    size_t channels, height, width;
    uint8_t model_id[CAE_IMAGE_ID];
    const uint8_t *payload;
    size_t payload_size;
} cae_image_file;

/* Reads a whole file; payload points into it. */
int cae_image_file_parse(cae_image_file *image, const void *data, size_t size);

/* Reads only the header: behind it `data` may end or be damaged. payload becomes NULL. */
int cae_image_file_parse_header(cae_image_file *image, const void *data, size_t size);

/* Writes the file around image->payload, which must be outside of data; *size as in
 * cae_model_save_memory. */
int cae_image_file_write(const cae_image_file *image, void *data, size_t capacity, size_t *size);

#endif
