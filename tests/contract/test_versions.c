/*
 * Model files of other times. A setting that a file does not have yet has its initial value; what
 * is in a file and not known here is refused as the work of a newer libcae, with its name, whether
 * the file states a newer version or not. (Files of the past themselves are tests/golden.)
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <stdlib.h>

#include "contract.h"
#include "latent/latent.h"
#include "model/file.h"

static const char *const values_of[][2] = {
    {"learning_rate", "0.002"}, {"beta1", "0.8"},      {"beta2", "0.99"},     {"epsilon", "1e-7"},
    {"weight_decay", "0.01"},   {"reproducible", "1"}, {"kl_weight", "0.25"},
};

enum { SETTINGS = sizeof(values_of) / sizeof(values_of[0]), TENSORS = 64 };

static cae_model *trained(const char *text)
{
    cae_model *m = new_model(text, 5);
    size_t shape[3];
    OK(cae_model_shape(m, shape));
    float *images = noise(2 * shape[0] * shape[1] * shape[2], 1);
    for (size_t i = 0; i < SETTINGS; i++) {
        OK(cae_model_set(m, values_of[i][0], strtod(values_of[i][1], NULL)));
    }
    OK(cae_train_step(m, images, images, 2, shape[1], shape[2], NULL));
    free(images);
    return m;
}

/* ---- A file with something changed ------------------------------------------------------------
 */

struct change {
    const char *without; /* this tensor */
    const char *with;    /* one more tensor */
    const char *narrow;  /* this tensor as F16 */
    const char *text;    /* another architecture */
    unsigned version;    /* another version; 0: as it is */
    struct bytes file;   /* the result */
};

static void write_changed(struct change *c, const cae_file_model *file)
{
    const cae_memory *memory = cae_memory_default();
    static const double one = 1;
    cae_file_tensor tensors[TENSORS];
    cae_file_model changed = *file;
    changed.tensors = tensors;
    changed.len = 0;
    for (size_t i = 0; i < file->len && changed.len < TENSORS; i++) {
        if (c->without == NULL || strcmp(file->tensors[i].name, c->without) != 0) {
            cae_file_tensor *t = &tensors[changed.len++];
            *t = file->tensors[i];
            if (c->narrow != NULL && strcmp(t->name, c->narrow) == 0) {
                t->dtype = CAE_DTYPE_F16;
            }
        }
    }
    EXPECT((changed.len < file->len) == (c->without != NULL) && changed.len < TENSORS);
    if (c->with != NULL) {
        tensors[changed.len++] = (cae_file_tensor){c->with, CAE_DTYPE_F64, 1, {1}, &one};
    }
    changed.architecture = c->text != NULL ? c->text : file->architecture;
    changed.version = c->version > 0 ? c->version : file->version;
    OK(cae_model_file_write_memory(memory, &changed, NULL, 0, &c->file.size));
    c->file.data = need(c->file.size, 1);
    OK(cae_model_file_write_memory(memory, &changed, c->file.data, c->file.size, &c->file.size));
}

static int load_changed(cae_model **out, const cae_model *m, struct change c)
{
    cae_model_list list;
    OK(cae_model_list_make(&list, m, CAE_SAVE_TRAINING));
    write_changed(&c, &list.file);
    cae_model_list_free(&list);
    const int status = cae_model_load_memory(out, c.file.data, c.file.size);
    free_bytes(&c.file);
    return status;
}

/* ---- The tests --------------------------------------------------------------------------------
 */

static const char sampled_net[] =
    "input 1 4 4\nconv 4 kernel 3 stride 2 pad 1\ncode sampled\ntconv 1 kernel 2 stride 2\n";

static void a_setting_that_a_file_lacks_has_its_initial_value(void)
{
    cae_model *m = trained(sampled_net);
    for (size_t i = 0; i < SETTINGS; i++) {
        cae_model *old = NULL;
        char tensor[64];
        snprintf(tensor, sizeof(tensor), "train.%s", values_of[i][0]);
        expect_context("%s", tensor);
        OK(load_changed(&old, m, (struct change){.without = tensor}));
        for (size_t k = 0; k < SETTINGS && old != NULL; k++) {
            const cae_setting *s = cae_setting_find(values_of[k][0]);
            double value = -1;
            OK(cae_model_get(old, s->key, &value));
            EXPECT(value == (k == i ? s->initial : strtod(values_of[k][1], NULL)));
        }
        cae_model_free(old);
    }
    expect_context("%s", "");
    cae_model_free(m);
}

/* Every saved setting is in this test. */
static void all_saved_settings_are_tried(void)
{
    size_t saved = 0;
    for (size_t i = 0; cae_setting_at(i) != NULL; i++) {
        saved += cae_setting_at(i)->version > 0;
        EXPECT(cae_setting_at(i)->version <= CAE_FILE_VERSION);
    }
    EXPECT_SAID(saved == SETTINGS, "%zu settings are saved", saved);
}

static void expect_word(const char *known, const char *word)
{
    char spaced[64];
    snprintf(spaced, sizeof(spaced), " %s ", word);
    EXPECT_SAID(strstr(known, spaced) != NULL, "no row has the word %s", word);
}

/* The words of the text, and the version that knows them. */
static void a_file_states_the_version_of_its_words(void)
{
    static const struct {
        const char *text, *words;
        unsigned version;
    } rows[] = {
        {"input 1 4 4\nconv 4 kernel 1\nmaxpool 2\nmark a\nadd a\nconcat a\ncode\n"
         "tconv 1 kernel 2 stride 2\n",
         " conv maxpool add concat tconv ", 1},
        {"input 1 4 4\ndense 4\ncode sampled\ndense 1 4 4\n", " dense sampled ", 1},
    };
    char known[1024] = "";
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cae_model *m = new_model(rows[i].text, 1);
        cae_model_list list;
        OK(cae_model_list_make(&list, m, 0));
        EXPECT_SAID(list.file.version == rows[i].version, "row %zu states version %u", i,
                    list.file.version);
        cae_model_list_free(&list);
        strncat(known, rows[i].words, sizeof(known) - strlen(known) - 1);
        cae_model_free(m);
    }
    for (size_t i = 0; cae_op_types[i] != NULL; i++) {
        expect_word(known, cae_op_types[i]->word);
    }
    for (size_t i = 0; cae_latents[i] != NULL; i++) {
        expect_word(known, cae_latents[i]->word);
    }
}

static void files_of_tomorrow_are_told_as_such(void)
{
    static const struct {
        struct change change;
        const char *word;
    } rows[] = {
        {{.version = CAE_FILE_VERSION + 1}, "this library reads up to"},
        {{.version = 999999999, .with = "train.tomorrow"}, "version 999999999"},
        {{.with = "train.tomorrow"}, "'train.tomorrow'"},
        {{.with = "codec.scale"}, "'codec.scale'"},
        {{.with = "aaa"}, "'aaa'"},
        {{.with = "train.m.9.weight"}, "'train.m.9.weight'"},
        {{.with = "0.scale"}, "'0.scale'"},
        {{.text = "input 1 4 4\nfrobnicate 4\ncode\nconv 1 kernel 1\n"}, "frobnicate"},
        {{.text = "input 1 4 4\nconv 4 kernel 3 dilation 2\ncode\nconv 1 kernel 1\n"}, "dilation"},
        {{.text = "input 1 4 4\nconv 4 kernel 3 swish\ncode\nconv 1 kernel 1\n"}, "swish"},
        {{.text = "input 1 4 4\nconv 4 kernel 3\ncode quantised\nconv 1 kernel 1\n"}, "quantised"},
    };
    cae_model *m = trained(sampled_net);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cae_model *out = m;
        expect_context("row %zu", i);
        FAILS(load_changed(&out, m, rows[i].change), CAE_E_VERSION, rows[i].word);
        EXPECT(out == NULL && strstr(cae_last_error(), "made by a newer libcae") != NULL);
    }
    expect_context("%s", "");
    cae_model_free(m);
}

/* F16 is for weights, where there is nothing to train on with. (Golden files and test_shipped.c have
 * the good ones.) */
static void not_everything_may_be_f16(void)
{
    static const char *const names[] = {"0.weight",  "0.bias",    "train.m.0.bias",
                                        "codec.min", "codec.max", "train.v.1.weight"};
    cae_model *m = trained(sampled_net);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cae_model *out = m;
        FAILS(load_changed(&out, m, (struct change){.narrow = names[i]}), CAE_E_FORMAT,
              "is F16, not F32");
        EXPECT(out == NULL && strstr(cae_last_error(), names[i]) != NULL);
    }
    cae_model_free(m);
}

/* These are no files of another time. */
static void what_is_missing_is_damage(void)
{
    static const char *const names[] = {"train.step", "train.seed",       "train.epoch",
                                        "codec.min",  "codec.max",        "0.bias",
                                        "1.weight",   "train.m.0.weight", "train.v.1.bias"};
    cae_model *m = trained(sampled_net);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cae_model *out = m;
        FAILS(load_changed(&out, m, (struct change){.without = names[i]}), CAE_E_FORMAT, names[i]);
        EXPECT(out == NULL);
    }
    cae_model_free(m);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(a_setting_that_a_file_lacks_has_its_initial_value),
        TEST(all_saved_settings_are_tried),
        TEST(a_file_states_the_version_of_its_words),
        TEST(files_of_tomorrow_are_told_as_such),
        TEST(not_everything_may_be_f16),
        TEST(what_is_missing_is_damage),
    };
    return RUN_TESTS(argc, argv, tests);
}
