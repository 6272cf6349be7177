/*
 * The codec: the quantiser's table, arithmetic and edges; deflate there and back, its bound,
 * streams that are wrong in every way; memory that runs out.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "unit.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz/mutate.h"
#include "base/status.h"
#include "codec/coder.h"
#include "codec/deflate.h"
#include "codec/quantise.h"
#include "limited_memory.h"

/* ---- Quantiser ---- */

START_TEST(the_table_is_its_formula)
{
    /* The steps are private; the reconstruction of symbol 1 in a range of 1 is 256 / steps. */
    float value, before = 2.0f;
    const uint8_t one = 1;
    for (unsigned q = 1; q <= 100; q++) {
        const double steps = floor(256 * pow(255, (q - 1) / 99.0) + 0.5);
        cae_dequantise(&value, &one, 1, 0.0f, 1.0f, q);
        ck_assert_float_eq(value, 1.0f / ((float)steps / 256.0f));
        ck_assert_float_lt(value, before);
        before = value;
        ck_assert_uint_eq(cae_quantise_top(q), (unsigned)floor(steps / 256 + 0.5));
    }
    ck_assert_uint_eq(cae_quantise_top(1), 1);
    ck_assert_uint_eq(cae_quantise_top(50), 16);
    ck_assert_uint_eq(cae_quantise_top(100), 255);
}
END_TEST

START_TEST(values_come_back_within_half_a_step)
{
    enum { PLANE = 1001 };
    static const float lo[2] = {-3.0f, 0.25f}, hi[2] = {5.0f, 0.5f};
    float code[2 * PLANE], back[2 * PLANE];
    uint8_t symbols[2 * PLANE];
    for (int c = 0; c < 2; c++) {
        for (int i = 0; i < PLANE; i++) {
            code[c * PLANE + i] = lo[c] + (hi[c] - lo[c]) * (float)i / (PLANE - 1);
        }
    }
    for (unsigned q = 1; q <= 100; q++) {
        const double steps = floor(256 * pow(255, (q - 1) / 99.0) + 0.5) / 256;
        for (int c = 0; c < 2; c++) {
            const int at = c * PLANE;
            cae_quantise(symbols + at, code + at, PLANE, lo[c], hi[c], q);
            cae_dequantise(back + at, symbols + at, PLANE, lo[c], hi[c], q);
        }
        ck_assert_int_eq(cae_symbols_check(symbols, 2 * PLANE, q), CAE_OK);
        for (int i = 0; i < 2 * PLANE; i++) {
            /* The last symbol, too, lies within half a step of the range's end. */
            const double step = (double)(hi[i / PLANE] - lo[i / PLANE]) / steps;
            ck_assert_double_le(fabs((double)back[i] - (double)code[i]), step * (0.5 + 1e-4));
        }
    }
}
END_TEST

START_TEST(rounding_is_half_up_and_clamped)
{
    static const struct {
        float value;
        uint8_t symbol;
    } cases[] = {{0.0f, 0},     {0.49999f, 0},  {0.5f, 1},       {1.49f, 1},      {1.5f, 2},
                 {2.5f, 3},     {254.49f, 254}, {254.5f, 255},   {255.0f, 255},   {255.6f, 255},
                 {256.0f, 255}, {1e30f, 255},   {FLT_MAX, 255},  {INFINITY, 255}, {-0.0f, 0},
                 {-0.49f, 0},   {-0.5f, 0},     {-1e30f, 0},     {-FLT_MAX, 0},   {-INFINITY, 0},
                 {NAN, 0},      {FLT_MIN, 0},   {0.99999994f, 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t symbol = 99;
        cae_quantise(&symbol, &cases[i].value, 1, 0.0f, 255.0f, 100);
        ck_assert_msg(symbol == cases[i].symbol, "case %zu: %u", i, symbol);
    }
}
END_TEST

START_TEST(any_range_gives_finite_values)
{
    static const float ends[] = {0.0f,      -0.0f,     1.0f,     -1.0f,     FLT_MIN,  -FLT_MIN,
                                 FLT_MAX,   -FLT_MAX,  0x1p120f, -0x1p120f, 0x1p121f, 0x1p-100f,
                                 0x1p-149f, 0x1p-101f, INFINITY, -INFINITY, NAN,      1e30f};
    enum { ENDS = sizeof(ends) / sizeof(ends[0]) };
    uint8_t symbols[256], back[ENDS];
    float values[256];
    for (int i = 0; i < 256; i++) {
        symbols[i] = (uint8_t)i;
    }
    for (int l = 0; l < ENDS; l++) {
        for (int h = 0; h < ENDS; h++) {
            const float lo = ends[l], hi = ends[h];
            for (unsigned q = 1; q <= 100; q += 9) {
                cae_dequantise(values, symbols, 256, lo, hi, q);
                for (unsigned i = 0; i <= cae_quantise_top(q); i++) {
                    ck_assert(isfinite(values[i]) || !isfinite(lo));
                }
                cae_quantise(back, ends, ENDS, lo, hi, q);
                for (int i = 0; i < ENDS; i++) {
                    ck_assert_uint_le(back[i], cae_quantise_top(q));
                    ck_assert(lo < hi || back[i] == 0);
                }
            }
        }
    }
}
END_TEST

START_TEST(flat_channels_give_their_value)
{
    static const float lo[3] = {0.75f, 2.0f, 0.0f}, hi[3] = {0.75f, 1.0f, 0x1p-101f};
    const float value = 9.0f;
    for (int i = 0; i < 3; i++) {
        float back = 0.0f;
        uint8_t symbol = 9;
        cae_quantise(&symbol, &value, 1, lo[i], hi[i], 100);
        cae_dequantise(&back, &symbol, 1, lo[i], hi[i], 100);
        ck_assert_uint_eq(symbol, 0);
        ck_assert_float_eq(back, lo[i]);
    }
}
END_TEST

START_TEST(ranges_start_from_0_to_1)
{
    float lo[2], hi[2];
    const cae_ranges ranges = {lo, hi, 2};
    cae_ranges_reset(&ranges);
    ck_assert(lo[0] == 0 && hi[0] == 1 && lo[1] == 0 && hi[1] == 1);
}
END_TEST

START_TEST(symbols_above_the_top_are_found)
{
    uint8_t symbols[100] = {0};
    memset(symbols, 16, sizeof(symbols));
    ck_assert_int_eq(cae_symbols_check(symbols, 100, 50), CAE_OK);
    symbols[97] = 17;
    ck_assert_int_eq(cae_symbols_check(symbols, 100, 50), CAE_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(cae_message(), "symbol 97 "));
    ck_assert_int_eq(cae_symbols_check(symbols, 97, 50), CAE_OK);
}
END_TEST

/* ---- Coders ---- */

/* Through symbols and payload and back, values move by no more than at the coarsest quality: a
 * level is half the range. */
static void expect_values_back(const cae_coder *coder, unsigned quality)
{
    enum { PLANE = 500, LEN = 2 * PLANE };
    static const float lo[2] = {-3.0f, 0.25f}, hi[2] = {5.0f, 0.5f};
    float code[LEN], back[LEN];
    const cae_memory *memory = cae_memory_default();
    uint8_t *symbols = malloc(LEN * coder->symbol_size), *data = malloc(coder->bound(LEN));
    uint8_t *decoded = malloc(LEN * coder->symbol_size);
    size_t size = 0;
    for (int i = 0; i < LEN; i++) {
        code[i] = lo[i / PLANE] + (hi[i / PLANE] - lo[i / PLANE]) * (float)(i * 7 % PLANE) / PLANE;
    }
    for (size_t c = 0; c < 2; c++) {
        uint8_t *of_channel = symbols + c * PLANE * coder->symbol_size;
        coder->quantise(of_channel, code + c * PLANE, PLANE, lo[c], hi[c], quality);
    }
    ck_assert_int_eq(coder->encode(memory, symbols, LEN, data, &size), CAE_OK);
    ck_assert_uint_le(size, coder->bound(LEN));
    ck_assert(coder->could_hold(size, LEN));
    ck_assert_int_eq(coder->decode(memory, data, size, decoded, LEN), CAE_OK);
    ck_assert_int_eq(coder->check(decoded, LEN, quality), CAE_OK);
    ck_assert_mem_eq(decoded, symbols, LEN * coder->symbol_size);
    for (size_t c = 0; c < 2; c++) {
        const uint8_t *of_channel = decoded + c * PLANE * coder->symbol_size;
        coder->dequantise(back + c * PLANE, of_channel, PLANE, lo[c], hi[c], quality);
    }
    for (int i = 0; i < LEN; i++) {
        ck_assert_float_le(fabsf(back[i] - code[i]), (hi[i / PLANE] - lo[i / PLANE]) * 0.5001f);
    }
    ck_assert_int_eq(coder->decode(memory, data, size - 1, decoded, LEN), CAE_E_FORMAT);
    free(decoded);
    free(data);
    free(symbols);
}

START_TEST(every_coder_gives_values_back)
{
    for (unsigned id = 0; id < 256; id++) {
        const cae_coder *coder = cae_coder_find(id);
        if (coder != NULL) {
            ck_assert_uint_eq(coder->id, id);
            expect_values_back(coder, 1);
            expect_values_back(coder, 50);
            expect_values_back(coder, 100);
        }
    }
    ck_assert_ptr_nonnull(cae_coder_find(CAE_CODER));
}
END_TEST

/* ---- Deflate ---- */

static void expect_round_trip(const uint8_t *symbols, size_t len)
{
    const size_t bound = cae_deflate_bound(len);
    const cae_memory *memory = cae_memory_default();
    size_t size;
    uint8_t *data = malloc(bound), *back = malloc(len > 0 ? len : 1);
    ck_assert_int_eq(cae_deflate(memory, symbols, len, data, &size), CAE_OK);
    ck_assert_uint_le(size, bound);
    ck_assert(cae_deflate_could_hold(size, len));
    ck_assert_int_eq(cae_inflate(memory, data, size, back, len), CAE_OK);
    ck_assert_mem_eq(back, symbols, len);
    free(back);
    free(data);
}

START_TEST(symbols_come_back)
{
    enum { MOST = 200000 };
    static const size_t lens[] = {0, 1, 2, 7, 2048, 65535, 65536, 131070, 131071, MOST};
    uint8_t *symbols = malloc(MOST);
    for (unsigned kind = 0; kind < 4; kind++) {
        uint64_t state = kind;
        for (size_t i = 0; i < MOST; i++) {
            /* Zeros; noise that nothing packs; noise of 4 bits; mostly zeros. */
            const uint8_t noise = (uint8_t)random_next(&state);
            symbols[i] = kind == 0   ? 0
                         : kind == 1 ? noise
                         : kind == 2 ? noise & 15
                                     : (noise < 200 ? 0 : noise & 7);
        }
        for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
            expect_round_trip(symbols, lens[i]);
        }
    }
    free(symbols);
}
END_TEST

START_TEST(noise_takes_the_bound_and_no_more)
{
    uint8_t symbols[70000], data[70010];
    uint64_t state = 5;
    size_t size;
    for (size_t i = 0; i < sizeof(symbols); i++) {
        symbols[i] = (uint8_t)random_next(&state);
    }
    ck_assert_uint_eq(cae_deflate_bound(sizeof(symbols)), 70010);
    ck_assert_int_eq(cae_deflate(cae_memory_default(), symbols, sizeof(symbols), data, &size),
                     CAE_OK);
    ck_assert_uint_eq(size, 70010);
    ck_assert_uint_eq(cae_deflate_bound(0), 5);
    ck_assert_uint_eq(cae_deflate_bound(SIZE_MAX), SIZE_MAX);
    ck_assert_uint_eq(cae_deflate_bound(SIZE_MAX - 4), SIZE_MAX);
}
END_TEST

/* Codes as trained networks make them: after ReLU, many zeros, the rest about half-normal, in
 * planes of 8 x 8 of different strength; 2048 symbols of 4 bits. */
START_TEST(sparse_codes_pack_well)
{
    uint8_t symbols[2048], data[2100];
    size_t size, sum = 0;
    uint64_t state = 1;
    for (int image = 0; image < 20; image++) {
        for (size_t i = 0; i < sizeof(symbols); i++) {
            double normal = -6;
            for (int k = 0; k < 12; k++) {
                normal += (double)(random_next(&state) >> 11) * 0x1p-53;
            }
            const double v = normal * (2 + (double)(i / 64 % 8) / 2);
            symbols[i] = (uint8_t)(v < 0.5 ? 0 : v > 15 ? 15 : v);
        }
        ck_assert_int_eq(cae_deflate(cae_memory_default(), symbols, sizeof(symbols), data, &size),
                         CAE_OK);
        sum += size;
    }
    /* Their entropy is some 2.4 bits, 610 bytes. */
    ck_assert_uint_lt(sum / 20, 640);
}
END_TEST

static void expect_bad_stream(const uint8_t *data, size_t size, size_t len)
{
    /* Exact blocks, for the sanitizers. */
    uint8_t *copy = malloc(size > 0 ? size : 1), *symbols = malloc(len > 0 ? len : 1);
    limited_memory memory;
    memcpy(copy, data, size);
    limited_memory_start(&memory, 0);
    ck_assert_int_eq(cae_inflate(&memory.memory, copy, size, symbols, len), CAE_E_FORMAT);
    ck_assert_uint_eq(memory.blocks, 0);
    free(symbols);
    free(copy);
}

START_TEST(a_stream_must_fit_exactly)
{
    enum { LEN = 2048 };
    uint8_t symbols[LEN], data[LEN + 8];
    uint64_t state = 2;
    size_t size;
    for (size_t i = 0; i < LEN; i++) {
        symbols[i] = (uint8_t)(random_next(&state) & 15);
    }
    ck_assert_int_eq(cae_deflate(cae_memory_default(), symbols, LEN, data, &size), CAE_OK);
    for (size_t cut = 0; cut < size; cut++) {
        expect_bad_stream(data, cut, LEN);
    }
    data[size] = 0;
    expect_bad_stream(data, size + 1, LEN);
    expect_bad_stream(data, size, LEN - 1);
    expect_bad_stream(data, size, LEN + 1);
    expect_bad_stream(data, size, 0);
    expect_bad_stream(data, size, 1);
    expect_bad_stream(data, 0, 0);
    data[0] |= 6; /* block type 3: reserved */
    expect_bad_stream(data, size, LEN);
}
END_TEST

START_TEST(a_bomb_is_refused_by_its_size)
{
    ck_assert(!cae_deflate_could_hold(0, 0));
    ck_assert(cae_deflate_could_hold(1, 1032));
    ck_assert(!cae_deflate_could_hold(1, 1033));
    ck_assert(!cae_deflate_could_hold(1000, SIZE_MAX));
    ck_assert(cae_deflate_could_hold(SIZE_MAX / 1032 + 1, SIZE_MAX));
    /* Real data comes close to the ratio, and is not refused. */
    const size_t len = 10000000;
    uint8_t *symbols = calloc(1, len), *data = malloc(cae_deflate_bound(len));
    size_t size;
    ck_assert_int_eq(cae_deflate(cae_memory_default(), symbols, len, data, &size), CAE_OK);
    ck_assert_uint_lt(size, len / 1000);
    ck_assert(cae_deflate_could_hold(size, len));
    free(data);
    free(symbols);
}
END_TEST

START_TEST(failed_allocations_are_errors)
{
    const uint8_t symbols[64] = {1, 2, 3};
    uint8_t data[80], back[64];
    size_t size = 0, failures = 0;
    int status;
    do {
        limited_memory memory;
        limited_memory_start(&memory, ++failures);
        status = cae_deflate(&memory.memory, symbols, 64, data, &size);
        ck_assert(status == CAE_OK || status == CAE_E_NOMEM);
        ck_assert_uint_eq(memory.blocks, 0);
    } while (status != CAE_OK);
    ck_assert_uint_gt(failures, 3);
    failures = 0;
    do {
        limited_memory memory;
        limited_memory_start(&memory, ++failures);
        status = cae_inflate(&memory.memory, data, size, back, 64);
        ck_assert(status == CAE_OK || status == CAE_E_NOMEM);
        ck_assert_uint_eq(memory.blocks, 0);
    } while (status != CAE_OK);
    ck_assert_uint_gt(failures, 1);
    ck_assert_mem_eq(back, symbols, 64);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_table_is_its_formula,
        values_come_back_within_half_a_step,
        rounding_is_half_up_and_clamped,
        any_range_gives_finite_values,
        flat_channels_give_their_value,
        ranges_start_from_0_to_1,
        symbols_above_the_top_are_found,
        every_coder_gives_values_back,
        symbols_come_back,
        noise_takes_the_bound_and_no_more,
        sparse_codes_pack_well,
        a_stream_must_fit_exactly,
        a_bomb_is_refused_by_its_size,
        failed_allocations_are_errors,
        NULL,
    };
    return unit_run("codec", tests);
}
