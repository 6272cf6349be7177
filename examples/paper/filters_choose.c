/*
 * The choice of a filter's setting, by trying a grid on images whose clean originals are known: see
 * filters.h. What a filter does is left to filters.c.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "filters.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "measure.h"

static bool run_one(const struct filter *filter, const struct filter_images *images, size_t index,
                    float *restored)
{
    const size_t height = images->height, width = images->width;
    const float *noisy = images->noisy + index * height * width;
    if (filter->kind == FILTER_BLUR) {
        return filter_blur(noisy, height, width, filter->strength, restored);
    }
    if (filter->kind == FILTER_MEDIAN) {
        return filter_median(noisy, height, width, filter->side, restored);
    }
    const struct nlm nlm = {.sigma = images->sigma,
                            .h = filter->strength * images->sigma,
                            .patch_side = filter->side,
                            .search_side = filter->search_side};
    return filter_nlm(noisy, height, width, &nlm, restored);
}

bool filter_run(const struct filter *filter, const struct filter_images *images, float *restored)
{
    const size_t len = images->height * images->width;
    bool done = true;
    for (size_t i = 0; done && i < images->count; i++) {
        done = run_one(filter, images, i, restored + i * len);
    }
    return done;
}

/* ---- The choice ------------------------------------------------------------------------------ */

/* Room for one image in all the forms that measuring takes. */
struct bench {
    float *restored;
    struct image original, result;
};

static void bench_free(struct bench *bench)
{
    free(bench->restored);
    free(bench->original.pixels);
    free(bench->result.pixels);
}

static bool bench_new(struct bench *bench, size_t height, size_t width)
{
    const struct image shape = {.channels = 1, .height = height, .width = width};
    *bench = (struct bench){NULL, shape, shape};
    bench->restored = malloc(height * width * sizeof *bench->restored);
    bench->original.pixels = malloc(height * width);
    bench->result.pixels = malloc(height * width);
    return bench->restored != NULL && bench->original.pixels != NULL &&
           bench->result.pixels != NULL;
}

static bool mean_psnr(const struct filter *filter, const struct filter_images *images,
                      const float *clean, struct bench *bench, double *mean)
{
    double sum = 0;
    for (size_t i = 0; i < images->count; i++) {
        if (!run_one(filter, images, i, bench->restored)) {
            return false;
        }
        image_from_floats(&bench->result, bench->restored);
        image_from_floats(&bench->original, clean + i * images->height * images->width);
        sum += measure_psnr(&bench->original, &bench->result);
    }
    *mean = sum / (double)images->count;
    return true;
}

/* Strengths first, first + step ..., each with every pair of windows. */
struct grid {
    double first, step;
    size_t strengths, windows;
    struct {
        size_t side, search_side;
    } window[7];
};

/* The 21 x 21 search window with 5 x 5 patches is the IPOL paper's for noise of 15 to 30 of 255. On
 * faces of 64 x 64 pixels a small search window with larger patches restores better, by 1.1 dB at
 * sigma 25: hence the other pairs. */
static const struct grid grids[] = {
    [FILTER_BLUR] = {0.3, 0.05, 55, 1, {{0, 0}}},
    [FILTER_MEDIAN] = {0, 0, 1, 3, {{3, 0}, {5, 0}, {7, 0}}},
    [FILTER_NLM] = {0.2, 0.2, 7, 7, {{5, 21}, {9, 3}, {13, 3}, {9, 5}, {13, 5}, {9, 7}, {13, 7}}},
};

bool filter_choose(enum filter_kind kind, const struct filter_images *images, const float *clean,
                   struct filter *best, double *psnr)
{
    const struct grid *grid = &grids[kind];
    struct bench bench;
    bool done = bench_new(&bench, images->height, images->width);
    *psnr = -INFINITY;
    for (size_t i = 0; done && i < grid->strengths * grid->windows; i++) {
        const size_t window = i % grid->windows;
        const struct filter tried = {
            .kind = kind,
            .strength = grid->first + (double)(i / grid->windows) * grid->step,
            .side = grid->window[window].side,
            .search_side = grid->window[window].search_side,
        };
        double mean = 0;
        done = mean_psnr(&tried, images, clean, &bench, &mean);
        if (done && mean > *psnr) {
            *best = tried;
            *psnr = mean;
        }
    }
    bench_free(&bench);
    return done;
}
