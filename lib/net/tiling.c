/*
 * The choice of tiles and strips. Candidates are planned, fast ones first, until one fits.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "net/tiling.h"

#include "base/size.h"
#include "net/loss.h"

enum {
    /* In rows and columns of the image, whatever the result. Powers of two. */
    LEAST_WIDTH = CAE_LOSS_BLOCK, /* of a tile */
    WIDE = 1024,                  /* computing columns twice costs little from here on */
    LEAST_HEIGHT = 128,           /* of a tile cut off for a thread */
    LOW = 8                       /* lower strips take less memory, and more time */
};

/* What strips should take at the most, to stay in the caches; half of it where they could be lower.
 * Room for LOW strips of WIDE tiles of the CAE presets. */
static const size_t cache_budget = (size_t)8 << 20;

/* ---- One candidate --------------------------------------------------------------------------- */

static cae_region tile_of(const cae_tiling *t, size_t tile)
{
    const ptrdiff_t height = (ptrdiff_t)t->height;
    const ptrdiff_t width = (ptrdiff_t)t->width;
    const ptrdiff_t y = t->whole.y0 + (ptrdiff_t)(tile / t->tiles_x) * height;
    const ptrdiff_t x = t->whole.x0 + (ptrdiff_t)(tile % t->tiles_x) * width;
    const ptrdiff_t y1 = t->whole.y1 - y < height ? t->whole.y1 : y + height;
    const ptrdiff_t x1 = t->whole.x1 - x < width ? t->whole.x1 : x + width;
    return (cae_region){y, y1, x, x1};
}

void cae_tiling_plan(const cae_tiling *t, cae_plan *plan, size_t tile, size_t images)
{
    const cae_region region = tile_of(t, tile);
    if (t->net->fixed_size) {
        cae_plan_make(plan, t->part, t->shapes, region, images, false, t->team);
    } else {
        cae_plan_strips(plan, t->part, t->shapes, region, t->strip, t->loss_block);
    }
}

cae_region cae_tiling_reads(const cae_tiling *t, cae_plan *plan, size_t tile, cae_region *made)
{
    *made = tile_of(t, tile);
    cae_plan_make(plan, t->part, t->shapes, *made, 1, false, 1);
    return plan->tensors[plan->from].region;
}

static void set_tiles(cae_tiling *t, size_t height, size_t width, size_t strip)
{
    t->height = height;
    t->width = width;
    t->strip = strip;
    t->tiles_y = cae_div_up(cae_region_height(&t->whole), height);
    t->tiles_x = cae_div_up(cae_region_width(&t->whole), width);
}

/* What `workers` blocks may take of the limit, each. */
static size_t share_of(const cae_tiling *t, size_t workers)
{
    const size_t threads = t->net->fixed_size ? t->team : workers;
    const size_t overhead = cae_size_add(cae_plan_overhead(t->net, workers, threads), t->loss_size);
    return overhead < t->memory_limit ? (t->memory_limit - overhead) / workers : 0;
}

/* Whether every tile fits into `limit` bytes. All strips of all tiles are planned: a cost that
 * grows with the number of strips and not with their width. */
static bool fits(cae_tiling *t, cae_plan *plan, size_t width, size_t strip, size_t limit)
{
    set_tiles(t, t->height, width, strip);
    t->block_size = 0;
    for (size_t tile = 0; tile < t->tiles_y * t->tiles_x; tile++) {
        cae_tiling_plan(t, plan, tile, t->slice);
        t->block_size = cae_size_max(t->block_size, plan->size);
        if (t->block_size > limit) {
            return false;
        }
    }
    return true;
}

/* ---- Tiles ----------------------------------------------------------------------------------- */

/* `len` rows or columns of the image, in those of the result. */
static size_t in_result(const cae_tiling *t, size_t len)
{
    return t->part == CAE_ENCODE ? cae_size_max(1, len / t->net->unit) : len;
}

/* The largest power of two below `len`, which is above 1. */
static size_t next_lower(size_t len)
{
    size_t power = 1;
    while (power < len - power) {
        power *= 2;
    }
    return power;
}

/* Wide tiles in strips as high as stay in the caches: `cached` bytes. If even the lowest strips of
 * WIDE tiles take more, as the network reads many rows at once, these are still the closest. */
static bool prefer_cache(cae_tiling *t, cae_plan *plan, size_t cached, size_t limit)
{
    const size_t least = in_result(t, WIDE);
    const size_t low = in_result(t, LOW);
    size_t width = cae_region_width(&t->whole);
    for (;;) {
        for (size_t strip = t->height; strip > low; strip = cae_size_max(low, next_lower(strip))) {
            if (fits(t, plan, width, strip, cached / 2)) {
                return true;
            }
        }
        if (fits(t, plan, width, low, cached)) {
            return true;
        }
        if (width <= least) {
            return fits(t, plan, width, low, limit);
        }
        width = cae_size_max(least, next_lower(width));
    }
}

/* Tiles as wide as memory allows, in low strips. */
static bool fit_memory(cae_tiling *t, cae_plan *plan, size_t limit)
{
    const size_t least = in_result(t, LEAST_WIDTH);
    size_t width = cae_region_width(&t->whole);
    size_t strip = in_result(t, LOW);
    while (!fits(t, plan, width, strip, limit)) {
        if (width > least) {
            width = cae_size_max(least, next_lower(width));
        } else if (strip > 1) {
            strip /= 2;
        } else {
            return false;
        }
    }
    return true;
}

/* The height of a tile: all of it, or less where `images` images would leave threads without work;
 * whole loss blocks. */
static size_t height_for(const cae_tiling *t, size_t images, size_t threads)
{
    const size_t height = cae_region_height(&t->whole);
    const size_t tiles = images % threads == 0 || images >= 4 * threads ? 1 : threads;
    const size_t least = cae_size_max(cae_div_up(height, tiles), in_result(t, LEAST_HEIGHT));
    const size_t loss_block = in_result(t, CAE_LOSS_BLOCK);
    return cae_div_up(least, loss_block) * loss_block;
}

static bool choose_tiles(cae_tiling *t, cae_plan *plan)
{
    const size_t images = cae_size_min(t->count, CAE_GROUP);
    t->slice = 1;
    for (size_t n = t->team; n >= 1; n /= 2) {
        const size_t share = share_of(t, n);
        t->height = height_for(t, images, n);
        if (prefer_cache(t, plan, cae_size_min(share, cache_budget), share) ||
            fit_memory(t, plan, share)) {
            t->workers = cae_size_min(n, images * t->tiles_y * t->tiles_x);
            t->team = t->workers;
            return true;
        }
    }
    return false;
}

/* ---- Slices ---------------------------------------------------------------------------------- */

/* One worker with all threads, and slices as large as fit. */
static bool choose_slice(cae_tiling *t, cae_plan *plan)
{
    t->height = cae_region_height(&t->whole);
    t->workers = 1;
    for (t->slice = cae_size_min(t->count, CAE_GROUP); t->slice >= 1; t->slice /= 2) {
        if (fits(t, plan, cae_region_width(&t->whole), t->height, share_of(t, 1))) {
            return true;
        }
    }
    return false;
}

bool cae_tiling_choose(cae_tiling *t, cae_plan *plan)
{
    t->team = cae_net_workers(t->net, t->shapes, t->count, t->threads);
    if (share_of(t, 1) == 0) {
        return false;
    }
    return t->net->fixed_size ? choose_slice(t, plan) : choose_tiles(t, plan);
}
