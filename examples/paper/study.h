/*
 * A study: its settings, the faces it trains on and those it is measured on, and the networks it
 * compares. The faces follow from the folder and the seed alone, so that every network, every part
 * run by itself and every resumed run works on the same ones.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_PAPER_STUDY_H
#define CAE_PAPER_STUDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image_set.h"

enum { SIDE = 64, PIXELS = SIDE * SIDE }; /* the faces of the paper: grey, 64 x 64 */
enum { TEST_EVERY = 10 };                 /* epochs from one look at the unseen faces to the next */

/* Of the divergence in the loss of the variational autoencoder. Of 0.01, 0.1 and 0.3 tried on 300
 * faces, this one's random codes gave what looks like faces most often. */
#define KL_WEIGHT 0.3

/* The networks, in the order of the report. */
enum network_number { SAE_COMPRESS, CAE_COMPRESS, SAE_DENOISE, CAE_DENOISE, VAE, NETWORKS };

struct network {
    const char *name;  /* of the preset, of its files and in --only */
    const char *label; /* in the report */
    bool denoises;
};

extern const struct network networks[NETWORKS];

struct study {
    /* Settings. */
    const char *data, *out;
    size_t epochs, train_len, test_len, batch, threads;
    double sigma; /* of the noise, on the 0-255 scale */
    uint64_t seed;
    bool reproducible, resume;
    struct preparation preparation; /* of each image, before it is looked at */
    bool chosen[NETWORKS];          /* to be trained by this run */
    int record;                     /* the file that study_settle keeps open, or -1 */

    /* Faces, all SIDE x SIDE. */
    struct image_set all;   /* everyone that may be trained on */
    struct image_set train; /* drawn from them by the seed */
    struct image_set test;  /* other people */
};

/* Loads the faces: from data/train and data/val where there are such folders, else from `data`
 * alone, split so that nobody is in both sets. Too few, and other sizes, are failures. */
int study_load(struct study *study);
void study_free(struct study *study);

/* Makes the folder `out` and writes down there what the results depend on; a folder that holds a
 * study of other settings or other faces is refused, and the first difference is named. */
int study_settle(struct study *study);

/* Claims a network of the settled study's folder until the program ends: two runs that train the
 * same one would cut off each other's curve. A failure when another run has it. */
int study_claim(const struct study *study, size_t n);

/* The path out/name + ending, in memory that the caller frees; NULL when there is none left. */
char *study_path(const struct study *study, const char *name, const char *ending);

#endif
