/*
 * Operators: what a network is made of once its lines are lowered. An operator is one line of the
 * architecture text, or a convolution together with the max pool behind it. Each kind is one file
 * and one row of cae_op_types: how the shape of its output follows, which pixels of its input a
 * region of its output reads, what parameters it has, and how it runs forward and backward.
 * Operators own no memory and know nothing of the network around them: a cae_pass brings all they
 * need.
 *
 * Inside the library tensors stand channels innermost (n, h, w, c), so that vectors run over
 * channels; callers' images are planar (n, c, h, w) and are turned at the network's two ends.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LAYERS_OP_H
#define CAE_LAYERS_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/team.h"
#include "kernels/kernels.h"
#include "optim/adam.h"

/* Caps of the architecture text; checked before anything is multiplied. */
enum {
    CAE_MAX_CHANNELS = 65536,
    CAE_MAX_KERNEL = 65536,
    CAE_MAX_SIDE = 1 << 24,
    CAE_MAX_PARAMETERS = 1 << 28
};

typedef struct cae_shape {
    size_t c, h, w;
} cae_shape;

/* Rows [y0, y1) and columns [x0, x1) of a tensor, in the tensor's own coordinates. What an
 * operator reads may reach beyond the tensor: that part is its padding. */
typedef struct cae_region {
    ptrdiff_t y0, y1, x0, x1;
} cae_region;

/* A part of a tensor in memory: `region` holds its pixels, and around it there may be a halo of
 * zeros that belongs to it, as wide as the readers of the tensor asked for. Pixels of a row are
 * adjacent: c floats each. */
typedef struct cae_view {
    float *data; /* channel 0 of pixel (y0, x0) of the first image */
    cae_region region;
    size_t c;
    ptrdiff_t row;   /* floats from one row to the next */
    ptrdiff_t image; /* floats from one image to the next */
} cae_view;

/* Pixel (y, x) of image `n`, in the tensor's coordinates; NULL while a plan has no memory yet. */
static inline float *cae_view_at(const cae_view *v, size_t n, ptrdiff_t y, ptrdiff_t x)
{
    if (v->data == NULL) {
        return NULL;
    }
    return v->data + (ptrdiff_t)n * v->image + (y - v->region.y0) * v->row +
           (x - v->region.x0) * (ptrdiff_t)v->c;
}

static inline size_t cae_region_height(const cae_region *r)
{
    return (size_t)(r->y1 - r->y0);
}

static inline size_t cae_region_width(const cae_region *r)
{
    return (size_t)(r->x1 - r->x0);
}

static inline cae_region cae_region_whole(const cae_shape *s)
{
    return (cae_region){0, (ptrdiff_t)s->h, 0, (ptrdiff_t)s->w};
}

/* What of `r` lies within a tensor of shape `s`; empty regions keep their place in range. */
cae_region cae_region_clip(cae_region r, const cae_shape *s);

/* The smallest region that holds both. */
cae_region cae_region_join(cae_region a, cae_region b);

/* Sets the region's pixels to 0; the halo is zero already. */
void cae_view_zero(const cae_view *v, size_t images);

/* Copies `channels` channels from `from` (starting at channel from_c) to `to` (at to_c), for every
 * pixel of the region of `to`. */
void cae_view_copy(const cae_view *to, size_t to_c, const cae_view *from, size_t from_c,
                   size_t channels, size_t images);

/* to += from, for every pixel of the region of `to`; both have the same channels. */
void cae_view_add(const cae_kernels *k, const cae_view *to, const cae_view *from, size_t images);

/* Applies an activation to every pixel of the region of `v`, in one image. */
void cae_view_activate(const cae_kernels *k, cae_activation a, const cae_view *v, size_t image);

/* Whole quotients rounded down and up, for any sign of a. */
ptrdiff_t cae_div_floor(ptrdiff_t a, ptrdiff_t b);
ptrdiff_t cae_div_ceil(ptrdiff_t a, ptrdiff_t b);

typedef struct cae_op cae_op;
typedef struct cae_pass cae_pass;

/* A step of Adam that has begun, and the numbers of an operator's first weight and first bias. */
typedef struct cae_update {
    const cae_adam_step *step;
    cae_adam_state *state;
    size_t weight, bias;
} cae_update;

/* A weight tensor in PyTorch's layout. */
typedef struct cae_parameter {
    const char *name; /* "weight" or "bias" */
    size_t rank;
    size_t shape[4];
    size_t fan_in; /* initial values are uniform in +-1/sqrt(fan_in) */
} cae_parameter;

/* Which operands and options a line takes, for the parser of the architecture text. */
enum {
    CAE_TAKES_CHANNELS = 1,    /* conv N */
    CAE_TAKES_SHAPE = 2,       /* dense N, or dense C H W */
    CAE_TAKES_WINDOW = 4,      /* maxpool K; the stride defaults to K */
    CAE_TAKES_NAME = 8,        /* add NAME */
    CAE_TAKES_KERNEL = 16,     /* kernel K, required */
    CAE_TAKES_STRIDE_PAD = 32, /* stride S, pad P */
    CAE_TAKES_ACTIVATION = 64
};

typedef struct cae_op_type {
    const char *word; /* that opens its line; NULL: no line of its own, lowering makes it */
    unsigned takes;
    bool transposed; /* the transposed convolution: see conv_geometry.h */
    bool activates;  /* its forward applies the activation */
    bool argmax;     /* stores in training which input each output took: cae_pass.argmax */
    bool fixed_size; /* needs its training size, all of it at once: no other sizes, no tiles */
    bool unnamed;    /* no module in the names of weights */

    /* The shape of the output for the given inputs. When they do not fit, CAE_E_SHAPE or _LIMIT by
     * cae_op_error. The caller asks cae_op_caps. */
    int (*shape)(const cae_op *op, const cae_shape in[2], cae_shape *out);

    /* The pixels of input `which` that output pixels `out` read; `in` is that input's shape. */
    cae_region (*needs)(const cae_op *op, size_t which, cae_region out, const cae_shape *in);

    /* The pixels of dy that the backward pass reads; NULL: those of the output alone. */
    cae_region (*needs_back)(const cae_op *op, const cae_shape *in);

    /* Weight and bias; NULL when there are none. */
    void (*parameters)(const cae_op *op, const cae_shape *in, cae_parameter p[2]);

    /* Turns a weight tensor into the kernels' layout for forward and backward, of the same size,
     * and a gradient in the order of its sums back. NULL: the weight is used as it is. */
    void (*pack)(const cae_op *op, const cae_shape *in, const float *weight, float *packed);
    void (*pack_back)(const cae_op *op, const cae_shape *in, const float *weight, float *packed);
    void (*unpack)(const cae_op *op, const cae_shape *in, const float *packed, float *weight);

    /* Bytes of scratch memory for a pass of which op, workers, images, in, out and y.region alone
     * are known; SIZE_MAX when that overflows. NULL: none. */
    size_t (*scratch)(const cae_pass *pass, bool training);

    /* y from x; the activation is applied afterwards unless the type `activates`. */
    void (*forward)(const cae_pass *p);

    /* From dy, which is behind the gradient of the activation: adds to weight_grad and bias_grad,
     * and makes dx[i] where wanted, continuing the sums that it holds when `dx_begun`. */
    void (*backward)(const cae_pass *p);

    /* The deferred weight gradient of an operator with large weights: the floats that a backward
     * pass with `deferred` leaves there instead (SIZE_MAX when that overflows); what no element of
     * the gradient exceeds in magnitude, by what was deferred, infinity included; and the update by
     * that gradient. NULL: every gradient is stored. */
    size_t (*deferred_len)(const cae_pass *p);
    double (*bound)(const cae_pass *p);
    void (*update)(const cae_pass *p, const cae_update *u);
} cae_op_type;

/* Puts the operator's line before the message of `status`, which it returns. */
int cae_op_error(const cae_op *op, int status);

/* CAE_E_LIMIT when the operator's output would be over the caps. */
int cae_op_caps(const cae_op *op, const cae_shape *out);

/* cae_op_type.needs of operators whose pixels read those at their own place. */
cae_region cae_op_needs_same(const cae_op *op, size_t which, cae_region out, const cae_shape *in);

/* The lines that a text may have, ended by a NULL: a new one is a file and a row here. Beside them
 * stand the fused convolution, which net/lower.c makes, and those of the code (latent.h). */
extern const cae_op_type *const cae_op_types[];

extern const cae_op_type cae_op_add;
extern const cae_op_type cae_op_concat;
extern const cae_op_type cae_op_conv;
extern const cae_op_type cae_op_conv_pool;
extern const cae_op_type cae_op_dense;
extern const cae_op_type cae_op_maxpool;
extern const cae_op_type cae_op_tconv;

struct cae_op {
    const cae_op_type *type;
    size_t line; /* in the text, from 1 */
    size_t input_len;
    size_t input[2]; /* numbers of tensors: 0 is the network's input, i + 1 what operator i makes */
    size_t kernel, stride, pad;
    cae_shape size; /* conv, tconv: c alone; dense: all three */
    cae_activation activation;
    size_t modules;     /* that it is in the matching nn.Sequential, its activation included */
    const void *detail; /* for its kind alone: a fused pool, the row of a code */
};

/* What operators may need in training: where random numbers come from, and how much the term counts
 * that the operator at the code has in the loss. */
typedef struct cae_training {
    uint64_t seed, step; /* of the model; updates so far */
    size_t first;        /* the place in the batch of the pass's first image */
    double term_scale;   /* what the loss has of the term of every image */
} cae_training;

/* One run of an operator over `images` images. */
struct cae_pass {
    const cae_op *op;
    const cae_kernels *kernels;
    cae_team *team; /* NULL: this thread alone */
    size_t workers; /* what scratch is laid out for: at least the team's */
    size_t images;
    cae_shape in[2], out; /* whole tensors; views may hold less */
    cae_view x[2], y;
    cae_view dx[2], dy;
    bool dx_wanted[2], dx_begun[2];
    const float *weight, *weight_back, *bias; /* weights as packed for each direction */
    float *weight_grad, *bias_grad;           /* in the forward layout; NULL: not wanted */
    float *deferred;                          /* for a later update; NULL: none */
    uint32_t *argmax;             /* of a pool in training: images x h x w x c of the output */
    const cae_training *training; /* NULL: elsewhere */
    void *scratch;
};

#endif
