/*
 * Plain safetensors files by hand; see plain_weights.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "plain_weights.h"

#include <stdio.h>

#include "contract.h"

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

static void add_tensor(struct draft *d, const cae_model *m, size_t t, enum plain_fault fault)
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
        const size_t side = first && fault == PLAIN_WRONG_SHAPE ? len : shape[i];
        snprintf(part, sizeof(part), "%s%zu", i > 0 ? "," : "", side);
        strcat(shape_text, part);
    }
    if (first && fault == PLAIN_WRONG_SHAPE) {
        snprintf(shape_text, sizeof(shape_text), "1,%zu", len);
    }
    const size_t from = d->len - (fault == PLAIN_OVERLAP && !first ? 1 : 0);
    snprintf(text, sizeof(text),
             "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
             d->header[d->header_size - 1] == '{' ? "" : ",",
             first && fault == PLAIN_WRONG_NAME ? "0.biases" : name,
             fault == PLAIN_DOUBLES ? "F64" : "F32", shape_text, from * 4, (d->len + len) * 4);
    add(d, text);
    d->len += len;
}

static struct draft make_draft(const cae_model *m, enum plain_fault fault)
{
    struct draft d = {.len = 0};
    const size_t count = cae_tensor_count(m);
    add(&d, "{");
    if (fault == PLAIN_METADATA) {
        add(&d, "\"__metadata__\":{\"format\":\"pt\"}");
    }
    for (size_t i = fault == PLAIN_MISSING ? 1 : 0; i < count; i++) {
        add_tensor(&d, m, fault == PLAIN_REVERSED ? count - 1 - i : i, fault);
    }
    if (fault == PLAIN_EXTRA) {
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
    if (fault == PLAIN_NOT_A_NUMBER) {
        const uint32_t nan = 0x7fc00000;
        memcpy(&d.values[d.len - 1], &nan, sizeof(nan));
    }
    d.len -= fault == PLAIN_TOO_SHORT;
    return d;
}

static void write_draft(const struct draft *d, const char *path)
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

void plain_weights_write(const cae_model *m, const char *path, enum plain_fault fault)
{
    const struct draft d = make_draft(m, fault);
    write_draft(&d, path);
}
