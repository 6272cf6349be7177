/*
 * Plain safetensors files, such as PyTorch writes, put together by hand: of any tensors, or with a
 * model's weights, good ones and ones with one fault each.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TESTS_SUPPORT_PLAIN_WEIGHTS_H
#define CAE_TESTS_SUPPORT_PLAIN_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "cae/cae.h"

/* Begins with all zeros. The header is text without the last bracket. */
struct plain_file {
    char header[8192];
    uint8_t data[16384];
    size_t size;
};

/* An item of the header, and a tensor's: the data may be what the header says or not. */
void plain_file_item(struct plain_file *f, const char *text);
void plain_file_tensor(struct plain_file *f, const char *name, const char *dtype, const char *shape,
                       size_t begin, size_t end);
/* The low bytes of `bits`. */
void plain_file_value(struct plain_file *f, uint64_t bits, size_t size);
void plain_file_write(struct plain_file *f, const char *path); /* at last */

/* What is done to a good file. */
enum plain_fault {
    PLAIN_GOOD,
    PLAIN_METADATA, /* harmless */
    PLAIN_REVERSED, /* harmless: another order of names and data */
    PLAIN_WRONG_NAME,
    PLAIN_WRONG_SHAPE,
    PLAIN_MISSING,
    PLAIN_EXTRA,
    PLAIN_DOUBLES,
    PLAIN_NOT_A_NUMBER,
    PLAIN_OVERLAP,
    PLAIN_TOO_SHORT,
    PLAIN_FAULTS
};

/* Writes the weights of m, a small model, with the fault. */
void plain_weights_write(const cae_model *m, const char *path, enum plain_fault fault);

#endif
