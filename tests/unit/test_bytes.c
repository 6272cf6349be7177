/*
 * Checked sizes, bounded reading and writing, floats in files.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "unit.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/floats.h"
#include "base/size.h"

START_TEST(size_products_stop_at_the_edge)
{
    const size_t half = SIZE_MAX / 2;
    ck_assert_uint_eq(cae_size_mul(half, 2), half * 2);
    ck_assert_uint_eq(cae_size_mul(0, SIZE_MAX), 0);
    ck_assert_uint_eq(cae_size_mul(SIZE_MAX, 0), 0);
    ck_assert_uint_eq(cae_size_mul(SIZE_MAX, 1), SIZE_MAX);
    ck_assert_uint_eq(cae_size_mul(half + 1, 2), SIZE_MAX);
    ck_assert_uint_eq(cae_size_mul(SIZE_MAX, SIZE_MAX), SIZE_MAX);
    ck_assert_uint_eq(cae_size_mul4(3, 5, 7, 11), 1155);
    ck_assert_uint_eq(cae_size_mul4(half, 2, 1, 1), half * 2);
    ck_assert_uint_eq(cae_size_mul4(1, 1, half, 2), half * 2);
    ck_assert_uint_eq(cae_size_mul4(half, 2, 2, 1), SIZE_MAX);
    ck_assert_uint_eq(cae_size_mul4(2, 1, half, 2), SIZE_MAX);
    ck_assert_uint_eq(cae_size_mul4(65536, 65536, 65536, 65536), SIZE_MAX);
}
END_TEST

START_TEST(size_sums_stop_at_the_edge)
{
    ck_assert_uint_eq(cae_size_add(SIZE_MAX - 1, 0), SIZE_MAX - 1);
    ck_assert_uint_eq(cae_size_add(SIZE_MAX - 1, 1), SIZE_MAX);
    ck_assert_uint_eq(cae_size_add(SIZE_MAX, 1), SIZE_MAX);
    ck_assert_uint_eq(cae_size_add(1, SIZE_MAX), SIZE_MAX);
    ck_assert_uint_eq(cae_size_align(0, 64), 0);
    ck_assert_uint_eq(cae_size_align(65, 64), 128);
    ck_assert_uint_eq(cae_size_align(SIZE_MAX - 63, 64), SIZE_MAX - 63);
    ck_assert_uint_eq(cae_size_align(SIZE_MAX - 62, 64), SIZE_MAX);
    ck_assert_uint_eq(cae_div_up(0, 8), 0);
    ck_assert_uint_eq(cae_div_up(1, 8), 1);
    ck_assert_uint_eq(cae_div_up(16, 8), 2);
    ck_assert_uint_eq(cae_div_up(SIZE_MAX, 2), SIZE_MAX / 2 + 1);
    ck_assert_uint_eq(cae_size_min(2, 3), 2);
    ck_assert_uint_eq(cae_size_max(2, 3), 3);
}
END_TEST

START_TEST(numbers_are_little_endian)
{
    static const uint8_t bytes[] = {0xff, 0x01, 0x02, 0x03, 0x84, 0x01, 0x02,
                                    0x03, 0x04, 0x05, 0x06, 0x07, 0x88};
    cae_reader r = cae_reader_make(bytes, sizeof(bytes));
    ck_assert_uint_eq(cae_read_u8(&r), 0xff);
    ck_assert_uint_eq(cae_read_u32(&r), 0x84030201u);
    ck_assert_uint_eq(cae_load_u64(cae_read_span(&r, 8)), 0x8807060504030201u);
    ck_assert(!r.failed);
    uint8_t back[sizeof(bytes)];
    cae_writer w = cae_writer_make(back, sizeof(back));
    cae_write_u8(&w, 0xff);
    cae_write_u32(&w, 0x84030201u);
    cae_write_u64(&w, 0x8807060504030201u);
    ck_assert(!w.failed && w.at == sizeof(back));
    ck_assert_int_eq(memcmp(back, bytes, sizeof(bytes)), 0);
}
END_TEST

START_TEST(a_reader_stops_at_its_end_and_stays_failed)
{
    static const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    cae_reader r = cae_reader_make(bytes, 7);
    ck_assert_ptr_null(cae_read_span(&r, 8));
    ck_assert(r.failed);
    ck_assert_uint_eq(cae_read_u8(&r), 0);
    r = cae_reader_make(bytes, 7);
    ck_assert_ptr_eq(cae_read_span(&r, 7), bytes);
    ck_assert_uint_eq(cae_reader_left(&r), 0);
    ck_assert_ptr_null(cae_read_span(&r, SIZE_MAX));
    ck_assert_uint_eq(r.at, 7);
    r = cae_reader_make(NULL, 0);
    ck_assert_uint_eq(cae_read_u32(&r), 0);
    ck_assert(r.failed);
}
END_TEST

START_TEST(varints_go_and_come_back)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        for (int add = -1; add <= 1; add++) {
            const uint64_t value = ((uint64_t)1 << bit) + (uint64_t)(int64_t)add;
            uint8_t bytes[10];
            cae_writer w = cae_writer_make(bytes, sizeof(bytes));
            cae_write_varint(&w, value);
            cae_reader r = cae_reader_make(bytes, w.at);
            ck_assert_uint_eq(cae_read_varint(&r), value);
            ck_assert(!r.failed && r.at == w.at);
            /* Every truncation is found. */
            for (size_t size = 0; size < w.at; size++) {
                r = cae_reader_make(bytes, size);
                ck_assert_uint_eq(cae_read_varint(&r), 0);
                ck_assert(r.failed);
            }
        }
    }
}
END_TEST

/* Of all sequences of three bytes, the ones taken are exactly those that writing gives. */
START_TEST(varints_have_one_form)
{
    for (uint32_t all = 0; all < 1u << 24; all += all < 70000 ? 1 : 251) {
        const uint8_t bytes[3] = {(uint8_t)all, (uint8_t)(all >> 8), (uint8_t)(all >> 16)};
        cae_reader r = cae_reader_make(bytes, sizeof(bytes));
        const uint64_t value = cae_read_varint(&r);
        uint8_t back[10];
        cae_writer w = cae_writer_make(back, sizeof(back));
        cae_write_varint(&w, value);
        const bool same = w.at <= 3 && memcmp(back, bytes, w.at) == 0;
        if (r.failed == same && !(r.failed && value == 0 && bytes[0] != 0)) {
            ck_abort_msg("%02x %02x %02x", bytes[0], bytes[1], bytes[2]);
        }
    }
}
END_TEST

START_TEST(varints_end_at_64_bits)
{
    static const struct {
        uint8_t bytes[11];
        bool good;
    } rows[] = {
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, true},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}, false},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81}, false},
        {{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, false},
        {{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, false},
        {{0x80, 0x00}, false},
        {{0x80, 0x80, 0x00}, false},
        {{0x00}, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cae_reader r = cae_reader_make(rows[i].bytes, sizeof(rows[i].bytes));
        cae_read_varint(&r);
        ck_assert_msg(r.failed != rows[i].good, "row %zu", i);
    }
}
END_TEST

START_TEST(a_writer_stops_at_its_capacity_and_counts_on)
{
    uint8_t bytes[8];
    memset(bytes, 0xee, sizeof(bytes));
    cae_writer w = cae_writer_make(bytes, 6);
    cae_write_u32(&w, 0x01020304);
    cae_write_u32(&w, 0x05060708);
    ck_assert(w.failed && w.at == 8);
    cae_write_u8(&w, 9); /* fits no longer, though fewer bytes were stored than the capacity */
    ck_assert_uint_eq(w.at, 9);
    for (size_t i = 4; i < sizeof(bytes); i++) {
        ck_assert_uint_eq(bytes[i], 0xee);
    }
    w = cae_writer_make(NULL, 0);
    cae_write_span(&w, bytes, 5);
    cae_write_varint(&w, 300);
    ck_assert_uint_eq(w.at, 7);
    cae_write_span(&w, bytes, SIZE_MAX - 3);
    ck_assert_uint_eq(w.at, SIZE_MAX);
}
END_TEST

START_TEST(files_have_the_low_byte_first)
{
    static const struct {
        size_t size;
        uint64_t value;
        uint8_t bytes[8];
    } cases[] = {{8, 0x7ff8123456789abc, {0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12, 0xf8, 0x7f}},
                 {4, 0x7fc12345, {0x45, 0x23, 0xc1, 0x7f}},
                 {2, 0x7c01, {0x01, 0x7c}},
                 {1, 0x80, {0x80}}};
    enum { LEN = 5 };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const size_t size = cases[i].size;
        uint8_t values[8 * LEN], file[8 * LEN + 1], back[8 * LEN];
        for (size_t k = 0; k < LEN; k++) {
            const uint32_t four = (uint32_t)cases[i].value;
            const uint16_t two = (uint16_t)four;
            const uint8_t one = (uint8_t)four;
            const void *from = size == 8   ? (const void *)&cases[i].value
                               : size == 4 ? (const void *)&four
                               : size == 2 ? (const void *)&two
                                           : &one;
            memcpy(values + k * size, from, size);
        }
        cae_reorder(file + 1, values, size, LEN);
        for (size_t k = 0; k < LEN; k++) {
            ck_assert_int_eq(memcmp(file + 1 + k * size, cases[i].bytes, size), 0);
        }
        cae_reorder(back, file + 1, size, LEN);
        ck_assert_int_eq(memcmp(back, values, size * LEN), 0);
        cae_reorder(back, back, size, LEN); /* in place */
        ck_assert_int_eq(memcmp(back, file + 1, size * LEN), 0);
    }
}
END_TEST

START_TEST(one_bad_value_is_found_anywhere)
{
    enum { LEN = 600 };
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    static const float good[] = {FLT_MAX, -FLT_MAX, 0x1p-149f, -0.0f, 0.5f};
    float values[LEN];
    for (size_t i = 0; i < LEN; i++) {
        values[i] = good[i % 5];
    }
    ck_assert(cae_all_finite(values, LEN, NULL));
    ck_assert(cae_all_finite(NULL, 0, NULL));
    for (size_t i = 0; i < LEN; i++) {
        size_t at = LEN;
        values[i] = bad[i % 3];
        ck_assert(!cae_all_finite(values, LEN, &at) && at == i);
        ck_assert(!cae_all_finite(values, LEN, NULL));
        ck_assert(cae_all_finite(values, i, &at));
        values[i] = good[i % 5];
    }
    values[100] = values[400] = NAN;
    size_t at = 0;
    ck_assert(!cae_all_finite(values, LEN, &at) && at == 100);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        size_products_stop_at_the_edge,
        size_sums_stop_at_the_edge,
        numbers_are_little_endian,
        a_reader_stops_at_its_end_and_stays_failed,
        varints_go_and_come_back,
        varints_have_one_form,
        varints_end_at_64_bits,
        a_writer_stops_at_its_capacity_and_counts_on,
        files_have_the_low_byte_first,
        one_bad_value_is_found_anywhere,
        NULL,
    };
    return unit_run("bytes", tests);
}
