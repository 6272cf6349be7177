/*
 * One pass over the operators of a plan; see exec.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "net/exec.h"

#include <string.h>

#include "base/assert.h"
#include "base/floats.h"
#include "base/size.h"
#include "base/status.h"

struct packing {
    const cae_net *net;
    const float *weights;
    float *packed;
    bool backward;
};

static void pack_job(void *arg, size_t i, size_t worker)
{
    const struct packing *j = arg;
    const cae_op *op = &j->net->ops[i];
    (void)worker;
    if (op->type->pack != NULL) {
        const cae_weight *w = &j->net->pair_of[i][1];
        (j->backward ? op->type->pack_back : op->type->pack)(
            op, &j->net->shapes[op->input[0]], j->weights + w->offset, j->packed + w->packed);
    }
}

void cae_pack_weights(const cae_net *net, const float *weights, float *packed, bool backward,
                      cae_team *team)
{
    struct packing j = {net, weights, packed, backward};
    cae_team_run(team, net->op_len, pack_job, &j);
}

/* ---- Halos ----------------------------------------------------------------------------------- */

static void zero_floats(float *p, ptrdiff_t len)
{
    if (len > 0) {
        memset(p, 0, (size_t)len * sizeof(float));
    }
}

/* Zeroes what lies within `with_halo` but outside the view's region. */
static void zero_halo(const cae_view *v, const cae_region *with_halo, size_t images)
{
    const cae_region *r = &v->region;
    const ptrdiff_t c = (ptrdiff_t)v->c;
    for (size_t n = 0; n < images; n++) {
        for (ptrdiff_t y = with_halo->y0; y < with_halo->y1; y++) {
            float *row = cae_view_at(v, n, y, with_halo->x0);
            if (y < r->y0 || y >= r->y1 || r->x0 >= r->x1) {
                zero_floats(row, v->row);
            } else {
                zero_floats(row, (r->x0 - with_halo->x0) * c);
                zero_floats(cae_view_at(v, n, y, r->x1), (with_halo->x1 - r->x1) * c);
            }
        }
    }
}

/* The halo of what this strip makes of tensor t, `v`. */
static void zero_new_halo(const cae_plan *plan, size_t t, const cae_view *v)
{
    cae_region with_halo = plan->tensors[t].with_halo;
    with_halo.y0 = plan->tensors[t].new_y0;
    zero_halo(v, &with_halo, plan->images);
}

/* ---- The two ends ---------------------------------------------------------------------------- */

/* Values that pass through the stack at a time. */
enum { STRETCH = 256 };

static void read_planar(const void *from, size_t n, size_t c, size_t y, size_t x0, size_t x1,
                        float *row)
{
    const cae_planar *p = from;
    const float *line = p->data + ((n * p->c + c) * p->h + y) * p->w;
    memcpy(row, line + x0, (x1 - x0) * sizeof(float));
}

int cae_planar_check(const cae_planar *p, size_t count, const char *name)
{
    const size_t len = cae_size_mul4(count, p->c, p->h, p->w);
    if (len > SIZE_MAX / 2 / sizeof(float)) {
        return cae_fail(CAE_E_ARGUMENT,
                        "%s: %zu x %zu x %zu x %zu values are more than memory holds", name, count,
                        p->c, p->h, p->w);
    }
    return p->data != NULL ? cae_check_finite(p->data, len, name) : CAE_OK;
}

cae_source cae_source_planar(const cae_planar *images)
{
    return (cae_source){read_planar, images, images->h, images->w};
}

static void write_planar(void *to, size_t n, size_t c, size_t y, size_t x0, size_t x1,
                         const float *row)
{
    const cae_planar_out *p = to;
    float *line = p->data + ((n * p->c + c) * p->h + y) * p->w;
    memcpy(line + x0, row, (x1 - x0) * sizeof(float));
}

cae_sink cae_sink_planar(cae_planar_out *images)
{
    return (cae_sink){write_planar, images, images->h, images->w};
}

/* What the network sees of values of an image, and what its output stands for. Compiled for the
 * baseline, these are never fused. */
static void normalise(float *values, size_t len, float sigma)
{
    for (size_t i = 0; i < len; i++) {
        values[i] = (values[i] - 0.5f) / sigma;
    }
}

static void restore(float *values, size_t len, float sigma)
{
    for (size_t i = 0; i < len; i++) {
        values[i] = cae_net_restored(values[i], sigma);
    }
}

/* A row of one channel, [x0, x1), into pixels that are `step` floats apart. `sigma` NULL: the
 * network takes no noise level. */
static void load_row(const cae_source *s, size_t n, size_t c, size_t y, const cae_region *r,
                     const float *sigma, float *to, size_t step)
{
    float values[STRETCH];
    const size_t x1 = cae_size_min((size_t)r->x1, s->w);
    size_t x = (size_t)r->x0;
    /* A region that begins beyond the image still needs the last value. */
    values[0] = 0;
    size_t len = 0;
    if (x >= x1) {
        s->read(s->from, n, c, y, s->w - 1, s->w, values);
        len = 1;
        if (sigma != NULL) {
            normalise(values, len, *sigma);
        }
    }
    while (x < x1) {
        len = cae_size_min(STRETCH, x1 - x);
        s->read(s->from, n, c, y, x, x + len, values);
        if (sigma != NULL) {
            normalise(values, len, *sigma);
        }
        for (size_t i = 0; i < len; i++, to += step) {
            *to = values[i];
        }
        x += len;
    }
    for (; x < (size_t)r->x1; x++, to += step) {
        *to = values[len - 1];
    }
}

static const float *sigma_of(const cae_engine *e, size_t n)
{
    CAE_ASSERT(e->net->noise == (e->sigma != NULL));
    return e->sigma != NULL ? e->sigma + n : NULL;
}

void cae_exec_load(const cae_engine *e, const cae_plan *plan, void *base, const cae_source *images,
                   size_t first)
{
    const cae_view v = cae_plan_new_rows(plan, plan->from, base);
    const cae_region *r = &v.region;
    zero_new_halo(plan, plan->from, &v);
    if (r->x0 >= r->x1) {
        return;
    }
    for (size_t n = 0; n < plan->images; n++) {
        for (ptrdiff_t y = r->y0; y < r->y1; y++) {
            const size_t line = cae_size_min((size_t)y, images->h - 1);
            for (size_t c = 0; c < v.c; c++) {
                load_row(images, first + n, c, line, r, sigma_of(e, first + n),
                         cae_view_at(&v, n, y, r->x0) + c, v.c);
            }
        }
    }
}

static bool store_row(const cae_sink *s, size_t n, size_t c, size_t y, const cae_region *r,
                      const float *sigma, const float *from, size_t step)
{
    float values[STRETCH];
    bool finite = true;
    for (size_t x = (size_t)r->x0; x < (size_t)r->x1;) {
        const size_t len = cae_size_min(STRETCH, (size_t)r->x1 - x);
        for (size_t i = 0; i < len; i++, from += step) {
            values[i] = *from;
        }
        if (sigma != NULL) {
            restore(values, len, *sigma);
        }
        finite = cae_all_finite(values, len, NULL) && finite;
        s->write(s->to, n, c, y, x, x + len, values);
        x += len;
    }
    return finite;
}

bool cae_exec_store(const cae_engine *e, const cae_plan *plan, void *base, const cae_sink *images,
                    size_t first)
{
    const cae_view v = cae_plan_view(plan, plan->to, base);
    const cae_shape own = {v.c, images->h, images->w};
    const cae_region r = cae_region_clip(v.region, &own);
    bool finite = true;
    for (size_t n = 0; n < plan->images; n++) {
        for (ptrdiff_t y = r.y0; y < r.y1; y++) {
            for (size_t c = 0; c < v.c; c++) {
                finite = store_row(images, first + n, c, (size_t)y, &r, sigma_of(e, first + n),
                                   cae_view_at(&v, n, y, r.x0) + c, v.c) &&
                         finite;
            }
        }
    }
    return finite;
}

/* ---- Operators ------------------------------------------------------------------------------- */

/* What both directions share. */
static cae_pass make_pass(const cae_engine *e, const cae_plan *plan, void *base, size_t at)
{
    const cae_net *net = plan->net;
    const cae_op *op = &net->ops[at];
    const cae_tensor_plan *made = &plan->tensors[at + 1];
    CAE_ASSERT(at >= plan->from && at < plan->to);
    CAE_ASSERT(cae_team_size(plan->team) <= plan->workers);
    cae_pass p = {.op = op,
                  .kernels = e->kernels,
                  .team = plan->team,
                  .workers = plan->workers,
                  .images = plan->images,
                  .out = plan->shapes[at + 1],
                  .y = cae_plan_view(plan, at + 1, base),
                  .training = plan->training ? &e->training : NULL,
                  .scratch = (char *)base + plan->scratch_at};
    for (size_t k = 0; k < op->input_len; k++) {
        p.in[k] = plan->shapes[op->input[k]];
        p.x[k] = cae_plan_view(plan, op->input[k], base);
    }
    if (op->type->parameters != NULL) {
        const cae_weight *w = net->pair_of[at];
        p.bias = e->weights + w[0].offset;
        p.weight = op->type->pack != NULL ? e->packed + w[1].packed : e->weights + w[1].offset;
    }
    if (made->argmax_at != SIZE_MAX) {
        p.argmax = (uint32_t *)(void *)((char *)base + made->argmax_at);
    }
    return p;
}

static void activate_back(const cae_kernels *k, cae_activation a, const cae_view *y,
                          const cae_view *dy, size_t images)
{
    const cae_region *r = &y->region;
    if (a == CAE_NONE) {
        return;
    }
    for (size_t n = 0; n < images; n++) {
        for (ptrdiff_t row = r->y0; row < r->y1; row++) {
            k->activate_back(a, cae_view_at(y, n, row, r->x0), cae_view_at(dy, n, row, r->x0),
                             cae_region_width(r) * y->c);
        }
    }
}

void cae_exec_forward_op(const cae_engine *e, const cae_plan *plan, void *base, size_t at)
{
    const cae_op *op = &plan->net->ops[at];
    cae_pass p = make_pass(e, plan, base, at);
    p.y = cae_plan_new_rows(plan, at + 1, base);
    zero_new_halo(plan, at + 1, &p.y);
    op->type->forward(&p);
    if (op->type->activates) {
        return;
    }
    for (size_t n = 0; n < plan->images; n++) {
        cae_view_activate(e->kernels, op->activation, &p.y, n);
    }
}

void cae_exec_forward(const cae_engine *e, const cae_plan *plan, void *base)
{
    for (size_t i = plan->from; i < plan->to; i++) {
        cae_exec_forward_op(e, plan, base, i);
    }
}

void cae_exec_begin_gradient(cae_plan *plan, void *base, size_t t)
{
    const cae_view v = cae_plan_gradient(plan, t, base);
    zero_halo(&v, &plan->tensors[t].gradient_with_halo, plan->images);
    plan->tensors[t].begun = true;
}

/* The gradients of an operator's inputs: where they stand, and whether they hold terms already. */
static void prepare_inputs(cae_plan *plan, void *base, cae_pass *p)
{
    const cae_op *op = p->op;
    for (size_t k = 0; k < op->input_len; k++) {
        const size_t t = op->input[k];
        if (!plan->tensors[t].gradient) {
            continue;
        }
        p->dx_wanted[k] = true;
        p->dx[k] = cae_plan_gradient(plan, t, base);
        p->dx_begun[k] = plan->tensors[t].begun;
        if (!p->dx_begun[k]) {
            cae_exec_begin_gradient(plan, base, t);
        }
    }
}

void cae_exec_backward_op(const cae_engine *e, cae_plan *plan, void *base, size_t at,
                          const float *packed_back, float *sums, float *deferred)
{
    const cae_net *net = plan->net;
    const cae_op *op = &net->ops[at];
    const cae_weight *w = net->pair_of[at];
    if (!plan->tensors[at + 1].gradient) {
        return;
    }
    cae_pass p = make_pass(e, plan, base, at);
    CAE_ASSERT(plan->tensors[at + 1].gradient_at != SIZE_MAX);
    CAE_ASSERT(op->type->pack == NULL || packed_back != NULL);
    p.deferred = deferred;
    p.dy = cae_plan_gradient(plan, at + 1, base);
    if (op->type->pack != NULL) {
        p.weight_back = packed_back + w[1].packed;
    }
    if (w != NULL && sums != NULL && deferred == NULL) {
        p.bias_grad = sums + w[0].packed;
        p.weight_grad = sums + w[1].packed;
    }
    prepare_inputs(plan, base, &p);
    activate_back(e->kernels, op->activation, &p.y, &p.dy, plan->images);
    op->type->backward(&p);
}

void cae_exec_backward(const cae_engine *e, cae_plan *plan, void *base, const float *packed_back,
                       float *sums, float *const *deferred)
{
    for (size_t i = plan->to; i-- > 0;) {
        cae_exec_backward_op(e, plan, base, i, packed_back, sums,
                             deferred != NULL ? deferred[i] : NULL);
    }
    for (size_t t = 0; t <= plan->to; t++) {
        plan->tensors[t].begun = false;
    }
}

/* ---- Updates --------------------------------------------------------------------------------- */

cae_pass cae_exec_deferred(const cae_engine *e, const cae_plan *plan, size_t at, float *deferred)
{
    const cae_op *op = &plan->net->ops[at];
    cae_pass p = {.op = op,
                  .kernels = e->kernels,
                  .team = plan->team,
                  .images = plan->images,
                  .out = plan->shapes[at + 1],
                  .deferred = deferred};
    for (size_t k = 0; k < op->input_len; k++) {
        p.in[k] = plan->shapes[op->input[k]];
    }
    return p;
}
