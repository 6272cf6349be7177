/*
 * Judging everything that a study has left in its folder: see results.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cae/cae.h>

#include "filters.h"
#include "message.h"
#include "model.h"
#include "pca.h"
#include "score.h"

const struct image_set *results_faces(const struct study *study, enum side side)
{
    return side == TRAIN ? &study->train : &study->test;
}

static int out_of_memory(const struct study *study)
{
    return fail("%s: out of memory", study->out);
}

/* ---- Networks -------------------------------------------------------------------------------- */

/* What a network makes of the faces of one side. */
static int judge_network(struct network_result *r, const struct study *study, size_t n,
                         const cae_model *model, enum side side)
{
    const struct image_set *set = results_faces(study, side);
    const double sigma = networks[n].denoises ? study->sigma : 0;
    float *input = outcome_input(set, sigma, study->seed);
    float *output = calloc(set->len, PIXELS * sizeof *output);
    int result = FAILED;
    if (input == NULL || output == NULL) {
        out_of_memory(study);
    } else if (cae_denoise(model, input, set->len, SIDE, SIDE, (float)(sigma / 255), output) !=
               CAE_OK) {
        fail("%s: %s", networks[n].name, cae_last_error());
    } else if (outcome_judge(&r->outcome[side], set, output) == DONE) {
        result = score_bytes(model, set, &r->bytes[side]);
    }
    free(input);
    free(output);
    return result;
}

static int describe(struct network_result *r, const cae_model *model, const char *name)
{
    size_t code[3];
    if (cae_code_shape(model, SIDE, SIDE, code) != CAE_OK) {
        return fail("%s: %s", name, cae_last_error());
    }
    r->parameters = model_get(model, "parameters");
    r->code_len = (double)(code[0] * code[1] * code[2]);
    snprintf(r->kernels, sizeof r->kernels, "%s", cae_model_kernels(model));
    return DONE;
}

/* The evidence lower bound on one side, from what the library reports: its loss is the mean squared
 * error plus the weighted divergence per pixel. A gradient, which is not applied, brings the error
 * with a sampled code. */
static int measure_bound(struct bound *b, const struct study *study, cae_model *model,
                         double kl_weight, enum side side)
{
    const struct image_set *set = results_faces(study, side);
    float *input = outcome_input(set, 0, study->seed);
    float plain = 0, with_divergence = 0, sampled = 0;
    int result = input != NULL ? DONE : FAILED;
    if (result == DONE &&
        (cae_model_set(model, "kl_weight", 0) != CAE_OK ||
         cae_evaluate(model, input, input, set->len, SIDE, SIDE, &plain) != CAE_OK ||
         cae_train_gradient(model, input, input, set->len, SIDE, SIDE, &sampled) != CAE_OK ||
         cae_model_set(model, "kl_weight", 1) != CAE_OK ||
         cae_evaluate(model, input, input, set->len, SIDE, SIDE, &with_divergence) != CAE_OK)) {
        result = fail("vae: %s", cae_last_error());
    }
    free(input);
    const double variance = kl_weight / 2;
    b->squared_error = (double)sampled;
    b->divergence = ((double)with_divergence - (double)plain) * PIXELS;
    b->reconstruction =
        -PIXELS / 2.0 * (b->squared_error / variance + log(2 * 3.14159265358979323846 * variance));
    return result;
}

static int draw_samples(struct results *results, const cae_model *model)
{
    const size_t len = SHOWN * (size_t)results->networks[VAE].code_len;
    float *codes = calloc(len, sizeof *codes);
    results->vae.samples = calloc(SHOWN, PIXELS * sizeof(float));
    int result =
        codes != NULL && results->vae.samples != NULL ? DONE : out_of_memory(results->study);
    if (result == DONE &&
        (cae_add_noise(codes, len, 1, results->study->seed) != CAE_OK ||
         cae_decode(model, codes, SHOWN, SIDE, SIDE, results->vae.samples) != CAE_OK)) {
        result = fail("vae: %s", cae_last_error());
    }
    free(codes);
    return result;
}

static int examine_vae(struct results *results, cae_model *model)
{
    results->vae.kl_weight = KL_WEIGHT;
    for (enum side side = TRAIN; side < SIDES; side++) {
        if (measure_bound(&results->vae.bound[side], results->study, model, results->vae.kl_weight,
                          side) != DONE) {
            return FAILED;
        }
    }
    return draw_samples(results, model);
}

/* Everything about one network; nothing when it has not been trained to the end. */
static int collect_network(struct results *results, size_t n)
{
    struct network_result *r = &results->networks[n];
    const struct study *study = results->study;
    cae_model *model = NULL;
    char *path = study_path(study, networks[n].name, ".safetensors");
    char *curve = study_path(study, networks[n].name, ".csv");
    int result =
        path != NULL && curve != NULL ? curve_read(&r->curve, curve) : out_of_memory(study);
    if (result != DONE || access(path, F_OK) != 0) {
        goto done;
    }
    result = FAILED;
    if (r->curve.len != study->epochs) {
        fail("%s: %zu whole rows, and %s was trained for %zu epochs; without either file --resume "
             "trains anew",
             curve, r->curve.len, path, study->epochs);
        goto done;
    }
    /* Judged by the kernels that it was trained with. */
    if (model_load(&model, path) != DONE ||
        model_set(model, "reproducible", study->reproducible) != DONE ||
        model_set(model, "threads", (double)study->threads) != DONE ||
        describe(r, model, path) != DONE) {
        goto done;
    }
    for (enum side side = TRAIN; side < SIDES; side++) {
        if (judge_network(r, study, n, model, side) != DONE) {
            goto done;
        }
    }
    r->have = true;
    result = n == VAE ? examine_vae(results, model) : DONE;
done:
    cae_model_free(model);
    free(path);
    free(curve);
    return result;
}

/* ---- Filters --------------------------------------------------------------------------------- */

enum { CHOSEN_ON = 32 }; /* training faces that filters' settings are chosen on, at most */

static void name_filter(struct baseline_result *r, const struct filter *f)
{
    switch (f->kind) {
    case FILTER_BLUR:
        snprintf(r->name, sizeof r->name, "Gaussian blur, sigma %.2f pixels", f->strength);
        break;
    case FILTER_MEDIAN:
        snprintf(r->name, sizeof r->name, "median of %zu x %zu", f->side, f->side);
        break;
    case FILTER_NLM:
        snprintf(r->name, sizeof r->name, "non-local means, h %.1f sigma, %zu x %zu in %zu x %zu",
                 f->strength, f->side, f->side, f->search_side, f->search_side);
        break;
    }
}

/* The faces of a set and their noisy versions, as filters take them. */
static int noisy_faces(const struct study *study, enum side side, struct filter_images *images)
{
    const struct image_set *set = results_faces(study, side);
    images->noisy = outcome_input(set, study->sigma, study->seed);
    images->count = set->len;
    images->height = images->width = SIDE;
    images->sigma = study->sigma / 255;
    return images->noisy != NULL ? DONE : FAILED;
}

/* Chooses a filter's setting on the first training faces. */
static int choose_filter(const struct study *study, struct filter_images images,
                         enum filter_kind kind, struct filter *filter)
{
    double psnr = 0;
    float *clean = outcome_input(&study->train, 0, study->seed);
    images.count = images.count < CHOSEN_ON ? images.count : CHOSEN_ON;
    const bool chosen = clean != NULL && filter_choose(kind, &images, clean, filter, &psnr);
    free(clean);
    return chosen ? DONE : out_of_memory(study);
}

static int judge_filter(struct baseline_result *r, const struct study *study,
                        const struct filter *filter, const struct filter_images *images,
                        enum side side)
{
    const struct image_set *set = results_faces(study, side);
    float *restored = calloc(set->len, PIXELS * sizeof *restored);
    const int result = restored != NULL && filter_run(filter, images, restored)
                           ? outcome_judge(&r->outcome[side], set, restored)
                           : out_of_memory(study);
    free(restored);
    return result;
}

static int collect_baseline(struct results *results, enum baseline f,
                            const struct filter_images images[SIDES])
{
    const struct study *study = results->study;
    struct baseline_result *r = &results->baselines[f];
    struct filter filter;
    if (f == NOISY) {
        snprintf(r->name, sizeof r->name, "noisy input");
        return outcome_judge(&r->outcome[TRAIN], &study->train, images[TRAIN].noisy) == DONE
                   ? outcome_judge(&r->outcome[UNSEEN], &study->test, images[UNSEEN].noisy)
                   : FAILED;
    }
    static const enum filter_kind kinds[BASELINES] = {
        [BLUR] = FILTER_BLUR, [MEDIAN] = FILTER_MEDIAN, [NON_LOCAL] = FILTER_NLM};
    if (choose_filter(study, images[TRAIN], kinds[f], &filter) != DONE) {
        return FAILED;
    }
    name_filter(r, &filter);
    return judge_filter(r, study, &filter, &images[TRAIN], TRAIN) == DONE
               ? judge_filter(r, study, &filter, &images[UNSEEN], UNSEEN)
               : FAILED;
}

static int collect_baselines(struct results *results)
{
    struct filter_images images[SIDES] = {{0}};
    int result = noisy_faces(results->study, TRAIN, &images[TRAIN]);
    if (result == DONE) {
        result = noisy_faces(results->study, UNSEEN, &images[UNSEEN]);
    }
    for (enum baseline f = NOISY; f < BASELINES && result == DONE; f++) {
        if (progress_is_due()) {
            progress("report: filters");
        }
        result = collect_baseline(results, f, images);
    }
    free((void *)(uintptr_t)images[TRAIN].noisy);
    free((void *)(uintptr_t)images[UNSEEN].noisy);
    return result;
}

/* ---- PCA ------------------------------------------------------------------------------------- */

static int fail_pca(const struct study *study, size_t count, int status)
{
    return fail("%s: principal components of %zu faces: %s", study->out, count, pca_words(status));
}

static int judge_pca(struct pca_result *r, const struct study *study, const struct pca *pca,
                     enum side side)
{
    const struct image_set *set = results_faces(study, side);
    float *input = outcome_input(set, 0, study->seed);
    if (input == NULL) {
        return FAILED;
    }
    const int status = pca_restore(pca, input, set->len, input);
    const int result = status == PCA_OK ? outcome_judge(&r->outcome[side], set, input)
                                        : fail_pca(study, set->len, status);
    free(input);
    return result;
}

/* As many components as the CAE's code has numbers, where there are so many. */
static int collect_pca(struct results *results, enum fit fit)
{
    enum { CODE = 2048 };
    const struct study *study = results->study;
    const struct image_set *set = fit == FIT_TRAIN ? &study->train : &study->all;
    struct pca_result *r = &results->pca[fit];
    struct pca pca = {0};
    float *input = outcome_input(set, 0, study->seed);
    if (input == NULL) {
        return FAILED;
    }
    if (progress_is_due()) {
        progress("report: principal components of %zu faces", set->len);
    }
    const int status = pca_fit(&pca, input, set->len, PIXELS, CODE);
    free(input);
    int result = status == PCA_OK ? DONE : fail_pca(study, set->len, status);
    r->faces = set->len;
    r->components = pca.components;
    for (enum side side = TRAIN; side < SIDES && result == DONE; side++) {
        result = judge_pca(r, study, &pca, side);
    }
    pca_free(&pca);
    return result;
}

/* ---- All ------------------------------------------------------------------------------------- */

int results_collect(struct results *results, const struct study *study)
{
    *results = (struct results){.study = study};
    int result = DONE;
    for (size_t n = 0; n < NETWORKS && result == DONE; n++) {
        result = collect_network(results, n);
    }
    if (result == DONE) {
        result = collect_baselines(results);
    }
    for (enum fit fit = FIT_TRAIN; fit < FITS && result == DONE && pca_available(); fit++) {
        result = collect_pca(results, fit);
    }
    progress_end();
    return result;
}

void results_free(struct results *results)
{
    for (enum side side = TRAIN; side < SIDES; side++) {
        for (size_t n = 0; n < NETWORKS; n++) {
            outcome_free(&results->networks[n].outcome[side]);
        }
        for (size_t f = 0; f < BASELINES; f++) {
            outcome_free(&results->baselines[f].outcome[side]);
        }
        for (size_t f = 0; f < FITS; f++) {
            outcome_free(&results->pca[f].outcome[side]);
        }
    }
    for (size_t n = 0; n < NETWORKS; n++) {
        curve_free(&results->networks[n].curve);
    }
    free(results->vae.samples);
    *results = (struct results){0};
}

/* ---- Curves ---------------------------------------------------------------------------------- */

static double loss_of(const struct point *point, bool test)
{
    return test ? point->test : point->train;
}

size_t results_reach(const struct curve *curve, bool test, double loss)
{
    for (size_t i = 0; i < curve->len; i++) {
        if (loss_of(&curve->points[i], test) <= loss) {
            return i + 1;
        }
    }
    return 0;
}

double results_last(const struct curve *curve, bool test)
{
    for (size_t i = curve->len; i-- > 0;) {
        if (!isnan(loss_of(&curve->points[i], test))) {
            return loss_of(&curve->points[i], test);
        }
    }
    return NAN;
}
