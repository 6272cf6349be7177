/*
 * cae-train-mpi: data-parallel training on the ranks of an MPI job, as libcae's calls allow it. In
 * take_step() is all there is to it: each rank computes the gradient of its parts of the batch, MPI
 * adds them up, and each rank makes the same update by the sum. Who has which images is share.c's,
 * that all ranks hold one model state.c's, and that they decide and add up alike ranks.c's.
 *
 * The sum is of floats, each part's mean weighed by its share of the batch: half the bytes of
 * doubles, and it rounds as the sums inside of a gradient do. Its order depends on the batch's
 * parts alone, so that 1, 2 and 4 ranks give the same file, bit for bit. MPI_Allreduce
 * (--any-order) promises less: any order, and the standard only recommends that all ranks get the
 * same bits. Whether they have them is checked before each save.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <mpi.h>

#include <cae/cae.h>

#include "interrupt.h"
#include "message.h"
#include "model.h"
#include "output.h"
#include "ranks.h"
#include "share.h"
#include "state.h"
#include "train_log.h"
#include "train_options.h"

/* What all ranks must have alike, and take from rank 0. */
struct settings {
    struct preparation preparation;
    size_t limit, epochs, steps, batch, parts, save_every;
    double learning_rate;
    struct noise noise; /* low below 0: not given */
    uint64_t seed;
    bool any_order, reproducible, resume, force;
};

struct job_options {
    const char *model, *data, *crop, *size, *log, *out;
    size_t threads;
    struct settings same;
};

/* Where a step's time goes, on this rank. */
enum phase { COMPUTE, WAIT, REDUCE, UPDATE, SAVE, PHASES };

struct training {
    const struct job_options *options;
    struct ranks ranks;
    struct state state;
    struct share share;
    struct train_log log;                 /* rank 0's */
    uint64_t step, first_step, last_step; /* done so far, before this run, in the end */
    uint64_t epoch_steps;                 /* steps per epoch */
    bool stop;                            /* some rank has been told to */
    float loss;
    double start, seconds[PHASES];
};

/* ---- A step ---------------------------------------------------------------------------------- */

static bool save_is_due(const struct training *t, uint64_t step)
{
    const size_t every = t->options->same.save_every;
    return t->stop || step == t->last_step || (every > 0 && step % (t->epoch_steps * every) == 0);
}

static void clock_phase(struct training *t, enum phase phase, double *since)
{
    const double now = MPI_Wtime();
    t->seconds[phase] += now - *since;
    *since = now;
}

static int take_step(struct training *t)
{
    struct state *s = &t->state;
    enum { FAILURES, STOPS, SUMS };
    int sums[SUMS];
    double clock = MPI_Wtime();

    /* This rank's images of the batch, and what they add to the gradient. */
    int result = share_fill(&t->share, t->step);
    if (result == DONE) {
        result = state_gradient(s, &t->share, t->step);
    }
    sums[FAILURES] = result != DONE;
    sums[STOPS] = interrupt_came();
    clock_phase(t, COMPUTE, &clock);

    /* How many failed, or should stop. All wait here for the slowest. */
    MPI_Allreduce(MPI_IN_PLACE, sums, SUMS, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (sums[FAILURES] > 0) {
        return FAILED;
    }
    t->stop = sums[STOPS] > 0;
    clock_phase(t, WAIT, &clock);

    /* The gradient of the whole batch, and the loss, on every rank. */
    if (t->options->same.any_order) {
        MPI_Allreduce(MPI_IN_PLACE, s->gradient, (int)s->len, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    } else {
        ranks_sum(&t->ranks, s->gradient, s->len, s->scratch);
    }
    t->loss = state_loss(s);
    clock_phase(t, REDUCE, &clock);

    /* The same update on every rank. */
    if (state_apply(s, t->step) != DONE) {
        return FAILED;
    }
    clock_phase(t, UPDATE, &clock);
    t->step++;
    return model_set(s->model, "epoch", (double)(t->step / t->epoch_steps));
}

/* ---- What follows a step --------------------------------------------------------------------- */

static int write_checkpoint(struct training *t)
{
    const char *out = t->options->out;
    if (cae_model_save(t->state.model, out, CAE_SAVE_TRAINING) == CAE_OK) {
        return DONE;
    }
    fail("%s: %s", out, cae_last_error());
    model_keep(t->state.model, out);
    return FAILED;
}

static int save(struct training *t)
{
    if (state_fit_code(&t->state, &t->share) != DONE || state_check_same(&t->state) != DONE) {
        return FAILED;
    }
    return ranks_agree(t->ranks.rank == 0 ? write_checkpoint(t) : DONE);
}

static int train(struct training *t)
{
    t->start = seconds_now();
    while (t->step < t->last_step && !t->stop) {
        if (take_step(t) != DONE) {
            return FAILED;
        }
        const uint64_t epoch = (t->step - 1) / t->epoch_steps + 1;
        train_log_write(&t->log, epoch, t->step, (double)t->loss, NAN, seconds_now() - t->start);
        double clock = MPI_Wtime();
        if (save_is_due(t, t->step) && save(t) != DONE) {
            return FAILED;
        }
        clock_phase(t, SAVE, &clock);
    }
    return DONE;
}

/* ---- Before the first step ------------------------------------------------------------------- */

static int prepare_model(struct training *t)
{
    const struct job_options *o = t->options;
    const struct origin origin = {o->model, o->out, o->same.seed, o->same.resume};
    int result = DONE;
    if (t->ranks.rank == 0) {
        result = model_check_target(NULL, o->out);
    }
    if (ranks_agree(result) != DONE ||
        state_start(&t->state, &t->ranks, &origin, o->same.parts / t->ranks.count) != DONE) {
        return FAILED;
    }
    if (!o->same.resume && access(o->out, F_OK) == 0) {
        note("%s exists and will be replaced at the first save; --resume would go on from it",
             o->out);
    }
    return DONE;
}

static int prepare_data(struct training *t)
{
    const struct settings *same = &t->options->same;
    t->share.batch = same->batch;
    t->share.parts = same->parts;
    t->share.data.seed = same->seed;
    t->share.data.noise = same->noise.low >= 0 ? same->noise : model_default_noise(t->state.model);
    t->share.data.takes_noise = model_takes_noise(t->state.model);
    if (train_data_check_noise(&t->share.data, t->options->model) != DONE ||
        share_open(&t->share, &t->ranks, t->options->data, same->limit, &same->preparation,
                   t->state.shape) != DONE) {
        return FAILED;
    }
    const size_t most = t->share.files < same->batch ? t->share.files : same->batch;
    if (most < same->parts) {
        note("the batch has %zu images for %zu parts: ranks without one have nothing to do", most,
             same->parts);
    }
    return DONE;
}

/* Whether it is the run that the model comes from; from here on the model keeps what it depends on.
 */
static int check_and_keep_facts(struct training *t)
{
    const struct job_options *o = t->options;
    struct train_facts facts;
    if (share_facts(&t->share, o->same.reproducible, &facts) != DONE) {
        return FAILED;
    }
    if (!o->same.resume) {
        train_note_copying(t->state.model, o->model, t->share.data.noise.high,
                           o->same.noise.low >= 0);
    }
    int result = DONE;
    if (o->same.resume && t->ranks.rank == 0) {
        result = train_notes_check(t->state.model, o->out, &facts, o->same.force);
    }
    if (result == DONE) {
        result = train_notes_set(t->state.model, &facts);
    }
    return ranks_agree(result) == DONE
               ? state_set(&t->state, o->same.learning_rate, o->threads, o->same.reproducible)
               : FAILED;
}

/* Rank 0's part of the preparation. */
static int check_epoch_and_log(struct training *t)
{
    const struct job_options *o = t->options;
    if (o->same.resume && !o->same.force &&
        model_check_epoch(t->state.model, o->out, t->epoch_steps) != DONE) {
        return FAILED;
    }
    return train_log_open(&t->log, o->log, t->step);
}

static int prepare(struct training *t)
{
    const struct settings *same = &t->options->same;
    if (prepare_model(t) != DONE || prepare_data(t) != DONE || check_and_keep_facts(t) != DONE) {
        return FAILED;
    }
    t->epoch_steps = share_steps(&t->share);
    t->step = t->first_step = (uint64_t)model_get(t->state.model, "step");
    t->last_step = same->steps > 0 ? same->steps : same->epochs * t->epoch_steps;
    return ranks_agree(t->ranks.rank == 0 ? check_epoch_and_log(t) : DONE);
}

/* ---- Words ----------------------------------------------------------------------------------- */

static void say_summary(const struct training *t)
{
    const double steps = (double)(t->step - t->first_step);
    message_result("%s: step %llu, last loss %.6f, %.1f s", t->options->out,
                   (unsigned long long)t->step, (double)t->loss, seconds_now() - t->start);
    message_result(
        "a step on rank 0 of %zu, in ms: gradient %.3f, waiting %.3f, sum %.3f, update %.3f; "
        "saving: %.1f s",
        t->ranks.count, 1e3 * t->seconds[COMPUTE] / steps, 1e3 * t->seconds[WAIT] / steps,
        1e3 * t->seconds[REDUCE] / steps, 1e3 * t->seconds[UPDATE] / steps, t->seconds[SAVE]);
}

static int run(struct training *t)
{
    if (prepare(t) != DONE) {
        return FAILED;
    }
    if (t->step >= t->last_step) {
        message_result("%s: trained for %llu steps already; nothing to do", t->options->out,
                       (unsigned long long)t->step);
        return DONE;
    }
    interrupt_catch();
    if (train(t) != DONE) {
        return FAILED;
    }
    if (t->step == t->last_step) {
        say_summary(t);
        return DONE;
    }
    return t->ranks.rank == 0
               ? fail("interrupted: saved %s after step %llu of %llu; --resume, added to the same "
                      "command, goes on",
                      t->options->out, (unsigned long long)t->step,
                      (unsigned long long)t->last_step)
               : FAILED;
}

/* ---- The command line ------------------------------------------------------------------------ */

static const char program[] = "cae-train-mpi";

static const char details[] =
    "To be run by mpirun; alone it is a job of one rank. Every rank must find the same files in\n"
    "DIR (a shared folder, or copies) and reads its part of them; all must be usable. The\n"
    "architecture text, --out and --log are rank 0's files. A batch is that of the whole job. It\n"
    "is split into parts, the number of ranks times a power of two, 4 unless that cannot be, and\n"
    "each rank computes equally many. The result depends on the number of parts, not on that of\n"
    "ranks: 1, 2 and 4 ranks give the same file, unless --any-order is given. Several ranks on\n"
    "one machine share its processors: give each its --threads. Before each save all ranks\n"
    "compare their weights. Ctrl-C finishes the step and saves, if that takes less than the\n"
    "second that mpirun allows. A job that was stopped or killed and is resumed with the same\n"
    "arguments and parts ends with the same file as one that never stopped. All else is as for\n"
    "`cae train`. docs/mpi.md has more.\n";

static bool is_power_of_two(size_t n)
{
    return n > 0 && (n & (n - 1)) == 0;
}

static int check(struct job_options *o, const struct ranks *ranks)
{
    struct settings *same = &o->same;
    if ((same->epochs == 0) == (same->steps == 0)) {
        return usage_error(NULL, "give either --epochs or --steps");
    }
    if (same->force && !same->resume) {
        return usage_error(NULL, "--force goes with --resume");
    }
    if (same->parts == 0) {
        same->parts = share_default_parts(ranks->count, same->batch);
    }
    if (same->parts % ranks->count != 0 || !is_power_of_two(same->parts / ranks->count)) {
        return usage_error(NULL,
                           "--parts: \"%zu\" is not the number of ranks, %zu, times a power "
                           "of two",
                           same->parts, ranks->count);
    }
    return preparation_parse(&same->preparation, NULL, o->crop, o->size);
}

static bool parse(struct job_options *o, const struct ranks *ranks, int argc, char **argv,
                  int *exit_code)
{
    const struct operand operands[] = {{NULL, NULL}};
    struct settings *same = &o->same;
    const struct option options[] = {
        REQUIRED_TEXT_OPTION("model", &o->model, "PRESET|FILE", "a preset or an architecture text"),
        REQUIRED_TEXT_OPTION("data", &o->data, "DIR", "images to train on (PNG, JPEG, PGM, PPM)"),
        TRAIN_IMAGES_OPTIONS(o, same),
        COUNT_OPTION("steps", &same->steps, 1, 1e15, "N",
                     "train until N steps in all; one of the two"),
        COUNT_OPTION("batch", &same->batch, 1, 1e6, "N", "images per step, of all ranks together"),
        COUNT_OPTION("parts", &same->parts, 1, 1e6, "N",
                     "of a batch, each with a gradient of its own"),
        SWITCH_OPTION("any-order", &same->any_order, "let MPI_Allreduce add up the gradients"),
        REAL_OPTION("lr", &same->learning_rate, 0, 1e6, "RATE", "Adam's learning rate"),
        TRAIN_RANDOM_OPTIONS(same),
        COUNT_OPTION("threads", &o->threads, 0, 1024, "N", "of each rank; 0: all it may use"),
        TRAIN_SAVING_OPTIONS(same),
        SWITCH_OPTION("resume", &same->resume, "go on from the file --out"),
        TRAIN_OUTPUT_OPTIONS(o, same),
        OPTIONS_END,
    };
    const struct command_line line = {
        .command = NULL,
        .summary = "Trains a model on the images of a folder, on all ranks of an MPI job.",
        .operands = operands,
        .options = options,
        .details = details,
    };
    if (!options_parse(&line, argc, argv, exit_code)) {
        return false;
    }
    *exit_code = check(o, ranks);
    return *exit_code == DONE;
}

/* Rank 0 reads the command line first, so that an error in it is said once; what must be equal on
 * all ranks they take from it. Each has its own --data and --threads: mpirun can start ranks with
 * different arguments. */
static bool parse_on_all(struct job_options *o, const struct ranks *ranks, int argc, char **argv,
                         int *exit_code)
{
    bool goes_on = ranks->rank != 0 || parse(o, ranks, argc, argv, exit_code);
    ranks_copy(&goes_on, sizeof goes_on);
    ranks_copy(exit_code, sizeof *exit_code);
    if (!goes_on) {
        return false;
    }
    if (ranks->rank != 0) {
        parse(o, ranks, argc, argv, exit_code);
    }
    *exit_code = ranks_agree(*exit_code);
    ranks_copy(&o->same, sizeof o->same);
    return *exit_code == DONE;
}

int main(int argc, char **argv)
{
    struct job_options options = {
        .same = {.batch = 50, .learning_rate = 1e-3, .noise = {-1, -1}, .seed = 1}};
    struct training t = {.options = &options};
    int result = DONE;
    output_fill_descriptors();
    ranks_start(&t.ranks, &argc, &argv, program);
    if (parse_on_all(&options, &t.ranks, argc - 1, argv + 1, &result)) {
        ranks_name_messages(&t.ranks);
        result = run(&t);
        if (train_log_close(&t.log) != DONE) {
            result = FAILED;
        }
    }
    share_free(&t.share);
    state_free(&t.state);
    MPI_Finalize();
    return result;
}
