/*
 * Untrusted input, through the public API: every truncation of a model and of an image, and
 * thousands of damaged ones with a corrected checksum. Each is refused with a message, or is a
 * model or an image that works; none takes more memory than it may, and nothing leaks. (The
 * tests in tests/fuzz do the same below the API.) Run under a sanitizer to see every slip.
 *
 *     test_hostile               CAE_TEST_LONG=1: 100,000 of each
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "contract.h"
#include "mutate.h"
#include "wrapped_memory.h"

enum { C = 2, H = 21, W = 30, ROOM = 1 << 16, MEBIBYTE = 1 << 20 };

static size_t rounds(void)
{
    return long_run() ? 100000 : 20000;
}

static bool is_refusal(int status)
{
    return status == CAE_E_FORMAT || status == CAE_E_VERSION || status == CAE_E_MODEL ||
           status == CAE_E_SHAPE || status == CAE_E_NONFINITE || status == CAE_E_LIMIT ||
           status == CAE_E_UNSUPPORTED || status == CAE_E_SYNTAX;
}

static void check_refusal(int status)
{
    EXPECT_SAID(is_refusal(status), "status %d (%s)", status, cae_last_error());
    EXPECT(*cae_last_error() != '\0' && strcmp(cae_last_error(), "m is NULL") != 0);
}

/* ---- Models ---------------------------------------------------------------------------------- */

/* What was accepted must work: run on a small image, and be saved and loaded to the same bytes. */
static void use_model(const cae_model *m)
{
    size_t shape[3];
    OK(cae_model_shape(m, shape));
    const size_t len = shape[0] * shape[1] * shape[2];
    if (len <= 4096) {
        float *images = noise(len, 1);
        float *clean = need(len, sizeof(*clean));
        const int status = cae_denoise(m, images, 1, shape[1], shape[2], 0, clean);
        EXPECT_SAID(status == CAE_OK || status == CAE_E_NONFINITE || status == CAE_E_LIMIT,
                    "status %d", status);
        free(images);
        free(clean);
    }
    cae_model *again = NULL;
    struct bytes b = save_bytes(m, CAE_SAVE_TRAINING);
    OK(cae_model_load_memory(&again, b.data, b.size));
    if (again != NULL) {
        EXPECT(same_models(m, again));
    }
    cae_model_free(again);
    free_bytes(&b);
}

/* A copy of its own size, so that a sanitizer sees reading beyond. */
static bool try_model(const uint8_t *data, size_t size)
{
    uint8_t *own = need(size, 1);
    cae_model *m = (cae_model *)(uintptr_t)64;
    memcpy(own, data, size);
    forget_message();
    memory_fail(0, false);
    const int status = cae_model_load_memory(&m, own, size);
    EXPECT_SAID(memory_peak() <= 2 * size + MEBIBYTE, "%zu bytes for %zu", memory_peak(), size);
    EXPECT((status == CAE_OK) == (m != NULL));
    if (status == CAE_OK) {
        use_model(m);
        cae_model_free(m);
    } else {
        check_refusal(status);
    }
    free(own);
    return status == CAE_OK;
}

static struct bytes trained_file(void)
{
    static const char tiny[] = "input 1 6 6\nconv 2 kernel 3 stride 2 pad 1 relu\nmark a\n"
                               "conv 2 kernel 1 tanh\nadd a\ncode\ntconv 1 kernel 2 stride 2\n";
    cae_model *m = new_model(tiny, 1);
    float *images = noise(36, 1);
    OK(cae_train_step(m, images, images, 1, 6, 6, NULL));
    struct bytes b = save_bytes(m, CAE_SAVE_TRAINING);
    free(images);
    cae_model_free(m);
    return b;
}

static void every_truncated_model(void)
{
    struct bytes b = trained_file();
    for (size_t size = 0; size < b.size; size++) {
        expect_context("%zu of %zu bytes", size, b.size);
        EXPECT(!try_model(b.data, size));
    }
    expect_context("whole");
    EXPECT(try_model(b.data, b.size));
    free_bytes(&b);
}

static void every_flipped_bit_of_a_model(void)
{
    struct bytes b = trained_file();
    for (size_t bit = 0; bit < b.size * 8; bit += long_run() ? 1 : 7) {
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        expect_context("bit %zu", bit);
        EXPECT(!try_model(b.data, b.size));
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free_bytes(&b);
}

static void damaged_models(void)
{
    struct bytes b = trained_file();
    uint8_t *data = need(ROOM, 1);
    const size_t blocks = memory_blocks();
    size_t accepted = 0;
    for (size_t i = 0; i < rounds(); i++) {
        uint64_t state = i;
        memcpy(data, b.data, b.size);
        expect_context("damage %zu", i);
        accepted += try_model(data, fuzz_mutate_model(data, b.size, ROOM, &state));
        EXPECT(memory_blocks() == blocks);
    }
    printf("        %zu of %zu damaged models are models still\n", accepted, rounds());
    EXPECT(accepted > 0 && accepted < rounds());
    free(data);
    free_bytes(&b);
}

/* ---- Images ---------------------------------------------------------------------------------- */

static cae_model *reader;

static struct bytes compressed(void)
{
    uint8_t pixels[C * H * W];
    struct bytes b = {need(ROOM, 1), 0};
    float *images = noise(C * H * W, 1);
    reader = new_model(small_net, 1);
    for (size_t i = 0; i < sizeof(pixels); i++) {
        pixels[i] = (uint8_t)(i * i / 300);
    }
    OK(cae_train_step(reader, images, images, 1, H, W, NULL));
    OK(cae_model_set(reader, "memory_limit", MEBIBYTE));
    OK(cae_compress(reader, pixels, H, W, W * C, 0, b.data, ROOM, &b.size));
    free(images);
    return b;
}

/* A reader asks for the size, makes room if the image is not too large for it, and restores. */
static bool try_image(const uint8_t *data, size_t size)
{
    uint8_t *own = need(size, 1);
    size_t shape[3] = {C, H, W};
    memcpy(own, data, size);
    forget_message();
    const int info = cae_compressed_info(own, size, shape);
    if (info != CAE_OK) {
        check_refusal(info);
    }
    const size_t h = info == CAE_OK ? shape[1] : H;
    const size_t w = info == CAE_OK ? shape[2] : W;
    int status = CAE_E_LIMIT;
    if (h <= 1 << 20 && w <= 1 << 20 && h * w <= 1 << 20) {
        uint8_t *pixels = need(h * w, C);
        memory_fail(0, false);
        forget_message();
        status = cae_decompress(reader, own, size, pixels, h, w, w * C);
        EXPECT_SAID(memory_peak() <= MEBIBYTE, "%zu bytes", memory_peak());
        if (status != CAE_OK) {
            check_refusal(status);
        }
        EXPECT(status != CAE_OK || info == CAE_OK);
        free(pixels);
    }
    free(own);
    return status == CAE_OK;
}

static void every_truncated_image(void)
{
    struct bytes b = compressed();
    for (size_t size = 0; size < b.size; size++) {
        expect_context("%zu of %zu bytes", size, b.size);
        EXPECT(!try_image(b.data, size));
    }
    expect_context("whole");
    EXPECT(try_image(b.data, b.size));
    free_bytes(&b);
    cae_model_free(reader);
}

static void damaged_images(void)
{
    struct bytes b = compressed();
    uint8_t *data = need(ROOM, 1);
    const size_t blocks = memory_blocks();
    size_t accepted = 0;
    for (size_t i = 0; i < 2 * rounds(); i++) {
        uint64_t state = i;
        memcpy(data, b.data, b.size);
        expect_context("damage %zu", i);
        accepted += try_image(data, fuzz_mutate_image(data, b.size, ROOM, &state));
        EXPECT(memory_blocks() == blocks);
    }
    printf("        %zu of %zu damaged images are images still\n", accepted, 2 * rounds());
    EXPECT(accepted > 0 && accepted < 2 * rounds());
    free(data);
    free_bytes(&b);
    cae_model_free(reader);
}

/* A file of one byte that states 2^24 x 2^24 pixels is reported as damaged before anything is
 * planned. */
static void an_absurd_payload(void)
{
    enum { SIDE = 1 << 24 };
    struct bytes b = compressed();
    uint8_t data[64] = {0};
    uint8_t pixel = 7;
    size_t len = 7;
    memcpy(data, b.data, len); /* up to the channels */
    for (int i = 0; i < 2; i++) {
        memcpy(data + len, "\x80\x80\x80\x08", 4);
        len += 4;
    }
    memcpy(data + len, b.data + 9, 4); /* the model's id */
    len += 4;
    memcpy(data + len, "\x00\x01\x03", 3);
    len += 3 + 4;
    fuzz_repair_image(data, len);
    memory_fail(0, false);
    /* Where sizes have 32 bits no caller has so many pixels. */
    const bool large = sizeof(size_t) > 4;
    FAILS(cae_decompress(reader, data, len, &pixel, SIDE, SIDE, (size_t)SIDE * C),
          large ? CAE_E_FORMAT : CAE_E_ARGUMENT, large ? "payload" : "more than memory holds");
    EXPECT_SAID(memory_peak() < 4096 && pixel == 7, "%zu bytes", memory_peak());
    free_bytes(&b);
    cae_model_free(reader);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(every_truncated_model), TEST(every_flipped_bit_of_a_model),
        TEST(damaged_models),        TEST(every_truncated_image),
        TEST(damaged_images),        TEST(an_absurd_payload),
    };
    return RUN_TESTS(argc, argv, tests);
}
