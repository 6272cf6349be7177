/*
 * The walk over the pixels of a code, and the sums of its term.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "latent/latent.h"

#include "base/assert.h"

/* ---- The operator ---------------------------------------------------------------------------- */

static void run_pixel(const cae_latent_pixel *at, bool backward)
{
    const cae_pass *p = at->pass;
    const cae_latent *l = p->op->detail;
    const float *encoded = cae_view_at(&p->x[0], at->image, at->y, at->x);
    float *code = cae_view_at(&p->y, at->image, at->y, at->x);
    if (backward) {
        l->gradient(at, encoded, code, cae_view_at(&p->dy, at->image, at->y, at->x),
                    cae_view_at(&p->dx[0], at->image, at->y, at->x), p->dx_begun[0]);
    } else if (p->training != NULL) {
        l->transform(at, encoded, code);
    } else {
        l->symbols(encoded, p->out.c, code);
    }
}

static void run(const cae_pass *p, bool backward)
{
    const cae_region *r = &p->y.region;
    cae_latent_pixel at = {.pass = p};
    for (at.image = 0; at.image < p->images; at.image++) {
        for (at.y = r->y0; at.y < r->y1; at.y++) {
            for (at.x = r->x0; at.x < r->x1; at.x++) {
                run_pixel(&at, backward);
            }
        }
    }
}

void cae_latent_forward(const cae_pass *p)
{
    run(p, false);
}

void cae_latent_backward(const cae_pass *p)
{
    CAE_ASSERT(p->training != NULL);
    if (p->dx_wanted[0]) {
        run(p, true);
    }
}

/* ---- Owners ---------------------------------------------------------------------------------- */

/* The image's row or column that owns row or column `at` of `len`. 64 bits hold all products here:
 * sides are below 2^25. */
static size_t owner_of(ptrdiff_t at, size_t len, size_t owners)
{
    return (size_t)((uint64_t)at * owners / len);
}

/* The first that is owned by y or one behind it. */
static ptrdiff_t first_owned(ptrdiff_t y, size_t len, size_t owners)
{
    const uint64_t first = ((uint64_t)y * len + owners - 1) / owners;
    return (ptrdiff_t)(first < len ? first : len);
}

cae_region cae_latent_owned(const cae_latent_grid *g, cae_region part)
{
    return (cae_region){
        first_owned(part.y0, g->code_h, g->owner_h), first_owned(part.y1, g->code_h, g->owner_h),
        first_owned(part.x0, g->code_w, g->owner_w), first_owned(part.x1, g->code_w, g->owner_w)};
}

/* ---- Sums ------------------------------------------------------------------------------------ */

void cae_latent_add(const cae_latent *l, const cae_latent_grid *g, const cae_view *encoded,
                    const cae_view *code, size_t n, cae_region owned, const cae_latent_sums *to)
{
    for (ptrdiff_t y = owned.y0; y < owned.y1; y++) {
        const size_t row = owner_of(y, g->code_h, g->owner_h) / to->side;
        for (ptrdiff_t x = owned.x0; x < owned.x1; x++) {
            const size_t column = owner_of(x, g->code_w, g->owner_w) / to->side;
            to->blocks[row * to->across + column] +=
                l->term(cae_view_at(encoded, n, y, x), cae_view_at(code, n, y, x), code->c);
        }
    }
}
