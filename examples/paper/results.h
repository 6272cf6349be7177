/*
 * What a study found: each network, filter and PCA judged on the training faces and on the unseen
 * ones. All of it is computed from the models and curves on the disk, so that parts which were run
 * by themselves, and runs that were resumed, come together here.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_PAPER_RESULTS_H
#define CAE_PAPER_RESULTS_H

#include "curve.h"
#include "outcome.h"
#include "study.h"

/* The two sets of faces that everything is judged on. */
enum side { TRAIN, UNSEEN, SIDES };

/* The evidence lower bound of a variational autoencoder, in nats per face (Kingma and Welling 2014,
 * equations 3 and 10), for a Gaussian decoder whose variance the KL weight stands for. */
struct bound {
    double squared_error;              /* with a sampled code: mean over pixels */
    double reconstruction, divergence; /* log p(x|z); KL of the code to the standard normal */
};

struct network_result {
    bool have; /* it has been trained to the end */
    struct curve curve;
    double parameters, code_len, code_floats_bytes;
    char kernels[8];     /* the tier it runs on here */
    double bytes[SIDES]; /* of the compressed file; NaN where there is none */
    struct outcome outcome[SIDES];
};

enum baseline { NOISY, BLUR, MEDIAN, NON_LOCAL, BASELINES };

struct baseline_result {
    char name[64]; /* with its parameter */
    struct outcome outcome[SIDES];
};

enum fit { FIT_TRAIN, FIT_ALL, FITS };

struct pca_result {
    size_t faces, components;
    struct outcome outcome[SIDES];
};

struct results {
    const struct study *study;
    struct network_result networks[NETWORKS];
    struct baseline_result baselines[BASELINES];
    struct pca_result pca[FITS];
    struct {
        double kl_weight;
        struct bound bound[SIDES];
        float *samples; /* SHOWN x PIXELS */
    } vae;
};

/* The faces of a side. */
const struct image_set *results_faces(const struct study *study, enum side side);

int results_collect(struct results *results, const struct study *study);
void results_free(struct results *results);

/* The first epoch, from 1, at which a curve's training (or else test) loss is at most `loss`; 0
 * when there is none. */
size_t results_reach(const struct curve *curve, bool test, double loss);

/* The latest losses; NaN where there are none. */
double results_last(const struct curve *curve, bool test);

/* results.json. */
int results_save(const struct results *results, const char *command);

#endif
