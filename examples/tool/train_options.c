/*
 * The options of `cae train`: what they are, which can be combined, and the command that resumes
 * the run.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "train_options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "interrupt.h"
#include "message.h"
#include "output.h"

/* Of --steps, for 0 is a number of steps. */
static const size_t not_given = SIZE_MAX;

/* What a training with --self or --pairs does unless told otherwise: docs/denoise.md has the
 * measurements. The rates are from the beginning and from the weights of --from. */
static const double least_gain = 1e-6; /* below it the noise is that of sigma */
static const size_t self_steps = 1500, self_batch = 4;
static const double self_rate = 0.006, self_rate_from = 0.00003, pairs_rate_from = 0.001,
                    self_warmup = 0.05;

static const char details[] =
    "DIR holds images, or a folder of images for each person; files that cannot be read are named\n"
    "and left out. --crop 83,92,84x84 --size 64x64 makes of the LFW faces those of LFWcrop.\n"
    "A person is the image's folder or, without one, its name up to a last _ before a number;\n"
    "which people --split-by-person sets aside depends on the seed.\n"
    "Larger images are cut at random to the training size, smaller ones are left out. SIGMA is 25\n"
    "unless given for the presets *-denoise and 0 for others; noise is fresh in each step. Order,\n"
    "crops, symmetries and noise depend on the seed alone. --noise 5-75 draws a level for each\n"
    "image, the logarithm uniform. Ctrl-C finishes the step, saves and says how to resume; a\n"
    "resumed run ends with the same file as one that never stopped, given the same arguments but\n"
    "--from, and --model need not be repeated. --stop-after ends a run early as Ctrl-C does, at a\n"
    "known step. --lr, --steps, --epochs, --stop-after, --note, --threads, --log and --val\n"
    "may change, but not the last step under a --schedule or --warmup; this, another seed, batch,\n"
    "noise, schedule, --symmetries, --texture, --reproducible or other images are refused unless\n"
    "--force is given.\n"
    "--from begins with the weights of a model, whose architecture --model need not repeat, or of\n"
    "a plain safetensors file such as PyTorch's: F32, F16, BF16 or F64; module. and _orig_mod.\n"
    "before its names are taken off, and tensors without a dimension are left out. With --steps 0\n"
    "that is all, and --data, if given, is what the ranges of the code are fitted to; --half then\n"
    "rounds the weights to 16 bits and leaves out what training needs. FILE may be the name of a\n"
    "shipped model. --note license=CC-BY-SA-4.0 and the like are shown by `cae info`.\n"
    "--self learns from noisy images alone, DIR or one file, if their noise is independent from\n"
    "pixel to pixel, as that of sensors is before demosaicing, scaling, sharpening and JPEG.\n"
    "Images whose neighbours have noise in common are refused unless --force is given. --pairs\n"
    "wants two or more noisy frames of each scene in a folder of their own below DIR, or of one\n"
    "scene in DIR; noise need not be independent inside a frame, but then wants --sigma, since the\n"
    "estimate is for noise that is. With both, unless given: --steps 1500, --batch 4, --symmetries,\n"
    "--schedule linear, --warmup 0.05 and --lr 0.006, with --from 0.00003 (--self) or 0.001\n"
    "(--pairs).\n"
    "--val measures as `cae eval` does, at the end and at the ends of epochs, as often as costs at\n"
    "most one pixel measured for four trained on; of noise LOW-HIGH the geometric mean of the errors\n"
    "at four levels. --keep-best writes the model with the lowest to NAME.best.EXT where MODEL is\n"
    "NAME.EXT, without the optimizer's state. The log has one row per step:\n"
    "epoch,step,loss,val_mse,seconds. MODEL may be - or a pipe, which gets the file at the end;\n"
    "a link stays, and the file that it leads to is replaced.\n";

bool train_options_only_convert(const struct train_options *o)
{
    return o->from != NULL && o->steps == 0;
}

/* What is wrong with a KEY=VALUE that the library cannot know. */
static int check_note(const char *note)
{
    if (strchr(note, '=') == NULL) {
        return usage_error("train", "--note: '%s' is not KEY=VALUE", note);
    }
    return strncmp(note, "cae.", 4) != 0
               ? DONE
               : usage_error("train", "--note: keys that begin with cae. are the command's own: %s",
                             note);
}

static int check_saving(const struct train_options *o)
{
    for (size_t i = 0; i < o->notes.len; i++) {
        if (check_note(o->notes.items[i]) != DONE) {
            return USAGE;
        }
    }
    if (o->half && !train_options_only_convert(o)) {
        return usage_error("train", "--half goes with --from and --steps 0: a run goes on from "
                                    "weights as they are");
    }
    return o->stop_after == not_given || !train_options_only_convert(o)
               ? DONE
               : usage_error("train", "--stop-after does not go with --steps 0");
}

/* ---- Noisy images alone ---------------------------------------------------------------------- */

static int check_level(struct train_options *o)
{
    if (noise_read_told("train", o->sigma, o->gain, &o->level) != DONE) {
        return USAGE;
    }
    return noise_is_estimated(o->sigma) || o->level >= noise_least || o->gain > 0
               ? DONE
               : usage_error("train", "--sigma must be %g or more; auto estimates it", noise_least);
}

static int check_self(struct train_options *o)
{
    const struct {
        bool given;
        const char *option, *why;
    } senseless[] = {
        {o->noise.low >= 0, "--noise", "the images have theirs, whose level --sigma gives"},
        {o->validation != NULL, "--val",
         "without clean images nothing is measured; `cae eval` does it where there are some"},
        {o->split_by_person, "--split-by-person", "without clean images nothing is measured"},
        {o->keep_best, "--keep-best", "without clean images it is not known which is the best"},
        {o->size != NULL, "--size", "scaling makes the noise of neighbours dependent"},
        {o->places > 0, "--texture", "it would choose by the noise"},
        {o->steps == 0, "--steps 0", "there is nothing to learn in no step"},
    };
    const char *name = o->pairs != NULL ? "--pairs" : "--self";
    if (!o->self && o->pairs == NULL) {
        return o->sigma == NULL && o->gain < 0
                   ? DONE
                   : usage_error("train", "%s goes with --self or --pairs; --noise adds noise",
                                 o->sigma != NULL ? "--sigma" : "--gain");
    }
    if (o->self && o->pairs != NULL) {
        return usage_error("train", "--self and --pairs: give one of the two");
    }
    if (o->pairs != NULL && o->data != NULL) {
        return usage_error("train", "--pairs DIR and --data: give one of the two");
    }
    if (o->gain > 0 && o->gain < least_gain) {
        return usage_error("train", "--gain must be 0 or from %g on", least_gain);
    }
    for (size_t i = 0; i < sizeof senseless / sizeof senseless[0]; i++) {
        if (senseless[i].given) {
            return usage_error("train", "%s does not go with %s: %s", senseless[i].option, name,
                               senseless[i].why);
        }
    }
    return check_level(o);
}

/* Fills in what was not given. */
static void set_defaults(struct train_options *o)
{
    const bool noisy_alone = o->self || o->pairs != NULL;
    o->self = noisy_alone;
    o->data = o->pairs != NULL ? o->pairs : o->data;
    o->gain = o->gain > 0 ? o->gain : 0;
    if (o->batch == 0) {
        o->batch = noisy_alone ? self_batch : 50;
    }
    if (o->schedule.warmup < 0) {
        o->schedule.warmup = noisy_alone ? self_warmup : 0;
    }
    if (!noisy_alone) {
        return;
    }
    o->symmetries = true;
    if (!o->schedule.given) {
        o->schedule.kind = SCHEDULE_LINEAR;
    }
    if (o->epochs == 0 && o->steps == not_given) {
        o->steps = self_steps;
    }
    if (o->learning_rate < 0 && !o->resume) {
        o->learning_rate = o->from == NULL    ? self_rate
                           : o->pairs != NULL ? pairs_rate_from
                                              : self_rate_from;
    }
}

const char *train_options_self_text(const struct train_options *o, uint64_t steps,
                                    char text[TRAIN_SELF_TEXT])
{
    char gain[NUMBER_TEXT];
    size_t len = 0;
    text[0] = '\0';
    if (o->self) {
        /* The weight of the loss's second term follows the steps. */
        len = (size_t)(o->pairs != NULL ? snprintf(text, TRAIN_SELF_TEXT, "pairs")
                                        : snprintf(text, TRAIN_SELF_TEXT,
                                                   "neighbours, %" PRIu64 " steps", steps));
    }
    if (o->gain > 0) {
        number_write(o->gain, gain);
        snprintf(text + len, TRAIN_SELF_TEXT - len, ", gain %s", gain);
    }
    return text;
}

/* ---- What goes together ---------------------------------------------------------------------- */

static int check(struct train_options *o)
{
    if (check_self(o) != DONE) {
        return USAGE;
    }
    set_defaults(o);
    o->name = o->model != NULL ? o->model : o->from != NULL ? o->from : o->resume ? o->out : NULL;
    if (o->name == NULL) {
        return usage_error("train", "--model PRESET|FILE is missing");
    }
    o->name = file_input_name(o->name);
    if (o->data == NULL && (!train_options_only_convert(o) || o->split_by_person)) {
        return usage_error("train", "--data DIR is missing");
    }
    if ((o->epochs == 0) == (o->steps == not_given)) {
        return usage_error("train", "give either --epochs or --steps");
    }
    if (o->steps == 0 && (o->from == NULL || o->resume)) {
        return usage_error("train", "--steps 0 goes with --from, without --resume");
    }
    if (o->from != NULL && o->resume) {
        return usage_error("train", "--from and --resume: give one of the two; --resume goes on "
                                    "with the weights of --out");
    }
    if (o->keep_best && o->validation == NULL && !o->split_by_person) {
        return usage_error("train", "--keep-best goes with --val or --split-by-person");
    }
    if (check_saving(o) != DONE) {
        return USAGE;
    }
    if (o->split_by_person && o->validation != NULL) {
        return usage_error("train", "--split-by-person and --val: give one of the two");
    }
    if (o->force && !o->resume && (!o->self || o->pairs != NULL)) {
        return usage_error("train", "--force goes with --resume or --self");
    }
    if (!o->split_by_person && o->validation_fraction > 0) {
        return usage_error("train", "--val-fraction goes with --split-by-person");
    }
    if (o->validation_fraction <= 0) {
        o->validation_fraction = 0.1;
    }
    if ((o->resume || o->keep_best || o->save_every > 0) && output_is_stream(o->out)) {
        return usage_error("train",
                           "--resume, --keep-best and --save-every want a regular file, "
                           "not %s",
                           output_name(o->out));
    }
    return preparation_parse(&o->preparation, "train", o->crop, o->size);
}

bool train_options_parse(struct train_options *o, int argc, char **argv, int *exit_code)
{
    *o = (struct train_options){.steps = not_given,
                                .schedule = {.warmup = -1},
                                .gain = -1,
                                .learning_rate = -1,
                                .noise = {-1, -1},
                                .kl_weight = -1,
                                .validation_fraction = -1,
                                .stop_after = not_given,
                                .seed = 1};
    const struct operand operands[] = {{NULL, NULL}};
    const struct option options[] = {
        TEXT_OPTION("model", &o->model, "PRESET|FILE", "a preset or an architecture text"),
        TEXT_OPTION("from", &o->from, "FILE|NAME",
                    "begin with the weights of a model or another program"),
        TEXT_OPTION("data", &o->data, "DIR", "images to train on (PNG, JPEG, PGM, PPM)"),
        SWITCH_OPTION("self", &o->self, "they are noisy, and there are no clean ones"),
        TEXT_OPTION("pairs", &o->pairs, "DIR", "instead of --data: bursts of noisy images"),
        TEXT_OPTION("sigma", &o->sigma, "SIGMA",
                    "with these two: their noise, of 255; auto, the default, estimates"),
        REAL_OPTION("gain", &o->gain, 0, 1, "G",
                    "of their sensor: the variance is (SIGMA/255)^2 + G x at value x"),
        TEXT_OPTION("val", &o->validation, "DIR", "images to measure on"),
        SWITCH_OPTION("split-by-person", &o->split_by_person,
                      "measure on images of people who are not trained on"),
        REAL_OPTION("val-fraction", &o->validation_fraction, 0.001, 0.999, "F",
                    "about so many of the images; 0.1 unless given"),
        TRAIN_IMAGES_OPTIONS(o, o),
        COUNT_OPTION("steps", &o->steps, 0, 1e15, "N",
                     "train until N steps in all; one of the two"),
        COUNT_OPTION("stop-after", &o->stop_after, 1, 1e15, "N",
                     "save and stop after step N, to be resumed"),
        COUNT_OPTION("batch", &o->batch, 1, 1e6, "N", "images per step"),
        REAL_OPTION("lr", &o->learning_rate, 0, 1e6, "RATE",
                    "Adam's learning rate; else 0.001 or, to resume, as before"),
        REAL_OPTION("kl-weight", &o->kl_weight, 0, 1e6, "W",
                    "of a sampled code's divergence in the loss; else 0.3"),
        READ_OPTION("schedule", &o->schedule, &schedule_reading, "WHICH",
                    "of the rate: constant, or linear or cosine down to 0 at the end"),
        REAL_OPTION("warmup", &o->schedule.warmup, 0, 1, "FRACTION",
                    "of the steps, in which it rises"),
        COUNT_OPTION("texture", &o->places, 1, 1000, "N",
                     "of N places of a larger image, the one with the most texture"),
        SWITCH_OPTION("symmetries", &o->symmetries, "turn and mirror images, 8 ways"),
        TRAIN_RANDOM_OPTIONS(o),
        COUNT_OPTION("threads", &o->threads, 0, 1024, "N", "0: all processors"),
        TRAIN_SAVING_OPTIONS(o),
        LIST_OPTION("note", &o->notes, "KEY=VALUE", "text that the file keeps; may be repeated"),
        SWITCH_OPTION("half", &o->half, "weights as F16, in half the bytes; with --steps 0"),
        SWITCH_OPTION("keep-best", &o->keep_best, "the model of the lowest val_mse, beside --out"),
        SWITCH_OPTION("resume", &o->resume, "go on from the file --out; not with --from"),
        TRAIN_OUTPUT_OPTIONS(o, o),
        OPTIONS_END,
    };
    const struct command_line line = {
        .command = "train",
        .summary = "Trains a model on the images of a folder.",
        .operands = operands,
        .options = options,
        .details = details,
    };
    if (!options_parse(&line, argc, argv, exit_code)) {
        return false;
    }
    *exit_code = check(o);
    return *exit_code == DONE;
}

void train_options_print_arguments(const struct train_options *o, int argc, char **argv)
{
    static const char joined[] = "--from=";
    int first = argc, after = argc; /* of those that are left out */
    for (int i = 0; i < argc && o->from != NULL; i++) {
        if (argv[i] == o->from) {
            first = i - 1;
            after = i + 1;
        } else if (strncmp(argv[i], joined, strlen(joined)) == 0 &&
                   argv[i] + strlen(joined) == o->from) {
            first = i;
            after = i + 1;
        }
    }
    interrupt_print_arguments(stderr, first, argv);
    interrupt_print_arguments(stderr, argc - after, argv + after);
}
