/*
 * What `cae train` feeds to the model: the batch of a step is a function of the images, the seed
 * and the step's number alone (order, crops and noise come from random.h), so that a run may stop
 * and go on anywhere. SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_TRAIN_DATA_H
#define CAE_TOOL_TRAIN_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cae/cae.h>

#include "image_set.h"
#include "noise.h"
#include "train_self.h"

struct train_data {
    struct image_set set; /* only images that are large enough */
    size_t channels, height, width;
    size_t batch;
    struct noise noise;
    bool takes_noise; /* the network is told each image's level */
    size_t places;    /* of so many places of an image, the one with the most texture; 0 is 1 */
    bool symmetries;  /* each image of an epoch turned and mirrored, one of 8 ways */
    uint64_t seed;
    float *input, *target; /* of the batch at hand; the same buffer without noise */
    float *sigma;          /* its noise levels, on [0,1] */
    size_t *order;         /* of the images in epoch `order_epoch` (counted from 0) */
    uint64_t order_epoch;
    bool silent; /* failures are not told: another thread finds the same one and tells it */
    const struct train_self *self; /* --self and --pairs: what is learned from, in place of the set,
                                    * which is empty. A batch then is done by train_self_finish() */
    struct train_self_batch self_batch;
};

/* A way through the pixels of an image: the first, and the steps down and along. */
struct train_walk {
    ptrdiff_t first, down, along;
};

/* The same way turned and mirrored: bits 0 and 1 of `symmetry` mirror it, bit 2 exchanges rows and
 * columns, which only a square can take. */
struct train_walk train_walk_turned(struct train_walk w, size_t height, size_t width,
                                    uint64_t symmetry);

/* How many parts of images an epoch has. */
size_t train_data_len(const struct train_data *data);

/* Fails when the network of `name` takes noise levels and these cannot be its. */
int train_data_check_noise(const struct train_data *data, const char *name);

/* Gets ready for training at the given shape (channels, height, width); the set and the settings
 * batch, noise, takes_noise, places, symmetries, seed and self are in *data already. Images smaller
 * than the shape are named and left out; it is a failure when none is left. */
int train_data_start(struct train_data *data, const size_t shape[3]);
void train_data_free(struct train_data *data);

/* Another that makes the same batches of the same images, in buffers of its own; false: out of
 * memory. *data owns the images and outlives it. */
bool train_data_twin(struct train_data *twin, const struct train_data *data);
void train_data_twin_free(struct train_data *twin);

/* Exchanges the batches at hand. */
void train_data_exchange(struct train_data *a, struct train_data *b);

/* Steps per epoch: every image once, the last batch may be short. */
uint64_t train_data_steps(const struct train_data *data);

/* Fills input and target for step number `step`, counted from 0; *count images. */
int train_data_fill(struct train_data *data, uint64_t step, size_t *count);

/* Puts one image at a place of input and target as it is seen in an epoch: cut to the training size
 * and, in the input, with noise. Both depend on the image's `number`, its index in the set unless
 * the set is a part of another. */
int train_data_view(const struct train_data *data, const struct image *image, uint64_t epoch,
                    uint64_t number, size_t place);

/* The code's ranges are fitted to the images as the network sees them in the first epoch: to all of
 * them or, if they have more than 2^24 values together, to as many as have that, at least 16,
 * evenly spread over the set. Whether the image with this number is one, of `len` images; and its
 * input. */
bool train_data_fits(const struct train_data *data, size_t len, uint64_t number);
int train_data_input(const struct train_data *data, const struct image *image, uint64_t number,
                     float *input);

/* Fits them. A model whose code does not stand alone has no use for them. When they cannot be
 * fitted, which is said, the model keeps those that training has gathered. */
void train_data_fit(const struct train_data *data, cae_model *model);

#endif
