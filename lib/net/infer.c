/*
 * A run is a list of jobs, each a tile of one image's result, taken by the workers of a team, each
 * with a plan and a block of memory of its own; or slices of the batch one after the other, for a
 * network of a fixed size (tiling.h).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "net/infer.h"

#include <stdatomic.h>
#include <string.h>

#include "base/assert.h"
#include "base/size.h"
#include "base/status.h"
#include "net/loss.h"
#include "net/tiling.h"

struct worker {
    cae_plan *plan;
    size_t tile, images; /* that it plans */
    void *base;
    bool overflowed;
};

struct cae_run {
    cae_engine engine;
    cae_tiling tiling;
    cae_shape *shapes;
    cae_shape image, in, out; /* of one image or code, as callers have it */
    size_t mirrored;          /* pixels by which images are extended on each side */
    cae_source from;          /* images or codes */
    cae_sink to;              /* write NULL: a loss is wanted, against the target */
    cae_source extended;      /* the two as tiles see them, with mirrored edges */
    cae_sink cropped;
    cae_planar target;
    size_t group_from;     /* the first image of the group under way, */
    size_t group_len;      /* and how many there are */
    double *loss_blocks;   /* of the squares of every image of a group, then of its code's term */
    size_t loss_block_len; /* of either; 0: no loss is wanted */
    cae_plan *plan;        /* as tiles were chosen with it; the first worker's then */
    cae_team *team;
    struct worker *workers;
    size_t worker_len;
    cae_watch watch;
    _Atomic uint64_t made; /* values of one channel of the result, of all images */
    atomic_bool stopped;   /* by the watch */
};

/* ---- One job --------------------------------------------------------------------------------- */

/* Loss blocks of one image, its term's included. */
static size_t loss_blocks_each(const cae_run *r)
{
    return r->engine.net->latent != NULL ? 2 * r->loss_block_len : r->loss_block_len;
}

/* The loss blocks of image n of the batch. */
static double *loss_blocks_of(const cae_run *r, size_t n)
{
    return r->loss_blocks + (n - r->group_from) * loss_blocks_each(r);
}

/* Hands out what a strip made: rows; or the sums of loss blocks that are complete, and the code's
 * term. */
static void hand_out(const cae_run *r, struct worker *w, size_t first, size_t images)
{
    if (r->loss_block_len == 0) {
        w->overflowed =
            !cae_exec_store(&r->engine, w->plan, w->base, &r->cropped, first) || w->overflowed;
        return;
    }
    if (r->engine.net->latent != NULL) {
        for (size_t n = 0; n < images; n++) {
            cae_loss_add_term(w->plan, w->base, n, cae_div_up(r->out.w, CAE_LOSS_BLOCK),
                              loss_blocks_of(r, first + n) + r->loss_block_len);
        }
    }
    const cae_view y = cae_plan_view(w->plan, w->plan->to, w->base);
    if (y.region.y1 % CAE_LOSS_BLOCK != 0 && y.region.y1 != r->tiling.whole.y1) {
        return;
    }
    for (size_t n = 0; n < images; n++) {
        cae_loss_of(&y, n, &r->target, first, r->engine.sigma, loss_blocks_of(r, first + n), NULL,
                    0);
    }
}

/* Counts what a strip made. The calling thread is worker 0 of every team. */
static void count_strip(cae_run *r, const struct worker *w, size_t images)
{
    if (r->watch.progress == NULL) {
        return;
    }
    const cae_region made = cae_plan_view(w->plan, w->plan->to, w->base).region;
    const uint64_t len = (uint64_t)images * cae_region_height(&made) * cae_region_width(&made);
    const uint64_t before = atomic_fetch_add(&r->made, len);
    if (w == r->workers && !atomic_load(&r->stopped)) {
        const double all = (double)r->tiling.count * (double)r->out.h * (double)r->out.w;
        const double done = (double)(before + len) / all;
        /* The end is for the caller to tell of: it may have more to do. */
        if (done < 1 && r->watch.progress(r->watch.user, done) != 0) {
            atomic_store(&r->stopped, true);
        }
    }
}

static void run_tile(cae_run *r, struct worker *w, size_t first, size_t images, size_t tile)
{
    if (w->tile == tile && w->images == images) {
        w->plan->next = w->plan->tile.y0; /* from its first strip again */
    } else {
        cae_tiling_plan(&r->tiling, w->plan, tile, images);
        w->tile = tile;
        w->images = images;
    }
    w->plan->team = r->engine.net->fixed_size ? r->team : NULL;
    while (!atomic_load(&r->stopped) && cae_plan_next(w->plan, w->base)) {
        cae_exec_load(&r->engine, w->plan, w->base, &r->extended, first);
        cae_exec_forward(&r->engine, w->plan, w->base);
        hand_out(r, w, first, images);
        count_strip(r, w, images);
    }
}

static void job(void *arg, size_t number, size_t worker)
{
    cae_run *r = arg;
    /* A tile of all images after the other, so that its plan serves for them. */
    run_tile(r, &r->workers[worker], r->group_from + number % r->group_len, 1,
             number / r->group_len);
}

/* ---- Mirrored edges -------------------------------------------------------------------------- */

/* By how many pixels images of a network that takes a noise level are extended at each side, as a
 * mirror shows them: the zeros that convolutions pad with are mid-grey there. The outer 16 pixels
 * gain 0.07 to 0.1 dB. Whole units, so that pixels keep their phases. */
static size_t mirrored_by(const cae_net *net)
{
    enum { LEAST = 8 };
    return net->noise && !net->fixed_size ? cae_div_up(LEAST, net->unit) * net->unit : 0;
}

/* The pixel that stands at place i of a row of `len` pixels that is mirrored at both ends, as often
 * as it takes. */
static size_t mirror(ptrdiff_t i, size_t len)
{
    const ptrdiff_t period = 2 * (ptrdiff_t)len;
    const ptrdiff_t at = (i % period + period) % period;
    return (size_t)(at < (ptrdiff_t)len ? at : period - 1 - at);
}

static void read_mirrored(const void *from, size_t n, size_t c, size_t y, size_t x0, size_t x1,
                          float *row)
{
    const cae_run *r = from;
    const cae_source *s = &r->from;
    const size_t by = r->mirrored;
    const size_t line = mirror((ptrdiff_t)y - (ptrdiff_t)by, s->h);
    const size_t own0 = cae_size_max(x0, by), own1 = cae_size_min(x1, by + s->w);
    for (size_t x = x0; x < x1; x++) {
        if (x >= own0 && x < own1) {
            s->read(s->from, n, c, line, own0 - by, own1 - by, row + (own0 - x0));
            x = own1 - 1;
        } else {
            const size_t at = mirror((ptrdiff_t)x - (ptrdiff_t)by, s->w);
            s->read(s->from, n, c, line, at, at + 1, row + (x - x0));
        }
    }
}

static void write_cropped(void *to, size_t n, size_t c, size_t y, size_t x0, size_t x1,
                          const float *row)
{
    const cae_run *r = to;
    r->to.write(r->to.to, n, c, y - r->mirrored, x0 - r->mirrored, x1 - r->mirrored, row);
}

/* ---- Preparation ----------------------------------------------------------------------------- */

static cae_region inner(const cae_shape *image, size_t from)
{
    const cae_region r = cae_region_whole(image);
    const ptrdiff_t at = (ptrdiff_t)from;
    return (cae_region){r.y0 + at, r.y1 + at, r.x0 + at, r.x1 + at};
}

int cae_run_new(cae_run **out, const cae_engine *e, cae_part part, bool loss, size_t count,
                size_t height, size_t width)
{
    const cae_net *net = e->net;
    *out = NULL;
    cae_run *r = cae_alloc_zeroed(net->memory, 1, sizeof(*r));
    if (r == NULL) {
        return CAE_E_NOMEM;
    }
    r->engine = *e;
    r->shapes = cae_alloc(net->memory, net->op_len + 1, sizeof(r->shapes[0]));
    const bool extends = part == CAE_WHOLE && !loss && cae_size_max(height, width) < CAE_MAX_SIDE;
    r->mirrored = extends ? mirrored_by(net) : 0;
    const int status = r->shapes != NULL ? cae_net_shapes(net, height + 2 * r->mirrored,
                                                          width + 2 * r->mirrored, r->shapes)
                                         : CAE_E_NOMEM;
    if (status != CAE_OK) {
        cae_run_free(r);
        return status;
    }
    r->image = (cae_shape){net->input.c, height, width};
    r->in = part == CAE_DECODE ? r->shapes[net->code] : r->image;
    r->out = part == CAE_ENCODE ? r->shapes[net->code] : r->image;
    r->loss_block_len = loss ? cae_loss_blocks(height, width) : 0;
    r->tiling = (cae_tiling){.net = net,
                             .part = part,
                             .shapes = r->shapes,
                             .whole = inner(&r->out, r->mirrored), /* no more is computed */
                             .count = count,
                             .loss_block = loss ? CAE_LOSS_BLOCK : 1,
                             .threads = e->threads};
    *out = r;
    return CAE_OK;
}

int cae_run_fit(cae_run *r, size_t reserved)
{
    const size_t limit = r->engine.memory_limit;
    cae_tiling *t = &r->tiling;
    t->loss_size = cae_size_mul4(loss_blocks_each(r), CAE_GROUP, sizeof(double), 1);
    t->memory_limit = reserved < limit ? limit - reserved : 0;
    CAE_TRY(cae_plan_new(&r->plan, r->engine.net));
    if (!cae_tiling_choose(t, r->plan)) {
        return cae_fail(CAE_E_LIMIT,
                        "an image of %zu x %zu (height x width) needs more than the memory_limit "
                        "of %zu bytes, even in the smallest tiles",
                        r->image.h, r->image.w, limit);
    }
    return CAE_OK;
}

void cae_run_free(cae_run *r)
{
    if (r == NULL) {
        return;
    }
    const cae_memory *memory = r->engine.net->memory;
    for (size_t i = 0; i < r->worker_len; i++) {
        cae_plan_free(r->workers[i].plan);
        cae_release(memory, r->workers[i].base);
    }
    cae_release(memory, r->workers);
    cae_release(memory, r->loss_blocks);
    cae_plan_free(r->plan);
    cae_release(memory, r->shapes);
    cae_team_stop(r->team);
    cae_release(memory, r);
}

const cae_shape *cae_run_code(const cae_run *r)
{
    return &r->shapes[r->engine.net->code];
}

/* Marks what of [from, to) is not in [own, end), which mirrored pixels never are: they are read as
 * others, perhaps after these were made. Pixels beyond the last are that one. */
static void mark(const cae_run *r, uint32_t *marks, size_t len, ptrdiff_t from, ptrdiff_t to,
                 ptrdiff_t own, ptrdiff_t end)
{
    const ptrdiff_t by = (ptrdiff_t)r->mirrored;
    const ptrdiff_t last = (ptrdiff_t)len + 2 * by - 1;
    for (ptrdiff_t i = from; i < to; i++) {
        const ptrdiff_t at = i < last ? i : last;
        if (at < own || at >= end) {
            marks[mirror(at - by, len)] = 1;
        }
    }
}

void cae_run_mark_halos(cae_run *r, uint32_t *rows, uint32_t *columns)
{
    const cae_tiling *t = &r->tiling;
    const size_t tiles = t->tiles_y * t->tiles_x;
    for (size_t tile = 0; tile < tiles; tile++) {
        cae_region made;
        const cae_region read = cae_tiling_reads(t, r->plan, tile, &made);
        mark(r, rows, r->image.h, read.y0, read.y1, made.y0, made.y1);
        mark(r, columns, r->image.w, read.x0, read.x1, made.x0, made.x1);
    }
    cae_tiling_plan(t, r->plan, tiles - 1, t->slice); /* as cae_tiling_choose left it */
}

void cae_run_watch(cae_run *r, cae_watch watch)
{
    r->watch = watch;
}

/* ---- The run --------------------------------------------------------------------------------- */

/* The memory, and then the team. */
static int start(cae_run *r)
{
    const cae_tiling *t = &r->tiling;
    const cae_memory *memory = r->engine.net->memory;
    if (r->loss_block_len > 0) {
        r->loss_blocks = cae_alloc(memory, loss_blocks_each(r) * cae_size_min(t->count, CAE_GROUP),
                                   sizeof(double));
        if (r->loss_blocks == NULL) {
            return CAE_E_NOMEM;
        }
    }
    r->workers = cae_alloc_zeroed(memory, t->workers, sizeof(r->workers[0]));
    if (r->workers == NULL) {
        return CAE_E_NOMEM;
    }
    r->worker_len = t->workers;
    for (size_t i = 0; i < r->worker_len; i++) {
        struct worker *w = &r->workers[i];
        if (r->plan != NULL) {
            *w = (struct worker){r->plan, t->tiles_y * t->tiles_x - 1, t->slice, NULL, false};
            r->plan = NULL;
        } else {
            CAE_TRY(cae_plan_new(&w->plan, r->engine.net)); /* of 0 images so far */
        }
        w->base = cae_alloc(memory, t->block_size, 1);
        if (w->base == NULL) {
            return CAE_E_NOMEM;
        }
    }
    r->team = cae_team_start(memory, t->team);
    return CAE_OK;
}

static void run_group(cae_run *r, size_t images)
{
    const cae_tiling *t = &r->tiling;
    r->group_len = images;
    if (!r->engine.net->fixed_size) {
        cae_team_run(r->team, images * t->tiles_y * t->tiles_x, job, r);
        return;
    }
    for (size_t n = 0; n < images; n += t->slice) {
        run_tile(r, &r->workers[0], r->group_from + n, cae_size_min(t->slice, images - n), 0);
    }
}

static double loss_of(const cae_run *r, size_t n)
{
    const double *loss_blocks = loss_blocks_of(r, n);
    const double squares = cae_loss_sum(loss_blocks, r->loss_block_len);
    if (r->engine.net->latent == NULL) {
        return squares;
    }
    return squares +
           r->engine.term_weight * cae_loss_sum(loss_blocks + r->loss_block_len, r->loss_block_len);
}

/* *sum receives the losses, where they are wanted. */
static int go(cae_run *r, double *sum)
{
    const size_t count = r->tiling.count;
    const size_t more = 2 * r->mirrored;
    r->extended =
        more == 0 ? r->from : (cae_source){read_mirrored, r, r->from.h + more, r->from.w + more};
    r->cropped = more == 0 ? r->to : (cae_sink){write_cropped, r, r->to.h + more, r->to.w + more};
    CAE_ASSERT(r->plan != NULL && r->workers == NULL); /* it fits, and has not gone yet */
    CAE_TRY(start(r));
    for (r->group_from = 0; r->group_from < count; r->group_from += CAE_GROUP) {
        const size_t images = cae_size_min(CAE_GROUP, count - r->group_from);
        if (sum != NULL) {
            memset(r->loss_blocks, 0, images * loss_blocks_each(r) * sizeof(double));
        }
        run_group(r, images);
        if (atomic_load(&r->stopped)) {
            return cae_fail(CAE_E_CANCELLED, "progress asked to stop");
        }
        if (sum == NULL) {
            continue;
        }
        for (size_t n = 0; n < images; n++) {
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

int cae_run_infer(cae_run *r, cae_source in, cae_sink out)
{
    r->from = in;
    r->from.h = r->in.h;
    r->from.w = r->in.w;
    r->to = out;
    r->to.h = r->out.h;
    r->to.w = r->out.w;
    return go(r, NULL);
}

int cae_run_infer_planar(cae_run *r, const float *in, float *out)
{
    const cae_planar source = {in, r->in.c, r->in.h, r->in.w};
    cae_planar_out result = {out, r->out.c, r->out.h, r->out.w};
    return cae_run_infer(r, cae_source_planar(&source), cae_sink_planar(&result));
}

int cae_run_loss(cae_run *r, const float *in, const float *target, float *loss)
{
    const cae_planar images = {in, r->in.c, r->in.h, r->in.w};
    double sum = 0;
    r->from = cae_source_planar(&images);
    r->target = (cae_planar){target, r->out.c, r->out.h, r->out.w};
    CAE_TRY(go(r, &sum));
    return cae_loss_mean(sum, r->tiling.count, &r->target, loss);
}
