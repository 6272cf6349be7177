/*
 * Plain safetensors files by hand; see plain_weights.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "plain_weights.h"

#include <stdio.h>
#include <stdlib.h>

#include "contract.h"

void plain_file_item(struct plain_file *f, const char *text)
{
    const size_t at = strlen(f->header);
    snprintf(f->header + at, sizeof(f->header) - at, "%s%s", at > 0 ? "," : "{", text);
}

void plain_file_tensor(struct plain_file *f, const char *name, const char *dtype, const char *shape,
                       size_t begin, size_t end)
{
    char text[400];
    snprintf(text, sizeof(text),
             "\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}", name, dtype,
             shape, begin, end);
    plain_file_item(f, text);
}

void plain_file_value(struct plain_file *f, uint64_t bits, size_t size)
{
    for (size_t k = 0; k < size; k++) {
        f->data[f->size++] = (uint8_t)(bits >> 8 * k);
    }
}

void plain_file_write(struct plain_file *f, const char *path)
{
    uint8_t length[8];
    strcat(f->header, "}");
    while (strlen(f->header) % 8 != 0) {
        strcat(f->header, " ");
    }
    for (size_t i = 0; i < 8; i++) {
        length[i] = (uint8_t)((uint64_t)strlen(f->header) >> 8 * i);
    }
    FILE *file = fopen(path, "wb");
    const bool good = file != NULL && fwrite(length, 8, 1, file) == 1 &&
                      fwrite(f->header, strlen(f->header), 1, file) == 1 &&
                      (f->size == 0 || fwrite(f->data, f->size, 1, file) == 1);
    EXPECT(good && fclose(file) == 0);
}

static void add_tensor(struct plain_file *f, const cae_model *m, size_t t, enum plain_fault fault)
{
    const bool first = t == 0;
    char shape_text[100] = "";
    const char *name = NULL;
    size_t shape[4], rank;
    OK(cae_tensor_info(m, t, &name, shape, &rank));
    const size_t len = shape[0] * shape[1] * shape[2] * shape[3];
    for (size_t i = 0; i < rank; i++) {
        char part[32];
        snprintf(part, sizeof(part), "%s%zu", i > 0 ? "," : "", shape[i]);
        strcat(shape_text, part);
    }
    if (first && fault == PLAIN_WRONG_SHAPE) {
        snprintf(shape_text, sizeof(shape_text), "1,%zu", len);
    }
    plain_file_tensor(f, first && fault == PLAIN_WRONG_NAME ? "0.biases" : name,
                      fault == PLAIN_DOUBLES ? "F64" : "F32", shape_text,
                      f->size - (fault == PLAIN_OVERLAP && !first ? 4 : 0), f->size + 4 * len);
    float *values = need(len, sizeof(*values));
    OK(cae_tensor_get(m, t, values, len));
    for (size_t i = 0; i < len; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof(bits));
        plain_file_value(f, bits, 4);
    }
    free(values);
}

void plain_weights_write(const cae_model *m, const char *path, enum plain_fault fault)
{
    struct plain_file f = {.size = 0};
    const size_t count = cae_tensor_count(m);
    if (fault == PLAIN_METADATA) {
        plain_file_item(&f, "\"__metadata__\":{\"format\":\"pt\"}");
    }
    for (size_t i = fault == PLAIN_MISSING ? 1 : 0; i < count; i++) {
        add_tensor(&f, m, fault == PLAIN_REVERSED ? count - 1 - i : i, fault);
    }
    if (fault == PLAIN_EXTRA) {
        plain_file_tensor(&f, "99.bias", "F32", "1", f.size, f.size + 4);
        plain_file_value(&f, 0, 4);
    }
    if (fault == PLAIN_NOT_A_NUMBER) {
        f.size -= 4;
        plain_file_value(&f, 0x7fc00000, 4);
    }
    f.size -= fault == PLAIN_TOO_SHORT ? 4 : 0;
    plain_file_write(&f, path);
}
