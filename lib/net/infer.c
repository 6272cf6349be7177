/*
 * Inference and evaluation. The work is a list of jobs, each a tile of one image's result, spread
 * over the workers of a team, each with a plan and a block of memory of its own. A tile is all of
 * the result where threads and memory allow, and is made in strips of rows that stay in the caches
 * (plan.h). What tiles need of each other's pixels is computed twice, so they are few: an image
 * is cut into rows of tiles for threads that would idle, into columns where strips of its width
 * are too large. A network with a dense layer is run on slices of the batch instead, one after
 * the other, with the team inside the layers, so that its matrices are read once per slice.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "net/loss.h"
#include "net/run.h"

enum {
    GROUP = 64, /* images whose jobs are spread together, and a slice's at the most */
    /* In rows and columns of the image, whatever the result. Powers of two. */
    LEAST_WIDTH = CAE_LOSS_BLOCK, /* of a tile */
    WIDE = 1024,                  /* computing columns twice costs little from here on */
    LEAST_HEIGHT = 128,           /* of a tile cut off for a thread */
    LOW = 8                       /* lower strips take less memory, and more time */
};

/* What strips should take at the most, to stay in the caches; half of it where they could be lower.
 * Room for LOW strips of WIDE tiles of the CAE presets. */
static const size_t comfortable = (size_t)8 << 20;

struct worker {
    cae_plan *plan;
    void *base;
    bool overflowed;
};

struct run {
    const cae_engine *engine;
    cae_part part;
    cae_source in; /* images or codes */
    cae_sink out;  /* write NULL: a loss is wanted, against the target */
    cae_planar target;
    cae_shape *shapes;
    cae_region whole;            /* what must be computed of the result */
    size_t height, width, strip; /* of a tile */
    size_t tiles_y, tiles_x;
    size_t slice;          /* images per job */
    size_t group_from;     /* the first image of the group under way */
    double *loss_blocks;   /* of the squares of every image of a group, then of its code's term */
    size_t loss_block_len; /* of either */
    cae_team *team;
    struct worker *workers;
    size_t worker_len;
    size_t block_size;
};

/* ---- One job --------------------------------------------------------------------------------- */

static size_t loss_blocks_each(const struct run *r)
{
    return r->engine->net->latent != NULL ? 2 * r->loss_block_len : r->loss_block_len;
}

static cae_region tile_of(const struct run *r, size_t tile)
{
    const ptrdiff_t height = (ptrdiff_t)r->height;
    const ptrdiff_t width = (ptrdiff_t)r->width;
    const ptrdiff_t y = (ptrdiff_t)(tile / r->tiles_x) * height;
    const ptrdiff_t x = (ptrdiff_t)(tile % r->tiles_x) * width;
    const ptrdiff_t y1 = r->whole.y1 - y < height ? r->whole.y1 : y + height;
    const ptrdiff_t x1 = r->whole.x1 - x < width ? r->whole.x1 : x + width;
    return (cae_region){y, y1, x, x1};
}

static void plan_tile(const struct run *r, cae_plan *plan, size_t tile, size_t images)
{
    const cae_region region = tile_of(r, tile);
    if (r->engine->net->fixed_size) {
        cae_plan_make(plan, r->part, r->shapes, region, images, false, r->engine->threads);
        plan->team = r->team;
    } else {
        const size_t loss_block = r->out.write == NULL ? CAE_LOSS_BLOCK : 1;
        cae_plan_strips(plan, r->part, r->shapes, region, r->strip, loss_block);
    }
}

/* The loss blocks of image n of the batch. */
static double *loss_blocks_of(const struct run *r, size_t n)
{
    return r->loss_blocks + (n - r->group_from) * loss_blocks_each(r);
}

/* Hands out what a strip made: rows; or the sums of loss blocks that are complete, and the code's
 * term. */
static void hand_out(const struct run *r, struct worker *w, size_t first, size_t images)
{
    if (r->out.write != NULL) {
        w->overflowed = !cae_exec_store(w->plan, w->base, &r->out, first) || w->overflowed;
        return;
    }
    if (r->engine->net->latent != NULL) {
        for (size_t n = 0; n < images; n++) {
            cae_loss_add_term(w->plan, w->base, n, cae_div_up(r->out.w, CAE_LOSS_BLOCK),
                              loss_blocks_of(r, first + n) + r->loss_block_len);
        }
    }
    const cae_view y = cae_plan_view(w->plan, w->plan->to, w->base);
    if (y.region.y1 % CAE_LOSS_BLOCK != 0 && y.region.y1 != r->whole.y1) {
        return;
    }
    for (size_t n = 0; n < images; n++) {
        cae_loss_of(&y, n, &r->target, first, loss_blocks_of(r, first + n), NULL, 0);
    }
}

static void run_tile(struct run *r, struct worker *w, size_t first, size_t images, size_t tile)
{
    plan_tile(r, w->plan, tile, images);
    while (cae_plan_next(w->plan, w->base)) {
        cae_exec_load(w->plan, w->base, &r->in, first);
        cae_exec_forward(r->engine, w->plan, w->base);
        hand_out(r, w, first, images);
    }
}

static void job(void *arg, size_t number, size_t worker)
{
    struct run *r = arg;
    const size_t tiles = r->tiles_y * r->tiles_x;
    run_tile(r, &r->workers[worker], r->group_from + number / tiles, 1, number % tiles);
}

/* ---- How large a tile, how many workers ------------------------------------------------------ */

static void set_size(struct run *r, size_t height, size_t width, size_t strip)
{
    r->height = height;
    r->width = width;
    r->strip = strip;
    r->tiles_y = cae_div_up(cae_region_height(&r->whole), height);
    r->tiles_x = cae_div_up(cae_region_width(&r->whole), width);
}

/* The memory that the hungriest tile needs; stops early when that is over `limit`. Every strip of
 * every tile is looked at: a cost that grows with the number of strips and not with their width,
 * well under a hundredth of the time to compute them unless they are some ten pixels wide. */
static size_t tile_size(const struct run *r, cae_plan *plan, size_t limit)
{
    size_t size = 0;
    for (size_t tile = 0; tile < r->tiles_y * r->tiles_x && size <= limit; tile++) {
        plan_tile(r, plan, tile, r->slice);
        size = cae_size_max(size, plan->size);
    }
    return size;
}

/* What `workers` blocks may take of the limit, each. */
static size_t share_of(const struct run *r, size_t workers)
{
    const size_t overhead =
        cae_plan_overhead(r->engine->net, workers) + loss_blocks_each(r) * GROUP * sizeof(double);
    return overhead < r->engine->memory_limit ? (r->engine->memory_limit - overhead) / workers : 0;
}

static bool fits(struct run *r, cae_plan *plan, size_t width, size_t strip, size_t limit)
{
    set_size(r, r->height, width, strip);
    r->block_size = tile_size(r, plan, limit);
    return r->block_size <= limit;
}

/* `len` rows or columns of the image, in those of the result. */
static size_t in_result(const struct run *r, size_t len)
{
    return r->part == CAE_ENCODE ? cae_size_max(1, len / r->engine->net->unit) : len;
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

/* Wide tiles in strips as high as stay in the caches. */
static bool find_fast(struct run *r, cae_plan *plan, size_t limit)
{
    const size_t least = in_result(r, WIDE);
    const size_t low = in_result(r, LOW);
    size_t width = cae_region_width(&r->whole);
    for (;;) {
        for (size_t strip = r->height; strip > low; strip = cae_size_max(low, next_lower(strip))) {
            if (fits(r, plan, width, strip, limit / 2)) {
                return true;
            }
        }
        if (fits(r, plan, width, low, limit)) {
            return true;
        }
        if (width <= least) {
            return false;
        }
        width = cae_size_max(least, next_lower(width));
    }
}

/* Tiles as wide as memory allows, in low strips. */
static bool find_small(struct run *r, cae_plan *plan, size_t limit)
{
    const size_t least = in_result(r, LEAST_WIDTH);
    size_t width = cae_region_width(&r->whole);
    size_t strip = in_result(r, LOW);
    while (!fits(r, plan, width, strip, limit)) {
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

static int too_large(const struct run *r)
{
    return cae_fail(CAE_E_LIMIT,
                    "an image of %zu x %zu (height x width) needs more than the memory_limit of "
                    "%zu bytes, even in the smallest tiles",
                    r->part == CAE_ENCODE ? r->in.h : r->out.h,
                    r->part == CAE_ENCODE ? r->in.w : r->out.w, r->engine->memory_limit);
}

/* The height of a tile: all of it, or less where `images` images would leave threads without work;
 * whole loss blocks. */
static size_t height_for(const struct run *r, size_t images, size_t threads)
{
    const size_t height = cae_region_height(&r->whole);
    const size_t tiles = images % threads == 0 || images >= 4 * threads ? 1 : threads;
    const size_t least = cae_size_max(cae_div_up(height, tiles), in_result(r, LEAST_HEIGHT));
    const size_t loss_block = in_result(r, CAE_LOSS_BLOCK);
    return cae_div_up(least, loss_block) * loss_block;
}

static int choose_tiles(struct run *r, cae_plan *plan, size_t images)
{
    bool found = false;
    for (size_t n = r->engine->threads; n >= 1 && !found; n /= 2) {
        const size_t share = share_of(r, n);
        r->worker_len = n;
        r->height = height_for(r, images, n);
        found = find_fast(r, plan, cae_size_min(share, comfortable)) || find_small(r, plan, share);
    }
    r->worker_len = cae_size_min(r->worker_len, images * r->tiles_y * r->tiles_x);
    return found ? CAE_OK : too_large(r);
}

/* A network with a dense layer: one worker, and slices as large as fit. */
static int choose_slice(struct run *r, cae_plan *plan, size_t count)
{
    const size_t height = cae_region_height(&r->whole);
    set_size(r, height, cae_region_width(&r->whole), height);
    r->worker_len = 1;
    for (r->slice = cae_size_min(count, GROUP); r->slice >= 1; r->slice /= 2) {
        r->block_size = tile_size(r, plan, SIZE_MAX);
        if (r->block_size <= share_of(r, 1)) {
            return CAE_OK;
        }
    }
    return too_large(r);
}

/* ---- The call -------------------------------------------------------------------------------- */

static int make_workers(struct run *r)
{
    const cae_memory *memory = r->engine->net->memory;
    r->workers = cae_alloc_zeroed(memory, r->worker_len, sizeof(r->workers[0]));
    if (r->workers == NULL) {
        return CAE_E_NOMEM;
    }
    for (size_t i = 0; i < r->worker_len; i++) {
        CAE_TRY(cae_plan_new(&r->workers[i].plan, r->engine->net));
        r->workers[i].base = cae_alloc(memory, r->block_size, 1);
        if (r->workers[i].base == NULL) {
            return CAE_E_NOMEM;
        }
    }
    return CAE_OK;
}

static void free_run(struct run *r)
{
    const cae_memory *memory = r->engine->net->memory;
    for (size_t i = 0; r->workers != NULL && i < r->worker_len; i++) {
        cae_plan_free(r->workers[i].plan);
        cae_release(memory, r->workers[i].base);
    }
    cae_release(memory, r->workers);
    cae_release(memory, r->loss_blocks);
    cae_release(memory, r->shapes);
    cae_team_stop(r->team);
}

/* Everything but the memory that the work itself takes. */
static int prepare(struct run *r, size_t count, size_t height, size_t width)
{
    const cae_net *net = r->engine->net;
    const size_t tensor_len = net->op_len + 1;
    r->shapes = cae_alloc(net->memory, tensor_len, sizeof(r->shapes[0]));
    if (r->shapes == NULL) {
        return CAE_E_NOMEM;
    }
    CAE_TRY(cae_net_shapes(net, height, width, r->shapes));
    const cae_shape *code = &r->shapes[net->code];
    const cae_shape image = {net->input.c, height, width};
    const cae_shape in = r->part == CAE_DECODE ? *code : image;
    const cae_shape out = r->part == CAE_ENCODE ? *code : image;
    r->in.h = in.h;
    r->in.w = in.w;
    r->out.h = out.h;
    r->out.w = out.w;
    r->whole = cae_region_whole(&out); /* what is cropped is not computed */
    r->slice = 1;
    r->loss_block_len = r->out.write == NULL ? cae_loss_blocks(height, width) : 0;
    if (share_of(r, 1) == 0) {
        return too_large(r);
    }
    cae_plan *plan = NULL;
    CAE_TRY(cae_plan_new(&plan, net));
    const int status = net->fixed_size ? choose_slice(r, plan, count)
                                       : choose_tiles(r, plan, cae_size_min(count, GROUP));
    cae_plan_free(plan);
    return status;
}

/* The memory and the team. */
static int start(struct run *r, size_t count)
{
    const cae_net *net = r->engine->net;
    if (r->loss_block_len > 0) {
        r->loss_blocks = cae_alloc(net->memory, loss_blocks_each(r) * cae_size_min(count, GROUP),
                                   sizeof(double));
        if (r->loss_blocks == NULL) {
            return CAE_E_NOMEM;
        }
    }
    CAE_TRY(make_workers(r));
    r->team = cae_team_start(net->memory, net->fixed_size ? r->engine->threads : r->worker_len);
    return CAE_OK;
}

static void run_group(struct run *r, size_t images)
{
    if (!r->engine->net->fixed_size) {
        cae_team_run(r->team, images * r->tiles_y * r->tiles_x, job, r);
        return;
    }
    for (size_t n = 0; n < images; n += r->slice) {
        run_tile(r, &r->workers[0], r->group_from + n, cae_size_min(r->slice, images - n), 0);
    }
}

static double loss_of(const struct run *r, size_t n)
{
    const double *loss_blocks = loss_blocks_of(r, n);
    const double squares = cae_loss_sum(loss_blocks, r->loss_block_len);
    if (r->engine->net->latent == NULL) {
        return squares;
    }
    return squares + r->engine->term_weight *
                         cae_loss_sum(loss_blocks + r->loss_block_len, r->loss_block_len);
}

static int infer(struct run *r, size_t count, size_t height, size_t width, double *sum)
{
    CAE_TRY(prepare(r, count, height, width));
    CAE_TRY(start(r, count));
    for (r->group_from = 0; r->group_from < count; r->group_from += GROUP) {
        const size_t images = cae_size_min(GROUP, count - r->group_from);
        if (sum != NULL) {
            memset(r->loss_blocks, 0, images * loss_blocks_each(r) * sizeof(double));
        }
        run_group(r, images);
        for (size_t n = 0; sum != NULL && n < images; n++) {
            *sum += loss_of(r, r->group_from + n);
        }
    }
    for (size_t i = 0; i < r->worker_len; i++) {
        if (r->workers[i].overflowed) {
            return cae_fail(CAE_E_NONFINITE, "the network's result overflowed");
        }
    }
    return CAE_OK;
}

int cae_net_infer(const cae_engine *e, cae_part part, cae_source in, size_t count, size_t height,
                  size_t width, cae_sink out)
{
    struct run r = {.engine = e, .part = part, .in = in, .out = out};
    const int status = infer(&r, count, height, width, NULL);
    free_run(&r);
    return status;
}

int cae_net_check(const cae_engine *e, cae_part part, size_t height, size_t width)
{
    cae_planar_out nowhere = {0};
    struct run r = {.engine = e, .part = part, .out = cae_sink_planar(&nowhere)};
    const int status = prepare(&r, 1, height, width);
    free_run(&r);
    return status;
}

int cae_net_infer_planar(const cae_engine *e, cae_part part, const float *in, size_t count,
                         size_t height, size_t width, float *out)
{
    const cae_shape image = {e->net->input.c, height, width};
    cae_shape code;
    CAE_TRY(cae_net_code_shape(e->net, height, width, &code));
    const cae_shape *from = part == CAE_DECODE ? &code : &image;
    const cae_shape *to = part == CAE_ENCODE ? &code : &image;
    const cae_planar source = {in, from->c, from->h, from->w};
    cae_planar_out result = {out, to->c, to->h, to->w};
    return cae_net_infer(e, part, cae_source_planar(&source), count, height, width,
                         cae_sink_planar(&result));
}

int cae_net_loss(const cae_engine *e, const float *in, const float *target, size_t count,
                 size_t height, size_t width, float *loss)
{
    const size_t c = e->net->input.c;
    double sum = 0;
    const cae_planar images = {in, c, height, width};
    struct run r = {.engine = e,
                    .part = CAE_WHOLE,
                    .in = cae_source_planar(&images),
                    .target = {target, c, height, width}};
    const int status = infer(&r, count, height, width, &sum);
    free_run(&r);
    CAE_TRY(status);
    return cae_loss_mean(sum, count, &r.target, loss);
}
