/*
 * What a training depended on, kept in the notes of its model (cae_model_note_set), so that a run
 * that goes on from a file knows whether it is the same run. docs/file-formats.md, section 1.8, has
 * the keys and the way to the images' number.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_TRAIN_NOTES_H
#define CAE_TOOL_TRAIN_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cae/cae.h>

#include "images.h"
#include "train_data.h"

struct train_facts {
    uint64_t seed;
    size_t batch, parts; /* parts: of a batch, of `cae-train-mpi` alone; else 0 */
    size_t places;       /* 0 or 1: an image's place is drawn */
    struct noise noise;
    bool reproducible, symmetries;
    const char *self;     /* how it learns from noisy images alone, "" if it does not */
    const char *schedule; /* its text, "" when the rate is constant */
    size_t images;
    uint32_t pixels; /* train_pixels_of_all() */
};

/* A number for the size and the pixels of an image, and one for `len` images from the numbers of
 * each, in their order, which it may change. */
uint32_t train_pixels(const struct image *image);
uint32_t train_pixels_of_all(uint32_t *each, size_t len);

/* The latter of a set. */
int train_set_pixels(const struct image_set *set, uint32_t *pixels);

/* The facts of a run with these data. */
int train_facts_of(struct train_facts *facts, const struct train_data *data, bool reproducible,
                   const char *schedule);

/* Fails, naming all that differs, when the model, saved at `path`, was trained by a run with other
 * facts; with `force` notes it instead. Says so when the file has none to compare. */
int train_notes_check(const cae_model *model, const char *path, const struct train_facts *facts,
                      bool force);

int train_notes_set(cae_model *model, const struct train_facts *facts);

/* Prints a note if a network is trained without noise that does not have to compress its input, or
 * that is for de-noising by its name: both learn to copy. `given`: the user has chosen the noise.
 */
void train_note_copying(const cae_model *model, const char *name, double sigma, bool given);

#endif
