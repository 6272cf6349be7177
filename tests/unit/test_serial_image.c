/*
 * The compressed image's container: golden files, every rule broken alone with the checksum right,
 * every truncation and every flipped bit.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "../fuzz/mutate.h"
#include "base/bytes.h"
#include "base/status.h"
#include "codec/deflate.h"
#include "files.h"
#include "serial/image_file.h"

static void expect_golden(const char *name)
{
    size_t size;
    uint8_t symbols[32];
    uint8_t *data = file_golden(name, &size);
    cae_image_file image;
    ck_assert_int_eq(cae_image_file_parse(&image, data, size), CAE_OK);
    ck_assert_uint_eq(image.coder, 0);
    ck_assert_uint_eq(image.quality, 50);
    ck_assert_uint_eq(image.channels, 1);
    ck_assert_uint_eq(image.height, 8);
    ck_assert_uint_eq(image.width, 7);
    ck_assert_mem_eq(image.model_id, data + 9, CAE_IMAGE_ID);
    ck_assert_int_eq(cae_inflate(cae_memory_default(), image.payload, image.payload_size, symbols,
                                 sizeof(symbols)),
                     CAE_OK);
    for (unsigned i = 0; i < 32; i++) {
        ck_assert_uint_eq(symbols[i], i * i % 17);
    }
    free(data);
}

START_TEST(golden_images_are_read)
{
    expect_golden("image.cae");
    expect_golden("fields.cae");
}
END_TEST

START_TEST(writing_gives_the_golden_bytes)
{
    size_t size, asked;
    uint8_t *golden = file_golden("image.cae", &size);
    uint8_t data[256];
    cae_image_file image;
    ck_assert_int_eq(cae_image_file_parse(&image, golden, size), CAE_OK);
    ck_assert_int_eq(cae_image_file_write(&image, NULL, 0, &asked), CAE_OK);
    ck_assert_uint_eq(asked, size);
    ck_assert_int_eq(cae_image_file_write(&image, data, size - 1, &asked), CAE_E_BUFFER);
    ck_assert_uint_eq(asked, size);
    data[size] = 0x5a;
    ck_assert_int_eq(cae_image_file_write(&image, data, sizeof(data), &asked), CAE_OK);
    ck_assert_uint_eq(asked, size);
    ck_assert_mem_eq(data, golden, size);
    ck_assert_uint_eq(data[size], 0x5a);
    free(golden);
}
END_TEST

START_TEST(the_container_is_small)
{
    static const struct {
        size_t channels, side, payload, overhead;
    } cases[] = {
        {1, 64, 930, 20},
        {3, 64, 127, 19},
        {3, 16383, (size_t)1 << 28, CAE_IMAGE_OVERHEAD - 1},
        {16383, 16383, (size_t)1 << 28, CAE_IMAGE_OVERHEAD},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const cae_image_file image = {.quality = 50,
                                      .channels = cases[i].channels,
                                      .height = cases[i].side,
                                      .width = cases[i].side,
                                      .payload_size = cases[i].payload};
        size_t size;
        ck_assert_int_eq(cae_image_file_write(&image, NULL, 0, &size), CAE_OK);
        ck_assert_uint_eq(size - cases[i].payload, cases[i].overhead);
    }
}
END_TEST

/* ---- Broken rules ---- */

#define START 0xca, 0xe0, 0x0a, 1, 0, 50
#define ID    1, 2, 3, 4

struct broken {
    const char *what;
    uint8_t bytes[40]; /* without the CRC */
    size_t size;
    int status, header_status;
};

#define FILE_OF(what, status, header_status, ...)                                          \
    {                                                                                      \
        what, {__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), status, header_status \
    }

static const struct broken files[] = {
    FILE_OF("good", CAE_OK, CAE_OK, START, 1, 8, 7, ID, 0, 2, 9, 9),
    FILE_OF("no payload", CAE_OK, CAE_OK, START, 1, 8, 7, ID, 0, 0),
    FILE_OF("magic", CAE_E_FORMAT, CAE_E_FORMAT, 0xca, 0xe0, 0x0d, 1, 0, 50, 1, 8, 7, ID, 0, 0),
    FILE_OF("version 0", CAE_E_FORMAT, CAE_E_FORMAT, 0xca, 0xe0, 0x0a, 0, 0, 50, 1, 8, 7, ID, 0, 0),
    FILE_OF("version 2", CAE_E_VERSION, CAE_E_VERSION, 0xca, 0xe0, 0x0a, 2),
    FILE_OF("coder 255", CAE_E_VERSION, CAE_OK, 0xca, 0xe0, 0x0a, 1, 255, 50, 1, 8, 7, ID, 0, 0),
    FILE_OF("quality 0", CAE_E_FORMAT, CAE_E_FORMAT, 0xca, 0xe0, 0x0a, 1, 0, 0, 1, 8, 7, ID, 0, 0),
    FILE_OF("quality 100", CAE_OK, CAE_OK, 0xca, 0xe0, 0x0a, 1, 0, 100, 1, 8, 7, ID, 0, 0),
    FILE_OF("quality 101", CAE_E_FORMAT, CAE_E_FORMAT, 0xca, 0xe0, 0x0a, 1, 0, 101, 1, 8, 7, ID, 0,
            0),
    FILE_OF("0 channels", CAE_E_FORMAT, CAE_E_FORMAT, START, 0, 8, 7, ID, 0, 0),
    FILE_OF("height 0", CAE_E_FORMAT, CAE_E_FORMAT, START, 1, 0, 7, ID, 0, 0),
    FILE_OF("width 0", CAE_E_FORMAT, CAE_E_FORMAT, START, 1, 8, 0, ID, 0, 0),
    FILE_OF("channels 65536", CAE_OK, CAE_OK, START, 0x80, 0x80, 4, 8, 7, ID, 0, 0),
    FILE_OF("channels 65537", CAE_E_FORMAT, CAE_E_FORMAT, START, 0x81, 0x80, 4, 8, 7, ID, 0, 0),
    FILE_OF("height 2^24", CAE_OK, CAE_OK, START, 1, 0x80, 0x80, 0x80, 8, 7, ID, 0, 0),
    FILE_OF("width 2^24 + 1", CAE_E_FORMAT, CAE_E_FORMAT, START, 1, 7, 0x81, 0x80, 0x80, 8, ID, 0,
            0),
    FILE_OF("a long varint", CAE_E_FORMAT, CAE_E_FORMAT, START, 1, 0x88, 0, 7, ID, 0, 0),
    FILE_OF("width of 2^64 + 7", CAE_E_FORMAT, CAE_E_FORMAT, START, 1, 8, 0x87, 0x80, 0x80, 0x80,
            0x80, 0x80, 0x80, 0x80, 0x80, 2, ID, 0, 0),
    FILE_OF("payload too long", CAE_E_FORMAT, CAE_OK, START, 1, 8, 7, ID, 0, 3, 9, 9),
    FILE_OF("payload too short", CAE_E_FORMAT, CAE_OK, START, 1, 8, 7, ID, 0, 1, 9, 9),
    FILE_OF("payload of 2^64 - 1", CAE_E_FORMAT, CAE_OK, START, 1, 8, 7, ID, 0, 0xff, 0xff, 0xff,
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 9),
    FILE_OF("fields", CAE_OK, CAE_OK, START, 1, 8, 7, ID, 5, 2, 0, 4, 1, 9, 0),
    FILE_OF("a tag of 0", CAE_OK, CAE_OK, START, 1, 8, 7, ID, 2, 0, 0, 0),
    FILE_OF("a critical field", CAE_E_VERSION, CAE_OK, START, 1, 8, 7, ID, 2, 3, 0, 0),
    FILE_OF("a tag twice", CAE_E_FORMAT, CAE_E_FORMAT, START, 1, 8, 7, ID, 4, 2, 0, 2, 0, 0),
    FILE_OF("tags descend", CAE_E_FORMAT, CAE_E_FORMAT, START, 1, 8, 7, ID, 4, 4, 0, 2, 0, 0),
    FILE_OF("a field without size", CAE_E_FORMAT, CAE_E_FORMAT, START, 1, 8, 7, ID, 1, 2, 0),
    FILE_OF("a field that is cut", CAE_E_FORMAT, CAE_E_FORMAT, START, 1, 8, 7, ID, 2, 2, 1, 0),
    FILE_OF("fields that are cut", CAE_E_FORMAT, CAE_E_FORMAT, START, 1, 8, 7, ID, 99, 2, 1, 0),
};

START_TEST(every_rule_is_checked)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const struct broken *f = &files[i];
        cae_image_file image;
        uint8_t *data = malloc(f->size + 4);
        memcpy(data, f->bytes, f->size);
        fuzz_repair_image(data, f->size + 4);
        const int status = cae_image_file_parse(&image, data, f->size + 4);
        ck_assert_msg(status == f->status, "%s: %d %s", f->what, status, cae_message());
        const int header_status = cae_image_file_parse_header(&image, data, f->size + 4);
        ck_assert_msg(header_status == f->header_status, "%s, header: %d %s", f->what,
                      header_status, cae_message());
        ck_assert(image.payload == NULL);
        free(data);
    }
}
END_TEST

START_TEST(the_fields_have_a_cap)
{
    for (size_t excess = 0; excess < 2; excess++) {
        static const uint8_t start[] = {START, 1, 8, 7, ID};
        uint8_t data[4200] = {0};
        cae_image_file image;
        cae_writer w = cae_writer_make(data, sizeof(data));
        cae_write_span(&w, start, sizeof(start));
        cae_write_varint(&w, CAE_IMAGE_FIELDS + excess);
        cae_write_u8(&w, 2);
        cae_write_varint(&w, CAE_IMAGE_FIELDS + excess - 3);
        w.at += CAE_IMAGE_FIELDS + excess - 3 + 1; /* zeros, then a payload of size 0 */
        fuzz_repair_image(data, w.at + 4);
        ck_assert_int_eq(cae_image_file_parse(&image, data, w.at + 4),
                         excess == 0 ? CAE_OK : CAE_E_FORMAT);
    }
}
END_TEST

/* ---- Damage ---- */

START_TEST(every_truncation_is_an_error)
{
    size_t size;
    uint8_t *data = file_golden("image.cae", &size);
    for (size_t cut = 0; cut < size; cut++) {
        cae_image_file image;
        uint8_t *part = malloc(cut > 0 ? cut : 1);
        memcpy(part, data, cut);
        ck_assert_int_eq(cae_image_file_parse(&image, part, cut), CAE_E_FORMAT);
        /* The header alone ends with the payload's size, in byte 14. */
        ck_assert_int_eq(cae_image_file_parse_header(&image, part, cut),
                         cut < 15 ? CAE_E_FORMAT : CAE_OK);
        free(part);
    }
    free(data);
}
END_TEST

START_TEST(every_flipped_bit_is_an_error)
{
    size_t size;
    uint8_t *data = file_golden("fields.cae", &size);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        cae_image_file image;
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_msg(cae_image_file_parse(&image, data, size) != CAE_OK, "bit %zu", bit);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(data);
}
END_TEST

START_TEST(bytes_behind_the_end_are_an_error)
{
    size_t size;
    cae_image_file image;
    uint8_t *golden = file_golden("image.cae", &size);
    uint8_t *data = calloc(1, size + 1);
    memcpy(data, golden, size);
    ck_assert_int_eq(cae_image_file_parse(&image, data, size + 1), CAE_E_FORMAT);
    free(data);
    free(golden);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        golden_images_are_read,
        writing_gives_the_golden_bytes,
        the_container_is_small,
        every_rule_is_checked,
        the_fields_have_a_cap,
        every_truncation_is_an_error,
        every_flipped_bit_is_an_error,
        bytes_behind_the_end_are_an_error,
        NULL,
    };
    return unit_run("image file", tests);
}
