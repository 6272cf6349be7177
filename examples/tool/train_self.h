/*
 * Steps of a training without clean images, after Neighbor2Neighbor (Huang et al. 2021). Of every
 * cell of 2 x 2 pixels of a noisy y two neighbours are drawn: they make two images g1 and g2 of
 * half the size, with the same picture nearly and independent noise. The network f learns g2 from
 * g1; and because neighbours differ without noise too, the loss has a second term:
 *     |f(g1) - g2|^2 + c |f(g1) - g2 - d|^2,   d = g1(f(y)) - g2(f(y)), held fixed.
 * Both are one: (1 + c) |f(g1) - (g2 + c/(1 + c) d)|^2, and what does not depend on f. So a step is
 * a de-noising of y, which gives d, and a usual step. With bursts the two images are two frames,
 * there is no d, and noise need not be independent inside a frame.
 *
 * What is drawn depends on the seed and the step alone, like all of train_data.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_TRAIN_SELF_H
#define CAE_TOOL_TRAIN_SELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cae/cae.h>

#include "noisy_set.h"

struct train_data;

/* What is cut from the images, in an epoch each about once. */
struct train_self {
    struct noisy_set set;
    size_t height, width; /* of a cut: twice the training size, with bursts that */
    size_t *image_of;     /* by the cut's number */
    size_t len;           /* of cuts */
};

/* Of one batch. */
struct train_self_batch {
    float *whole;    /* the cuts, without bursts */
    float *clean;    /* and what the network makes of them */
    uint8_t *choice; /* for every cell, CHOICE_* */
};

/* Settles the cuts for a network of the training size *height x *width, or less where the largest
 * image is smaller, and changes these to it. Images that are smaller are named and left out. */
int train_self_start(struct train_self *self, const cae_model *model, const char *name,
                     size_t *height, size_t *width);
void train_self_free(struct train_self *self);

/* False: out of memory; what there is can be freed. */
bool train_self_batch_new(struct train_self_batch *b, const struct train_self *self, size_t len);
void train_self_batch_free(struct train_self_batch *b);

/* Puts cut `number`, as it is seen in an epoch, at a place of the batch of *data. */
void train_self_view(const struct train_data *data, uint64_t epoch, uint64_t number, size_t place);

/* Adds to the targets of the batch at hand what the model as it is makes of them. The weight c
 * rises from 0 to 2 with the part of the steps that is done, `done`. A status of the library. */
int train_self_finish(const struct train_data *data, const cae_model *model, double done,
                      size_t count);

#endif
