/*
 * Models that came with the library: found by name in the folders of CAE_MODEL_PATH in their order,
 * then where they are installed. A name is no path; what is there and cannot be loaded is an error
 * that names the file; a message about a missing one names the folders. And the small form in which
 * they are stored, with weights as F16: rounded to the nearest, widened exactly, never beside
 * training state.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract.h"

static char folder[] = "/tmp/cae-shipped-XXXXXX";
static cae_model *const not_a_model = (cae_model *)(uintptr_t)64; /* never to be followed */

/* ---- Names and folders ----------------------------------------------------------------------- */

/* FOLDER/a and so on, which stay until the next call. */
static const char *in(const char *name)
{
    static char path[4][256];
    static size_t next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof(path[next]), "%s/%s", folder, name);
    return path[next];
}

static void search_in(const char *first, const char *second)
{
    char list[1024];
    snprintf(list, sizeof(list), "%s:%s", first, second);
    EXPECT(setenv("CAE_MODEL_PATH", list, 1) == 0);
}

static void put_model(const char *name, const char *text, uint64_t seed)
{
    cae_model *m = new_model(text, seed);
    OK(cae_model_note_set(m, "license", "CC-BY-SA-4.0"));
    OK(cae_model_save(m, in(name), 0));
    cae_model_free(m);
}

static void refuse(const char *name, int status, const char *word)
{
    cae_model *m = not_a_model;
    FAILS(cae_model_load_shipped(&m, name), status, word);
    EXPECT(m == NULL);
}

static void make_folders(void)
{
    EXPECT(mkdir(in("a"), 0755) == 0 && mkdir(in("b"), 0755) == 0);
    put_model("b/test.safetensors", small_net, 1);
    put_model("b/only-b.safetensors", dense_net, 2);
}

static void names_are_no_paths(void)
{
    static const char *const names[] = {
        "",
        ".",
        "..",
        "a/b",
        "../b/test",
        "/etc/passwd",
        "test.safetensors",
        "te_t",
        "te st",
        "t\xc3\xa4",
        "t\n",
        "test ",
        "%s",
        "test:",
        "0123456789012345678901234567890123456789012345678901234567890123-"};
    search_in(in("b"), in("a"));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        expect_context("name %zu", i);
        refuse(names[i], CAE_E_ARGUMENT, "name '");
    }
    expect_context("%s", "");
    refuse(NULL, CAE_E_ARGUMENT, "name");
    FAILS(cae_model_load_shipped(NULL, "test"), CAE_E_ARGUMENT, "out");
    refuse("012345678901234567890123456789012345678901234567890123456789-Az9", CAE_E_IO, "-Az9");
}

static bool loads(const char *name, const char *text)
{
    cae_model *m = NULL;
    OK(cae_model_load_shipped(&m, name));
    cae_model *like = new_model(text, 1);
    const char *licence = cae_model_note(m, "license");
    const bool same = m != NULL && licence != NULL && strcmp(licence, "CC-BY-SA-4.0") == 0 &&
                      strcmp(cae_model_architecture(m), cae_model_architecture(like)) == 0;
    cae_model_free(like);
    cae_model_free(m);
    return same;
}

static void the_first_folder_that_has_it(void)
{
    search_in(in("a"), in("b"));
    EXPECT(loads("test", small_net) && loads("only-b", dense_net));
    put_model("a/test.safetensors", crossed_net, 3);
    EXPECT(loads("test", crossed_net) && loads("only-b", dense_net));
    search_in(in("b"), in("a"));
    EXPECT(loads("test", small_net));
    EXPECT(remove(in("a/test.safetensors")) == 0);
    /* Folders that are missing, that are files, and empty parts are passed over. */
    search_in(in("none"), in("b/test.safetensors"));
    refuse("test", CAE_E_IO, in("none"));
    char list[1024];
    snprintf(list, sizeof(list), "::%s:%s::%s/:", in("none"), in("b/test.safetensors"), in("b"));
    EXPECT(setenv("CAE_MODEL_PATH", list, 1) == 0);
    EXPECT(loads("test", small_net));
}

/* An empty part of the list is not the current folder. */
static void the_current_folder_is_not_searched(void)
{
    char before[4096];
    EXPECT(getcwd(before, sizeof(before)) != NULL && chdir(in("b")) == 0);
    EXPECT(setenv("CAE_MODEL_PATH", "", 1) == 0);
    refuse("only-b", CAE_E_IO, "libcae/models");
    EXPECT(setenv("CAE_MODEL_PATH", "::", 1) == 0);
    refuse("only-b", CAE_E_IO, "libcae/models");
    EXPECT(setenv("CAE_MODEL_PATH", ".", 1) == 0);
    EXPECT(loads("only-b", dense_net));
    EXPECT(chdir(before) == 0);
}

static void what_is_missing_is_said_with_all_folders(void)
{
    search_in(in("a"), in("b"));
    refuse("test-2", CAE_E_IO, in("a"));
    refuse("test-2", CAE_E_IO, in("b"));
    refuse("test-2", CAE_E_IO, "libcae/models"); /* the installed ones */
    refuse("test-2", CAE_E_IO, "'test-2'");
    EXPECT(unsetenv("CAE_MODEL_PATH") == 0);
    refuse("test-2", CAE_E_IO, "libcae/models");
    /* More than a message holds. */
    enum { LONG = 100000 };
    char *list = need(LONG + 1, 1);
    for (size_t i = 0; i < LONG; i++) {
        list[i] = i % 50 == 49 ? ':' : 'x';
    }
    EXPECT(setenv("CAE_MODEL_PATH", list, 1) == 0);
    refuse("test", CAE_E_IO, "folders more");
    memset(list, 'x', LONG);
    EXPECT(setenv("CAE_MODEL_PATH", list, 1) == 0);
    refuse("test", CAE_E_IO, "name too long");
    list[400] = ':';
    list[401] = '\0';
    memset(list, '/', 400);
    EXPECT(setenv("CAE_MODEL_PATH", list, 1) == 0);
    refuse("test", CAE_E_IO, "2 folders");
    free(list);
}

/* The file that is found is the one that is meant, also when another folder has a good one. */
static void what_cannot_be_loaded_is_an_error(void)
{
    search_in(in("a"), in("b"));
    FILE *file = fopen(in("a/test.safetensors"), "wb");
    EXPECT(file != NULL && fputs("not a model at all, this", file) >= 0 && fclose(file) == 0);
    refuse("test", CAE_E_FORMAT, in("a/test.safetensors"));
    if (geteuid() != 0) { /* root may read everything */
        EXPECT(chmod(in("a/test.safetensors"), 0) == 0);
        refuse("test", CAE_E_IO, "permission denied");
        EXPECT(chmod(in("a"), 0) == 0);
        refuse("test", CAE_E_IO, "permission denied");
        EXPECT(chmod(in("a"), 0755) == 0);
    }
    EXPECT(remove(in("a/test.safetensors")) == 0 && mkdir(in("a/test.safetensors"), 0755) == 0);
    refuse("test", CAE_E_IO, "not a regular file");
    EXPECT(rmdir(in("a/test.safetensors")) == 0);
    EXPECT(symlink("test.safetensors", in("a/test.safetensors")) == 0);
    refuse("test", CAE_E_IO, "symbolic link");
    EXPECT(remove(in("a/test.safetensors")) == 0);
    EXPECT(symlink("../b/only-b.safetensors", in("a/test.safetensors")) == 0);
    EXPECT(loads("test", dense_net));
    EXPECT(remove(in("a/test.safetensors")) == 0);
    EXPECT(loads("test", small_net));
}

static void *load_often(void *unused)
{
    (void)unused;
    for (int i = 0; i < 50; i++) {
        cae_model *m = NULL;
        OK(cae_model_load_shipped(&m, "test"));
        cae_model_free(m);
    }
    return NULL;
}

static void threads_may_load_at_once(void)
{
    pthread_t threads[2];
    search_in(in("a"), in("b"));
    for (size_t i = 0; i < 2; i++) {
        EXPECT(pthread_create(&threads[i], NULL, load_often, NULL) == 0);
    }
    for (size_t i = 0; i < 2; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
}

/* ---- F16 ------------------------------------------------------------------------------------- */

/* The value of F16 that is nearest: a multiple of its unit there, ties to even. */
static float nearest_half(float value)
{
    int exponent;
    frexpf(value, &exponent);
    const double unit = ldexp(1, (exponent < -13 ? -13 : exponent) - 11);
    return (float)(rint((double)value / unit) * unit); /* exact but for rint */
}

static bool same_bits(float a, float b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

static cae_model *load(struct bytes file)
{
    cae_model *m = NULL;
    OK(cae_model_load_memory(&m, file.data, file.size));
    return m;
}

/* A network whose tensor 1 has 4096 weights. */
static const char wide_net[] = "input 1 4 4\nconv 4096 kernel 1\ncode\nconv 1 kernel 1\n";
enum { WIDE = 4096 };

static void set_and_check(const float *values, size_t len)
{
    cae_model *m = new_model(wide_net, 1);
    float *before = need(WIDE, sizeof(float));
    float *after = need(WIDE, sizeof(float));
    memcpy(before, values, len * sizeof(float));
    OK(cae_tensor_set(m, 1, before, WIDE));
    struct bytes file = save_bytes(m, CAE_SAVE_F16);
    cae_model *again = load(file);
    OK(cae_tensor_get(again, 1, after, WIDE));
    for (size_t i = 0; i < len; i++) {
        EXPECT_SAID(same_bits(after[i], nearest_half(before[i])), "%a became %a, not %a",
                    (double)before[i], (double)after[i], (double)nearest_half(before[i]));
    }
    /* What was rounded stays as it is: the same bytes again. */
    struct bytes twice = save_bytes(again, CAE_SAVE_F16);
    EXPECT(same_bytes(file, twice));
    free_bytes(&twice);
    free_bytes(&file);
    free(after);
    free(before);
    cae_model_free(again);
    cae_model_free(m);
}

/* Every value of F16, the ties between neighbours, and what lies beside these. */
static void rounding_is_to_the_nearest(void)
{
    enum { ALL = 0x7c00 };
    float *values = need(WIDE, sizeof(float));
    size_t len = 0;
    for (uint32_t half = 0; half < ALL; half++) {
        const double unit = ldexp(1, (int)(half >> 10 > 1 ? half >> 10 : 1) - 25);
        const double value = (half & 0x3ff) * unit + (half >> 10 > 0 ? 1024 * unit : 0);
        const float tie = (float)(value + unit / 2);
        const float some[] = {(float)value, nextafterf(tie, 0), tie, nextafterf(tie, INFINITY)};
        for (size_t i = 0; i < 4; i++) {
            if (some[i] < 65520) {
                values[len++] = half % 2 == 0 ? some[i] : -some[i];
            }
        }
        if (len + 4 > WIDE || half + 1 == ALL) {
            set_and_check(values, len);
            len = 0;
        }
    }
    static const float others[] = {0.0f,       -0.0f,           0x1p-149f, -0x1p-149f,
                                   0x1p-126f,  0x1.fffffep-26f, 0x1p-25f,  0x1.000002p-25f,
                                   0x1.8p-24f, 1e-10f,          65519.996f};
    set_and_check(others, sizeof(others) / sizeof(others[0]));
    free(values);
}

static void what_does_not_fit_is_refused(void)
{
    static const float values[] = {65520, -65520, 65536, 3e38f, -1e10f};
    char path[300];
    snprintf(path, sizeof(path), "%s", in("large.safetensors"));
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        cae_model *m = new_model(small_net, 1);
        cae_model *twin = copy_model(m);
        size_t size = 0, shape[4];
        float first[64] = {0};
        const char *name = NULL;
        OK(cae_tensor_info(m, 0, &name, shape, NULL));
        OK(cae_tensor_get(m, 0, first, shape[0]));
        first[1] = values[i];
        OK(cae_tensor_set(m, 0, first, shape[0]));
        OK(cae_tensor_set(twin, 0, first, shape[0]));
        FAILS(cae_model_save(m, path, CAE_SAVE_F16), CAE_E_NONFINITE, "element 1 is too large");
        FAILS(cae_model_save(m, path, CAE_SAVE_F16), CAE_E_NONFINITE, name);
        FAILS(cae_model_save_memory(m, NULL, 0, &size, CAE_SAVE_F16), CAE_E_NONFINITE, name);
        EXPECT(access(path, F_OK) != 0);
        OK(cae_model_save(m, path, 0));
        EXPECT(remove(path) == 0);
        EXPECT(same_models(m, twin));
        cae_model_free(m);
        cae_model_free(twin);
    }
}

static void flags_are_checked(void)
{
    cae_model *m = new_model(small_net, 1);
    cae_model *copy = NULL;
    size_t size = 0;
    const uint32_t both = CAE_SAVE_F16 | CAE_SAVE_TRAINING;
    FAILS(cae_model_save(m, in("x"), both), CAE_E_ARGUMENT, "exclude");
    FAILS(cae_model_save(m, in("x"), both | CAE_SAVE_TRY), CAE_E_ARGUMENT, "exclude");
    FAILS(cae_model_save_memory(m, NULL, 0, &size, both), CAE_E_ARGUMENT, "exclude");
    FAILS(cae_model_save_memory(m, NULL, 0, &size, CAE_SAVE_F16 | CAE_SAVE_TRY), CAE_E_ARGUMENT,
          "flags");
    FAILS(cae_model_save_memory(m, NULL, 0, &size, 8), CAE_E_ARGUMENT, "flags");
    FAILS(cae_model_copy(&copy, m, CAE_SAVE_F16), CAE_E_ARGUMENT, "flags");
    OK(cae_model_save(m, in("x"), CAE_SAVE_F16 | CAE_SAVE_TRY));
    EXPECT(access(in("x"), F_OK) != 0);
    cae_model_free(m);
}

/* Ranges, notes and weights come back; the file is smaller; its weights go into another model too;
 * the ids of compressed images are those of the widened weights. */
static void a_small_file_is_a_whole_model(void)
{
    cae_model *m = new_model(small_net, 5);
    size_t shape[3];
    OK(cae_model_shape(m, shape));
    float *images = noise(2 * shape[0] * shape[1] * shape[2], 1);
    OK(cae_train_step(m, images, images, 2, shape[1], shape[2], NULL));
    OK(cae_model_note_set(m, "origin", "a test"));
    struct bytes large = save_bytes(m, 0);
    struct bytes small = save_bytes(m, CAE_SAVE_F16);
    double parameters = 0;
    OK(cae_model_get(m, "parameters", &parameters));
    EXPECT(small.size + (size_t)parameters * 2 <= large.size + 64 &&
           small.size + (size_t)parameters * 2 + 64 >= large.size);
    cae_model *a = load(small);
    EXPECT(strcmp(cae_model_note(a, "origin"), "a test") == 0);
    OK(cae_model_save(m, in("small.safetensors"), CAE_SAVE_F16));
    cae_model *b = new_model(small_net, 6);
    OK(cae_model_load_weights(b, in("small.safetensors")));
    OK(cae_model_note_set(b, "origin", "a test"));
    struct bytes of_a = save_bytes(a, 0);
    struct bytes of_b = save_bytes(b, 0);
    EXPECT(same_bytes(of_a, of_b)); /* the ranges too */
    uint8_t pixels[8 * 8 * 2] = {1, 2, 3}, data[4096];
    size_t size = 0;
    OK(cae_compress(a, pixels, 8, 8, 16, 0, data, sizeof(data), &size));
    cae_model *wide = load(of_a);
    OK(cae_decompress(wide, data, size, pixels, 8, 8, 16));
    FAILS(cae_decompress(m, data, size, pixels, 8, 8, 16), CAE_E_MODEL, "");
    cae_model_free(wide);
    cae_model_free(b);
    cae_model_free(a);
    cae_model_free(m);
    free_bytes(&of_a);
    free_bytes(&of_b);
    free_bytes(&small);
    free_bytes(&large);
    free(images);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(make_folders), /* first: the others use them */
        TEST(names_are_no_paths),
        TEST(the_first_folder_that_has_it),
        TEST(the_current_folder_is_not_searched),
        TEST(what_is_missing_is_said_with_all_folders),
        TEST(what_cannot_be_loaded_is_an_error),
        TEST(threads_may_load_at_once),
        TEST(rounding_is_to_the_nearest),
        TEST(what_does_not_fit_is_refused),
        TEST(flags_are_checked),
        TEST(a_small_file_is_a_whole_model),
    };
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    const int result = RUN_TESTS(argc, argv, tests);
    char command[100];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command) != 0 || result != 0;
}
