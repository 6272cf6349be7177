/*
 * Plain safetensors files with a model's weights, such as PyTorch writes, put together by hand;
 * good ones and ones with one fault each.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TESTS_SUPPORT_PLAIN_WEIGHTS_H
#define CAE_TESTS_SUPPORT_PLAIN_WEIGHTS_H

#include "cae/cae.h"

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
