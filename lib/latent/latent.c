/*
 * The table of codes with a term of their own, and the sums of that term.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "latent/latent.h"

const cae_latent *const cae_latents[] = {&cae_latent_gaussian, NULL};

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
                    size_t channels, size_t n, cae_region owned, const cae_latent_sums *to)
{
    for (ptrdiff_t y = owned.y0; y < owned.y1; y++) {
        const size_t row = owner_of(y, g->code_h, g->owner_h) / to->side;
        for (ptrdiff_t x = owned.x0; x < owned.x1; x++) {
            const size_t column = owner_of(x, g->code_w, g->owner_w) / to->side;
            to->blocks[row * to->across + column] +=
                l->term(cae_view_at(encoded, n, y, x), channels);
        }
    }
}
