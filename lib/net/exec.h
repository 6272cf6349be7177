/*
 * Running a planned tile of the network in a block of memory: forward, and backward from the
 * gradient of the last tensor. Also the two ends: planar images to views and back.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_NET_EXEC_H
#define CAE_NET_EXEC_H

#include "net/plan.h"

/* What runs: the network with its weights, and how. */
typedef struct cae_engine {
    const cae_net *net;
    const cae_kernels *kernels;
    const float *weights;  /* in file order, PyTorch's layouts */
    const float *packed;   /* those of operators that pack theirs, at their packed offsets */
    size_t threads;        /* at least 1 */
    size_t memory_limit;   /* bytes of scratch for one call */
    const float *sigma;    /* the noise level of each image, where the network takes one */
    cae_training training; /* which sets `first` and `term_scale` itself */
    double term_weight;    /* of the code's term in the loss */
} cae_engine;

/* Planar images, count x c x h x w. */
typedef struct cae_planar {
    const float *data;
    size_t c, h, w;
} cae_planar;

typedef struct cae_planar_out {
    float *data;
    size_t c, h, w;
} cae_planar_out;

/* A batch of images, and what the network shall make of each; both may be one array. */
typedef struct cae_pairs {
    const float *input, *target; /* planar, count x c x height x width each */
    const float *sigma;          /* count noise levels; NULL where the network takes none */
    size_t count, height, width;
} cae_pairs;

/* Where a run's images or codes come from and go to, a part of a row at a time: values x0 .. x1
 * - 1 of row y of channel c of image n. Called from several threads at once, for different
 * parts. */
typedef struct cae_source {
    void (*read)(const void *from, size_t n, size_t c, size_t y, size_t x0, size_t x1, float *row);
    const void *from;
    size_t h, w; /* of one image */
} cae_source;

typedef struct cae_sink {
    void (*write)(void *to, size_t n, size_t c, size_t y, size_t x0, size_t x1, const float *row);
    void *to;
    size_t h, w;
} cae_sink;

/* CAE_E_ARGUMENT when `count` images are more than memory holds; CAE_E_NONFINITE, naming the first
 * bad value, unless `data` is NULL. `name` is the argument's. */
int cae_planar_check(const cae_planar *images, size_t count, const char *name);

/* Planar floats as a source and as a sink; `images` must outlive them. */
cae_source cae_source_planar(const cae_planar *images);
cae_sink cae_sink_planar(cae_planar_out *images);

/* Packs the weights of all operators that have a packing, forward or backward. */
void cae_pack_weights(const cae_net *net, const float *weights, float *packed, bool backward,
                      cae_team *team);

/* Fills the run's input from images `first` ...; pixels beyond an image repeat its last row and
 * column. With noise levels the network sees (v - 1/2) / sigma. */
void cae_exec_load(const cae_engine *e, const cae_plan *plan, void *base, const cae_source *images,
                   size_t first);

/* Runs the operators of the plan; or one of them, in its turn. */
void cae_exec_forward(const cae_engine *e, const cae_plan *plan, void *base);
void cae_exec_forward_op(const cae_engine *e, const cae_plan *plan, void *base, size_t at);

/* Hands out what the run's output holds of images `first` ...; what lies beyond them is dropped.
 * False when a value is not finite. With noise levels its output o becomes o * sigma + 1/2. */
bool cae_exec_store(const cae_engine *e, const cae_plan *plan, void *base, const cae_sink *images,
                    size_t first);

/* Prepares the gradient of tensor t for its first terms. */
void cae_exec_begin_gradient(cae_plan *plan, void *base, size_t t);

/* Runs backward; the gradient of the last tensor is in place. Adds to `sums`, the gradient of the
 * weights at their packed offsets, in the operator's own order where it packs; NULL: those are not
 * wanted. An operator with deferred[at] leaves there what its update needs, and nothing in `sums`;
 * `deferred` NULL: none. Or one operator, in its turn. */
void cae_exec_backward(const cae_engine *e, cae_plan *plan, void *base, const float *packed_back,
                       float *sums, float *const *deferred);
void cae_exec_backward_op(const cae_engine *e, cae_plan *plan, void *base, size_t at,
                          const float *packed_back, float *sums, float *deferred);

/* The pass that an operator is asked with for what it has deferred: deferred_len, bound, update. */
cae_pass cae_exec_deferred(const cae_engine *e, const cae_plan *plan, size_t at, float *deferred);

#endif
