/*
 * How much memory calls take: loading at most twice the file plus 1 MiB whatever the file says, and
 * everything that takes images at most the setting `memory_limit`, whatever the images; what would
 * need more is refused before anything to speak of is allocated.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "contract.h"
#include "files.h"
#include "plain_weights.h"
#include "wrapped_memory.h"

enum { MEBIBYTE = 1 << 20, SMALL = 1 << 16 };

static char path[] = "/tmp/cae-memory-XXXXXX";

/* ---- Loading --------------------------------------------------------------------------------- */

static void check_load(const void *data, size_t size, int status)
{
    cae_model *m = NULL;
    memory_fail(0, false);
    const int got = cae_model_load_memory(&m, data, size);
    const size_t peak = memory_peak();
    EXPECT_SAID(got == status, "status %d (%s), must be %d", got,
                got != CAE_OK ? cae_last_error() : "", status);
    EXPECT_SAID(peak <= 2 * size + MEBIBYTE, "%zu bytes for a file of %zu", peak, size);
    cae_model_free(m);
}

static void loading_takes_twice_the_file(void)
{
    static const char *const texts[] = {
        small_net, "cae-compress", "cae-denoise",
        "input 1 32 32\ndense 700 relu\ncode\ndense 1 32 32 sigmoid\n"};
    for (size_t i = 0; i < 8; i++) {
        cae_model *m = new_model(texts[i / 2], 1);
        cae_model *loaded = NULL;
        struct bytes b = save_bytes(m, i % 2 == 0 ? 0 : CAE_SAVE_TRAINING);
        expect_context("%.20s, %zu bytes", texts[i / 2], b.size);
        check_load(b.data, b.size, CAE_OK);
        file_write(path, b.data, b.size);
        memory_fail(0, false);
        OK(cae_model_load(&loaded, path));
        EXPECT_SAID(memory_peak() <= 2 * b.size + MEBIBYTE, "%zu bytes", memory_peak());
        cae_model_free(loaded);
        cae_model_free(m);
        free_bytes(&b);
    }
    cae_model *m = new_model(small_net, 1);
    plain_weights_write(m, path, PLAIN_GOOD);
    memory_fail(0, false);
    OK(cae_model_load_weights(m, path));
    EXPECT(memory_peak() <= 2 * 8192 + MEBIBYTE);
    cae_model_free(m);
}

/* A model file with this text and, if not NULL, these entries; its checksum is right. */
static struct bytes make_file(const char *text, const char *tensors, size_t data_size)
{
    static const char zeros[] = "\"libcae.crc32\":\"00000000\"";
    struct bytes b = {need(1 << 17, 1), 0};
    char *header = (char *)b.data + 8;
    size_t len = (size_t)sprintf(header, "{\"__metadata__\":{\"libcae.architecture\":\"");
    for (const char *c = text; *c != '\0'; c++) {
        len += (size_t)sprintf(header + len, *c == '\n' ? "\\n" : "%c", *c);
    }
    len += (size_t)sprintf(header + len, "\",%s,\"libcae.version\":\"1\"}%s}", zeros, tensors);
    while ((len + 8) % 64 != 0) {
        header[len++] = ' ';
    }
    for (int i = 0; i < 8; i++) {
        b.data[i] = (uint8_t)(len >> 8 * i);
    }
    b.size = 8 + len + data_size;
    char digits[9];
    snprintf(digits, sizeof(digits), "%08lx", crc32(0, b.data, (uInt)b.size));
    memcpy(strstr(header, zeros) + 16, digits, 8);
    return b;
}

static void hostile_files_take_no_more(void)
{
    static const struct {
        const char *text, *tensors;
        size_t data_size;
    } rows[] = {
        {"input 1 8 8\nconv 65536 kernel 63 pad 31\ncode\nconv 1 kernel 1\n", "", 0},
        {"input 1 4096 4096\ndense 16\ncode\ndense 1 4096 4096\n", "", 0},
        {"input 65536 1 1\nconv 4000 kernel 1\ncode\nconv 65536 kernel 1\n", "", 64},
        {"input 1 8 8\nconv 1 kernel 1\ncode\nconv 1 kernel 1\n",
         ",\"0.weight\":{\"dtype\":\"F32\",\"shape\":[268435456],\"data_offsets\":[0,1073741824]}",
         0},
        {"input 1 8 8\nconv 1 kernel 1\ncode\nconv 1 kernel 1\n",
         ",\"0.weight\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1],\"data_offsets\":[0,4]}", 4},
        {"input 1 8 8\nconv 99999999 kernel 1\ncode\nconv 1 kernel 1\n", "", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bytes b = make_file(rows[i].text, rows[i].tensors, rows[i].data_size);
        cae_model *m = NULL;
        expect_context("row %zu", i);
        memory_fail(0, false);
        const int status = cae_model_load_memory(&m, b.data, b.size);
        EXPECT_SAID(status != CAE_OK && m == NULL, "loaded");
        EXPECT_SAID(strstr(cae_last_error(), "crc") == NULL &&
                        strstr(cae_last_error(), "CRC") == NULL,
                    "the test's file is damaged: %s", cae_last_error());
        EXPECT_SAID(memory_peak() <= 2 * b.size + MEBIBYTE, "%zu bytes", memory_peak());
        free_bytes(&b);
    }
    /* Header lengths beyond the file, and beyond all memory. */
    uint8_t data[64] = {0};
    for (int bit = 0; bit < 64; bit++) {
        memset(data, 0, 8);
        data[bit / 8] = (uint8_t)(1 << bit % 8);
        check_load(data, sizeof(data), CAE_E_FORMAT);
    }
}

/* ---- Images ---------------------------------------------------------------------------------- */

enum { C = 2 };

struct use {
    cae_model *m;
    size_t h, w, count;
    float *images, *clean, *codes;
    double limit;
    int status; /* of all calls so far: CAE_OK, or CAE_E_LIMIT once */
    size_t compressed;
};

static void measure(struct use *u, const char *name, int status)
{
    const size_t peak = memory_peak();
    EXPECT_SAID(status == CAE_OK || status == CAE_E_LIMIT, "%s: status %d (%s)", name, status,
                cae_last_error());
    EXPECT_SAID((double)peak <= u->limit, "%s took %zu bytes", name, peak);
    EXPECT_SAID(status != CAE_E_LIMIT || peak <= SMALL, "%s took %zu bytes and refused", name,
                peak);
    u->status = status != CAE_OK ? status : u->status;
    memory_fail(0, false);
}

static void use_all(struct use *u)
{
    float loss;
    memory_fail(0, false);
    measure(u, "encode", cae_encode(u->m, u->images, u->count, u->h, u->w, u->codes));
    measure(u, "denoise", cae_denoise(u->m, u->images, u->count, u->h, u->w, 0, u->clean));
    measure(u, "evaluate", cae_evaluate(u->m, u->images, u->images, u->count, u->h, u->w, &loss));
    if (u->status == CAE_OK) {
        measure(u, "decode", cae_decode(u->m, u->codes, u->count, u->h, u->w, u->clean));
    }
}

static void use_pixels(struct use *u)
{
    const size_t row = u->w * C;
    const size_t capacity = cae_compress_bound(u->m, u->h, u->w);
    uint8_t *pixels = need(u->h, row);
    uint8_t *data = need(capacity, 1);
    size_t size = 0;
    memory_fail(0, false);
    const int status = cae_compress(u->m, pixels, u->h, u->w, row, 0, data, capacity, &size);
    measure(u, "compress", status);
    if (status == CAE_OK) {
        measure(u, "decompress", cae_decompress(u->m, data, size, pixels, u->h, u->w, row));
    }
    free(pixels);
    free(data);
}

static int use_size(size_t count, size_t h, size_t w, double limit, double threads)
{
    size_t shape[3];
    struct use u = {.m = new_model(small_net, 1), .h = h, .w = w, .count = count, .limit = limit};
    OK(cae_code_shape(u.m, h, w, shape));
    u.images = noise(count * C * h * w, 1);
    u.clean = need(count * C * h * w, sizeof(float));
    u.codes = need(count * shape[0] * shape[1] * shape[2], sizeof(float));
    expect_context("%zu of %zu x %zu, limit %g, %g threads", count, h, w, limit, threads);
    OK(cae_model_set(u.m, "memory_limit", limit));
    OK(cae_model_set(u.m, "threads", threads));
    use_all(&u);
    use_pixels(&u);
    free(u.images);
    free(u.clean);
    free(u.codes);
    cae_model_free(u.m);
    return u.status;
}

static void images_take_no_more_than_the_limit(void)
{
    static const size_t sizes[][2] = {{8, 12}, {1, 1}, {1, 3000}, {3000, 1}, {401, 303}};
    for (size_t i = 0; i < 5; i++) {
        for (int power = 16; power <= 26; power += 2) {
            const double threads = power % 3 == 0 ? 3 : 1;
            const int status = use_size(1, sizes[i][0], sizes[i][1], (double)(1 << power), threads);
            EXPECT_SAID(status == CAE_OK || power < 22, "does not suffice");
        }
    }
    EXPECT(use_size(300, 20, 31, 1 << 22, 2) == CAE_OK); /* any count */
}

static void sixteen_mebibytes_suffice_for_the_presets(void)
{
    enum { SIDE_H = 1200, SIDE_W = 904 };
    cae_model *m = new_model("cae-denoise", 1);
    uint8_t *pixels = need(SIDE_H, SIDE_W);
    size_t size = 0;
    /* The first call packs nothing and the limit is for scratch alone. */
    OK(cae_model_set(m, "memory_limit", 16 * MEBIBYTE));
    OK(cae_model_set(m, "threads", 2));
    if (long_run()) {
        float *images = noise(SIDE_H * SIDE_W, 1);
        float *clean = need(SIDE_H * SIDE_W, sizeof(*clean));
        memory_fail(0, false);
        OK(cae_denoise(m, images, 1, SIDE_H, SIDE_W, 0, clean));
        EXPECT_SAID(memory_peak() <= 16 * MEBIBYTE, "%zu bytes", memory_peak());
        free(images);
        free(clean);
    }
    memory_fail(0, false);
    OK(cae_compress(m, pixels, SIDE_H / 4, SIDE_W, SIDE_W, 0, NULL, 0, &size));
    EXPECT_SAID(memory_peak() <= 16 * MEBIBYTE, "%zu bytes", memory_peak());
    free(pixels);
    cae_model_free(m);
}

/* The symbols of a code that fits are not taken, nor decoded, where the network beside them does not
 * fit. */
static void decompression_is_refused_before_it_decodes(void)
{
    enum { SIDE = 1600 };
    cae_model *m = new_model("cae-compress", 1);
    const size_t capacity = cae_compress_bound(m, SIDE, SIDE);
    uint8_t *pixels = need(SIDE, SIDE);
    uint8_t *data = need(capacity, 1);
    float *images = noise((size_t)64 * 64, 2);
    size_t size = 0;
    OK(cae_fit_code(m, images, 1, 64, 64));
    OK(cae_compress(m, pixels, SIDE, SIDE, SIDE, 0, data, capacity, &size));
    OK(cae_model_set(m, "memory_limit", 32 * (SIDE / 8) * (SIDE / 8) + (100 << 10)));
    memory_fail(0, false);
    FAILS(cae_decompress(m, data, size, pixels, SIDE, SIDE, SIDE), CAE_E_LIMIT, "smallest tiles");
    EXPECT_SAID(memory_peak() <= SMALL, "%zu bytes", memory_peak());
    free(images);
    free(data);
    free(pixels);
    cae_model_free(m);
}

/* Training is not done in tiles: it fits, or it is refused before anything is allocated. */
static void training_fits_or_is_refused(void)
{
    size_t refused = 0;
    size_t done = 0;
    for (int power = 16; power <= 28; power++) {
        cae_model *m = new_model(small_net, 1);
        float *images = noise(6 * C * 64 * 64, 1);
        /* Moments and gradient belong to the model, and are there after one step. */
        OK(cae_train_step(m, images, images, 1, 8, 8, NULL));
        OK(cae_model_set(m, "memory_limit", (double)(1 << power)));
        OK(cae_model_set(m, "threads", power % 2 == 0 ? 1 : 3));
        memory_fail(0, false);
        const int status = cae_train_step(m, images, images, 6, 64, 64, NULL);
        const size_t peak = memory_peak();
        expect_context("limit 2^%d, peak %zu", power, peak);
        EXPECT(status == CAE_OK || status == CAE_E_LIMIT);
        EXPECT(status == CAE_OK ? peak <= (size_t)1 << power : peak <= SMALL);
        refused += status != CAE_OK;
        done += status == CAE_OK;
        free(images);
        cae_model_free(m);
    }
    EXPECT(refused > 0 && done > 0);
}

/* A network with a dense layer, which is run as a whole, by threads that come first. */
static void dense_networks_keep_to_it_too(void)
{
    enum { COUNT = 9, SIDE = 32, LEN = SIDE * SIDE };
    static const char net[] =
        "input 1 32 32\nconv 8 kernel 3 pad 1 relu\nmaxpool 2\ndense 20\ncode\n"
        "dense 1 32 32 sigmoid\n";
    float *images = noise(COUNT * LEN, 1);
    float *clean = need(COUNT * LEN, sizeof(*clean));
    size_t refused = 0;
    for (int power = 16; power <= 24; power++) {
        struct use u = {.m = new_model(net, 1), .limit = 1 << power};
        float loss;
        OK(cae_train_step(u.m, images, images, 1, SIDE, SIDE, NULL));
        OK(cae_model_set(u.m, "memory_limit", u.limit));
        OK(cae_model_set(u.m, "threads", power % 2 == 0 ? 1 : 3));
        expect_context("dense, limit 2^%d", power);
        memory_fail(0, false);
        measure(&u, "denoise", cae_denoise(u.m, images, COUNT, SIDE, SIDE, 0, clean));
        measure(&u, "encode", cae_encode(u.m, images, COUNT, SIDE, SIDE, clean));
        measure(&u, "evaluate", cae_evaluate(u.m, images, images, COUNT, SIDE, SIDE, &loss));
        measure(&u, "step", cae_train_step(u.m, images, images, COUNT, SIDE, SIDE, &loss));
        refused += u.status != CAE_OK;
        EXPECT(u.status == CAE_OK || power < 24);
        cae_model_free(u.m);
    }
    EXPECT(refused > 0);
    free(images);
    free(clean);
}

/* Pixels need what their strips need, whatever the image: 5000 pixels wide, two threads, whose lower
 * tile reads rows above it; in place also what tiles read of each other. */
static void pixels_take_a_few_mebibytes(void)
{
    enum { WIDTH = 5000, HEIGHT = 320, ROW = 2 * WIDTH };
    uint8_t *pixels = need(HEIGHT, ROW), *other = need(HEIGHT, ROW);
    cae_model *m = new_model("unet-denoise", 1);
    OK(cae_model_set(m, "threads", 2));
    for (int in_place = 0; in_place < 2; in_place++) {
        expect_context("in place: %d", in_place);
        memory_fail(0, false);
        OK(cae_denoise_pixels(m, pixels, ROW, in_place ? pixels : other, ROW, CAE_U16, HEIGHT,
                              WIDTH, 1, 0.1f, 0, 1, NULL, NULL));
        EXPECT_SAID(memory_peak() < 32 * MEBIBYTE, "%zu bytes", memory_peak());
    }
    expect_context("%s", "");
    EXPECT(memcmp(pixels, other, (size_t)HEIGHT * ROW) == 0);
    cae_model_free(m);
    free(pixels);
    free(other);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(loading_takes_twice_the_file),
        TEST(hostile_files_take_no_more),
        TEST(images_take_no_more_than_the_limit),
        TEST(sixteen_mebibytes_suffice_for_the_presets),
        TEST(decompression_is_refused_before_it_decodes),
        TEST(training_fits_or_is_refused),
        TEST(dense_networks_keep_to_it_too),
        TEST(pixels_take_a_few_mebibytes),
    };
    const int file = mkstemp(path);
    if (file < 0) {
        return 1;
    }
    close(file);
    const int result = RUN_TESTS(argc, argv, tests);
    unlink(path);
    return result;
}
