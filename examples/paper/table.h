/*
 * The tables of the report. SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_PAPER_TABLE_H
#define CAE_PAPER_TABLE_H

#include <stdio.h>

#include "results.h"

void table_compress(const struct results *results, FILE *file);
void table_denoise(const struct results *results, FILE *file);
void table_vae(const struct results *results, FILE *file);

#endif
