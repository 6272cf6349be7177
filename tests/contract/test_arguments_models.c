/*
 * Bad arguments to the functions that make, describe and change models: a status, a message that
 * names the thing, and nothing changed. The functions on images have test_arguments_images.c.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract.h"

static cae_model *const not_a_model = (cae_model *)(uintptr_t)64; /* never to be followed */

static void status_and_version(void)
{
    for (int status = -200; status <= 200; status++) {
        const char *words = cae_strerror(status);
        EXPECT_SAID(words != NULL && *words != '\0', "cae_strerror(%d) is empty", status);
        for (int other = -13; words != NULL && other < status && status <= 0; other++) {
            EXPECT_SAID(status < -13 || strcmp(words, cae_strerror(other)) != 0,
                        "statuses %d and %d read the same", status, other);
        }
    }
    EXPECT(strcmp(cae_strerror(INT_MIN), cae_strerror(1)) == 0);
    EXPECT(strcmp(cae_strerror(INT_MAX), "unknown status") == 0);
    char version[32];
    snprintf(version, sizeof(version), "%d.%d.%d", CAE_VERSION_MAJOR, CAE_VERSION_MINOR,
             CAE_VERSION_PATCH);
    EXPECT(strcmp(cae_version_string(), version) == 0);
    EXPECT(cae_version() ==
           (uint32_t)(CAE_VERSION_MAJOR << 16 | CAE_VERSION_MINOR << 8 | CAE_VERSION_PATCH));
}

static void the_last_error_survives_success(void)
{
    double value = 0;
    cae_model *m = new_model(small_net, 1);
    FAILS(cae_model_get(m, "speed", &value), CAE_E_ARGUMENT, "speed");
    char before[256];
    snprintf(before, sizeof(before), "%s", cae_last_error());
    OK(cae_model_get(m, "threads", &value));
    EXPECT(strcmp(before, cae_last_error()) == 0);
    cae_model_free(m);
}

static void presets(void)
{
    static const char *const names[] = {"sae-compress",
                                        "sae-denoise",
                                        "cae-compress",
                                        "cae-denoise",
                                        "vae",
                                        "unet-denoise-fast",
                                        "unet-denoise",
                                        "unet-denoise-best",
                                        "unet-denoise-rgb",
                                        "unet-denoise-best-rgb"};
    enum { NAMES = sizeof(names) / sizeof(names[0]) };
    for (size_t i = 0; i < NAMES; i++) {
        EXPECT(cae_preset_name(i) != NULL && strcmp(cae_preset_name(i), names[i]) == 0);
        EXPECT(cae_preset_text(names[i]) != NULL);
        cae_model *m = new_model(names[i], 1);
        EXPECT(strcmp(cae_model_architecture(m), cae_preset_text(names[i])) == 0);
        cae_model_free(m);
    }
    EXPECT(cae_preset_name(NAMES) == NULL && cae_preset_name(SIZE_MAX) == NULL);
    EXPECT(cae_preset_text("cae") == NULL && cae_preset_text("") == NULL);
    EXPECT(cae_preset_text(NULL) == NULL);
}

/* ---- Making -----------------------------------------------------------------------------------
 */

static void refuse_text(const char *text, int status, const char *word)
{
    cae_model *m = not_a_model;
    expect_context("%.60s", text != NULL ? text : "NULL");
    FAILS(cae_model_new(&m, text, 1), status, word);
    EXPECT(m == NULL);
    expect_context("%s", "");
}

#define HEAD "input 1 8 8\n"
#define TAIL "code\nconv 1 kernel 1\n"

static void wrong_texts_are_refused_by_line_and_column(void)
{
    static const struct {
        const char *text, *word;
        int status;
    } rows[] = {
        {"", "", CAE_E_SYNTAX},
        {"cae-compres", "cae-compres", CAE_E_SYNTAX},
        {"conv 1 kernel 1\n", "line 1, column 1", CAE_E_SYNTAX},
        {HEAD "conv 1 kernel 1\n" HEAD, "line 3, column 1", CAE_E_SYNTAX},
        {HEAD "konv 1 kernel 1\n" TAIL, "line 2, column 1", CAE_E_SYNTAX},
        {HEAD "  conv x kernel 1\n" TAIL, "line 2, column 8", CAE_E_SYNTAX},
        {HEAD "conv -1 kernel 1\n" TAIL, "line 2, column 6", CAE_E_SYNTAX},
        {HEAD "conv 1.5 kernel 1\n" TAIL, "line 2, column 6", CAE_E_SYNTAX},
        {HEAD "conv 0 kernel 1\n" TAIL, "line 2, column 6", CAE_E_SYNTAX},
        {HEAD "conv 2\n" TAIL, "line 2", CAE_E_SYNTAX},
        {HEAD "conv 2 kernel\n" TAIL, "line 2, column 14", CAE_E_SYNTAX},
        {HEAD "conv 2 kernel 0\n" TAIL, "line 2, column 15", CAE_E_SYNTAX},
        {HEAD "conv 2 kernel 1 stride 0\n" TAIL, "line 2, column 24", CAE_E_SYNTAX},
        {HEAD "conv 2 kernel 1 kernel 1\n" TAIL, "line 2, column 17", CAE_E_SYNTAX},
        {HEAD "conv 2 kernel 1 relu tanh\n" TAIL, "line 2, column 22", CAE_E_SYNTAX},
        {HEAD "conv 2 kernel 1 ReLU\n" TAIL, "line 2, column 17", CAE_E_SYNTAX},
        {HEAD "maxpool 2 relu\n" TAIL, "line 2, column 11", CAE_E_SYNTAX},
        {HEAD "dense 4 kernel 2\n" TAIL, "line 2, column 9", CAE_E_SYNTAX},
        {HEAD "conv 1 kernel 1\nadd a\n" TAIL, "line 3, column 5", CAE_E_SYNTAX},
        {HEAD "mark 1a\nconv 1 kernel 1\n" TAIL, "line 2, column 6", CAE_E_SYNTAX},
        {HEAD "mark a\nmark a\nconv 1 kernel 1\n" TAIL, "line 3, column 6", CAE_E_SYNTAX},
        {HEAD "conv 1 kernel 1\nconv 1 kernel 1\n", "code", CAE_E_SYNTAX},
        {HEAD "code\nconv 1 kernel 1\n", "line 2", CAE_E_SYNTAX},
        {HEAD "conv 1 kernel 1\ncode\n", "line 3", CAE_E_SYNTAX},
        {HEAD "conv 1 kernel 1\ncode now\nconv 1 kernel 1\n", "line 3, column 6", CAE_E_SYNTAX},
        {HEAD "conv 1 kernel 1\ncode\n" TAIL, "line 4", CAE_E_SYNTAX},
        {HEAD "code sampled\n" TAIL, "line 2", CAE_E_SYNTAX},
        {HEAD "conv 2 kernel 1\ncode sampled\n", "line 3", CAE_E_SYNTAX},
        {HEAD "conv 2 kernel 1\ncode Sampled\n" TAIL, "line 3, column 6", CAE_E_SYNTAX},
        {HEAD "conv 2 kernel 1\ncode sampled sampled\n" TAIL, "line 3, column 14", CAE_E_SYNTAX},
        {HEAD "conv 2 kernel 1\ncode sampled relu\n" TAIL, "line 3, column 14", CAE_E_SYNTAX},
        {HEAD "conv 4 kernel 1\ncode sampled\n" TAIL, "line 4", CAE_E_SYNTAX},
        {HEAD "conv 4 kernel 1\ncode sampled\ncode sampled\n" TAIL, "line 4", CAE_E_SYNTAX},
        {HEAD "sampled\n" TAIL, "line 2, column 1", CAE_E_SYNTAX},
        {HEAD "conv 3 kernel 1\ncode sampled\nconv 1 kernel 1\n", "line 3: 'code sampled'",
         CAE_E_SHAPE},
        {HEAD "dense 1\ncode sampled\ndense 1 8 8\n", "line 3: 'code sampled'", CAE_E_SHAPE},
        {HEAD "conv 2 kernel 1\nmark a\ncode sampled\nconv 1 kernel 1\nadd a\n", "line 6",
         CAE_E_SHAPE},
        {HEAD "conv 1 kernel 9\n" TAIL, "line 2", CAE_E_SHAPE},
        {HEAD "conv 1 kernel 3\n" TAIL, "line 4", CAE_E_SHAPE},
        {HEAD "conv 2 kernel 1\ncode\nconv 2 kernel 1\n", "line 4", CAE_E_SHAPE},
        {HEAD "maxpool 3 pad 2\n" TAIL, "line 2", CAE_E_SHAPE},
        {HEAD "tconv 1 kernel 1 pad 4\n" TAIL, "line 2", CAE_E_SHAPE},
        {HEAD "mark a\nconv 2 kernel 1\nadd a\n" TAIL, "line 4", CAE_E_SHAPE},
        {HEAD "mark a\nmaxpool 2\nconcat a\n" TAIL, "line 4", CAE_E_SHAPE},
        {"input 65537 8 8\nconv 1 kernel 1\n" TAIL, "line 1, column 7", CAE_E_LIMIT},
        {"input 1 16777217 8\nconv 1 kernel 1\n" TAIL, "line 1, column 9", CAE_E_LIMIT},
        {HEAD "conv 99999999999999999999999 kernel 1\n" TAIL, "line 2, column 6", CAE_E_LIMIT},
        {HEAD "conv 2 kernel 65537 pad 40000\n" TAIL, "line 2, column 15", CAE_E_LIMIT},
        {HEAD "conv 65536 kernel 65 pad 32\n" TAIL, "line 2", CAE_E_LIMIT},
        {HEAD "dense 65536 256 256\ncode\ndense 1 8 8\n", "line 2", CAE_E_LIMIT},
        {HEAD "tconv 1 kernel 1 stride 65536\nmaxpool 1\ntconv 1 kernel 1 stride 65536\n" TAIL,
         "line 4", CAE_E_LIMIT},
        {HEAD "conv 1 kernel 1 \x01\n" TAIL, "line 2, column 17", CAE_E_SYNTAX},
        {"input 1 8 8 noises\nconv 1 kernel 1\n", "line 1, column 13", CAE_E_SYNTAX},
        {"input 1 8 8 noise noise\nconv 1 kernel 1\n", "line 1, column 19", CAE_E_SYNTAX},
        {"input 1 8 8 noise\n", "line 1: there is no layer", CAE_E_SYNTAX},
        {"input 1 8 8 noise\nmark a\n", "line 2: there is no layer", CAE_E_SYNTAX},
        {"input 1 8 8 noise\nconv 1 kernel 1\ncode\n", "line 3", CAE_E_SYNTAX},
        {"input 1 8 8 noise\nconv 1 kernel 1 stride 2\n", "line 2", CAE_E_SHAPE},
        {HEAD "a b c d e f g h i j k l m n o p q r s\n" TAIL, "line 2", CAE_E_SYNTAX},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        refuse_text(rows[i].text, rows[i].status, rows[i].word);
    }
    refuse_text(NULL, CAE_E_ARGUMENT, "architecture");
    FAILS(cae_model_new(NULL, small_net, 1), CAE_E_ARGUMENT, "out");
}

/* 64 KiB of text and 1024 lines are the caps; what is just below is read. */
static void long_texts_meet_a_cap(void)
{
    enum { CAP = 65536 };
    char *text = need(CAP + 2, 1);
    memset(text, ' ', CAP + 1);
    memcpy(text, small_net, strlen(small_net));
    text[CAP] = '\0';
    cae_model *m = new_model(text, 1);
    cae_model_free(m);
    text[CAP] = ' ';
    refuse_text(text, CAE_E_LIMIT, "");
    memset(text, '\n', CAP);
    text[2000] = '\0';
    memcpy(text + 2000 - 20, "input 1 8 8", 11);
    refuse_text(text, CAE_E_LIMIT, "");
    free(text);
}

static void an_unknown_cpu_is_an_argument(void)
{
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        cae_model *m = not_a_model;
        setenv("CAE_CPU", "abacus", 1);
        FAILS(cae_model_new(&m, small_net, 1), CAE_E_ARGUMENT, "abacus");
        EXPECT(m == NULL && strstr(cae_last_error(), "CAE_CPU") != NULL);
        FAILS(cae_model_load_memory(&m, "x", 1), CAE_E_FORMAT, "");
        _exit(expect_failures() > 0);
    }
    int status = 1;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
}

/* ---- Files ------------------------------------------------------------------------------------
 */

static char folder[] = "/tmp/cae-arguments-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[200];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(in_folder(name), "wb");
    EXPECT(file != NULL && fwrite(data, 1, size, file) == size);
    fclose(file);
}

static void refuse_path(const char *name, int status, const char *word)
{
    cae_model *m = not_a_model;
    cae_model *kept = new_model(small_net, 1);
    cae_model *twin = copy_model(kept);
    expect_context("loading %s", name);
    FAILS(cae_model_load(&m, in_folder(name)), status, word);
    EXPECT(m == NULL);
    FAILS(cae_model_load_weights(kept, in_folder(name)), status, word);
    EXPECT(same_models(kept, twin));
    cae_model_free(kept);
    cae_model_free(twin);
    expect_context("%s", "");
}

static void loading_refuses_what_is_no_model(void)
{
    cae_model *m = not_a_model;
    refuse_path("missing", CAE_E_IO, "missing");
    refuse_path("", CAE_E_IO, "");
    refuse_path("no/folder/model", CAE_E_IO, "no/folder/model");
    write_file("empty", "", 0);
    refuse_path("empty", CAE_E_FORMAT, "");
    write_file("text", "once upon a time there was a file that was no model", 50);
    refuse_path("text", CAE_E_FORMAT, "");
    EXPECT(mkfifo(in_folder("pipe"), 0600) == 0);
    refuse_path("pipe", CAE_E_IO, "pipe"); /* and does not wait for a writer */
    FAILS(cae_model_load(NULL, "x"), CAE_E_ARGUMENT, "out");
    FAILS(cae_model_load(&m, NULL), CAE_E_ARGUMENT, "path");
    EXPECT(m == NULL);
    m = not_a_model;
    FAILS(cae_model_load(&m, ""), CAE_E_IO, "");
    EXPECT(m == NULL);
    FAILS(cae_model_load_memory(NULL, "x", 1), CAE_E_ARGUMENT, "out");
    FAILS(cae_model_load_memory(&m, NULL, 1), CAE_E_ARGUMENT, "data");
    FAILS(cae_model_load_memory(&m, "", 0), CAE_E_FORMAT, "");
    FAILS(cae_model_load_memory(&m, "12345678", 8), CAE_E_FORMAT, "");
    EXPECT(m == NULL);
    FAILS(cae_model_load_weights(NULL, "x"), CAE_E_ARGUMENT, "m");
    m = new_model(small_net, 1);
    FAILS(cae_model_load_weights(m, NULL), CAE_E_ARGUMENT, "path");
    cae_model_free(m);
}

static void saving_refuses_what_it_cannot_write(void)
{
    cae_model *m = new_model(small_net, 1);
    FAILS(cae_model_save(NULL, in_folder("a"), 0), CAE_E_ARGUMENT, "m");
    FAILS(cae_model_save(m, NULL, 0), CAE_E_ARGUMENT, "path");
    FAILS(cae_model_save(m, in_folder("a"), 8), CAE_E_ARGUMENT, "flags");
    FAILS(cae_model_save(m, in_folder("a"), 0x80000001u), CAE_E_ARGUMENT, "flags");
    OK(cae_model_save(m, in_folder("a"), CAE_SAVE_TRY | CAE_SAVE_TRAINING));
    EXPECT(access(in_folder("a"), F_OK) != 0);
    FAILS(cae_model_save(m, in_folder("no/a"), CAE_SAVE_TRY), CAE_E_IO, "no/a");
    FAILS(cae_model_save(m, in_folder("no/a"), 0), CAE_E_IO, "no/a");
    FAILS(cae_model_save(m, folder, 0), CAE_E_IO, folder);
    FAILS(cae_model_save(m, in_folder("pipe"), 0), CAE_E_IO, "pipe");
    FAILS(cae_model_save(m, "", 0), CAE_E_ARGUMENT, "path");
    FAILS(cae_model_save(m, "/dev/null", 0), CAE_E_IO, "/dev/null");
    EXPECT(access(in_folder("a"), F_OK) != 0);

    size_t size = 7;
    char data[64];
    FAILS(cae_model_save_memory(NULL, NULL, 0, &size, 0), CAE_E_ARGUMENT, "m");
    FAILS(cae_model_save_memory(m, NULL, 0, NULL, 0), CAE_E_ARGUMENT, "size");
    FAILS(cae_model_save_memory(m, NULL, 10, &size, 0), CAE_E_ARGUMENT, "data");
    FAILS(cae_model_save_memory(m, NULL, 0, &size, CAE_SAVE_TRY), CAE_E_ARGUMENT, "flags");
    struct bytes whole = save_bytes(m, 0);
    FAILS(cae_model_save_memory(m, data, sizeof(data), &size, 0), CAE_E_BUFFER, "");
    EXPECT(size == whole.size);
    size = 7;
    FAILS(cae_model_save_memory(m, whole.data, whole.size - 1, &size, 0), CAE_E_BUFFER, "");
    EXPECT(size == whole.size);
    free_bytes(&whole);
    cae_model_free(m);
}

static void copying_refuses(void)
{
    cae_model *m = new_model(small_net, 1);
    cae_model *copy = not_a_model;
    FAILS(cae_model_copy(NULL, m, 0), CAE_E_ARGUMENT, "out");
    FAILS(cae_model_copy(&copy, NULL, 0), CAE_E_ARGUMENT, "m");
    EXPECT(copy == NULL);
    copy = not_a_model;
    FAILS(cae_model_copy(&copy, m, 2), CAE_E_ARGUMENT, "flags");
    EXPECT(copy == NULL);
    cae_model_free(NULL);
    cae_model_free(m);
}

/* ---- Looking ----------------------------------------------------------------------------------
 */

static void looking_at_nothing(void)
{
    size_t shape[4];
    cae_model *m = new_model(small_net, 1);
    EXPECT(cae_model_architecture(NULL) == NULL);
    EXPECT(cae_model_kernels(NULL) == NULL);
    EXPECT(cae_tensor_count(NULL) == 0);
    FAILS(cae_model_shape(NULL, shape), CAE_E_ARGUMENT, "m");
    FAILS(cae_model_shape(m, NULL), CAE_E_ARGUMENT, "shape");
    FAILS(cae_code_shape(NULL, 8, 8, shape), CAE_E_ARGUMENT, "m");
    FAILS(cae_code_shape(m, 8, 8, NULL), CAE_E_ARGUMENT, "shape");
    FAILS(cae_code_shape(m, 0, 8, shape), CAE_E_ARGUMENT, "height");
    FAILS(cae_code_shape(m, 8, 0, shape), CAE_E_ARGUMENT, "width");
    FAILS(cae_code_shape(m, SIZE_MAX, 8, shape), CAE_E_LIMIT, "2^24");
    FAILS(cae_code_shape(m, 8, (size_t)1 << 25, shape), CAE_E_LIMIT, "");
    cae_model *dense = new_model(dense_net, 1);
    FAILS(cae_code_shape(dense, 6, 6, shape), CAE_E_SHAPE, "6 x 5");
    cae_model *crossed = new_model(crossed_net, 1);
    FAILS(cae_code_shape(crossed, 8, 8, shape), CAE_E_UNSUPPORTED, "code");
    cae_model_free(m);
    cae_model_free(dense);
    cae_model_free(crossed);
}

static void tensors(void)
{
    cae_model *m = new_model(small_net, 1);
    cae_model *twin = copy_model(m);
    float values[1000] = {0};
    size_t shape[4];
    size_t rank;
    const char *name = NULL;
    FAILS(cae_tensor_info(NULL, 0, &name, shape, &rank), CAE_E_ARGUMENT, "m");
    FAILS(cae_tensor_info(m, cae_tensor_count(m), &name, shape, &rank), CAE_E_ARGUMENT, "index");
    FAILS(cae_tensor_info(m, SIZE_MAX, NULL, NULL, NULL), CAE_E_ARGUMENT, "index");
    for (size_t t = 0; t < cae_tensor_count(m); t++) {
        OK(cae_tensor_info(m, t, NULL, NULL, NULL));
        OK(cae_tensor_info(m, t, &name, shape, &rank));
        const size_t len = shape[0] * shape[1] * shape[2] * shape[3];
        expect_context("%s", name);
        FAILS(cae_tensor_get(NULL, t, values, len), CAE_E_ARGUMENT, "m");
        FAILS(cae_tensor_get(m, t, NULL, len), CAE_E_ARGUMENT, "values");
        FAILS(cae_tensor_get(m, t, values, len - 1), CAE_E_SHAPE, name);
        FAILS(cae_tensor_get(m, t, values, len + 1), CAE_E_SHAPE, name);
        FAILS(cae_tensor_set(NULL, t, values, len), CAE_E_ARGUMENT, "m");
        FAILS(cae_tensor_set(m, t, NULL, len), CAE_E_ARGUMENT, "values");
        FAILS(cae_tensor_set(m, t, values, 0), CAE_E_SHAPE, name);
        FAILS(cae_tensor_set(m, t, values, len + 1), CAE_E_SHAPE, name);
        values[len - 1] = NAN;
        FAILS(cae_tensor_set(m, t, values, len), CAE_E_NONFINITE, name);
        values[len - 1] = -INFINITY;
        FAILS(cae_tensor_set(m, t, values, len), CAE_E_NONFINITE, name);
        values[len - 1] = 0;
    }
    FAILS(cae_tensor_get(m, 99, values, 1), CAE_E_ARGUMENT, "index");
    FAILS(cae_tensor_set(m, 99, values, 1), CAE_E_ARGUMENT, "index");
    EXPECT(same_models(m, twin));
    cae_model_free(m);
    cae_model_free(twin);
}

/* ---- Notes ------------------------------------------------------------------------------------
 */

static void notes(void)
{
    static const char *const keys[] = {
        "",         "libcae.", "libcae.version",
        "a b",      "a/b",     "a\n",
        "\xc3\xa9", "a\"",     "12345678901234567890123456789012345678901234567890123456789012345"};
    static const char *const values[] = {
        "\x80", "a\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"};
    cae_model *m = new_model(small_net, 1);
    cae_model *twin = copy_model(m);
    const char *key = NULL;
    const char *value = NULL;
    char most[4098] = {0};
    memset(most, 'x', 4097);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        FAILS(cae_model_note_set(m, keys[i], "x"), CAE_E_ARGUMENT, "key");
        FAILS(cae_model_note_set(m, keys[i], NULL), CAE_E_ARGUMENT, "key");
        EXPECT(cae_model_note(m, keys[i]) == NULL);
    }
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        FAILS(cae_model_note_set(m, "a.b", values[i]), CAE_E_ARGUMENT, "note a.b");
    }
    FAILS(cae_model_note_set(NULL, "a", "x"), CAE_E_ARGUMENT, "m");
    FAILS(cae_model_note_set(m, NULL, "x"), CAE_E_ARGUMENT, "key");
    FAILS(cae_model_note_set(m, "a", most), CAE_E_LIMIT, "4097");
    EXPECT(cae_model_note(NULL, "a") == NULL && cae_model_note(m, NULL) == NULL);
    FAILS(cae_model_note_info(NULL, 0, &key, &value), CAE_E_ARGUMENT, "m");
    FAILS(cae_model_note_info(m, 0, &key, &value), CAE_E_ARGUMENT, "0 notes");
    FAILS(cae_model_note_info(m, SIZE_MAX, NULL, NULL), CAE_E_ARGUMENT, "index");
    EXPECT(same_models(m, twin));
    most[4096] = '\0';
    OK(cae_model_note_set(m, keys[8] + 1, most));
    OK(cae_model_note_set(m, keys[8] + 1, NULL));
    OK(cae_model_note_set(m, "none", NULL));
    EXPECT(same_models(m, twin));
    cae_model_free(m);
    cae_model_free(twin);
}

/* ---- Settings ---------------------------------------------------------------------------------
 */

static void check_setting(cae_model *m, const char *key, double min, double max, double initial)
{
    const double wrong[] = {
        min - 1,  nextafter(min, -INFINITY), nextafter(max, INFINITY), max * 2 + 1, NAN, INFINITY,
        -INFINITY};
    double value = -7;
    expect_context("%s", key);
    OK(cae_model_get(m, key, &value));
    EXPECT(value == initial && min <= initial && initial <= max);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        FAILS(cae_model_set(m, key, wrong[i]), CAE_E_ARGUMENT, key);
        OK(cae_model_get(m, key, &value));
        EXPECT(value == initial);
    }
    const double right[] = {min, max, initial};
    for (size_t i = 0; i < 3; i++) {
        OK(cae_model_set(m, key, right[i]));
        OK(cae_model_get(m, key, &value));
        EXPECT(value == right[i]);
    }
}

static void settings_keep_their_ranges(void)
{
    static const char *const whole[] = {"threads", "reproducible", "memory_limit", "epoch"};
    cae_model *m = new_model(small_net, 1);
    const char *key = NULL;
    double min, max, initial, value;
    size_t count = 0;
    for (; cae_setting_info(count, &key, &min, &max, &initial) == CAE_OK; count++) {
        check_setting(m, key, min, max, initial);
        OK(cae_setting_info(count, NULL, NULL, NULL, NULL));
    }
    EXPECT(count >= 9);
    FAILS(cae_setting_info(count, &key, NULL, NULL, NULL), CAE_E_ARGUMENT, "setting number");
    FAILS(cae_setting_info(SIZE_MAX, NULL, NULL, NULL, NULL), CAE_E_ARGUMENT, "setting number");
    for (size_t i = 0; i < 4; i++) {
        FAILS(cae_model_set(m, whole[i], 0.5 + (i == 2 ? 1e6 : 0)), CAE_E_ARGUMENT, whole[i]);
    }
    FAILS(cae_model_set(m, "beta1", 1), CAE_E_ARGUMENT, "beta1");
    FAILS(cae_model_set(m, "parameters", 1), CAE_E_ARGUMENT, "parameters");
    FAILS(cae_model_set(m, "step", 1), CAE_E_ARGUMENT, "step");
    FAILS(cae_model_set(m, "Threads", 1), CAE_E_ARGUMENT, "Threads");
    FAILS(cae_model_set(m, "", 1), CAE_E_ARGUMENT, "");
    FAILS(cae_model_set(m, NULL, 1), CAE_E_ARGUMENT, "key");
    FAILS(cae_model_set(NULL, "threads", 1), CAE_E_ARGUMENT, "m");
    FAILS(cae_model_get(m, "thread", &value), CAE_E_ARGUMENT, "thread");
    FAILS(cae_model_get(m, NULL, &value), CAE_E_ARGUMENT, "key");
    FAILS(cae_model_get(m, "threads", NULL), CAE_E_ARGUMENT, "value");
    FAILS(cae_model_get(NULL, "threads", &value), CAE_E_ARGUMENT, "m");
    cae_model_free(m);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(an_unknown_cpu_is_an_argument), /* first: the variable is read once */
        TEST(status_and_version),
        TEST(the_last_error_survives_success),
        TEST(presets),
        TEST(wrong_texts_are_refused_by_line_and_column),
        TEST(long_texts_meet_a_cap),
        TEST(loading_refuses_what_is_no_model),
        TEST(saving_refuses_what_it_cannot_write),
        TEST(copying_refuses),
        TEST(looking_at_nothing),
        TEST(tensors),
        TEST(notes),
        TEST(settings_keep_their_ranges),
    };
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    const int result = RUN_TESTS(argc, argv, tests);
    char command[100];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command) != 0 || result != 0;
}
