/*
 * The network: an architecture text parsed into lines, the lines lowered to operators, with the
 * shapes that follow from them and the names and places of their weights. Immutable once made;
 * weights live elsewhere.
 *
 * Tensor 0 is the network's input, tensor i + 1 what operator i makes. Operators stand in the order
 * of the text, and read tensors that came before them.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_NET_NET_H
#define CAE_NET_NET_H

#include "base/memory.h"
#include "latent/latent.h"

enum {
    CAE_MAX_TEXT = 65536, /* bytes of an architecture text */
    CAE_MAX_LINES = 1024,
    CAE_NAME_SIZE = 24 /* "1023.weight" and some */
};

/* A weight tensor. Weights stand one behind the other in file order: names sorted by byte value. */
typedef struct cae_weight {
    char name[CAE_NAME_SIZE];
    size_t op;
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
    cae_op *lines; /* of the text, without input, mark and plain code */
    size_t line_len;
    cae_op *ops; /* what runs */
    size_t op_len;
    cae_shape *shapes;        /* op_len + 1, at the training size */
    size_t code;              /* number of the code's tensor */
    const cae_latent *latent; /* of `code WORD`, whose operator makes that tensor; NULL: none */
    size_t unit;
    bool fixed_size;   /* has a dense layer: takes its training size only */
    bool noise;        /* the input takes a noise level */
    bool coded;        /* has a line `code`; without, `code` is 0 */
    bool skip_crosses; /* a line behind `code` reads a tensor from before it; or there is no code */
    bool packs;        /* an operator needs its weights packed */
    bool defers;       /* one defers its weight gradient; */
    bool stores;       /* one with weights does not */
    cae_weight *weights;
    size_t weight_len;
    size_t parameters; /* floats in all weights */
    size_t packed_len; /* floats in all weights as packed for the kernels, each tensor aligned. With
                        * a dense layer they stand as in the file: gradients are summed there */
    const cae_weight **pair_of; /* of an operator: its bias, and behind it its weight; or NULL */
} cae_net;

/* Parses a text. CAE_E_SYNTAX (line and column), _SHAPE (line), _LIMIT (line), _NOMEM. */
int cae_net_new(cae_net **out, const cae_memory *memory, const char *text);
void cae_net_free(cae_net *net);

/* The shapes of all tensors for images of height x width; op_len + 1 of them. CAE_E_SHAPE,
 * _LIMIT. Images are padded to a multiple of the unit: shapes[0] is the padded size. */
int cae_net_shapes(const cae_net *net, size_t height, size_t width, cae_shape *shapes);

/* The shape of the code of one image of height x width; as above. */
int cae_net_code_shape(const cae_net *net, size_t height, size_t width, cae_shape *code);

/* The workers, at most `threads`, that running `count` images of these shapes deserves: none that
 * would start for less work than starting takes. */
size_t cae_net_workers(const cae_net *net, const cae_shape *shapes, size_t count, size_t threads);

/* The steps of cae_net_new: the text to lines and the canonical text (text.c); the lines to
 * operators (lower.c), by which net->code becomes the number of the code's tensor among theirs. */
int cae_net_parse(cae_net *net, const char *text);
int cae_net_lower(cae_net *net);

/* The tensor that the symbols of the code are made of: the encoder's output. */
static inline size_t cae_net_encoded(const cae_net *net)
{
    return net->code - (net->latent != NULL ? 1 : 0);
}

/* What an output of a network that takes a noise level stands for. */
static inline float cae_net_restored(float output, float sigma)
{
    return output * sigma + 0.5f;
}

/* Where the pixels of the code are counted; for the shapes of all tensors. */
static inline cae_latent_grid cae_net_grid(const cae_net *net, const cae_shape *shapes)
{
    const cae_shape *code = &shapes[net->code];
    const size_t padding = net->fixed_size ? 0 : net->unit - 1;
    return (cae_latent_grid){code->h, code->w, shapes[0].h - padding, shapes[0].w - padding};
}

/* Presets; NULL past the end, or when there is none of that name. */
const char *cae_net_preset_name(size_t index);
const char *cae_net_preset_text(const char *name);

#endif
