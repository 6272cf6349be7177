/*
 * The network: an architecture text parsed into a graph of layers, with the shapes that follow from
 * it and the names and places of its weights. Immutable once made; weights live elsewhere.
 *
 * Tensor 0 is the network's input, tensor i + 1 the output of layer i. Layers stand in the order of
 * the text, and read tensors that came before them.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_NET_NET_H
#define CAE_NET_NET_H

#include "base/memory.h"
#include "layers/layer.h"

enum {
    CAE_MAX_TEXT = 65536, /* bytes of an architecture text */
    CAE_MAX_LINES = 1024,
    CAE_NAME_SIZE = 24 /* "1023.weight" and some */
};

/* A weight tensor. Weights stand one behind the other in file order: names sorted by byte value. */
typedef struct cae_weight {
    char name[CAE_NAME_SIZE];
    size_t layer;
    bool is_bias;
    cae_parameter parameter;
    size_t offset; /* in floats, among all weights */
    size_t packed; /* likewise, as packed */
    size_t len;
} cae_weight;

typedef struct cae_net {
    const cae_memory *memory;
    char *text; /* canonical */
    cae_shape input;
    cae_layer *layers;
    size_t layer_len;
    cae_shape *shapes; /* layer_len + 1, at the training size */
    size_t code;       /* number of the code's tensor */
    bool sampled;      /* `code sampled`: the tensor before the code has means and log variances */
    size_t unit;
    bool whole;        /* has a dense layer: takes its training size only */
    bool skip_crosses; /* a layer behind `code` reads a tensor from before it */
    cae_weight *weights;
    size_t weight_len;
    size_t parameters; /* floats in all weights */
    size_t packed_len; /* floats in all weights as packed for the kernels, each tensor aligned. With
                        * a dense layer they stand as in the file: gradients are summed there */
    /* Where a layer's weight and bias begin among all weights; SIZE_MAX: it has none. */
    struct {
        size_t weight, bias;
        size_t packed_weight, packed_bias;
    } * slots;
} cae_net;

/* Parses a text. CAE_E_SYNTAX (line and column), _SHAPE (line), _LIMIT (line), _NOMEM. */
int cae_net_new(cae_net **out, const cae_memory *memory, const char *text);
void cae_net_free(cae_net *net);

/* The shapes of all tensors for images of height x width; layer_len + 1 of them. CAE_E_SHAPE,
 * _LIMIT. Images are padded to a multiple of the unit: shapes[0] is the padded size. */
int cae_net_shapes(const cae_net *net, size_t height, size_t width, cae_shape *shapes);

/* The shape of the code of one image of height x width; as above. */
int cae_net_code_shape(const cae_net *net, size_t height, size_t width, cae_shape *code);

/* Whether a network has layers whose gradient need not be stored; with `all`: and no parameters
 * elsewhere. */
bool cae_net_keeps(const cae_net *net, bool all);

/* The first step of cae_net_new: lines to layers, and the canonical text. */
int cae_net_parse(cae_net *net, const char *text);

/* The tensor that running layer `layer` makes: its own, or that of the max pool that runs as one
 * with it. */
static inline size_t cae_net_makes(const cae_net *net, size_t layer)
{
    const size_t pooled = net->layers[layer].pooled;
    return pooled != 0 ? pooled : layer + 1;
}

/* The max pool that runs as one with layer `layer`, or NULL. */
static inline const cae_layer *cae_net_pool(const cae_net *net, size_t layer)
{
    const size_t pooled = net->layers[layer].pooled;
    return pooled != 0 ? &net->layers[pooled - 1] : NULL;
}

/* Whether `layer`, in a run that begins with tensor `from`, is a max pool that runs as one with the
 * layer before it. */
static inline bool cae_net_runs_before(const cae_net *net, size_t layer, size_t from)
{
    const size_t in = net->layers[layer].input[0];
    return in > from && net->layers[in - 1].pooled == layer + 1;
}

/* The tensor whose first channels are the means of the code: in inference the code itself. */
static inline size_t cae_net_means(const cae_net *net)
{
    return net->code - (net->sampled ? 1 : 0);
}

/* Presets; NULL past the end, or when there is none of that name. */
const char *cae_net_preset_name(size_t index);
const char *cae_net_preset_text(const char *name);

#endif
