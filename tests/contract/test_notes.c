/*
 * Notes travel with a model: through saving with and without the training state, loading and
 * copying, sorted, whatever their bytes; they change neither results nor the model's id; and what
 * other programs wrote into a file's metadata is kept as far as notes can hold it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <stdlib.h>

#include "contract.h"
#include "mutate.h"

enum { H = 8, W = 8, CHANNELS = 2 };

static const char text[] = "\"\\/\b\f\n\r\t\x01\x1f\x7f \xc3\xa9\xf0\x9f\x98\x80";

static cae_model *load(struct bytes file)
{
    cae_model *m = NULL;
    OK(cae_model_load_memory(&m, file.data, file.size));
    return m;
}

static bool note_is(const cae_model *m, const char *key, const char *value)
{
    const char *found = cae_model_note(m, key);
    return found != NULL && value != NULL ? strcmp(found, value) == 0 : found == value;
}

static void adding_replacing_and_removing(void)
{
    cae_model *m = new_model(small_net, 1);
    const char *key = NULL;
    const char *value = NULL;
    OK(cae_model_note_set(m, "b", "1"));
    OK(cae_model_note_set(m, "z.9", ""));
    OK(cae_model_note_set(m, "a-_", text));
    OK(cae_model_note_set(m, "b", "two"));
    OK(cae_model_note_set(m, "libcae", "a prefix without its dot is free"));
    OK(cae_model_note_info(m, 0, &key, &value));
    EXPECT(strcmp(key, "a-_") == 0 && strcmp(value, text) == 0);
    OK(cae_model_note_info(m, 1, &key, &value));
    EXPECT(strcmp(key, "b") == 0 && strcmp(value, "two") == 0);
    OK(cae_model_note_info(m, 3, &key, NULL));
    OK(cae_model_note_info(m, 3, NULL, &value));
    EXPECT(strcmp(key, "z.9") == 0 && *value == '\0');
    /* From its own key and value. */
    OK(cae_model_note_info(m, 1, &key, &value));
    OK(cae_model_note_set(m, key, value + 1));
    EXPECT(note_is(m, "b", "wo"));
    OK(cae_model_note_set(m, "b", NULL));
    OK(cae_model_note_set(m, "b", NULL));
    EXPECT(cae_model_note(m, "b") == NULL);
    FAILS(cae_model_note_info(m, 3, &key, &value), CAE_E_ARGUMENT, "3 notes");
    cae_model_free(m);
}

static void thirty_two_and_no_more(void)
{
    cae_model *m = new_model(small_net, 1);
    char key[8];
    for (int i = 0; i < 32; i++) {
        snprintf(key, sizeof(key), "k%d", i * 7 % 32);
        OK(cae_model_note_set(m, key, key));
    }
    FAILS(cae_model_note_set(m, "one-more", ""), CAE_E_LIMIT, "32");
    OK(cae_model_note_set(m, "k9", "replaced"));
    OK(cae_model_note_set(m, "k8", NULL));
    OK(cae_model_note_set(m, "one-more", ""));
    const char *before = "";
    for (size_t i = 0; i < 32; i++) {
        const char *at = NULL;
        OK(cae_model_note_info(m, i, &at, NULL));
        EXPECT(strcmp(before, at) < 0);
        before = at;
    }
    struct bytes saved = save_bytes(m, 0);
    cae_model *back = load(saved);
    EXPECT(note_is(back, "k9", "replaced") && note_is(back, "one-more", ""));
    free_bytes(&saved);
    cae_model_free(back);
    cae_model_free(m);
}

static void they_are_saved_loaded_and_copied(void)
{
    for (uint32_t flags = 0; flags <= CAE_SAVE_TRAINING; flags++) {
        cae_model *m = new_model(small_net, 1);
        struct bytes without = save_bytes(m, flags);
        OK(cae_model_note_set(m, "zz", "behind"));
        OK(cae_model_note_set(m, "a", text));
        struct bytes with = save_bytes(m, flags);
        cae_model *back = load(with);
        cae_model *copy = NULL;
        OK(cae_model_copy(&copy, back, flags));
        const cae_model *each[] = {back, copy};
        for (size_t i = 0; i < 2; i++) {
            struct bytes again = save_bytes(each[i], flags);
            EXPECT(note_is(each[i], "a", text) && note_is(each[i], "zz", "behind"));
            EXPECT(same_bytes(again, with));
            free_bytes(&again);
        }
        /* A file without notes is what it always was. */
        OK(cae_model_note_set(back, "a", NULL));
        OK(cae_model_note_set(back, "zz", NULL));
        struct bytes again = save_bytes(back, flags);
        EXPECT(same_bytes(again, without) && !same_bytes(again, with));
        free_bytes(&again);
        free_bytes(&with);
        free_bytes(&without);
        cae_model_free(copy);
        cae_model_free(back);
        cae_model_free(m);
    }
}

static void compressed_images_do_not_depend_on_them(void)
{
    cae_model *m = new_model(small_net, 1);
    uint8_t pixels[CHANNELS * H * W] = {7};
    uint8_t data[4096];
    size_t size = 0;
    OK(cae_compress(m, pixels, H, W, CHANNELS * W, 0, data, sizeof(data), &size));
    cae_model *copy = copy_model(m);
    OK(cae_model_note_set(copy, "a", "b"));
    OK(cae_decompress(copy, data, size, pixels, H, W, CHANNELS * W));
    cae_model_free(copy);
    cae_model_free(m);
}

/* ---- Metadata of others -----------------------------------------------------------------------
 */

/* The model's file with `more` at the front of its metadata. */
static struct bytes with_metadata(const cae_model *m, const char *more)
{
    static const char head[] = "{\"__metadata__\":{";
    struct bytes plain = save_bytes(m, 0);
    uint64_t header = 0;
    for (int i = 7; i >= 0; i--) {
        header = header << 8 | plain.data[i];
    }
    const size_t text_size = (size_t)header + strlen(more);
    const size_t padded = (8 + text_size + 63) / 64 * 64 - 8;
    struct bytes out = {need(1, 8 + padded + plain.size - 8 - (size_t)header), 0};
    out.size = 8 + padded + plain.size - 8 - (size_t)header;
    uint8_t *at = out.data;
    for (int i = 0; i < 8; i++) {
        *at++ = (uint8_t)((uint64_t)padded >> 8 * i);
    }
    memcpy(at, head, strlen(head));
    memcpy(at + strlen(head), more, strlen(more));
    memcpy(at + strlen(head) + strlen(more), plain.data + 8 + strlen(head),
           (size_t)header - strlen(head));
    memset(at + text_size, ' ', padded - text_size);
    memcpy(at + padded, plain.data + 8 + header, plain.size - 8 - (size_t)header);
    fuzz_repair_model(out.data, out.size);
    free_bytes(&plain);
    return out;
}

static void metadata_of_others_is_kept_where_it_fits(void)
{
    cae_model *m = new_model(small_net, 1);
    char more[16384] = "\"format\":\"\\u0070\\ud83d\\uDE00\\/\",\"\":\"x\",\"two words\":\"x\","
                       "\"libcae.more\":\"x\",\"schl\xc3\xbcssel\":\"x\",\"long\":\"";
    for (int i = 0; i < 4097; i++) {
        strcat(more, "l");
    }
    strcat(more, "\",\"most\":\"");
    for (int i = 0; i < 4096; i++) {
        strcat(more, "m");
    }
    strcat(more, "\",");
    struct bytes file = with_metadata(m, more);
    cae_model *back = load(file);
    EXPECT(note_is(back, "format", "p\xf0\x9f\x98\x80/"));
    EXPECT(cae_model_note(back, "most") != NULL && strlen(cae_model_note(back, "most")) == 4096);
    FAILS(cae_model_note_info(back, 2, NULL, NULL), CAE_E_ARGUMENT, "2 notes");
    cae_model_free(back);
    free_bytes(&file);
    /* The first 32 of more. */
    *more = '\0';
    for (int i = 0; i < 61; i++) {
        snprintf(more + strlen(more), 32, "\"k%02d\":\"v\",", 60 - i);
    }
    file = with_metadata(m, more);
    back = load(file);
    FAILS(cae_model_note_info(back, 32, NULL, NULL), CAE_E_ARGUMENT, "32 notes");
    EXPECT(note_is(back, "k60", "v") && note_is(back, "k29", "v") && note_is(back, "k28", NULL));
    cae_model_free(back);
    free_bytes(&file);
    cae_model_free(m);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(adding_replacing_and_removing),
        TEST(thirty_two_and_no_more),
        TEST(they_are_saved_loaded_and_copied),
        TEST(compressed_images_do_not_depend_on_them),
        TEST(metadata_of_others_is_kept_where_it_fits),
    };
    return RUN_TESTS(argc, argv, tests);
}
