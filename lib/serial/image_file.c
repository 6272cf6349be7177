/*
 * The container of a compressed image: docs/file-formats.md, section 2.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "serial/image_file.h"

#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/status.h"
#include "codec/coder.h"
#include "serial/crc32.h"

static const uint8_t magic[3] = {0xca, 0xe0, 0x0a};

enum { VERSION = 1, CRC_SIZE = 4 };

static int fail_format(const char *problem)
{
    return cae_fail(CAE_E_FORMAT, "compressed image: %s", problem);
}

static int read_start(cae_image_file *image, cae_reader *r)
{
    const uint8_t *start = cae_read_span(r, sizeof(magic));
    const unsigned version = cae_read_u8(r);
    if (start == NULL || memcmp(start, magic, sizeof(magic)) != 0) {
        return cae_fail(CAE_E_FORMAT, "not a compressed image of libcae");
    }
    if (version > VERSION) {
        return cae_fail(
            CAE_E_VERSION,
            "compressed image: made by a newer libcae: its format is version %u, this library "
            "reads up to %d",
            version, (int)VERSION);
    }
    image->coder = cae_read_u8(r);
    image->quality = cae_read_u8(r);
    if (version == 0 || image->quality < 1 || image->quality > CAE_IMAGE_QUALITY) {
        return fail_format(r->failed ? "it ends too early" : "a version or quality that none has");
    }
    return CAE_OK;
}

static int read_side(cae_reader *r, size_t max, size_t *side)
{
    const uint64_t value = cae_read_varint(r);
    if (r->failed || value < 1 || value > max) {
        return fail_format("channels, height or width are 0, too large or cut off");
    }
    *side = (size_t)value;
    return CAE_OK;
}

/* Optional fields. None is known, so *critical is set by a critical one (an odd tag). */
static int read_fields(cae_reader *r, bool *critical)
{
    const uint64_t size = cae_read_varint(r);
    if (r->failed || size > CAE_IMAGE_FIELDS || size > cae_reader_left(r)) {
        return fail_format("optional fields that are too large or cut off");
    }
    cae_reader fields = cae_reader_make(cae_read_span(r, (size_t)size), (size_t)size);
    uint64_t before = 0;
    for (bool first = true; cae_reader_left(&fields) > 0; first = false) {
        const uint64_t tag = cae_read_varint(&fields);
        const uint64_t field_size = cae_read_varint(&fields);
        if (fields.failed || field_size > cae_reader_left(&fields) || (!first && tag <= before)) {
            return fail_format("an optional field that is cut off or out of order");
        }
        (void)cae_read_span(&fields, (size_t)field_size);
        *critical = *critical || (tag & 1) != 0;
        before = tag;
    }
    return CAE_OK;
}

/* Everything before the payload, including its size. */
static int read_header(cae_image_file *image, cae_reader *r, uint64_t *payload_size, bool *critical)
{
    *image = (cae_image_file){.coder = 0};
    *critical = false;
    CAE_TRY(read_start(image, r));
    CAE_TRY(read_side(r, CAE_IMAGE_CHANNELS, &image->channels));
    CAE_TRY(read_side(r, CAE_IMAGE_SIDE, &image->height));
    CAE_TRY(read_side(r, CAE_IMAGE_SIDE, &image->width));
    const uint8_t *id = cae_read_span(r, CAE_IMAGE_ID);
    if (id == NULL) {
        return fail_format("it ends too early");
    }
    memcpy(image->model_id, id, CAE_IMAGE_ID);
    CAE_TRY(read_fields(r, critical));
    *payload_size = cae_read_varint(r);
    return r->failed ? fail_format("it ends too early, or its payload has no size") : CAE_OK;
}

int cae_image_file_parse_header(cae_image_file *image, const void *data, size_t size)
{
    cae_reader r = cae_reader_make(data, size);
    uint64_t payload_size;
    bool critical;
    return read_header(image, &r, &payload_size, &critical);
}

int cae_image_file_parse(cae_image_file *image, const void *data, size_t size)
{
    cae_reader r = cae_reader_make(data, size);
    uint64_t payload_size;
    bool critical;
    CAE_TRY(read_header(image, &r, &payload_size, &critical));
    const size_t left = cae_reader_left(&r);
    if (left < CRC_SIZE || payload_size != left - CRC_SIZE) {
        return cae_fail(CAE_E_FORMAT, "compressed image: a payload of %llu bytes, but %zu are left",
                        (unsigned long long)payload_size, left);
    }
    image->payload = cae_read_span(&r, (size_t)payload_size);
    image->payload_size = (size_t)payload_size;
    if (cae_read_u32(&r) != cae_crc32(0, data, size - CRC_SIZE)) {
        return fail_format("damaged (its checksum does not fit)");
    }
    if (cae_coder_find(image->coder) == NULL) {
        return cae_fail(CAE_E_VERSION,
                        "compressed image: made by a newer libcae: coder %u is unknown here",
                        image->coder);
    }
    return critical
               ? cae_fail(
                     CAE_E_VERSION,
                     "compressed image: made by a newer libcae: it needs a field that is unknown "
                     "here")
               : CAE_OK;
}

/* Everything before the CRC; without room it is only counted. */
static void write_parts(const cae_image_file *image, cae_writer *w)
{
    cae_write_span(w, magic, sizeof(magic));
    cae_write_u8(w, VERSION);
    cae_write_u8(w, (uint8_t)image->coder);
    cae_write_u8(w, (uint8_t)image->quality);
    cae_write_varint(w, image->channels);
    cae_write_varint(w, image->height);
    cae_write_varint(w, image->width);
    cae_write_span(w, image->model_id, CAE_IMAGE_ID);
    cae_write_varint(w, 0);
    cae_write_varint(w, image->payload_size);
    cae_write_span(w, image->payload, image->payload_size);
}

int cae_image_file_write(const cae_image_file *image, void *data, size_t capacity, size_t *size)
{
    cae_writer count = cae_writer_make(NULL, 0);
    write_parts(image, &count);
    *size = count.at + CRC_SIZE;
    if (data == NULL && capacity == 0) {
        return CAE_OK;
    }
    if (data == NULL || capacity < *size) {
        return cae_fail(CAE_E_BUFFER, "the compressed image takes %zu bytes, the buffer has %zu",
                        *size, capacity);
    }
    cae_writer w = cae_writer_make(data, capacity);
    write_parts(image, &w);
    cae_write_u32(&w, cae_crc32(0, data, w.at));
    CAE_ASSERT(!w.failed && w.at == *size);
    return CAE_OK;
}
