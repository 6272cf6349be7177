/*
 * Regions run backwards from the wanted result, lifetimes forwards over the steps of the run; then
 * every block of memory takes the lowest place that is free for as long as it lives.
 *
 * Steps of a run of L operators: the input is step 0, operator i runs forward in step i + 1, the
 * loss is step L + 1, and operator i runs backward in step 2L + 1 - i.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "net/plan.h"

#include <string.h>

#include "base/assert.h"
#include "base/size.h"
#include "base/status.h"

/* A block of memory and the steps, both included, in which it lives. */
struct cae_block {
    size_t at, size;
    size_t first, last;
};

int cae_plan_new(cae_plan **out, const cae_net *net)
{
    *out = NULL;
    cae_plan *plan = cae_alloc_zeroed(net->memory, 1, sizeof(*plan));
    if (plan == NULL) {
        return CAE_E_NOMEM;
    }
    plan->net = net;
    plan->tensors = cae_alloc(net->memory, net->op_len + 1, sizeof(plan->tensors[0]));
    /* Tensor, gradient and arg-max of each operator, the input's tensor, and the scratch memory. */
    plan->blocks = cae_alloc(net->memory, 3 * net->op_len + 3, sizeof(plan->blocks[0]));
    if (plan->tensors == NULL || plan->blocks == NULL) {
        cae_plan_free(plan);
        return CAE_E_NOMEM;
    }
    *out = plan;
    return CAE_OK;
}

size_t cae_plan_overhead(const cae_net *net, size_t workers, size_t threads)
{
    /* At most 1024 operators and threads: nothing here overflows. */
    enum { SMALL_BLOCKS = 2048, THREAD = 32 };
    const size_t tensors = net->op_len + 1;
    const size_t plan = sizeof(cae_plan) + tensors * sizeof(cae_tensor_plan) +
                        3 * tensors * sizeof(struct cae_block);
    return tensors * sizeof(cae_shape) + workers * (plan + SMALL_BLOCKS) + threads * THREAD +
           SMALL_BLOCKS;
}

void cae_plan_free(cae_plan *plan)
{
    if (plan != NULL) {
        const cae_memory *memory = plan->net->memory;
        cae_release(memory, plan->tensors);
        cae_release(memory, plan->blocks);
        cae_release(memory, plan);
    }
}

/* ---- Regions --------------------------------------------------------------------------------- */

/* Empty requests keep their position: so a region's first and last rows never move up from one
 * strip to the next, for what an operator reads moves down with what it makes. */
static void request(cae_tensor_plan *t, cae_region r)
{
    r.y1 = r.y1 > r.y0 ? r.y1 : r.y0;
    r.x1 = r.x1 > r.x0 ? r.x1 : r.x0;
    t->with_halo = t->used ? cae_region_join(t->with_halo, r) : r;
    t->used = true;
}

/* With the requests of all readers known. From row previous.y1 on nothing is made yet. */
static void finalise(const cae_plan *p, cae_tensor_plan *t, const cae_shape *shape)
{
    t->region = cae_region_clip(t->with_halo, shape);
    t->with_halo = cae_region_join(t->with_halo, t->region);
    t->new_y0 = t->with_halo.y0;
    if (p->next != p->tile.y0 && t->new_y0 < t->previous.y1) {
        t->new_y0 = t->previous.y1;
    }
}

static cae_region new_rows(const cae_tensor_plan *t)
{
    cae_region r = t->region;
    r.y0 = t->new_y0 > r.y0 ? t->new_y0 : r.y0;
    r.y0 = r.y0 < r.y1 ? r.y0 : r.y1;
    return r;
}

/* Whether the run may be asked for the term of the loss at the code. */
static bool has_term(const cae_plan *p)
{
    return p->net->latent != NULL && p->from == 0 && p->to == p->net->op_len;
}

static void find_regions(cae_plan *p, cae_region wanted)
{
    for (size_t t = p->from; t <= p->to; t++) {
        p->tensors[t].previous = p->tensors[t].with_halo;
        p->tensors[t].used = false;
    }
    request(&p->tensors[p->to], wanted);
    if (has_term(p)) {
        const cae_latent_grid grid = cae_net_grid(p->net, p->shapes);
        p->counted = cae_latent_owned(&grid, wanted);
        request(&p->tensors[cae_net_encoded(p->net)], p->counted);
        request(&p->tensors[p->net->code], p->counted);
    }
    for (size_t t = p->to; t > p->from; t--) {
        const cae_op *op = &p->net->ops[t - 1];
        cae_tensor_plan *out = &p->tensors[t];
        if (!out->used) {
            continue;
        }
        if (p->training || op->type->fixed_size) {
            /* The gradients of the weights read all of it, and a dense layer makes all of it, used
             * or not. */
            request(out, cae_region_whole(&p->shapes[t]));
        }
        finalise(p, out, &p->shapes[t]);
        const cae_region made = new_rows(out);
        for (size_t k = 0; k < op->input_len; k++) {
            const cae_shape *in = &p->shapes[op->input[k]];
            request(&p->tensors[op->input[k]], op->type->needs(op, k, made, in));
        }
    }
    cae_tensor_plan *in = &p->tensors[p->from];
    if (p->training) {
        request(in, cae_region_whole(&p->shapes[p->from]));
    }
    finalise(p, in, &p->shapes[p->from]);
}

/* Gradients exist where an operator with parameters lies on the way back, and at the end, where the
 * loss makes one. */
static void find_gradients(cae_plan *p)
{
    for (size_t t = 1; t <= p->to; t++) {
        const cae_op *op = &p->net->ops[t - 1];
        cae_tensor_plan *out = &p->tensors[t];
        const cae_region whole = cae_region_whole(&p->shapes[t]);
        out->gradient = t == p->to || op->type->parameters != NULL;
        for (size_t k = 0; k < op->input_len; k++) {
            out->gradient = out->gradient || p->tensors[op->input[k]].gradient;
        }
        out->gradient = out->gradient && out->used;
        out->gradient_with_halo = whole;
        if (op->type->needs_back != NULL) {
            out->gradient_with_halo =
                cae_region_join(whole, op->type->needs_back(op, &p->shapes[op->input[0]]));
        }
    }
}

/* ---- Places ---------------------------------------------------------------------------------- */

/* The size of a plan that no memory holds: above every limit, and small enough to add to. */
static const size_t too_large = SIZE_MAX / 2 + 1;

/* Returns the lowest place for a block where nothing that lives at the same time stands. Blocks are
 * kept sorted by place, so one pass finds it. SIZE_MAX, and a plan too large: none. */
static size_t place(cae_plan *p, size_t size, size_t first, size_t last)
{
    size_t candidate = 0;
    size_t where = 0;
    if (size >= too_large - CAE_ALIGN) {
        p->size = too_large;
        return SIZE_MAX;
    }
    size += CAE_ALIGN - 1;
    size -= size % CAE_ALIGN;
    for (size_t i = 0; i < p->block_len; i++) {
        const struct cae_block *b = &p->blocks[i];
        const bool together = b->first <= last && first <= b->last;
        if (together && b->at < candidate + size && b->at + b->size > candidate) {
            candidate = b->at + b->size;
        }
    }
    if (candidate >= too_large - size) {
        p->size = too_large;
        return SIZE_MAX;
    }
    while (where < p->block_len && p->blocks[where].at <= candidate) {
        where++;
    }
    memmove(p->blocks + where + 1, p->blocks + where,
            (p->block_len - where) * sizeof(p->blocks[0]));
    p->blocks[where] = (struct cae_block){candidate, size, first, last};
    p->block_len++;
    p->size = cae_size_max(p->size, candidate + size);
    return candidate;
}

static size_t rows_bytes(const cae_plan *p, size_t rows, const cae_region *r, size_t channels)
{
    const size_t pixels = cae_size_mul(rows, cae_region_width(r));
    return cae_size_mul4(pixels, channels, p->images, sizeof(float));
}

static size_t region_bytes(const cae_plan *p, const cae_region *r, size_t channels)
{
    return rows_bytes(p, cae_region_height(r), r, channels);
}

/* The step in which the last reader of tensor t runs forward. */
static size_t last_use(const cae_plan *p, size_t t)
{
    const bool read_last =
        t == p->to || (has_term(p) && (t == cae_net_encoded(p->net) || t == p->net->code));
    size_t last = read_last ? p->to + 1 : t;
    for (size_t i = t > p->from ? t : p->from; i < p->to; i++) {
        const cae_op *op = &p->net->ops[i];
        for (size_t k = 0; k < op->input_len; k++) {
            if (op->input[k] == t) {
                last = cae_size_max(last, i + 1);
            }
        }
    }
    return last;
}

static void place_tensor(cae_plan *p, size_t t)
{
    cae_tensor_plan *tensor = &p->tensors[t];
    const size_t channels = p->shapes[t].c;
    const size_t backward = 2 * p->to + 2; /* minus t: the step of the operator that made t */
    const size_t last = p->training ? backward - t : last_use(p, t);
    tensor->at = place(p, region_bytes(p, &tensor->with_halo, channels), t, last);
    if (!p->training || t == 0) {
        return;
    }
    if (p->net->ops[t - 1].type->argmax) {
        const cae_region whole = cae_region_whole(&p->shapes[t]);
        tensor->argmax_at = place(p, region_bytes(p, &whole, channels), t, last);
    }
    if (tensor->gradient) {
        /* Begun by the last reader's backward pass, or by the loss. */
        const size_t begin = backward - last_use(p, t);
        tensor->gradient_at =
            place(p, region_bytes(p, &tensor->gradient_with_halo, channels), begin, last);
    }
}

static void place_scratch(cae_plan *p)
{
    size_t most = 0;
    for (size_t i = p->from; i < p->to; i++) {
        const cae_op *op = &p->net->ops[i];
        const cae_pass pass = {.op = op,
                               .workers = p->workers,
                               .images = p->images,
                               .in = {p->shapes[op->input[0]], p->shapes[op->input[1]]},
                               .out = p->shapes[i + 1],
                               .y.region = p->tensors[i + 1].region};
        if (op->type->scratch != NULL && p->tensors[i + 1].used) {
            most = cae_size_max(most, op->type->scratch(&pass, p->training));
        }
    }
    p->scratch_at = place(p, most, 0, SIZE_MAX);
    if (p->size < too_large) {
        p->size += CAE_ALIGN; /* that a product may read beyond the last */
    }
}

static void begin(cae_plan *p, cae_part part, const cae_shape *shapes, cae_region tile,
                  size_t images)
{
    const cae_net *net = p->net;
    p->from = part == CAE_DECODE ? net->code : 0;
    p->to = part == CAE_ENCODE ? net->code : net->op_len;
    p->training = false;
    p->images = images;
    p->workers = 1;
    p->team = NULL;
    p->shapes = shapes;
    p->tile = tile;
    p->strip = cae_region_height(&tile);
    p->loss_block = 1;
    p->next = tile.y0;
    p->size = 0;
    p->block_len = 0;
    for (size_t t = 0; t <= net->op_len; t++) {
        p->tensors[t] =
            (cae_tensor_plan){.at = SIZE_MAX, .gradient_at = SIZE_MAX, .argmax_at = SIZE_MAX};
    }
}

/* One strip, whose tensors share places where their lives allow. */
static void place_all(cae_plan *p)
{
    for (size_t t = p->from; t <= p->to; t++) {
        if (p->tensors[t].used) {
            place_tensor(p, t);
        }
    }
    place_scratch(p);
}

void cae_plan_make(cae_plan *p, cae_part part, const cae_shape *shapes, cae_region region,
                   size_t images, bool training, size_t workers)
{
    begin(p, part, shapes, region, images);
    p->training = training;
    p->workers = workers;
    find_regions(p, region);
    if (training) {
        find_gradients(p);
    }
    place_all(p);
}

/* ---- Strips ---------------------------------------------------------------------------------- */

/* The regions of the strip that begins with row p->next. */
static void find_strip(cae_plan *p)
{
    cae_region r = p->tile;
    r.y0 = p->next;
    r.y1 = cae_region_height(&r) > p->strip ? r.y0 + (ptrdiff_t)p->strip : r.y1;
    find_regions(p, r);
    cae_tensor_plan *to = &p->tensors[p->to];
    to->with_halo.y0 -= r.y0 % (ptrdiff_t)p->loss_block;
    to->region.y0 = to->with_halo.y0;
    p->next = r.y1;
}

void cae_plan_strips(cae_plan *p, cae_part part, const cae_shape *shapes, cae_region tile,
                     size_t strip, size_t loss_block)
{
    begin(p, part, shapes, tile, 1);
    p->loss_block = loss_block;
    if (strip >= p->strip) {
        find_regions(p, tile);
        place_all(p);
        return;
    }
    p->strip = strip;
    while (p->next < tile.y1) {
        find_strip(p);
        for (size_t t = p->from; t <= p->to; t++) {
            cae_tensor_plan *tensor = &p->tensors[t];
            tensor->rows = cae_size_max(tensor->rows, cae_region_height(&tensor->with_halo));
        }
    }
    p->next = tile.y0;
    for (size_t t = p->from; t <= p->to; t++) {
        cae_tensor_plan *tensor = &p->tensors[t];
        /* As the largest strip has it, for the operators' scratch. */
        tensor->region.y1 = tensor->region.y0 + (ptrdiff_t)tensor->rows;
        if (tensor->used) {
            /* Rows are kept from strip to strip: no place is shared. */
            tensor->at = place(p, rows_bytes(p, tensor->rows, &tensor->with_halo, p->shapes[t].c),
                               0, SIZE_MAX);
        }
    }
    place_scratch(p);
}

/* Moves the rows that stay to the front. */
static void keep_rows(const cae_plan *p, size_t t, void *base)
{
    const cae_tensor_plan *tensor = &p->tensors[t];
    const cae_region *previous = &tensor->previous;
    const cae_region *now = &tensor->with_halo;
    const size_t row = cae_region_width(now) * p->shapes[t].c * sizeof(float);
    char *rows = (char *)base + tensor->at;
    if (now->y0 < previous->y1) {
        memmove(rows, rows + (size_t)(now->y0 - previous->y0) * row,
                (size_t)(previous->y1 - now->y0) * row);
    }
}

bool cae_plan_next(cae_plan *p, void *base)
{
    const bool first = p->next == p->tile.y0;
    CAE_ASSERT(p->size < too_large);
    if (p->next >= p->tile.y1) {
        return false;
    }
    find_strip(p);
    if (first) {
        return true;
    }
    for (size_t t = p->from; t <= p->to; t++) {
        if (p->tensors[t].used) {
            keep_rows(p, t, base);
        }
    }
    return true;
}

static cae_view view_of(cae_region region, cae_region with_halo, size_t c, float *data)
{
    cae_view v = {.region = region, .c = c};
    v.row = (ptrdiff_t)(cae_region_width(&with_halo) * c);
    v.image = (ptrdiff_t)cae_region_height(&with_halo) * v.row;
    v.data = data + (region.y0 - with_halo.y0) * v.row + (region.x0 - with_halo.x0) * (ptrdiff_t)c;
    return v;
}

cae_view cae_plan_view(const cae_plan *p, size_t t, void *base)
{
    const cae_tensor_plan *tensor = &p->tensors[t];
    return view_of(tensor->region, tensor->with_halo, p->shapes[t].c,
                   (float *)(void *)((char *)base + tensor->at));
}

cae_view cae_plan_new_rows(const cae_plan *p, size_t t, void *base)
{
    const cae_tensor_plan *tensor = &p->tensors[t];
    return view_of(new_rows(tensor), tensor->with_halo, p->shapes[t].c,
                   (float *)(void *)((char *)base + tensor->at));
}

cae_view cae_plan_gradient(const cae_plan *p, size_t t, void *base)
{
    const cae_tensor_plan *tensor = &p->tensors[t];
    return view_of(cae_region_whole(&p->shapes[t]), tensor->gradient_with_halo, p->shapes[t].c,
                   (float *)(void *)((char *)base + tensor->gradient_at));
}
