/*
 * A second writing of the networks, in double, straight from the definitions and with nothing of
 * the library in it: its own reader of architecture texts, its own shapes, its own loops over
 * planar images. It runs forward only; gradients come from differences of its loss.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TESTS_SUPPORT_REFERENCE_NET_H
#define CAE_TESTS_SUPPORT_REFERENCE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NET_LAYERS = 32 };

/* NET_SAMPLE is the line `code sampled`; the kinds from NET_ADD on are no modules of PyTorch. */
typedef enum net_kind {
    NET_CONV,
    NET_TCONV,
    NET_MAXPOOL,
    NET_DENSE,
    NET_ADD,
    NET_CONCAT,
    NET_SAMPLE
} net_kind;
typedef enum net_activation { NET_NONE, NET_RELU, NET_LEAKY, NET_TANH, NET_SIGMOID } net_activation;

typedef struct net_size {
    size_t c, h, w;
} net_size;

typedef struct net_layer {
    net_kind kind;
    net_activation activation;
    size_t kernel, stride, pad;
    net_size dense;
    size_t channels;
    size_t input[2]; /* tensors: 0 is the image, i + 1 the output of layer i */
    size_t module;   /* its number in the names of weights */
    const double *weight, *bias;
} net_layer;

typedef struct net {
    size_t layer_len;
    net_layer layers[NET_LAYERS];
    net_size input;
    net_size sizes[NET_LAYERS + 1]; /* for the image size in use, padded to the unit */
    double *tensors[NET_LAYERS + 1];
    size_t code;        /* number of the code's tensor; 0: there is none */
    bool noise;         /* the input takes a noise level: */
    const float *sigma; /* those of a batch, */
    double level;       /* and that of the image under way */
    size_t unit;
    /* Of a sampled code: the normal numbers of a batch, planar codes one behind the other, and
     * those of the image under way; NULL: codes are their means. */
    const double *eps, *image_eps;
    double kl_weight;
} net;

/* How near the last forward pass came to a kink, and on which side of each it went. */
typedef struct net_sides {
    uint64_t hash;
    double
        margin; /* the smallest distance from 0 of a relu's or leaky's input, or between maxima */
} net_sides;

/* Reads a text; ends the program on one that it does not understand. */
void net_read(net *n, const char *text);

/* Sets the sizes for images of height x width and makes room. */
void net_resize(net *n, size_t height, size_t width);
void net_clear(net *n);

/* One image, c x height x width, padded by its edge; the output is in the last tensor. */
void net_forward(net *n, const float *image, size_t height, size_t width, net_sides *sides);

/* The mean squared error over the images' own pixels, each image's divided by its noise level where
 * the network takes one; with a sampled code, and kl_weight times the
 * divergence of an image's code by its own pixels, mean over images. */
double net_loss(net *n, const float *images, const float *targets, size_t count, size_t height,
                size_t width, net_sides *sides);

#endif
