/*
 * Weights from a plain safetensors file, as PyTorch writes them, written here by hand: every tensor
 * must be there with its name and shape, and no other; a refused file changes nothing.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "contract.h"

static char path[] = "/tmp/cae-weights-XXXXXX";

/* What is done to a good file. */
enum fault {
    NONE,
    METADATA, /* harmless */
    REVERSED, /* harmless: another order of names and data */
    WRONG_NAME,
    WRONG_SHAPE,
    MISSING,
    EXTRA,
    DOUBLES,
    NOT_A_NUMBER,
    OVERLAP,
    TOO_SHORT,
    FAULTS
};

static const int expected[FAULTS] = {CAE_OK,          CAE_OK,       CAE_OK,      CAE_E_MODEL,
                                     CAE_E_MODEL,     CAE_E_MODEL,  CAE_E_MODEL, 0,
                                     CAE_E_NONFINITE, CAE_E_FORMAT, CAE_E_FORMAT};

struct draft {
    char header[8192];
    size_t header_size;
    float values[4096];
    size_t len;
};

static void add(struct draft *d, const char *text)
{
    d->header_size += (size_t)snprintf(d->header + d->header_size,
                                       sizeof(d->header) - d->header_size, "%s", text);
}

static void add_tensor(struct draft *d, const cae_model *m, size_t t, enum fault fault)
{
    const bool first = t == 0;
    char text[400], shape_text[100] = "";
    const char *name = NULL;
    size_t shape[4], rank;
    OK(cae_tensor_info(m, t, &name, shape, &rank));
    const size_t len = shape[0] * shape[1] * shape[2] * shape[3];
    OK(cae_tensor_get(m, t, d->values + d->len, len));
    for (size_t i = 0; i < rank; i++) {
        char part[32];
        const size_t side = first && fault == WRONG_SHAPE ? len : shape[i];
        snprintf(part, sizeof(part), "%s%zu", i > 0 ? "," : "", side);
        strcat(shape_text, part);
    }
    if (first && fault == WRONG_SHAPE) {
        snprintf(shape_text, sizeof(shape_text), "1,%zu", len);
    }
    const size_t from = d->len - (fault == OVERLAP && !first ? 1 : 0);
    snprintf(text, sizeof(text),
             "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
             d->header[d->header_size - 1] == '{' ? "" : ",",
             first && fault == WRONG_NAME ? "0.biases" : name, fault == DOUBLES ? "F64" : "F32",
             shape_text, from * 4, (d->len + len) * 4);
    add(d, text);
    d->len += len;
}

static struct draft make_draft(const cae_model *m, enum fault fault)
{
    struct draft d = {.len = 0};
    const size_t count = cae_tensor_count(m);
    add(&d, "{");
    if (fault == METADATA) {
        add(&d, "\"__metadata__\":{\"format\":\"pt\"}");
    }
    for (size_t i = fault == MISSING ? 1 : 0; i < count; i++) {
        add_tensor(&d, m, fault == REVERSED ? count - 1 - i : i, fault);
    }
    if (fault == EXTRA) {
        char text[200];
        snprintf(text, sizeof(text),
                 ",\"99.bias\":{\"dtype\":\"F32\",\"shape\":[1],"
                 "\"data_offsets\":[%zu,%zu]}",
                 d.len * 4, d.len * 4 + 4);
        add(&d, text);
        d.values[d.len++] = 0;
    }
    add(&d, "}");
    while (d.header_size % 8 != 0) {
        add(&d, " ");
    }
    if (fault == NOT_A_NUMBER) {
        const uint32_t nan = 0x7fc00000;
        memcpy(&d.values[d.len - 1], &nan, sizeof(nan));
    }
    d.len -= fault == TOO_SHORT;
    return d;
}

static void write_draft(const struct draft *d)
{
    FILE *file = fopen(path, "wb");
    uint8_t size[8];
    for (int i = 0; i < 8; i++) {
        size[i] = (uint8_t)((uint64_t)d->header_size >> 8 * i);
    }
    bool good = file != NULL && fwrite(size, 8, 1, file) == 1 &&
                fwrite(d->header, d->header_size, 1, file) == 1;
    for (size_t i = 0; i < d->len; i++) {
        uint32_t bits;
        memcpy(&bits, &d->values[i], sizeof(bits));
        const uint8_t bytes[4] = {(uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16),
                                  (uint8_t)(bits >> 24)};
        good = good && fwrite(bytes, 4, 1, file) == 1;
    }
    EXPECT(good && fclose(file) == 0);
}

static cae_model *trained(void)
{
    float *images = noise(2 * 8 * 12 * 3, 1);
    cae_model *m = new_model(small_net, 5);
    OK(cae_model_set(m, "learning_rate", 0.5));
    for (int i = 0; i < 3; i++) {
        OK(cae_train_step(m, images, images, 3, 8, 12, NULL));
    }
    free(images);
    return m;
}

static void check_loaded(cae_model *m, const cae_model *source)
{
    double step = -1;
    double rate = 0;
    cae_model *fresh = NULL;
    OK(cae_model_get(m, "step", &step));
    OK(cae_model_get(m, "learning_rate", &rate));
    EXPECT(step == 0 && rate == 0.5);
    /* The weights are the source's; moments 0 and ranges [0,1]: a copy of the untrained source. */
    struct bytes got = save_bytes(m, 0);
    OK(cae_model_copy(&fresh, source, 0));
    struct bytes wanted = save_bytes(fresh, 0);
    EXPECT(same_bytes(got, wanted));
    OK(cae_model_set(fresh, "learning_rate", 0.5));
    float *images = noise(2 * 8 * 12, 2);
    OK(cae_train_step(m, images, images, 1, 8, 12, NULL));
    OK(cae_train_step(fresh, images, images, 1, 8, 12, NULL));
    struct bytes after = save_bytes(m, 0);
    struct bytes wanted_after = save_bytes(fresh, 0);
    EXPECT(same_bytes(after, wanted_after));
    free(images);
    free_bytes(&got);
    free_bytes(&wanted);
    free_bytes(&after);
    free_bytes(&wanted_after);
    cae_model_free(fresh);
}

static void plain_files_give_weights_or_are_refused(void)
{
    cae_model *source = new_model(small_net, 77);
    for (int fault = 0; fault < FAULTS; fault++) {
        cae_model *m = trained();
        cae_model *before = copy_model(m);
        const struct draft d = make_draft(source, (enum fault)fault);
        expect_context("fault %d", fault);
        write_draft(&d);
        const int status = cae_model_load_weights(m, path);
        EXPECT_SAID(status == expected[fault] || (fault == DOUBLES && status != CAE_OK),
                    "status %d (%s), must be %d", status, cae_last_error(), expected[fault]);
        if (status == CAE_OK) {
            check_loaded(m, source);
        } else {
            EXPECT(same_models(m, before));
        }
        cae_model_free(m);
        cae_model_free(before);
    }
    cae_model_free(source);
}

static void the_words_name_the_tensor(void)
{
    cae_model *source = new_model(small_net, 77);
    cae_model *m = new_model(small_net, 1);
    struct draft d = make_draft(source, WRONG_NAME);
    write_draft(&d);
    FAILS(cae_model_load_weights(m, path), CAE_E_MODEL, "0.bias");
    d = make_draft(source, WRONG_SHAPE);
    write_draft(&d);
    FAILS(cae_model_load_weights(m, path), CAE_E_MODEL, "0.bias");
    d = make_draft(source, EXTRA);
    write_draft(&d);
    FAILS(cae_model_load_weights(m, path), CAE_E_MODEL, "13 tensors");
    cae_model_free(source);
    cae_model_free(m);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(plain_files_give_weights_or_are_refused),
        TEST(the_words_name_the_tensor),
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
