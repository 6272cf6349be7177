/*
 * The training of one network: see learn.h. An epoch is a function of the model, the faces and the
 * epoch's number (train_data.h), and a checkpoint holds all that the next epoch needs; rows of the
 * curve beyond the checkpoint are cut off and come again.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "learn.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cae/cae.h>

#include "curve.h"
#include "interrupt.h"
#include "message.h"
#include "model.h"
#include "outcome.h"
#include "train_data.h"

/* Seconds of work that a killed run may lose. The state of the largest network has 400 MB. */
static const double checkpoint_every = 120;

struct learner {
    const struct study *study;
    const struct network *network;
    char *model_path, *checkpoint_path, *curve_path;
    cae_model *model;
    struct train_data data;
    float *clean, *noisy; /* the unseen faces; the same buffer without noise */
    struct curve curve;   /* of earlier runs */
    FILE *file;           /* the curve's */
    size_t epoch, first_epoch;
    size_t number, count; /* of this network among those of this run, from 1 */
    struct point point;   /* the latest */
    double test;          /* the latest measured */
    double start, saved;  /* on the clock of seconds_now() */
};

/* ---- Files ----------------------------------------------------------------------------------- */

static int name_files(struct learner *l)
{
    l->model_path = study_path(l->study, l->network->name, ".safetensors");
    l->checkpoint_path = study_path(l->study, l->network->name, ".checkpoint.safetensors");
    l->curve_path = study_path(l->study, l->network->name, ".csv");
    return l->model_path != NULL && l->checkpoint_path != NULL && l->curve_path != NULL
               ? DONE
               : fail("%s: out of memory", l->network->name);
}

static void free_names(struct learner *l)
{
    free(l->model_path);
    free(l->checkpoint_path);
    free(l->curve_path);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* The model is saved last, when the curve is whole. */
static bool is_done(const struct learner *l)
{
    return exists(l->model_path);
}

int learn_check(const struct study *study, size_t n)
{
    struct learner l = {.study = study, .network = &networks[n]};
    int result = name_files(&l);
    if (result == DONE && !study->resume && (exists(l.model_path) || exists(l.checkpoint_path))) {
        result = fail("%s: %s is there already: --resume goes on, another --out starts anew",
                      study->out, networks[n].name);
    }
    if (result == DONE) {
        result = model_check_target(NULL, l.model_path);
    }
    free_names(&l);
    return result;
}

/* Saves the state behind epoch l->epoch, when its curve is safely on the disk. */
static int save_checkpoint(struct learner *l)
{
    if (curve_flush(l->file, l->curve_path) != DONE ||
        model_set(l->model, "epoch", (double)l->epoch) != DONE) {
        return FAILED;
    }
    l->saved = seconds_now();
    return cae_model_save(l->model, l->checkpoint_path, CAE_SAVE_TRAINING) == CAE_OK
               ? DONE
               : fail("%s: %s", l->checkpoint_path, cae_last_error());
}

/* A finished network needs none, and that of the SAE is large. */
static void drop_checkpoint(const struct learner *l)
{
    if (unlink(l->checkpoint_path) != 0 && errno != ENOENT) {
        note("%s: %s", l->checkpoint_path, strerror(errno));
    }
}

static int save_model(struct learner *l)
{
    if (curve_flush(l->file, l->curve_path) != DONE) {
        return FAILED;
    }
    train_data_fit(&l->data, l->model);
    if (cae_model_save(l->model, l->model_path, 0) != CAE_OK) {
        return fail("%s: %s", l->model_path, cae_last_error());
    }
    drop_checkpoint(l);
    return DONE;
}

/* ---- Before the first epoch ------------------------------------------------------------------ */

static int make_model(struct learner *l)
{
    const struct study *s = l->study;
    if (!exists(l->checkpoint_path)) {
        return model_make(&l->model, l->network->name, s->seed);
    }
    if (model_load(&l->model, l->checkpoint_path) != DONE) {
        return FAILED;
    }
    const char *preset = model_preset(l->model);
    if (preset == NULL || strcmp(preset, l->network->name) != 0) {
        return fail("%s: not a checkpoint of %s", l->checkpoint_path, l->network->name);
    }
    l->first_epoch = l->epoch = (size_t)model_get(l->model, "epoch");
    if (curve_read(&l->curve, l->curve_path) != DONE) {
        return FAILED;
    }
    if (l->curve.len < l->epoch) {
        return fail("%s: ends before epoch %zu, where %s stands", l->curve_path, l->epoch,
                    l->checkpoint_path);
    }
    return DONE;
}

static int set_model(struct learner *l)
{
    const struct study *s = l->study;
    return model_set(l->model, "threads", (double)s->threads) == DONE &&
                   model_set(l->model, "kl_weight", KL_WEIGHT) == DONE &&
                   model_set(l->model, "reproducible", s->reproducible) == DONE
               ? DONE
               : FAILED;
}

static int begin_data(struct learner *l)
{
    const struct study *s = l->study;
    const size_t shape[3] = {1, SIDE, SIDE};
    const double sigma = l->network->denoises ? s->sigma : 0;
    l->data = (struct train_data){.batch = s->batch, .seed = s->seed, .noise = {sigma, sigma}};
    return image_set_pick(&l->data.set, &s->train, NULL, s->train.len) == DONE
               ? train_data_start(&l->data, shape)
               : FAILED;
}

static int begin_test(struct learner *l)
{
    const struct study *s = l->study;
    const double sigma = l->data.noise.low;
    l->clean = outcome_input(&s->test, 0, s->seed);
    l->noisy = sigma > 0 ? outcome_input(&s->test, sigma, s->seed) : l->clean;
    return l->clean != NULL && l->noisy != NULL ? DONE : FAILED;
}

static int begin(struct learner *l)
{
    if (make_model(l) != DONE || set_model(l) != DONE || begin_data(l) != DONE ||
        begin_test(l) != DONE) {
        return FAILED;
    }
    l->file = curve_open(l->curve_path, &l->curve, l->epoch);
    if (l->epoch > 0) {
        l->point = l->curve.points[l->epoch - 1];
    }
    l->start = l->saved = seconds_now();
    l->test = NAN;
    return l->file != NULL ? DONE : FAILED;
}

/* ---- Epochs ---------------------------------------------------------------------------------- */

/* Adds one step's loss, for each of its faces, to *sum. */
static int take_step(struct learner *l, uint64_t step, double *sum)
{
    size_t count = 0;
    float loss = 0;
    if (train_data_fill(&l->data, step, &count) != DONE) {
        return FAILED;
    }
    if (cae_train_step(l->model, l->data.input, l->data.target, count, SIDE, SIDE, &loss) !=
        CAE_OK) {
        return fail("%s: epoch %zu: %s", l->network->name, l->epoch + 1, cae_last_error());
    }
    *sum += (double)loss * (double)count;
    return DONE;
}

/* Seconds that the processors have spent on all threads of this program. */
static double cpu_seconds_now(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int train_epoch(struct learner *l)
{
    const uint64_t steps = train_data_steps(&l->data);
    const double start = seconds_now(), cpu_start = cpu_seconds_now();
    double sum = 0;
    for (uint64_t i = 0; i < steps; i++) {
        if (take_step(l, l->epoch * steps + i, &sum) != DONE) {
            return FAILED;
        }
    }
    l->epoch++;
    l->point.train = sum / (double)l->data.set.len;
    l->point.seconds += seconds_now() - start;
    l->point.cpu_seconds += cpu_seconds_now() - cpu_start;
    return DONE;
}

/* The loss on the unseen faces, when it is due. */
static int measure(struct learner *l)
{
    l->point.test = NAN;
    if (l->epoch % TEST_EVERY != 0 && l->epoch != l->study->epochs) {
        return DONE;
    }
    float loss = 0;
    if (cae_evaluate(l->model, l->noisy, l->clean, l->study->test.len, SIDE, SIDE, &loss) !=
        CAE_OK) {
        return fail("%s: epoch %zu: %s", l->network->name, l->epoch, cae_last_error());
    }
    l->point.test = l->test = (double)loss;
    return DONE;
}

static void show_progress(const struct learner *l)
{
    if (!progress_is_due()) {
        return;
    }
    const double done = (double)(l->epoch - l->first_epoch);
    const double left =
        ceil((seconds_now() - l->start) / done * (double)(l->study->epochs - l->epoch));
    char unseen[32] = "";
    if (!isnan(l->test)) {
        snprintf(unseen, sizeof unseen, ", unseen %.6f", l->test);
    }
    progress("%s (%zu of %zu): epoch %zu of %zu, loss %.6f%s, %.0f:%02.0f left", l->network->name,
             l->number, l->count, l->epoch, l->study->epochs, l->point.train, unseen,
             floor(left / 60), fmod(left, 60));
}

static int run(struct learner *l)
{
    while (l->epoch < l->study->epochs && !interrupt_came()) {
        if (train_epoch(l) != DONE || measure(l) != DONE) {
            return FAILED;
        }
        curve_write(l->file, l->epoch, &l->point);
        if (seconds_now() - l->saved > checkpoint_every && save_checkpoint(l) != DONE) {
            return FAILED;
        }
        show_progress(l);
    }
    progress_end();
    if (l->epoch < l->study->epochs) {
        return save_checkpoint(l) == DONE ? fail("%s: interrupted after epoch %zu of %zu",
                                                 l->network->name, l->epoch, l->study->epochs)
                                          : FAILED;
    }
    message_result("%s: %zu epochs in %.0f s, loss %.6f, unseen faces %.6f", l->network->name,
                   l->epoch, l->point.seconds, l->point.train, l->point.test);
    return save_model(l);
}

int learn(const struct study *study, size_t n)
{
    struct learner l = {.study = study, .network = &networks[n]};
    for (size_t i = 0; i < NETWORKS; i++) {
        l.number += study->chosen[i] && i <= n;
        l.count += study->chosen[i];
    }
    int result = name_files(&l);
    if (result == DONE && is_done(&l)) {
        drop_checkpoint(&l); /* of a run that was killed between the two */
    } else if (result == DONE) {
        result = begin(&l) == DONE ? run(&l) : FAILED;
    }
    if (l.file != NULL) {
        fclose(l.file);
    }
    if (l.noisy != l.clean) {
        free(l.noisy);
    }
    free(l.clean);
    curve_free(&l.curve);
    train_data_free(&l.data);
    cae_model_free(l.model);
    free_names(&l);
    return result;
}
