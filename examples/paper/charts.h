/*
 * The curves of a study as charts, in the report and as files of their own.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_PAPER_CHARTS_H
#define CAE_PAPER_CHARTS_H

#include <stdio.h>

#include "results.h"

enum charts {
    COMPRESS_BY_EPOCH,
    COMPRESS_BY_SECOND,
    DENOISE_BY_EPOCH,
    DENOISE_BY_SECOND,
    VAE_BY_EPOCH,
    CHARTS
};

/* Writes a chart, or a sentence in its place when nothing has been trained. */
int charts_write(const struct results *results, enum charts which, FILE *file);

/* Saves those that have a point as out/compress-by-epoch.svg and so on. */
int charts_save(const struct results *results);

#endif
