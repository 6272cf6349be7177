/*
 * The model file: golden files byte for byte, what cannot be written, every truncation and every
 * flipped bit, memory that runs out, files that change. The header's rules have a file of their
 * own.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz/mutate.h"
#include "base/bytes.h"
#include "base/floats.h"
#include "base/status.h"
#include "comma_locale.h"
#include "files.h"
#include "limited_memory.h"
#include "sample_model.h"
#include "serial/model_convert.h"
#include "serial/model_file.h"

/* ---- Good files ---- */

static void expect_same_bytes(const char *golden, const cae_file_model *model)
{
    size_t golden_size, size, asked;
    uint8_t *expected = file_golden(golden, &golden_size);
    const cae_memory *memory = cae_memory_default();
    ck_assert_int_eq(cae_model_file_write_memory(memory, model, NULL, 0, &asked), CAE_OK);
    ck_assert_uint_eq(asked, golden_size);
    uint8_t *data = malloc(asked);
    ck_assert_int_eq(cae_model_file_write_memory(memory, model, data, asked - 1, &size),
                     CAE_E_BUFFER);
    ck_assert_uint_eq(size, asked);
    ck_assert_int_eq(cae_model_file_write_memory(memory, model, data, asked, &size), CAE_OK);
    ck_assert_uint_eq(size, asked);
    ck_assert_mem_eq(data, expected, size);
    free(data);
    free(expected);
}

START_TEST(writing_gives_the_golden_bytes)
{
    expect_same_bytes("weights.safetensors", sample_model(SAMPLE_WEIGHTS));
    expect_same_bytes("training.safetensors", sample_model(SAMPLE_ALL));
}
END_TEST

START_TEST(no_byte_follows_the_locale)
{
    if (comma_locale_enter("a model file in another locale")) {
        expect_same_bytes("training.safetensors", sample_model(SAMPLE_ALL));
        comma_locale_leave();
    }
}
END_TEST

static void expect_tensor(const cae_model_file *f, const cae_file_tensor *t)
{
    const cae_file_entry *e = cae_model_file_find(f, t->name);
    ck_assert_ptr_nonnull(e);
    ck_assert_int_eq(e->dtype, t->dtype);
    ck_assert_uint_eq(e->rank, t->rank);
    size_t len = 1;
    for (size_t i = 0; i < CAE_FILE_RANK; i++) {
        ck_assert_uint_eq(e->shape[i], i < t->rank ? t->shape[i] : 1);
        len *= e->shape[i];
    }
    ck_assert_uint_eq(e->len, len);
    const size_t size = len * cae_dtype_size(t->dtype);
    void *values = malloc(size);
    ck_assert_int_eq(cae_model_file_read(f, e, values), CAE_OK);
    ck_assert_mem_eq(values, t->data, size);
    free(values);
}

static void expect_model(const cae_model_file *f, const cae_file_model *model)
{
    ck_assert_uint_eq(cae_model_file_len(f), model->len);
    for (size_t i = 0; i < model->len; i++) {
        expect_tensor(f, &model->tensors[i]);
        const cae_file_entry *e = cae_model_file_entry(f, i);
        ck_assert(i == 0 || strcmp(cae_model_file_entry(f, i - 1)->name, e->name) < 0);
    }
    ck_assert_ptr_null(cae_model_file_entry(f, model->len));
    ck_assert_ptr_null(cae_model_file_find(f, "0.weigh"));
    ck_assert_ptr_null(cae_model_file_find(f, "0.weights"));
    ck_assert_ptr_null(cae_model_file_find(f, ""));
    ck_assert_ptr_null(cae_model_file_find(f, "zzz"));
}

START_TEST(reading_gives_the_golden_values)
{
    size_t size;
    uint8_t *data = file_golden("training.safetensors", &size);
    cae_model_file *f;
    ck_assert_int_eq(
        cae_model_file_open_memory(&f, cae_memory_default(), data, size, CAE_FILE_MODEL), CAE_OK);
    expect_model(f, sample_model(SAMPLE_ALL));
    ck_assert_str_eq(cae_model_file_architecture(f), sample_model(SAMPLE_ALL)->architecture);
    cae_model_file_close(f);
    free(data);
}
END_TEST

START_TEST(a_plain_file_may_be_in_any_order)
{
    size_t size;
    uint8_t *data = file_golden("plain.safetensors", &size);
    cae_model_file *f;
    cae_file_tensor tensors[4];
    size_t len = 0;
    const cae_file_model *sample = sample_model(SAMPLE_WEIGHTS);
    for (size_t i = 0; i < sample->len; i++) {
        if (strncmp(sample->tensors[i].name, "codec.", 6) != 0) {
            tensors[len++] = sample->tensors[i];
        }
    }
    const cae_file_model weights = {"none", tensors, len, NULL, 1};
    ck_assert_int_eq(
        cae_model_file_open_memory(&f, cae_memory_default(), data, size, CAE_FILE_PLAIN), CAE_OK);
    expect_model(f, &weights);
    ck_assert_ptr_null(cae_model_file_architecture(f));
    cae_model_file_close(f);
    ck_assert_int_eq(model_open_status(data, size, CAE_FILE_MODEL), CAE_E_FORMAT);
    free(data);
}
END_TEST

START_TEST(an_architecture_of_every_ascii_character_comes_back)
{
    char text[128];
    const float value = 1.0f;
    const cae_file_tensor tensor = {"a", CAE_DTYPE_F32, 1, {1}, &value};
    const cae_file_model model = {text, &tensor, 1, NULL, 1};
    uint8_t data[2048];
    size_t size;
    cae_model_file *f;
    for (int i = 0; i < 127; i++) {
        text[i] = (char)(i + 1);
    }
    text[127] = '\0';
    const cae_memory *memory = cae_memory_default();
    ck_assert_int_eq(cae_model_file_write_memory(memory, &model, data, sizeof(data), &size),
                     CAE_OK);
    ck_assert_int_eq(cae_model_file_open_memory(&f, memory, data, size, CAE_FILE_MODEL), CAE_OK);
    ck_assert_str_eq(cae_model_file_architecture(f), text);
    cae_model_file_close(f);
}
END_TEST

START_TEST(large_tensors_go_through_in_pieces)
{
    enum { LEN = 100003 };
    float *values = malloc(LEN * sizeof(*values));
    int64_t *whole = malloc(LEN * sizeof(*whole));
    for (int i = 0; i < LEN; i++) {
        values[i] = (float)i;
        whole[i] = INT64_MIN + i;
    }
    const cae_file_tensor tensors[] = {{"b", CAE_DTYPE_F32, 1, {LEN}, values},
                                       {"a", CAE_DTYPE_I64, 2, {1, LEN}, whole}};
    const cae_file_model model = {"x", tensors, 2, NULL, 1};
    size_t size;
    cae_model_file *f;
    const cae_memory *memory = cae_memory_default();
    ck_assert_int_eq(cae_model_file_write_memory(memory, &model, NULL, 0, &size), CAE_OK);
    uint8_t *data = malloc(size);
    ck_assert_int_eq(cae_model_file_write_memory(memory, &model, data, size, &size), CAE_OK);
    ck_assert_int_eq(cae_model_file_open_memory(&f, memory, data, size, CAE_FILE_MODEL), CAE_OK);
    expect_tensor(f, &tensors[0]);
    expect_tensor(f, &tensors[1]);
    cae_model_file_close(f);
    /* NaN in the second piece; the checksum is right. */
    cae_store_u32(data + size - 4, 0x7fc00000);
    fuzz_repair_model(data, size);
    ck_assert_int_eq(model_open_status(data, size, CAE_FILE_MODEL), CAE_E_NONFINITE);
    ck_assert_str_eq(cae_message(), "model file, tensor 'b': element 100002 is NaN or infinite");
    free(data);
    free(whole);
    free(values);
}
END_TEST

START_TEST(what_cannot_be_read_is_not_written)
{
    const float value = 1.0f, nan = NAN;
    const double infinity = INFINITY;
    static char long_name[CAE_FILE_NAME + 2];
    static char long_text[CAE_FILE_ARCHITECTURE + 2];
    memset(long_name, 'n', sizeof(long_name) - 1);
    memset(long_text, 't', sizeof(long_text) - 1);
    const struct {
        cae_file_tensor tensor;
        const char *architecture;
        int status;
    } cases[] = {
        {{"a", CAE_DTYPE_F32, 1, {1}, &value}, "x", CAE_OK},
        {{"a", CAE_DTYPE_F32, 1, {1}, &value}, "", CAE_E_LIMIT},
        {{"a", CAE_DTYPE_F32, 1, {1}, &value}, long_text, CAE_E_LIMIT},
        {{"a", CAE_DTYPE_F32, 1, {1}, &value}, long_text + 1, CAE_OK},
        {{"a", CAE_DTYPE_F32, 1, {1}, &value}, "\xc3\xa9", CAE_E_ARGUMENT},
        {{"", CAE_DTYPE_F32, 1, {1}, &value}, "x", CAE_E_ARGUMENT},
        {{"a b", CAE_DTYPE_F32, 1, {1}, &value}, "x", CAE_E_ARGUMENT},
        {{"a\"", CAE_DTYPE_F32, 1, {1}, &value}, "x", CAE_E_ARGUMENT},
        {{long_name, CAE_DTYPE_F32, 1, {1}, &value}, "x", CAE_E_ARGUMENT},
        {{long_name + 1, CAE_DTYPE_F32, 1, {1}, &value}, "x", CAE_OK},
        {{NULL, CAE_DTYPE_F32, 1, {1}, &value}, "x", CAE_E_ARGUMENT},
        {{"a", CAE_DTYPE_F32, 1, {1}, NULL}, "x", CAE_E_ARGUMENT},
        {{"a", CAE_DTYPE_F32, 0, {1}, &value}, "x", CAE_E_ARGUMENT},
        {{"a", CAE_DTYPE_F32, 5, {1}, &value}, "x", CAE_E_ARGUMENT},
        {{"a", CAE_DTYPE_F32, 2, {1, 0}, &value}, "x", CAE_E_ARGUMENT},
        {{"a", CAE_DTYPE_F32, 2, {SIZE_MAX, 2}, &value}, "x", CAE_E_ARGUMENT},
        {{"a", CAE_DTYPE_F32, 1, {SIZE_MAX / 2}, &value}, "x", CAE_E_ARGUMENT},
        {{"a", CAE_DTYPE_F32, 1, {1}, &nan}, "x", CAE_E_NONFINITE},
        {{"a", CAE_DTYPE_F64, 1, {1}, &infinity}, "x", CAE_E_NONFINITE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const cae_file_model model = {cases[i].architecture, &cases[i].tensor, 1, NULL, 1};
        size_t size;
        const int status =
            cae_model_file_write_memory(cae_memory_default(), &model, NULL, 0, &size);
        ck_assert_msg(status == cases[i].status, "case %zu: %d: %s", i, status, cae_message());
    }
    const cae_file_tensor twice[] = {{"a", CAE_DTYPE_F32, 1, {1}, &value},
                                     {"a", CAE_DTYPE_F32, 1, {1}, &value}};
    const cae_file_model model = {"x", twice, 2, NULL, 1};
    size_t size;
    ck_assert_int_eq(cae_model_file_write_memory(cae_memory_default(), &model, NULL, 0, &size),
                     CAE_E_ARGUMENT);
}
END_TEST

/* 8192 tensors are allowed by number; with long names their header is too large. */
START_TEST(a_header_above_its_limit_is_not_written)
{
    static char names[CAE_FILE_TENSORS + 1][CAE_FILE_NAME + 1];
    static cae_file_tensor tensors[CAE_FILE_TENSORS + 1];
    const float value = 1.0f;
    size_t size;
    for (size_t width = 1; width < 128; width += 126) {
        for (size_t i = 0; i <= CAE_FILE_TENSORS; i++) {
            snprintf(names[i], sizeof(names[i]), "%0*zu", (int)width, i);
            tensors[i] = (cae_file_tensor){names[i], CAE_DTYPE_F32, 1, {1}, &value};
        }
        cae_file_model model = {"x", tensors, CAE_FILE_TENSORS, NULL, 1};
        ck_assert_int_eq(cae_model_file_write_memory(cae_memory_default(), &model, NULL, 0, &size),
                         width == 1 ? CAE_OK : CAE_E_LIMIT);
        model.len++;
        ck_assert_int_eq(cae_model_file_write_memory(cae_memory_default(), &model, NULL, 0, &size),
                         CAE_E_LIMIT);
    }
}
END_TEST

/* ---- Damage ---- */

START_TEST(every_truncation_is_an_error)
{
    size_t size;
    uint8_t *data = file_golden("training.safetensors", &size);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *part = malloc(cut > 0 ? cut : 1);
        memcpy(part, data, cut);
        ck_assert_int_eq(model_open_status(part, cut, CAE_FILE_MODEL), CAE_E_FORMAT);
        ck_assert_int_eq(model_open_status(part, cut, CAE_FILE_PLAIN), CAE_E_FORMAT);
        free(part);
    }
    free(data);
}
END_TEST

START_TEST(every_flipped_bit_is_an_error)
{
    size_t size;
    uint8_t *data = file_golden("training.safetensors", &size);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        const int status = model_open_status(data, size, CAE_FILE_MODEL);
        ck_assert_msg(status != CAE_OK, "bit %zu", bit);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    ck_assert_int_eq(model_open_status(data, size, CAE_FILE_MODEL), CAE_OK);
    free(data);
}
END_TEST

START_TEST(nan_and_infinity_are_found_and_named)
{
    size_t size;
    uint8_t *data = file_golden("plain.safetensors", &size);
    /* The last tensor's data: 3.bias, one float. The file is plain, so no checksum hides this. */
    static const uint32_t bits[] = {0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffffffff};
    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        cae_store_u32(data + size - 4, bits[i]);
        ck_assert_int_eq(model_open_status(data, size, CAE_FILE_PLAIN), CAE_E_NONFINITE);
        ck_assert_str_eq(cae_message(),
                         "model file, tensor '3.bias': element 0 is NaN or infinite");
    }
    cae_store_u32(data + size - 4, 0x7f7fffff);
    ck_assert_int_eq(model_open_status(data, size, CAE_FILE_PLAIN), CAE_OK);
    free(data);
}
END_TEST

/* ---- Memory, files ---- */

START_TEST(every_failed_allocation_is_an_error_without_leak)
{
    size_t size, written;
    uint8_t *data = file_golden("training.safetensors", &size);
    uint8_t *copy = malloc(size);
    const cae_file_model *model = sample_model(SAMPLE_ALL);
    size_t failures = 0;
    int status;
    do {
        limited_memory memory;
        cae_model_file *f;
        limited_memory_start(&memory, failures + 1);
        status = cae_model_file_open_memory(&f, &memory.memory, data, size, CAE_FILE_MODEL);
        cae_model_file_close(f);
        ck_assert(status == CAE_OK || (status == CAE_E_NOMEM && f == NULL));
        ck_assert_uint_eq(memory.blocks, 0);
        failures += status != CAE_OK;
    } while (status != CAE_OK);
    ck_assert_uint_ge(failures, 4);
    failures = 0;
    do {
        limited_memory memory;
        limited_memory_start(&memory, failures + 1);
        status = cae_model_file_write_memory(&memory.memory, model, copy, size, &written);
        ck_assert(status == CAE_OK || status == CAE_E_NOMEM);
        ck_assert_uint_eq(memory.blocks, 0);
        failures += status != CAE_OK;
    } while (status != CAE_OK);
    ck_assert_uint_ge(failures, 2);
    ck_assert_mem_eq(copy, data, size);
    free(copy);
    free(data);
}
END_TEST

START_TEST(a_file_that_changes_under_the_reader_is_an_error)
{
    size_t size;
    uint8_t *data = file_golden("weights.safetensors", &size);
    cae_model_file *f;
    float values[18];
    folder_enter();
    file_write("m", data, size);
    ck_assert_int_eq(cae_model_file_open_path(&f, cae_memory_default(), "m", CAE_FILE_MODEL),
                     CAE_OK);
    const cae_file_entry *e = cae_model_file_find(f, "codec.min");
    ck_assert_int_eq(cae_model_file_read(f, e, values), CAE_OK);
    data[size - 1] ^= 1; /* in place: the same file */
    file_write("m", data, size);
    ck_assert_int_eq(cae_model_file_read(f, e, values), CAE_E_IO);
    file_write("m", data, size - 1);
    ck_assert_int_eq(cae_model_file_read(f, e, values), CAE_E_IO);
    ck_assert_str_eq(cae_message(), "the model file shrank while it was read");
    cae_model_file_close(f);
    free(data);
    folder_leave();
}
END_TEST

START_TEST(the_id_is_that_of_the_golden_image)
{
    size_t size;
    uint32_t id = 0;
    uint8_t *image = file_golden("image.cae", &size);
    ck_assert_int_eq(cae_model_file_id(cae_memory_default(), sample_model(SAMPLE_ALL), &id),
                     CAE_OK);
    ck_assert_uint_eq(id, cae_load_u32(image + 9));
    ck_assert_int_eq(cae_model_file_id(cae_memory_default(), sample_model(SAMPLE_WEIGHTS), &id),
                     CAE_OK);
    ck_assert_uint_eq(id, cae_load_u32(image + 9));
    free(image);
}
END_TEST

/* ---- Other dtypes ---- */

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* By the definition of the format: sign, 5 or 8 bits of exponent, 10 or 7 of fraction. */
static float value_of_16_bits(unsigned bits, int exponent_bits, int fraction_bits)
{
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const int exponent = (int)(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
    const double fraction = ldexp((double)(bits & ((1u << fraction_bits) - 1)), -fraction_bits);
    const double size =
        exponent == 0 ? ldexp(fraction, 1 - bias) : ldexp(1 + fraction, exponent - bias);
    return (float)((bits & 0x8000) != 0 ? -size : size);
}

START_TEST(every_16_bit_float_is_widened_exactly)
{
    for (unsigned bits = 0; bits < 65536; bits++) {
        const uint16_t half = (uint16_t)bits;
        float got[2] = {0, 0};
        cae_model_to_floats(&got[0], &half, CAE_DTYPE_F16, 1);
        cae_model_to_floats(&got[1], &half, CAE_DTYPE_BF16, 1);
        const bool finite[2] = {(bits & 0x7c00) != 0x7c00, (bits & 0x7f80) != 0x7f80};
        ck_assert(finite[0] == (cae_model_first_nonfinite(&half, CAE_DTYPE_F16, 1) == 1));
        ck_assert(finite[1] == (cae_model_first_nonfinite(&half, CAE_DTYPE_BF16, 1) == 1));
        ck_assert(finite[0] == cae_all_finite(&got[0], 1, NULL));
        ck_assert(finite[1] == cae_all_finite(&got[1], 1, NULL));
        if (finite[0]) {
            ck_assert_uint_eq(bits_of(got[0]), bits_of(value_of_16_bits(bits, 5, 10)));
        }
        if (finite[1]) {
            ck_assert_uint_eq(bits_of(got[1]), bits_of(value_of_16_bits(bits, 8, 7)));
        }
    }
}
END_TEST

START_TEST(doubles_are_rounded_to_nearest)
{
    static const struct {
        double from;
        float to;
    } cases[] = {
        {0.1, 0.1f},
        {1 + 0x1p-24, 1},                      /* halfway: to even */
        {1 + 0x1p-24 + 0x1p-52, 1 + 0x1p-23f}, /* just above it */
        {1 + 3 * 0x1p-24, 1 + 0x1p-22f},
        {-0x1p-149, -0x1p-149f},
        {0x1.8p-149, 0x1p-148f},
        {0x1p-150, 0},
        {0x1.000001p-126, 0x1p-126f},
        {0x1.fffffefffffffp127, 0x1.fffffep127f},
        {0x1.ffffffp127, INFINITY},
        {-1e300, -INFINITY},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        float got = 7;
        cae_model_to_floats(&got, &cases[i].from, CAE_DTYPE_F64, 1);
        ck_assert_msg(bits_of(got) == bits_of(cases[i].to), "%a gives %a, not %a", cases[i].from,
                      (double)got, (double)cases[i].to);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        writing_gives_the_golden_bytes,
        no_byte_follows_the_locale,
        reading_gives_the_golden_values,
        a_plain_file_may_be_in_any_order,
        an_architecture_of_every_ascii_character_comes_back,
        large_tensors_go_through_in_pieces,
        what_cannot_be_read_is_not_written,
        a_header_above_its_limit_is_not_written,
        every_truncation_is_an_error,
        every_flipped_bit_is_an_error,
        nan_and_infinity_are_found_and_named,
        every_failed_allocation_is_an_error_without_leak,
        a_file_that_changes_under_the_reader_is_an_error,
        the_id_is_that_of_the_golden_image,
        every_16_bit_float_is_widened_exactly,
        doubles_are_rounded_to_nearest,
        NULL,
    };
    return unit_run("model file", tests);
}
