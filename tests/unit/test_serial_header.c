/*
 * The header of a model file: every rule of the format broken alone, in both profiles, and the caps
 * from both sides.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz/mutate.h"
#include "base/bytes.h"
#include "base/size.h"
#include "base/status.h"
#include "limited_memory.h"
#include "sample_model.h"

#define METADATA                                                                     \
    "\"__metadata__\":{\"libcae.architecture\":\"x\",\"libcae.crc32\":\"00000000\"," \
    "\"libcae.version\":\"1\"}"
#define TENSOR(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" offsets "]}"
#define TENSOR_A TENSOR("a", "F32", "1", "0,4")

/* Makes a file of a header and `data_size` zeros, with frame and checksum right. */
static uint8_t *make_file(const char *header, size_t data_size, size_t *size)
{
    const size_t text_size = strlen(header);
    const size_t header_size = cae_div_up(8 + text_size, 64) * 64 - 8;
    uint8_t *file = calloc(1, 8 + header_size + data_size);
    *size = 8 + header_size + data_size;
    cae_store_u64(file, header_size);
    memset(file + 8, ' ', header_size);
    memcpy(file + 8, header, text_size);
    fuzz_repair_model(file, *size);
    return file;
}

struct bad_header {
    const char *text;
    size_t data_size;
    int model, plain; /* the statuses in both profiles */
};

static const struct bad_header headers[] = {
    /* Good ones first: the rest differs from these in one thing. */
    {"{" METADATA "," TENSOR_A "}", 4, CAE_OK, CAE_OK},
    {"{" METADATA "}", 0, CAE_OK, CAE_OK},
    {"{}", 0, CAE_E_FORMAT, CAE_OK},
    {"{" TENSOR_A "}", 4, CAE_E_FORMAT, CAE_OK},
    {"{" TENSOR_A "," METADATA "}", 4, CAE_E_FORMAT, CAE_OK},
    {"{" METADATA "," METADATA "}", 0, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{ \t\r\n" METADATA " ,\n" TENSOR_A " } ", 4, CAE_OK, CAE_OK},
    {"{" METADATA "," TENSOR("a", "F32", " 1 , 1 ", " 0 , 4 ") "}", 4, CAE_OK, CAE_OK},
    {"{" METADATA ",\"a\":{\"data_offsets\":[0,4],\"shape\":[1],\"dtype\":\"F32\"}}", 4, CAE_OK,
     CAE_OK},
    {"{" METADATA "," TENSOR("a", "F32", "1", "0,4") "," TENSOR("b", "F32", "2", "4,12") "}", 12,
     CAE_OK, CAE_OK},
    {"{" METADATA "," TENSOR("A-Z_a.9", "F64", "1,1,1,1", "0,8") "}", 8, CAE_OK, CAE_OK},
    {"{" METADATA "," TENSOR("a", "I64", "1,2,3", "0,48") "}", 48, CAE_OK, CAE_OK},

    /* JSON */
    {"", 0, CAE_E_FORMAT, CAE_E_FORMAT},
    {" {" METADATA "}", 0, CAE_E_FORMAT, CAE_E_FORMAT},
    {"[" METADATA "]", 0, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA, 0, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA ",}", 0, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{," METADATA "}", 0, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "}}", 0, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "}\n", 0, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "} {}", 0, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA " " TENSOR_A "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA ",\"a\" {}}", 0, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA ",\"a\":null}", 0, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA ",\"a\":{}}", 0, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA ",a:{}}", 0, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA ",\"a", 0, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA ",'a':{}}", 0, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "01", "0,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "1", "00,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "1.0", "0,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "1e0", "0,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "-1", "0,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "+1", "0,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "\"1\"", "0,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "[1]", "0,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "1,", "0,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", ",1", "0,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "1 1", "0,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA ",\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4, CAE_E_FORMAT,
     CAE_E_FORMAT},
    {"{" METADATA ",\"a\":{\"dtype\":F32,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, CAE_E_FORMAT,
     CAE_E_FORMAT},

    /* names */
    {"{" METADATA "," TENSOR("", "F32", "1", "0,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a b", "F32", "1", "0,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a/b", "F32", "1", "0,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("\xc3\xa9", "F32", "1", "0,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("\\u0061", "F32", "1", "0,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "1", "0,4") "," TENSOR("a", "F32", "1", "4,8") "}", 8,
     CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("b", "F32", "1", "0,4") "," TENSOR("a", "F32", "1", "4,8") "}", 8,
     CAE_E_FORMAT, CAE_OK},
    {"{" METADATA "," TENSOR("ab", "F32", "1", "0,4") "," TENSOR("a", "F32", "1", "4,8") "}", 8,
     CAE_E_FORMAT, CAE_OK},
    {"{" METADATA "," TENSOR("a.", "F32", "1", "0,4") "," TENSOR("a-", "F32", "1", "4,8") "}", 8,
     CAE_E_FORMAT, CAE_OK},
    {"{" METADATA "," TENSOR("B", "F32", "1", "0,4") "," TENSOR("a", "F32", "1", "4,8") "}", 8,
     CAE_OK, CAE_OK},

    /* the fields of a tensor */
    {"{" METADATA ",\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA ",\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA ",\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, CAE_E_FORMAT,
     CAE_E_FORMAT},
    {"{" METADATA ",\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"shape\":[1]}}",
     4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA ",\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":[1]}}", 4,
     CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F16", "2", "0,4") "}", 4, CAE_OK, CAE_OK},
    {"{" METADATA "," TENSOR("a", "BF16", "2", "0,4") "}", 4, CAE_E_UNSUPPORTED, CAE_OK},
    {"{" METADATA "," TENSOR("a", "F16", "2", "0,8") "}", 8, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "I32", "1", "0,4") "," TENSOR("b", "U8", "4", "4,8") "}", 8,
     CAE_E_UNSUPPORTED, CAE_OK},
    {"{" METADATA "," TENSOR("a", "F8_E4M3", "4", "0,4") "}", 4, CAE_E_UNSUPPORTED,
     CAE_E_UNSUPPORTED},
    {"{" METADATA "," TENSOR("a", "I64", "", "0,8") "}", 8, CAE_E_UNSUPPORTED, CAE_OK},
    {"{" METADATA "," TENSOR("a", "I64", "", "0,4") "}", 4, CAE_E_UNSUPPORTED, CAE_E_FORMAT},
    {"{" TENSOR("a", "U8", "", "0,1") "," TENSOR("b", "I8", "", "1,2") "}", 2, CAE_E_FORMAT,
     CAE_OK},
    {"{" METADATA "," TENSOR("a", "f32", "1", "0,4") "}", 4, CAE_E_UNSUPPORTED, CAE_E_UNSUPPORTED},
    {"{" METADATA "," TENSOR("a", "F\\u00332", "1", "0,4") "}", 4, CAE_E_UNSUPPORTED,
     CAE_E_UNSUPPORTED},
    {"{" METADATA "," TENSOR("a", "F32", "", "0,4") "}", 4, CAE_E_UNSUPPORTED, CAE_OK},
    {"{" METADATA "," TENSOR("a", "F32", "1,1,1,1,1", "0,4") "}", 4, CAE_E_UNSUPPORTED,
     CAE_E_UNSUPPORTED},
    {"{" METADATA "," TENSOR("a", "F32", "0", "0,0") "}", 0, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "1,0", "0,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},

    /* products and spans */
    {"{" METADATA "," TENSOR("a", "F32", "2", "0,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F64", "1", "0,4") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "9007199254740991", "0,4") "}", 4, CAE_E_FORMAT,
     CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "9007199254740992", "0,4") "}", 4, CAE_E_FORMAT,
     CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "18446744073709551617", "0,4") "}", 4, CAE_E_FORMAT,
     CAE_E_FORMAT},
    /* 2^33 x 2^31 = 2^64, and (2^62 + 1) x 4 = 2^64 + 4: both wrap to what would fit. */
    {"{" METADATA "," TENSOR("a", "F32", "8589934592,2147483648", "0,0") "}", 0, CAE_E_FORMAT,
     CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "5,922337203685477581", "0,4") "}", 4, CAE_E_FORMAT,
     CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "4294967296,4294967296,1,1", "0,4") "}", 4, CAE_E_FORMAT,
     CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "1", "4,0") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "1", "0") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "1", "0,4,8") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "1", "4,8") "}", 8, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "1", "0,4") "}", 5, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "2", "0,8") "}", 4, CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "1", "9007199254740987,9007199254740991") "}", 4,
     CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "1", "0,4") "," TENSOR("b", "F32", "1", "0,4") "}", 4,
     CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "1", "0,4") "," TENSOR("b", "F32", "1", "8,12") "}", 12,
     CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "2", "0,8") "," TENSOR("b", "F32", "1", "4,8") "}", 8,
     CAE_E_FORMAT, CAE_E_FORMAT},
    {"{" METADATA "," TENSOR("a", "F32", "1", "4,8") "," TENSOR("b", "F32", "1", "0,4") "}", 8,
     CAE_E_FORMAT, CAE_OK},
};

START_TEST(headers_are_judged_by_every_rule)
{
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        size_t size;
        uint8_t *file = make_file(headers[i].text, headers[i].data_size, &size);
        const int model = model_open_status(file, size, CAE_FILE_MODEL);
        ck_assert_msg(model == headers[i].model, "%s: %d %s", headers[i].text, model,
                      cae_message());
        const int plain = model_open_status(file, size, CAE_FILE_PLAIN);
        ck_assert_msg(plain == headers[i].plain, "%s, plain: %d %s", headers[i].text, plain,
                      cae_message());
        free(file);
    }
}
END_TEST

static const struct {
    const char *text; /* of the metadata object */
    int model, plain;
} metadata[] = {
    {"\"libcae.version\":\"1\",\"libcae.crc32\":\"00000000\",\"libcae.architecture\":\"x\"", CAE_OK,
     CAE_OK},
    {"\"a\":\"\",\"libcae.architecture\":\"x\",\"libcae.crc32\":\"00000000\","
     "\"libcae.version\":\"1\",\"z\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00E9\\ud83d\\uDE00\xc3\xa9\"",
     CAE_OK, CAE_OK},
    {"", CAE_E_FORMAT, CAE_OK},
    {"\"format\":\"pt\"", CAE_E_FORMAT, CAE_OK},
    {"\"libcae.crc32\":\"00000000\",\"libcae.architecture\":\"x\"", CAE_E_FORMAT, CAE_OK},
    {"\"libcae.version\":\"1\",\"libcae.architecture\":\"x\"", CAE_E_FORMAT, CAE_OK},
    {"\"libcae.version\":\"1\",\"libcae.crc32\":\"00000000\"", CAE_E_FORMAT, CAE_OK},
    {"\"libcae.version\":\"1\",\"libcae.crc32\":\"00000000\",\"libcae.architecture\":\"\"",
     CAE_E_FORMAT, CAE_OK},
    {"\"libcae.version\":\"123\"", CAE_E_VERSION, CAE_OK},
    {"\"libcae.version\":\"999999999\"", CAE_E_VERSION, CAE_OK},
    {"\"libcae.version\":\"1000000000\"", CAE_E_FORMAT, CAE_OK},
    {"\"libcae.version\":\"0\"", CAE_E_FORMAT, CAE_OK},
    {"\"libcae.version\":\"01\"", CAE_E_FORMAT, CAE_OK},
    {"\"libcae.version\":\"1.0\"", CAE_E_FORMAT, CAE_OK},
    {"\"libcae.version\":\"\"", CAE_E_FORMAT, CAE_OK},
    {"\"libcae.version\":\"\\u0031\",\"libcae.crc32\":\"00000000\",\"libcae.architecture\":\"x\"",
     CAE_E_FORMAT, CAE_OK},
    {"\"libcae.version\":1,\"libcae.crc32\":\"00000000\",\"libcae.architecture\":\"x\"",
     CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"libcae.version\":\"1\",\"libcae.crc32\": \"0000000\",\"libcae.architecture\":\"x\"",
     CAE_E_FORMAT, CAE_OK},
    {"\"libcae.version\":\"1\",\"libcae.crc32\": \"A0000000\",\"libcae.architecture\":\"x\"",
     CAE_E_FORMAT, CAE_OK},
    {"\"libcae.version\":\"1\",\"libcae.crc32\": \"\",\"libcae.architecture\":\"x\"", CAE_E_FORMAT,
     CAE_OK},
    {"\"libcae.version\":\"1\",\"libcae.crc32\": \"00\\u0030000\",\"libcae.architecture\":\"x\"",
     CAE_E_FORMAT, CAE_OK},
    {"\"a\":\"1\",\"a\":\"1\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":{}", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\\n\":\"1\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":\"\\x\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":\"\\u12\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":\"\\u0000\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":\"\\ud800\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":\"\\udc00\\ud800\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":\"\\ud800\\u0041\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":\"\\ud800x\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":\"\n\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":\"\x1f\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":\"\x7f\"", CAE_E_FORMAT, CAE_OK},
    {"\"a\":\"\xc3\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":\"\x80\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":\"\xc0\xaf\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":\"\xe0\x9f\xbf\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":\"\xe0\xa0\x80\"", CAE_E_FORMAT, CAE_OK},
    {"\"a\":\"\xed\x9f\xbf\"", CAE_E_FORMAT, CAE_OK},
    {"\"a\":\"\xed\xa0\x80\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":\"\xf0\x8f\xbf\xbf\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":\"\xf0\x90\x80\x80\"", CAE_E_FORMAT, CAE_OK},
    {"\"a\":\"\xf4\x8f\xbf\xbf\"", CAE_E_FORMAT, CAE_OK},
    {"\"a\":\"\xf4\x90\x80\x80\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":\"\xf5\x80\x80\x80\"", CAE_E_FORMAT, CAE_E_FORMAT},
    {"\"a\":\"\xff\"", CAE_E_FORMAT, CAE_E_FORMAT},
};

START_TEST(metadata_is_judged_by_every_rule)
{
    for (size_t i = 0; i < sizeof(metadata) / sizeof(metadata[0]); i++) {
        char header[512];
        size_t size;
        snprintf(header, sizeof(header), "{\"__metadata__\":{%s}}", metadata[i].text);
        uint8_t *file = make_file(header, 0, &size);
        const int model = model_open_status(file, size, CAE_FILE_MODEL);
        ck_assert_msg(model == metadata[i].model, "%s: %d %s", header, model, cae_message());
        const int plain = model_open_status(file, size, CAE_FILE_PLAIN);
        ck_assert_msg(plain == metadata[i].plain, "%s, plain: %d %s", header, plain, cae_message());
        free(file);
    }
}
END_TEST

/* A version-2 file may look quite different behind its metadata. */
START_TEST(a_newer_version_is_told_before_anything_behind_it)
{
    size_t size;
    uint8_t *file = make_file("{\"__metadata__\":{\"libcae.version\":\"999\"},true}", 3, &size);
    ck_assert_int_eq(model_open_status(file, size, CAE_FILE_MODEL), CAE_E_VERSION);
    free(file);
}
END_TEST

static void append(cae_writer *w, const char *text)
{
    cae_write_span(w, text, strlen(text));
    ck_assert(!w->failed);
}

static void append_tensors(cae_writer *w, size_t count)
{
    char part[128];
    for (size_t i = 0; i < count; i++) {
        snprintf(part, sizeof(part), ",\"%05zu\":{\"dtype\":\"F32\",\"shape\":[1],", i);
        append(w, part);
        snprintf(part, sizeof(part), "\"data_offsets\":[%zu,%zu]}", 4 * i, 4 * i + 4);
        append(w, part);
    }
    append(w, "}");
}

static char long_text[1 << 20];

START_TEST(caps_are_exact)
{
    static const struct {
        size_t entries, tensors;
        int status;
    } cases[] = {{64, 1, CAE_OK}, {65, 1, CAE_OK}, {1, 8192, CAE_OK}, {1, 8193, CAE_E_LIMIT}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char part[32];
        size_t size;
        cae_writer w = cae_writer_make(long_text, sizeof(long_text) - 1);
        append(&w, "{\"__metadata__\":{");
        for (size_t k = 0; k < cases[i].entries; k++) {
            snprintf(part, sizeof(part), "%s\"%zu\":\"\"", k > 0 ? "," : "", k);
            append(&w, part);
        }
        append(&w, "}");
        append_tensors(&w, cases[i].tensors);
        long_text[w.at] = '\0';
        uint8_t *file = make_file(long_text, 4 * cases[i].tensors, &size);
        const int status = model_open_status(file, size, CAE_FILE_PLAIN);
        ck_assert_msg(status == cases[i].status, "case %zu: %d %s", i, status, cae_message());
        /* Of a model file the metadata are read, so they have a cap. */
        ck_assert_int_eq(model_open_status(file, size, CAE_FILE_MODEL),
                         cases[i].entries > 64 ? CAE_E_LIMIT : CAE_E_FORMAT);
        free(file);
    }
}
END_TEST

START_TEST(names_and_architectures_have_their_caps)
{
    for (size_t excess = 0; excess < 2; excess++) {
        size_t size;
        cae_writer w = cae_writer_make(long_text, sizeof(long_text) - 1);
        append(&w, "{\"__metadata__\":{\"libcae.crc32\":\"00000000\",\"libcae.version\":\"1\",");
        append(&w, "\"libcae.architecture\":\"");
        for (size_t i = 0; i < 65536 + excess; i++) {
            append(&w, "\\n"); /* one byte when unescaped */
        }
        append(&w, "\"}}");
        long_text[w.at] = '\0';
        uint8_t *file = make_file(long_text, 0, &size);
        ck_assert_int_eq(model_open_status(file, size, CAE_FILE_MODEL),
                         excess == 0 ? CAE_OK : CAE_E_LIMIT);
        free(file);
        snprintf(long_text, 512,
                 "{\"%0*d\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                 (int)(128 + excess), 0);
        file = make_file(long_text, 4, &size);
        ck_assert_int_eq(model_open_status(file, size, CAE_FILE_PLAIN),
                         excess == 0 ? CAE_OK : CAE_E_FORMAT);
        free(file);
    }
}
END_TEST

START_TEST(the_frame_is_judged)
{
    size_t size;
    uint8_t *file = make_file("{" METADATA "," TENSOR_A "}", 4, &size);
    const uint64_t header_size = cae_load_u64(file);
    static const uint64_t sizes[] = {0, 1, 55, 57, 64, UINT64_MAX, UINT64_MAX - 7, 1u << 20};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        cae_store_u64(file, sizes[i]);
        fuzz_repair_model(file, size);
        ck_assert_int_eq(model_open_status(file, size, CAE_FILE_MODEL), CAE_E_FORMAT);
        ck_assert_int_eq(model_open_status(file, size, CAE_FILE_PLAIN), CAE_E_FORMAT);
    }
    cae_store_u64(file, header_size);
    fuzz_repair_model(file, size);
    ck_assert_int_eq(model_open_status(file, size, CAE_FILE_MODEL), CAE_OK);
    free(file);
    ck_assert_int_eq(model_open_status(NULL, 0, CAE_FILE_MODEL), CAE_E_FORMAT);

    /* A header of more than 1 MiB that is really there. */
    const size_t large = (1u << 20) + 64;
    file = malloc(8 + large);
    memset(file, ' ', 8 + large);
    cae_store_u64(file, large - 8);
    ck_assert_int_eq(model_open_status(file, large, CAE_FILE_MODEL), CAE_E_LIMIT);
    free(file);
}
END_TEST

START_TEST(only_a_model_file_must_align_its_data)
{
    static const char text[] = "{" METADATA "}       ";
    for (size_t spaces = 0; spaces < 8; spaces++) {
        uint8_t file[256];
        const size_t text_size = strlen(text) - spaces;
        cae_store_u64(file, text_size);
        memcpy(file + 8, text, text_size);
        fuzz_repair_model(file, 8 + text_size);
        ck_assert_int_eq(model_open_status(file, 8 + text_size, CAE_FILE_PLAIN), CAE_OK);
        ck_assert_int_eq(model_open_status(file, 8 + text_size, CAE_FILE_MODEL),
                         (8 + text_size) % 64 == 0 ? CAE_OK : CAE_E_FORMAT);
    }
}
END_TEST

/* The largest plan there can be: all tensors, the longest architecture. */
START_TEST(a_plan_takes_less_than_the_header_and_a_mebibyte)
{
    size_t size;
    cae_writer w = cae_writer_make(long_text, sizeof(long_text) - 1);
    append(&w, "{\"__metadata__\":{\"libcae.crc32\":\"00000000\",\"libcae.version\":\"1\",");
    append(&w, "\"libcae.architecture\":\"");
    for (size_t i = 0; i < 65536; i++) {
        append(&w, "x");
    }
    append(&w, "\"}");
    append_tensors(&w, CAE_FILE_TENSORS);
    long_text[w.at] = '\0';
    uint8_t *file = make_file(long_text, 4 * CAE_FILE_TENSORS, &size);
    limited_memory memory;
    cae_model_file *f;
    limited_memory_start(&memory, 0);
    ck_assert_int_eq(cae_model_file_open_memory(&f, &memory.memory, file, size, CAE_FILE_MODEL),
                     CAE_OK);
    ck_assert_uint_eq(cae_model_file_len(f), CAE_FILE_TENSORS);
    ck_assert_uint_lt(memory.peak, w.at + (1u << 20));
    cae_model_file_close(f);
    free(file);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        headers_are_judged_by_every_rule,
        metadata_is_judged_by_every_rule,
        a_newer_version_is_told_before_anything_behind_it,
        caps_are_exact,
        names_and_architectures_have_their_caps,
        the_frame_is_judged,
        only_a_model_file_must_align_its_data,
        a_plan_takes_less_than_the_header_and_a_mebibyte,
        NULL,
    };
    return unit_run("model header", tests);
}
