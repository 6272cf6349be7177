/*
 * `cae train`: the loop, its saves and its resumption. A step depends on the model, the seed and
 * the step's number alone, and a save holds all of it: a run that was interrupted or killed and
 * then resumed ends with the same file as one that was not. Options are train_options.c's, batches
 * train_data.c's, the log is train_log.c's.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "commands.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "interrupt.h"
#include "kind.h"
#include "message.h"
#include "model.h"
#include "noise_colour.h"
#include "output.h"
#include "people.h"
#include "score.h"
#include "train_best.h"
#include "train_data.h"
#include "train_feed.h"
#include "train_log.h"
#include "train_notes.h"
#include "train_options.h"
#include "train_self.h"

struct training {
    const struct train_options *options;
    cae_model *model;
    struct train_data data;
    struct train_self self; /* instead of data's set, with --self or --pairs */
    struct train_feed feed;
    struct image_set validation; /* empty if there is nothing to measure on */
    struct train_log log;
    uint64_t step, first_step, last_step; /* done so far, before this run, in the end */
    uint64_t stop_step;                   /* where this run stops, at most last_step */
    uint64_t epoch_steps;                 /* steps per epoch */
    uint64_t validation_epochs;           /* epochs from one validation to the next */
    size_t images;                        /* seen by this run */
    float loss;
    double mean_loss; /* of the latest steps; for the progress line */
    int stream;       /* --out, where it is no regular file; else -1 */
    bool diverged;
    double validation_mse; /* the latest; NaN before the first */
    struct train_best best;
    double start;
};

/* ---- Before the first step ------------------------------------------------------------------- */

/* A fresh model, or that of the run to resume. */
static int get_model(struct training *t)
{
    const struct train_options *o = t->options;
    if (o->from != NULL) {
        return model_make_from(&t->model, o->model, o->from, o->seed);
    }
    if (o->model != NULL && model_make(&t->model, o->model, o->seed) != DONE) {
        return FAILED;
    }
    return o->resume ? model_resume(&t->model, o->out, o->name) : DONE;
}

/* The notes KEY=VALUE of the command line. */
static int set_notes(struct training *t)
{
    const struct option_list *notes = &t->options->notes;
    for (size_t i = 0; i < notes->len; i++) {
        char *key = strdup(notes->items[i]);
        if (key == NULL) {
            return fail("--note: out of memory");
        }
        char *value = strchr(key, '=');
        *value++ = '\0';
        const int status = cae_model_note_set(t->model, key, value);
        free(key);
        if (status != CAE_OK) {
            return fail("--note: %s", cae_last_error());
        }
    }
    return DONE;
}

static int prepare_model(struct training *t, size_t shape[3])
{
    const struct train_options *o = t->options;
    if (get_model(t) != DONE || set_notes(t) != DONE ||
        model_shape(t->model, o->name, shape) != DONE) {
        return FAILED;
    }
    t->step = (uint64_t)model_get(t->model, "step");
    const double old_rate = model_get(t->model, "learning_rate"); /* 0.001 of a fresh model */
    const double rate = o->learning_rate >= 0 ? o->learning_rate : old_rate;
    if (o->resume && rate != old_rate) {
        note("%s: --lr: %g before, %g now", o->out, old_rate, rate);
    }
    if (model_set(t->model, "learning_rate", rate) != DONE ||
        model_set(t->model, "threads", (double)o->threads) != DONE) {
        return FAILED;
    }
    if (o->kl_weight >= 0 && !model_is_sampled(t->model)) {
        return fail("%s: --kl-weight is for models with the line \"code sampled\"", o->name);
    }
    if (o->resume && o->kl_weight >= 0 && model_get(t->model, "kl_weight") != o->kl_weight) {
        note("%s: --kl-weight: %g before, %g now", o->out, model_get(t->model, "kl_weight"),
             o->kl_weight);
    }
    if (o->kl_weight >= 0 && model_set(t->model, "kl_weight", o->kl_weight) != DONE) {
        return FAILED;
    }
    return DONE;
}

static int load_images(struct training *t, size_t channels)
{
    const struct train_options *o = t->options;
    if (image_set_load(&t->data.set, o->data, o->limit, channels, &o->preparation) != DONE) {
        return FAILED;
    }
    if (o->split_by_person) {
        return people_split_set(&t->data.set, o->validation_fraction, o->seed, &t->validation);
    }
    return o->validation == NULL
               ? DONE
               : image_set_load(&t->validation, o->validation, 0, channels, &o->preparation);
}

/* So many epochs that at most one pixel is measured for four that are trained on. */
static uint64_t epochs_between(const struct training *t)
{
    double levels[NOISE_LEVELS];
    const struct train_data *d = &t->data;
    const uint64_t trained = (uint64_t)train_data_len(d) * d->height * d->width;
    uint64_t measured = 0;
    for (size_t i = 0; i < t->validation.len; i++) {
        measured += (uint64_t)t->validation.images[i].height * t->validation.images[i].width;
    }
    return (4 * noise_levels(&d->noise, levels) * measured - 1) / trained + 1;
}

/* Whether the noise of neighbours is independent, which --self rests on. */
static int check_independence(const struct training *t)
{
    char text[160];
    double ratio = 0;
    const struct noisy_set *set = &t->self.set;
    if (set->bursts) {
        return DONE;
    }
    if (noisy_set_colour(set, &ratio) != DONE) {
        return FAILED;
    }
    if (ratio <= noise_colour_most) {
        return DONE;
    }
    if (isinf(ratio)) {
        snprintf(text, sizeof text, "there is no noise beyond rounding");
    } else {
        snprintf(text, sizeof text,
                 "the noise is not independent from pixel to pixel: its energy in middle "
                 "frequencies is %.1f times that in high ones, and at most %.1f in white noise",
                 ratio, noise_colour_most);
    }
    if (t->options->force) {
        note("%s: %s (--force: the network may learn to keep it)", set->folder, text);
        return DONE;
    }
    return fail("%s: %s (demosaicing, scaling, blur and JPEG do this: take the images from before "
                "them, or --force)",
                set->folder, text);
}

/* With --self and --pairs. Changes the shape to that of the parts that are trained on. */
static int prepare_noisy(struct training *t, size_t shape[3])
{
    const struct train_options *o = t->options;
    const struct noisy_reading how = {.limit = o->limit,
                                      .crop = &o->preparation,
                                      .bursts = o->pairs != NULL,
                                      .level = o->level,
                                      .gain = o->gain};
    t->data.self = &t->self;
    if (o->gain > 0 && !t->data.takes_noise) {
        return fail("%s: the network takes no noise level: --gain would make another image of what "
                    "it learns from, and `cae denoise` could not do the same",
                    o->name);
    }
    if (noisy_set_load(&t->self.set, o->data, shape[0], &how) != DONE ||
        train_self_start(&t->self, t->model, o->name, &shape[1], &shape[2]) != DONE ||
        check_independence(t) != DONE) {
        return FAILED;
    }
    noisy_set_levels(&t->self.set, &t->data.noise.low, &t->data.noise.high);
    if (o->level > 0 && o->gain <= 0) {
        t->data.noise = (struct noise){o->level, o->level}; /* as it was given, not as a float */
    }
    return train_data_start(&t->data, shape);
}

static int prepare_data(struct training *t, size_t shape[3])
{
    const struct train_options *o = t->options;
    t->data.batch = o->batch;
    t->data.seed = o->seed;
    t->data.noise = o->noise;
    if (o->noise.low < 0) {
        t->data.noise = model_default_noise(t->model);
    }
    t->data.places = o->places;
    t->data.symmetries = o->symmetries;
    t->data.takes_noise = model_takes_noise(t->model);
    if (o->self) {
        return prepare_noisy(t, shape);
    }
    if (train_data_check_noise(&t->data, o->name) != DONE) {
        return FAILED;
    }
    if (load_images(t, shape[0]) != DONE || train_data_start(&t->data, shape) != DONE) {
        return FAILED;
    }
    if (t->validation.len == 0) {
        return DONE;
    }
    if (score_keep_sizes(t->model, &t->validation) != DONE) {
        return FAILED;
    }
    t->validation_epochs = epochs_between(t);
    return DONE;
}

/* Whether it is the run that the model comes from; from here on the model keeps what it depends on.
 */
static int check_and_keep_facts(struct training *t)
{
    const struct train_options *o = t->options;
    struct train_facts facts;
    char self[TRAIN_SELF_TEXT];
    if (!o->resume) {
        train_note_copying(t->model, o->name, t->data.noise.high, o->noise.low >= 0);
    }
    char schedule[SCHEDULE_TEXT];
    if (train_facts_of(&facts, &t->data, o->reproducible,
                       schedule_text(&o->schedule, t->last_step, schedule)) != DONE) {
        return FAILED;
    }
    facts.self = train_options_self_text(o, t->last_step, self);
    if (o->resume && train_notes_check(t->model, o->out, &facts, o->force) != DONE) {
        return FAILED;
    }
    return model_set(t->model, "reproducible", o->reproducible) == DONE
               ? train_notes_set(t->model, &facts)
               : FAILED;
}

/* Where the run begins and ends. */
static void plan(struct training *t)
{
    const struct train_options *o = t->options;
    t->epoch_steps = train_data_steps(&t->data);
    t->first_step = t->step;
    t->last_step = o->epochs == 0 ? o->steps : o->epochs * t->epoch_steps;
    t->stop_step = o->stop_after < t->last_step ? o->stop_after : t->last_step;
}

/* Whether the earlier run had as many steps per epoch. */
static int check_epochs(const struct training *t)
{
    const struct train_options *o = t->options;
    return o->resume && !o->force ? model_check_epoch(t->model, o->out, t->epoch_steps) : DONE;
}

/* Hours of training must not end in a save that could never have worked: tries it, and opens what
 * is written straight. */
static int check_target(struct training *t)
{
    const struct train_options *o = t->options;
    t->stream = output_open_stream(o->out);
    if (t->stream < 0 && errno == 0) {
        const char *kind = kind_of_file(o->out);
        if (kind != NULL && strcmp(kind, "a folder") != 0 && strcmp(kind, "a model") != 0) {
            return fail("%s: this is %s; the model would replace it", o->out, kind);
        }
        if (model_check_target(t->model, o->out) != DONE) {
            return FAILED;
        }
        if (!o->resume && access(o->out, F_OK) == 0) {
            note("%s exists and will be replaced at the first save; --resume would go on from it",
                 o->out);
        }
        return DONE;
    }
    return t->stream >= 0 ? DONE : output_cannot_open(o->out, errno);
}

static int prepare(struct training *t)
{
    size_t shape[3];
    if (prepare_model(t, shape) != DONE || check_target(t) != DONE) {
        return FAILED;
    }
    if (train_options_only_convert(t->options)) {
        return t->options->data != NULL ? prepare_data(t, shape) : DONE;
    }
    if (prepare_data(t, shape) != DONE) {
        return FAILED;
    }
    plan(t);
    if (check_and_keep_facts(t) != DONE || check_epochs(t) != DONE ||
        (t->options->keep_best && (train_best_open(&t->best, t->model, t->options->out) != DONE ||
                                   train_best_start(&t->best, t->model, t->options->resume,
                                                    &t->validation, &t->data.noise) != DONE))) {
        return FAILED;
    }
    return train_log_open(&t->log, t->options->log, t->step);
}

/* ---- Training -------------------------------------------------------------------------------- */

/* What is saved: all that going on needs, unless that is not wanted. */
static uint32_t save_flags(const struct training *t)
{
    return t->options->half ? CAE_SAVE_F16 : CAE_SAVE_TRAINING;
}

static int save_stream(const struct training *t)
{
    size_t size = 0;
    int result = FAILED;
    if (cae_model_save_memory(t->model, NULL, 0, &size, save_flags(t)) != CAE_OK) {
        return fail("%s: %s", output_name(t->options->out), cae_last_error());
    }
    void *data = malloc(size);
    if (data == NULL) {
        fail("%s: out of memory", output_name(t->options->out));
    } else if (cae_model_save_memory(t->model, data, size, &size, save_flags(t)) != CAE_OK) {
        fail("%s: %s", output_name(t->options->out), cae_last_error());
    } else if (!output_write(t->stream, data, size)) {
        fail("%s: cannot write: %s", output_name(t->options->out), strerror(errno));
    } else {
        result = DONE;
    }
    free(data);
    return result;
}

static int save(struct training *t)
{
    if (t->data.set.len > 0) {
        train_data_fit(&t->data, t->model);
    }
    if (t->stream >= 0) {
        return save_stream(t);
    }
    if (cae_model_save(t->model, t->options->out, save_flags(t)) != CAE_OK) {
        return fail("%s: %s", output_name(t->options->out), cae_last_error());
    }
    return DONE;
}

/* The save that no other follows: the result is kept in any case. */
static int save_last(struct training *t)
{
    if (save(t) == DONE) {
        return DONE;
    }
    if (!t->options->half) { /* else what it was made from is still there */
        model_keep(t->model, t->options->out);
    }
    return FAILED;
}

static int take_step(struct training *t)
{
    size_t count = 0;
    if (train_feed_next(&t->feed, t->step, t->last_step, &count) != DONE) {
        return FAILED;
    }
    const double rate = model_get(t->model, "learning_rate");
    if (model_set(t->model, "learning_rate",
                  rate * schedule_factor(&t->options->schedule, t->step, t->last_step)) != DONE) {
        return FAILED;
    }
    const struct train_data *d = &t->data;
    int status = d->self != NULL
                     ? train_self_finish(d, t->model, (double)t->step / (double)t->last_step, count)
                     : CAE_OK;
    if (status == CAE_OK) {
        status = d->takes_noise ? cae_train_step_sigma(t->model, d->input, d->target, d->sigma,
                                                       count, d->height, d->width, &t->loss)
                                : cae_train_step(t->model, d->input, d->target, count, d->height,
                                                 d->width, &t->loss);
    }
    if (model_set(t->model, "learning_rate", rate) != DONE) { /* which a save keeps */
        return FAILED;
    }
    if (status == CAE_E_NONFINITE) {
        t->diverged = true;
        return fail("step %llu: the training diverged (%s); a smaller --lr may help",
                    (unsigned long long)t->step + 1, cae_last_error());
    }
    if (status != CAE_OK) {
        return fail("step %llu: %s", (unsigned long long)t->step + 1, cae_last_error());
    }
    t->step++;
    t->images += count;
    /* The mean of all steps so far, then of about the latest hundred. */
    const double steps = (double)(t->step - t->first_step);
    t->mean_loss += ((double)t->loss - t->mean_loss) / (steps < 100 ? steps : 100);
    return model_set(t->model, "epoch", (double)(t->step / t->epoch_steps));
}

/* The error on the validation images; where there are several levels of noise, the fourth root of
 * the product of the errors at four, so that each counts by its ratio, as in dB. */
static int measure(const struct training *t, double *mse)
{
    double levels[NOISE_LEVELS];
    const size_t len = noise_levels(&t->data.noise, levels);
    *mse = 1;
    for (size_t i = 0; i < len; i++) {
        struct scores scores;
        if (score_images(t->model, &t->validation, levels[i], t->options->seed, SCORE_MSE,
                         &scores) != DONE) {
            return FAILED;
        }
        *mse *= scores.mse;
    }
    *mse = len > 1 ? sqrt(sqrt(*mse)) : *mse;
    return DONE;
}

/* Validates when it is due after the step just taken; *mse is NaN when it is not. */
static int validate(struct training *t, double *mse)
{
    *mse = NAN;
    if (t->validation.len == 0) {
        return DONE;
    }
    const bool due = t->step % (t->epoch_steps * t->validation_epochs) == 0;
    if (!due && t->step != t->last_step) {
        return DONE;
    }
    if (measure(t, mse) != DONE) {
        return FAILED;
    }
    t->validation_mse = *mse;
    if (train_best_is(&t->best, t->model, *mse, t->step)) {
        train_data_fit(&t->data, t->model);
        train_best_save(&t->best, t->model);
    }
    return DONE;
}

static void show_progress(const struct training *t)
{
    if (!progress_is_due()) {
        return;
    }
    const double elapsed = seconds_now() - t->start;
    const double done = (double)(t->step - t->first_step), left = (double)(t->stop_step - t->step);
    const double seconds_left = ceil(elapsed / done * left);
    progress("epoch %llu, step %llu of %llu, loss %.6f, %.0f images/s, %.0f:%02.0f left",
             (unsigned long long)((t->step - 1) / t->epoch_steps + 1), (unsigned long long)t->step,
             (unsigned long long)t->last_step, t->mean_loss, (double)t->images / elapsed,
             floor(seconds_left / 60), fmod(seconds_left, 60));
}

static bool save_is_due(const struct training *t)
{
    return t->options->save_every > 0 && t->step < t->last_step &&
           t->step % (t->epoch_steps * t->options->save_every) == 0;
}

/* One step with all that follows it. */
static int advance(struct training *t)
{
    double mse = NAN;
    if (take_step(t) != DONE || validate(t, &mse) != DONE) {
        return FAILED;
    }
    const uint64_t epoch = (t->step - 1) / t->epoch_steps + 1;
    train_log_write(&t->log, epoch, t->step, (double)t->loss, mse, seconds_now() - t->start);
    if (save_is_due(t) && save(t) != DONE) {
        note("the training goes on, and saves when the next save is due");
    }
    show_progress(t);
    return DONE;
}

static void say_summary(const struct training *t)
{
    const double seconds = seconds_now() - t->start;
    char validation[64] = "";
    if (!isnan(t->validation_mse)) {
        snprintf(validation, sizeof validation, ", validation %.6f", t->validation_mse);
    }
    message_result("%s: step %llu, last loss %.6f%s, %.1f s, %.0f images/s",
                   output_name(t->options->out), (unsigned long long)t->step, (double)t->loss,
                   validation, seconds, (double)t->images / seconds);
    if (t->best.path != NULL) {
        message_result("%s: the best, validation %.6f", t->best.path, t->best.mse);
    }
}

/* On purpose, after --stop-after steps. */
static int say_where_it_stopped(const struct training *t)
{
    message_result("%s: stopped after step %llu of %llu, last loss %.6f; --resume goes on",
                   output_name(t->options->out), (unsigned long long)t->step,
                   (unsigned long long)t->last_step, (double)t->loss);
    return DONE;
}

static int say_how_to_resume(const struct training *t, int argc, char **argv)
{
    fail("interrupted: saved %s after step %llu of %llu; to go on:", t->options->out,
         (unsigned long long)t->step, (unsigned long long)t->last_step);
    /* Behind a last word `--`, which may be the end of the options, --resume would be none. */
    const bool resume = !t->options->resume, first = argc > 0 && strcmp(argv[argc - 1], "--") == 0;
    fputs(resume && first ? "  cae train --resume" : "  cae train", stderr);
    train_options_print_arguments(t->options, argc, argv);
    fputs(resume && !first ? " --resume\n" : "\n", stderr);
    return FAILED;
}

/* After an error that is not the network's own, such as a lack of memory, what there is is
 * saved. */
static int end_early(struct training *t)
{
    progress_end();
    if (!t->diverged && t->step > t->first_step && save_last(t) == DONE) {
        note("%s: saved after step %llu", t->options->out, (unsigned long long)t->step);
    }
    return FAILED;
}

static int convert(struct training *t)
{
    if (save_last(t) != DONE) {
        return FAILED;
    }
    message_result("%s: the weights of %s%s", output_name(t->options->out),
                   file_input_name(t->options->from),
                   t->data.set.len > 0 ? "; the ranges of its code are those of --data" : "");
    return DONE;
}

static int train(struct training *t, int argc, char **argv)
{
    if (t->step >= t->stop_step) {
        message_result("%s: trained for %llu steps already; nothing to do", t->options->out,
                       (unsigned long long)t->step);
        return DONE;
    }
    interrupt_catch();
    train_feed_start(&t->feed, &t->data);
    t->start = seconds_now();
    while (t->step < t->stop_step && !interrupt_came()) {
        if (advance(t) != DONE) {
            return end_early(t);
        }
    }
    progress_end();
    if (save_last(t) != DONE) {
        return FAILED;
    }
    if (t->step == t->stop_step && t->step < t->last_step) {
        return say_where_it_stopped(t);
    }
    if (t->step < t->last_step && t->stream < 0) {
        return say_how_to_resume(t, argc, argv);
    }
    if (t->step < t->last_step) {
        return fail("interrupted after step %llu of %llu; what was written to %s is a whole model",
                    (unsigned long long)t->step, (unsigned long long)t->last_step,
                    output_name(t->options->out));
    }
    say_summary(t);
    return DONE;
}

int train_main(int argc, char **argv)
{
    struct train_options options;
    int exit_code = DONE;
    if (!train_options_parse(&options, argc, argv, &exit_code)) {
        return exit_code;
    }
    struct training t = {.options = &options, .validation_mse = NAN, .stream = -1};
    int result = prepare(&t);
    if (result == DONE) {
        result = train_options_only_convert(&options) ? convert(&t) : train(&t, argc, argv);
    }
    train_feed_stop(&t.feed);
    if (train_log_close(&t.log) != DONE) {
        result = FAILED;
    }
    if (t.stream >= 0 && close(t.stream) != 0) {
        result = fail("%s: cannot write: %s", output_name(options.out), strerror(errno));
    }
    train_best_free(&t.best);
    train_data_free(&t.data);
    train_self_free(&t.self);
    image_set_free(&t.validation);
    cae_model_free(t.model);
    return result;
}
