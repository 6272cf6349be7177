/*
 * Weights as other programs write them: of other dtypes, with prefixes before the names, beside
 * tensors of other layers, or in a model file of libcae. What is refused says what is there, and
 * changes nothing. Files are put together here by hand, byte by byte.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "contract.h"
#include "plain_weights.h"

static char path[] = "/tmp/cae-import-XXXXXX";

/* 0.bias [2], 0.weight [2,1,1,1], 1.bias [1], 1.weight [1,2,1,1] */
static const char tiny_net[] = "input 1 4 4\nconv 2 kernel 1\ncode\nconv 1 kernel 1\n";
static const char *const names[] = {"0.bias", "0.weight", "1.bias", "1.weight"};
static const char *const shapes[] = {"2", "2,1,1,1", "1", "1,2,1,1"};
static const size_t lens[] = {2, 2, 1, 2};

/* ---- Files ----------------------------------------------------------------------------------- */

static size_t dtype_size(const char *dtype)
{
    return strstr(dtype, "64") != NULL   ? 8
           : strstr(dtype, "32") != NULL ? 4
           : strstr(dtype, "16") != NULL ? 2
                                         : 1;
}

/* `bits`: the values as they stand in the file. */
static void add(struct plain_file *f, const char *name, const char *dtype, const char *shape,
                size_t len, const uint64_t *bits)
{
    const size_t element = dtype_size(dtype);
    plain_file_tensor(f, name, dtype, shape, f->size, f->size + len * element);
    for (size_t i = 0; i < len; i++) {
        plain_file_value(f, bits[i], element);
    }
}

/* All tensors of tiny_net, of one dtype, all values 1, with something before each name. */
static void add_ones(struct plain_file *f, const char *dtype, const char *prefix)
{
    const uint64_t one = strcmp(dtype, "F64") == 0    ? 0x3ff0000000000000u
                         : strcmp(dtype, "F32") == 0  ? 0x3f800000
                         : strcmp(dtype, "F16") == 0  ? 0x3c00
                         : strcmp(dtype, "BF16") == 0 ? 0x3f80
                                                      : 1;
    const uint64_t ones[] = {one, one};
    for (size_t i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof(name), "%s%s", prefix, names[i]);
        add(f, name, dtype, shapes[i], lens[i], ones);
    }
}

static bool all_ones(const cae_model *m)
{
    float values[2];
    bool good = true;
    for (size_t i = 0; i < 4; i++) {
        OK(cae_tensor_get(m, i, values, lens[i]));
        good = good && values[0] == 1 && (lens[i] == 1 || values[1] == 1);
    }
    return good;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void dtypes_are_converted(void)
{
    static const char *const good[] = {"F32", "F16", "BF16", "F64"};
    static const char *const bad[] = {"I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"};
    for (size_t i = 0; i < 4; i++) {
        struct plain_file f = {.size = 0};
        cae_model *m = new_model(tiny_net, 1);
        expect_context("%s", good[i]);
        add_ones(&f, good[i], "");
        plain_file_write(&f, path);
        OK(cae_model_load_weights(m, path));
        EXPECT(all_ones(m));
        cae_model_free(m);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct plain_file f = {.size = 0};
        cae_model *m = new_model(tiny_net, 1);
        cae_model *twin = copy_model(m);
        expect_context("%s", bad[i]);
        add_ones(&f, bad[i], "");
        plain_file_write(&f, path);
        FAILS(cae_model_load_weights(m, path), CAE_E_UNSUPPORTED, bad[i]);
        EXPECT(strstr(cae_last_error(), "0.bias") != NULL);
        EXPECT(same_models(m, twin));
        cae_model_free(m);
        cae_model_free(twin);
    }
}

static void single_values_are_exact(void)
{
    static const struct {
        const char *dtype;
        uint64_t bits;
        float value; /* NAN: refused */
    } cases[] = {
        {"F16", 0x0001, 0x1p-24f},
        {"F16", 0x83ff, -0x1.ff8p-15f},
        {"F16", 0x7bff, 65504},
        {"F16", 0x7c00, NAN},
        {"F16", 0xfe00, NAN},
        {"BF16", 0x0001, 0x1p-133f},
        {"BF16", 0xff7f, -0x1.fep127f},
        {"BF16", 0x7f80, NAN},
        {"BF16", 0x7fc1, NAN},
        {"F64", 0x3fb999999999999a, 0.1f},
        {"F64", 0x0000000000000001, 0},
        {"F64", 0x3690000000000001, 0x1p-149f}, /* just above half the smallest float */
        {"F64", 0x47efffffe0000000, FLT_MAX},
        {"F64", 0x47effffff0000000, NAN}, /* halfway to what comes behind */
        {"F64", 0x7ff0000000000000, NAN},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct plain_file f = {.size = 0};
        const uint64_t zeros[] = {0, 0};
        cae_model *m = new_model(tiny_net, 1);
        cae_model *twin = copy_model(m);
        float value = 7;
        expect_context("%s, case %zu", cases[i].dtype, i);
        add(&f, names[0], "F32", shapes[0], 2, zeros);
        add(&f, names[1], "F32", shapes[1], 2, zeros);
        add(&f, names[2], cases[i].dtype, shapes[2], 1, &cases[i].bits);
        add(&f, names[3], "F32", shapes[3], 2, zeros);
        plain_file_write(&f, path);
        if (isnan(cases[i].value)) {
            FAILS(cae_model_load_weights(m, path), CAE_E_NONFINITE, "1.bias");
            EXPECT(same_models(m, twin));
        } else {
            OK(cae_model_load_weights(m, path));
            OK(cae_tensor_get(m, 2, &value, 1));
            EXPECT_SAID(memcmp(&value, &cases[i].value, sizeof(value)) == 0, "%a, not %a",
                        (double)value, (double)cases[i].value);
        }
        cae_model_free(m);
        cae_model_free(twin);
    }
}

static void prefixes_are_taken_off(void)
{
    static const struct {
        const char *prefix;
        bool known;
    } cases[] = {
        {"", true},
        {"module.", true},
        {"_orig_mod.", true},
        {"module._orig_mod.", true},
        {"_orig_mod.module.module.", true},
        {"model.", false},
        {"encoder.module.", false},
        {"module", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct plain_file f = {.size = 0};
        cae_model *m = new_model(tiny_net, 1);
        const bool bare = *cases[i].prefix == '\0';
        char first[64];
        expect_context("prefix '%s'", cases[i].prefix);
        snprintf(first, sizeof(first), "%s0.bias", cases[i].prefix);
        add_ones(&f, "F32", cases[i].prefix);
        plain_file_write(&f, path);
        if (!bare) { /* the message lists the names of the file */
            FAILS(cae_model_load_weights(m, path), CAE_E_MODEL, first);
            FAILS(cae_model_import_weights(m, path, CAE_IMPORT_SKIP), CAE_E_MODEL, first);
            EXPECT(cases[i].known == (strstr(cae_last_error(), "CAE_IMPORT_STRIP") != NULL));
        }
        if (cases[i].known) {
            OK(cae_model_import_weights(m, path, CAE_IMPORT_STRIP));
            EXPECT(all_ones(m));
        } else {
            FAILS(cae_model_import_weights(m, path, CAE_IMPORT_STRIP), CAE_E_MODEL, first);
        }
        cae_model_free(m);
    }
}

static void names_that_become_one_are_refused(void)
{
    struct plain_file f = {.size = 0};
    const uint64_t ones[] = {0x3f800000, 0x3f800000};
    cae_model *m = new_model(tiny_net, 1);
    cae_model *twin = copy_model(m);
    add_ones(&f, "F32", "module.");
    add(&f, "0.bias", "F32", "2", 2, ones);
    plain_file_write(&f, path);
    FAILS(cae_model_import_weights(m, path, CAE_IMPORT_STRIP), CAE_E_MODEL, "'module.0.bias'");
    EXPECT(strstr(cae_last_error(), "'0.bias'") != NULL && same_models(m, twin));
    cae_model_free(m);
    cae_model_free(twin);
}

static void tensors_without_a_dimension_are_left_out(void)
{
    static const char *const dtypes[] = {"I64", "F32", "F16", "U8", "BOOL", "I32"};
    const uint64_t nothing_finite[] = {0x7fc07fc07fc07fc0};
    for (size_t i = 0; i < 6; i++) {
        struct plain_file f = {.size = 0};
        cae_model *m = new_model(tiny_net, 1);
        expect_context("%s", dtypes[i]);
        add(&f, "module.9.num_batches_tracked", dtypes[i], "", 1, nothing_finite);
        add_ones(&f, "F32", "module.");
        plain_file_write(&f, path);
        FAILS(cae_model_import_weights(m, path, CAE_IMPORT_STRIP), CAE_E_MODEL, "CAE_IMPORT_SKIP");
        EXPECT(strstr(cae_last_error(), "module.9.num_batches_tracked") != NULL);
        OK(cae_model_import_weights(m, path, CAE_IMPORT_STRIP | CAE_IMPORT_SKIP));
        EXPECT(all_ones(m));
        cae_model_free(m);
    }
    /* One dimension is not none, and a weight of the model is not left out. */
    struct plain_file f = {.size = 0};
    const uint64_t one[] = {0x3f800000};
    cae_model *m = new_model(tiny_net, 1);
    expect_context("%s", "");
    add_ones(&f, "F32", "");
    add(&f, "running_mean", "F32", "1", 1, one);
    plain_file_write(&f, path);
    FAILS(cae_model_import_weights(m, path, CAE_IMPORT_SKIP), CAE_E_MODEL, "running_mean");
    f = (struct plain_file){.size = 0};
    add(&f, "0.bias", "F32", "2", 2, (const uint64_t[]){0, 0});
    add(&f, "0.weight", "F32", "2,1,1,1", 2, (const uint64_t[]){0, 0});
    add(&f, "1.bias", "F32", "", 1, one);
    add(&f, "1.weight", "F32", "1,2,1,1", 2, (const uint64_t[]){0, 0});
    plain_file_write(&f, path);
    FAILS(cae_model_import_weights(m, path, CAE_IMPORT_SKIP), CAE_E_MODEL, "1.bias");
    EXPECT_SAID(strstr(cae_last_error(), "[]") != NULL && strstr(cae_last_error(), "[1]") != NULL,
                "%s", cae_last_error());
    cae_model_free(m);
}

static void expect_many_names(void)
{
    const char *words = cae_last_error();
    const size_t size = strlen(words);
    EXPECT_SAID(strstr(words, " decoder.layers.10.weight, decoder.layers.11.weight, ") != NULL &&
                    size > 220 && strcmp(words + size - 5, ", ...") == 0,
                "%zu: %s", size, words);
}

/* As many names as fit into the message, those that the model does not have first. */
static void words_tell_what_is_there(void)
{
    struct plain_file f = {.size = 0};
    const uint64_t values[2] = {0, 0};
    cae_model *m = new_model(tiny_net, 1);
    add(&f, "0.bias", "F32", "2", 2, values);
    for (int i = 10; i < 40; i++) {
        char name[64];
        snprintf(name, sizeof(name), "decoder.layers.%d.weight", i);
        add(&f, name, "F32", "1", 1, values);
    }
    plain_file_write(&f, path);
    FAILS(cae_model_load_weights(m, path), CAE_E_MODEL, "'0.weight' is missing");
    expect_many_names();
    f = (struct plain_file){.size = 0};
    add_ones(&f, "F32", "");
    for (int i = 10; i < 40; i++) {
        char name[64];
        snprintf(name, sizeof(name), "decoder.layers.%d.weight", i);
        add(&f, name, "F32", "1", 1, values);
    }
    plain_file_write(&f, path);
    FAILS(cae_model_load_weights(m, path), CAE_E_MODEL, "34 tensors, the model 4");
    expect_many_names();
    f = (struct plain_file){.size = 0};
    add(&f, "0.bias", "F32", "2", 2, values);
    add(&f, "0.weight", "F32", "1,2,1,1", 2, values);
    add(&f, "1.bias", "F32", "1", 1, values);
    add(&f, "1.weight", "F32", "1,2,1,1", 2, values);
    plain_file_write(&f, path);
    FAILS(cae_model_load_weights(m, path), CAE_E_MODEL, "'0.weight' has the shape [1,2,1,1]");
    EXPECT(strstr(cae_last_error(), "[2,1,1,1]") != NULL);
    f = (struct plain_file){.header = "{"};
    plain_file_write(&f, path);
    FAILS(cae_model_load_weights(m, path), CAE_E_MODEL, "the file has none");
    cae_model_free(m);
}

/* Each of the two kinds of file in the place of the other. */
static void files_of_the_other_kind(void)
{
    static const char other_net[] = "input 1 4 4\nconv 2 kernel 1 relu\ncode\nconv 1 kernel 1\n";
    static const char scaled_net[] = "input 1 8 8\nconv 2 kernel 1\ncode\nconv 1 kernel 1\n";
    struct plain_file f = {.size = 0};
    cae_model *none = NULL;
    cae_model *source = new_model(tiny_net, 5);
    cae_model *m = new_model(tiny_net, 6);
    cae_model *other = new_model(other_net, 7);
    float *images = noise(16, 1);
    uint8_t pixels[64] = {0};
    size_t size = 0;
    add_ones(&f, "F16", "module.");
    plain_file_write(&f, path);
    FAILS(cae_model_load(&none, path), CAE_E_FORMAT, "plain safetensors");
    EXPECT(strstr(cae_last_error(), "cae_model_load_weights") != NULL);
    EXPECT(strstr(cae_last_error(), "cae train --from") != NULL);
    /* A model of libcae as a source of weights, with its ranges where they have the same meaning.
     */
    OK(cae_train_step(source, images, images, 1, 4, 4, NULL));
    OK(cae_model_save(source, path, CAE_SAVE_TRAINING));
    OK(cae_model_load_weights(m, path));
    OK(cae_model_copy(&none, source, 0));
    struct bytes got = save_bytes(m, 0);
    struct bytes wanted = save_bytes(none, 0);
    EXPECT(same_bytes(got, wanted));
    OK(cae_compress(m, pixels, 4, 4, 4, 0, NULL, 0, &size));
    /* Here a relu makes the names others, and with them the ranges another network's. */
    FAILS(cae_model_load_weights(other, path), CAE_E_MODEL, "'2.bias' is missing");
    cae_model_free(other);
    other = new_model(scaled_net, 7);
    OK(cae_model_load_weights(other, path));
    FAILS(cae_compress(other, pixels, 8, 8, 8, 0, NULL, 0, &size), CAE_E_UNSUPPORTED,
          "cae_fit_code");
    free_bytes(&got);
    free_bytes(&wanted);
    cae_model_free(none);
    /* A byte that is not what it was. */
    OK(cae_model_save(source, path, 0));
    FILE *file = fopen(path, "r+b");
    EXPECT(file != NULL && fseek(file, -2, SEEK_END) == 0 && fputc(1, file) == 1);
    EXPECT(file != NULL && fclose(file) == 0);
    FAILS(cae_model_load_weights(m, path), CAE_E_FORMAT, "checksum");
    free(images);
    cae_model_free(source);
    cae_model_free(m);
    cae_model_free(other);
}

static void flags(void)
{
    cae_model *m = new_model(tiny_net, 1);
    FAILS(cae_model_import_weights(NULL, path, 0), CAE_E_ARGUMENT, "m is NULL");
    FAILS(cae_model_import_weights(m, NULL, 0), CAE_E_ARGUMENT, "path is NULL");
    FAILS(cae_model_import_weights(m, path, 4), CAE_E_ARGUMENT, "flags");
    FAILS(cae_model_import_weights(m, path, 1u << 31), CAE_E_ARGUMENT, "flags");
    FAILS(cae_model_import_weights(m, "/nowhere/at all", 3), CAE_E_IO, "");
    cae_model_free(m);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(dtypes_are_converted),
        TEST(single_values_are_exact),
        TEST(prefixes_are_taken_off),
        TEST(names_that_become_one_are_refused),
        TEST(tensors_without_a_dimension_are_left_out),
        TEST(words_tell_what_is_there),
        TEST(files_of_the_other_kind),
        TEST(flags),
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
