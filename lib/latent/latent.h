/*
 * What happens at the code, and what it costs. The line `code` adds nothing: the encoder's output
 * is the code. `code WORD` names a row of the table below: an operator makes the code from the
 * encoder's output, pixel by pixel, and the loss has a term for it.
 *
 * A code is made in tiles and strips, some of it twice, but every pixel must count once, in one
 * order. So each pixel of the code has an *owner*, a pixel of the image: the part of the image that
 * holds the owner counts it, in the loss block of the owner (net/loss.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_LATENT_LATENT_H
#define CAE_LATENT_LATENT_H

#include "layers/op.h"

/* A pixel of the code in a pass. */
typedef struct cae_latent_pixel {
    const cae_pass *pass;
    size_t image;
    ptrdiff_t y, x;
} cae_latent_pixel;

/* A row of the table. `encoded` is one pixel of the encoder's output, `code` that of the code. */
typedef struct cae_latent {
    const char *word;
    const char *setting; /* the weight of its term in the loss */

    /* The operator at the code: its shape, and parameters if it has any; forward and backward are
     * cae_latent_forward and _backward, which go by the functions below. */
    const cae_op_type *op;

    /* The code in training: a function of `encoded` and random numbers (cae_pass.training). */
    void (*transform)(const cae_latent_pixel *at, const float *encoded, float *code);

    /* The values that a file holds, `channels` of them, which are the code outside training. */
    void (*symbols)(const float *encoded, size_t channels, float *symbols);

    /* The term of the loss, in double. */
    double (*term)(const float *encoded, const float *code, size_t channels);

    /* From the gradient of the code, that of the encoder's output, to which the term adds its own;
     * added to what is there where `begun`. */
    void (*gradient)(const cae_latent_pixel *at, const float *encoded, const float *code,
                     const float *code_grad, float *encoded_grad, bool begun);
} cae_latent;

void cae_latent_forward(const cae_pass *p);
void cae_latent_backward(const cae_pass *p);

extern const cae_latent cae_latent_gaussian;

/* The table, ended by a NULL. A new way is a file and a row. */
extern const cae_latent *const cae_latents[];

/* The sides of a code, and those of the image's part that is no padding in any image of its padded
 * size: the owner of row y of a code of H rows is row floor(y R / H) of the image, of R rows.
 * Columns likewise. */
typedef struct cae_latent_grid {
    size_t code_h, code_w, owner_h, owner_w;
} cae_latent_grid;

/* The pixels of the code that are owned by `part` of the image. From one part to the next below it,
 * neither rows nor columns move up. */
cae_region cae_latent_owned(const cae_latent_grid *g, cae_region part);

/* Sums of the term by loss blocks of side x side pixels, `across` in a row. */
typedef struct cae_latent_sums {
    double *blocks;
    size_t side, across;
} cae_latent_sums;

/* Adds the term of every pixel of `owned`, row by row, in image n of the two tensors. */
void cae_latent_add(const cae_latent *l, const cae_latent_grid *g, const cae_view *encoded,
                    const cae_view *code, size_t n, cae_region owned, const cae_latent_sums *to);

#endif
