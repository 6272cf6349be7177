/*
 * Judging restored faces: see outcome.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "outcome.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "message.h"
#include "score.h"

float *outcome_input(const struct image_set *set, double sigma, uint64_t seed)
{
    float *values = calloc(set->len, PIXELS * sizeof *values);
    if (values == NULL) {
        fail("%s: out of memory", set->folder);
        return NULL;
    }
    for (size_t i = 0; i < set->len; i++) {
        if (score_input(set, i, sigma, seed, values + i * PIXELS) != DONE) {
            free(values);
            return NULL;
        }
    }
    return values;
}

static double squared_error(const struct image *face, const float *restored)
{
    double sum = 0;
    for (size_t i = 0; i < PIXELS; i++) {
        const double d = (double)restored[i] - face->pixels[i] / 255.0;
        sum += d * d;
    }
    return sum / PIXELS;
}

/* Adds one face; `rounded` is room for its pixels. */
static void add_face(struct outcome *o, const struct image *face, const float *restored,
                     struct image *rounded)
{
    image_from_floats(rounded, restored);
    o->each[o->len] = squared_error(face, restored);
    o->mse += o->each[o->len++];
    o->psnr += measure_psnr(face, rounded);
    o->ssim += measure_ssim(face, rounded);
}

int outcome_judge(struct outcome *outcome, const struct image_set *set, const float *restored)
{
    struct image rounded = {0};
    *outcome = (struct outcome){.shown_len = set->len < SHOWN ? set->len : SHOWN};
    outcome->each = calloc(set->len, sizeof *outcome->each);
    outcome->shown = calloc(outcome->shown_len, PIXELS * sizeof *outcome->shown);
    if (outcome->each == NULL || outcome->shown == NULL ||
        image_new(&rounded, 1, SIDE, SIDE, set->folder) != DONE) {
        outcome_free(outcome);
        return fail("%s: out of memory", set->folder);
    }
    for (size_t i = 0; i < set->len; i++) {
        add_face(outcome, &set->images[i], restored + i * PIXELS, &rounded);
    }
    image_free(&rounded);
    outcome->mse /= (double)set->len;
    outcome->psnr /= (double)set->len;
    outcome->ssim /= (double)set->len;
    memcpy(outcome->shown, restored, outcome->shown_len * PIXELS * sizeof *restored);
    outcome->have = true;
    return isnan(outcome->ssim) ? fail("%s: out of memory", set->folder) : DONE;
}

void outcome_free(struct outcome *outcome)
{
    free(outcome->each);
    free(outcome->shown);
    *outcome = (struct outcome){0};
}

size_t outcome_wins(const struct outcome *a, const struct outcome *b)
{
    size_t wins = 0;
    for (size_t i = 0; i < a->len && i < b->len; i++) {
        wins += a->each[i] < b->each[i];
    }
    return wins;
}
