/*
 * Making a network: the unit, the shapes of all tensors, and the places of the weights.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "net/net.h"

#include <string.h>

#include "base/assert.h"
#include "base/size.h"
#include "base/status.h"

/* ---- Shapes ---------------------------------------------------------------------------------- */

int cae_net_shapes(const cae_net *net, size_t height, size_t width, cae_shape *shapes)
{
    if (height > CAE_MAX_SIDE || width > CAE_MAX_SIDE) {
        return cae_fail(CAE_E_LIMIT, "an image of %zu x %zu is over the cap of 2^24 pixels a side",
                        height, width);
    }
    if (net->fixed_size && (height != net->input.h || width != net->input.w)) {
        return cae_fail(CAE_E_SHAPE,
                        "this network has a dense layer and takes images of %zu x %zu only, not "
                        "%zu x %zu (height x width)",
                        net->input.h, net->input.w, height, width);
    }
    const size_t unit = net->fixed_size ? 1 : net->unit;
    shapes[0] =
        (cae_shape){net->input.c, cae_div_up(height, unit) * unit, cae_div_up(width, unit) * unit};
    for (size_t i = 0; i < net->op_len; i++) {
        const cae_op *op = &net->ops[i];
        const cae_shape in[2] = {shapes[op->input[0]], shapes[op->input[1]]};
        CAE_TRY(op->type->shape(op, in, &shapes[i + 1]));
        CAE_TRY(cae_op_caps(op, &shapes[i + 1]));
    }
    const cae_shape *in = &shapes[0];
    const cae_shape *out = &shapes[net->op_len];
    if (out->c != in->c || out->h != in->h || out->w != in->w) {
        return cae_fail(CAE_E_SHAPE,
                        "line %zu: the output is %zu x %zu x %zu (channels, height, width), the "
                        "input %zu x %zu x %zu",
                        net->ops[net->op_len - 1].line, out->c, out->h, out->w, in->c, in->h,
                        in->w);
    }
    return CAE_OK;
}

int cae_net_code_shape(const cae_net *net, size_t height, size_t width, cae_shape *code)
{
    cae_shape *shapes = cae_alloc(net->memory, net->op_len + 1, sizeof(shapes[0]));
    if (shapes == NULL) {
        return CAE_E_NOMEM;
    }
    const int status = cae_net_shapes(net, height, width, shapes);
    *code = status == CAE_OK ? shapes[net->code] : (cae_shape){0};
    cae_release(net->memory, shapes);
    return status;
}

static int strides_too_large(const cae_op *op)
{
    return cae_fail(CAE_E_LIMIT, "line %zu: the strides' product is over 2^24", op->line);
}

/* Of numbers below 2^41. */
static size_t common_multiple(size_t a, size_t b)
{
    size_t divisor = a;
    for (size_t rest = b; rest != 0;) {
        const size_t next = divisor % rest;
        divisor = rest;
        rest = next;
    }
    return cae_size_mul(a / divisor, b);
}

/* Without `code`: by how many pixels of the input all tensors' pixels lie apart. */
static int find_unit(cae_net *net)
{
    size_t *scale = cae_alloc(net->memory, net->line_len + 1, sizeof(scale[0]));
    if (scale == NULL) {
        return CAE_E_NOMEM;
    }
    int status = CAE_OK;
    net->unit = scale[0] = 1;
    for (size_t i = 0; i < net->line_len && status == CAE_OK; i++) {
        const cae_op *op = &net->lines[i];
        const size_t from = scale[op->input[0]];
        scale[i + 1] =
            op->type->transposed ? cae_size_max(1, from / op->stride) : from * op->stride;
        net->unit = common_multiple(net->unit, scale[i + 1]);
        status = net->unit <= CAE_MAX_SIDE ? CAE_OK : strides_too_large(op);
    }
    cae_release(net->memory, scale);
    return status;
}

/* The product of the strides before `code`; whether a dense layer or a skip bars other uses. */
static int find_traits(cae_net *net)
{
    uint64_t unit = 1;
    net->skip_crosses = !net->coded;
    for (size_t i = 0; i < net->line_len; i++) {
        const cae_op *op = &net->lines[i];
        net->fixed_size = net->fixed_size || op->type->fixed_size;
        net->packs = net->packs || op->type->pack != NULL;
        net->defers = net->defers || op->type->deferred_len != NULL;
        net->stores =
            net->stores || (op->type->parameters != NULL && op->type->deferred_len == NULL);
        if (i < net->code) {
            /* Below 2^41: the factors are at most 2^24 and 2^16. */
            unit *= op->stride;
        }
        for (size_t k = 0; k < op->input_len; k++) {
            net->skip_crosses = net->skip_crosses || (i >= net->code && op->input[k] < net->code);
        }
        if (unit > CAE_MAX_SIDE) {
            return strides_too_large(op);
        }
    }
    net->unit = (size_t)unit;
    return net->coded ? CAE_OK : find_unit(net);
}

/* ---- Weights --------------------------------------------------------------------------------- */

/* Number of the operator's module in the matching nn.Sequential, which has a Flatten before the
 * first dense. */
static size_t next_module(const cae_op *op, bool *flattened, size_t *counter)
{
    if (op->type->fixed_size && !*flattened) {
        *flattened = true;
        (*counter)++;
    }
    const size_t module = *counter;
    *counter += op->modules;
    return module;
}

static int add_weight(cae_net *net, size_t op, size_t module, const cae_parameter *p, bool is_bias)
{
    cae_weight *w = &net->weights[net->weight_len];
    *w = (cae_weight){.op = op, .is_bias = is_bias, .parameter = *p};
    cae_format(w->name, sizeof(w->name), "%zu.%s", module, p->name);
    w->len = cae_size_mul4(p->shape[0], p->shape[1], p->shape[2], p->shape[3]);
    if (w->len > CAE_MAX_PARAMETERS - net->parameters) {
        return cae_fail(CAE_E_LIMIT, "line %zu: the network has more than 2^28 parameters",
                        net->ops[op].line);
    }
    net->parameters += w->len;
    net->weight_len++;
    return CAE_OK;
}

static int list_weights(cae_net *net)
{
    bool flattened = false;
    size_t counter = 0;
    for (size_t i = 0; i < net->op_len; i++) {
        const cae_op *op = &net->ops[i];
        const size_t module = next_module(op, &flattened, &counter);
        cae_parameter p[2];
        if (op->type->parameters == NULL) {
            continue;
        }
        op->type->parameters(op, &net->shapes[op->input[0]], p);
        CAE_TRY(add_weight(net, i, module, &p[0], false));
        CAE_TRY(add_weight(net, i, module, &p[1], true));
    }
    return CAE_OK;
}

/* Insertion sort by name (at most 2048 of them), then offsets in that order. */
static void place_weights(cae_net *net)
{
    for (size_t i = 1; i < net->weight_len; i++) {
        const cae_weight w = net->weights[i];
        size_t at = i;
        for (; at > 0 && strcmp(net->weights[at - 1].name, w.name) > 0; at--) {
            net->weights[at] = net->weights[at - 1];
        }
        net->weights[at] = w;
    }
    const size_t floats = CAE_ALIGN / sizeof(float);
    size_t offset = 0;
    for (size_t i = 0; i < net->weight_len; i++) {
        cae_weight *w = &net->weights[i];
        w->offset = offset;
        w->packed = net->packed_len;
        offset += w->len;
        net->packed_len += net->fixed_size ? w->len : cae_div_up(w->len, floats) * floats;
        if (w->is_bias) {
            net->pair_of[w->op] = w;
            CAE_ASSERT(w[1].op == w->op && !w[1].is_bias);
        }
    }
    net->packed_len += CAE_OVER; /* that a product may read beyond the last */
}

/* ---- The whole ------------------------------------------------------------------------------- */

static int build(cae_net *net, const char *text)
{
    CAE_TRY(cae_net_parse(net, text));
    CAE_TRY(find_traits(net));
    CAE_TRY(cae_net_lower(net));
    net->shapes = cae_alloc(net->memory, net->op_len + 1, sizeof(net->shapes[0]));
    net->weights = cae_alloc(net->memory, 2 * net->op_len, sizeof(net->weights[0]));
    net->pair_of = cae_alloc_zeroed(net->memory, net->op_len, sizeof(net->pair_of[0]));
    if (net->shapes == NULL || net->weights == NULL || net->pair_of == NULL) {
        return CAE_E_NOMEM;
    }
    CAE_TRY(cae_net_shapes(net, net->input.h, net->input.w, net->shapes));
    CAE_TRY(list_weights(net));
    place_weights(net);
    return CAE_OK;
}

int cae_net_new(cae_net **out, const cae_memory *memory, const char *text)
{
    *out = NULL;
    cae_net *net = cae_alloc_zeroed(memory, 1, sizeof(*net));
    if (net == NULL) {
        return CAE_E_NOMEM;
    }
    net->memory = memory;
    const int status = build(net, text);
    if (status != CAE_OK) {
        cae_net_free(net);
        return status;
    }
    *out = net;
    return CAE_OK;
}

void cae_net_free(cae_net *net)
{
    if (net == NULL) {
        return;
    }
    cae_release(net->memory, net->text);
    cae_release(net->memory, net->lines);
    cae_release(net->memory, net->ops);
    cae_release(net->memory, net->shapes);
    cae_release(net->memory, net->weights);
    cae_release(net->memory, net->pair_of);
    cae_release(net->memory, net);
}

size_t cae_net_workers(const cae_net *net, const cae_shape *shapes, size_t count, size_t threads)
{
#if defined(CAE_ASSERTIONS)
    enum { WORKER_TERMS = 1 }; /* tests have small networks, and threads to watch */
#else
    enum { WORKER_TERMS = 1 << 21 }; /* multiply-adds of some 50 microseconds */
#endif
    enum { READ = 32 }; /* multiply-adds while a weight is read that no cache holds */
    size_t terms = 0;
    for (size_t i = 0; i < net->weight_len; i++) {
        const cae_weight *w = &net->weights[i];
        const cae_shape *in = &shapes[net->ops[w->op].input[0]];
        const cae_shape *out = &shapes[w->op + 1];
        /* A convolution uses each weight once per pixel of its smaller map. */
        const size_t pixels =
            cae_size_min(cae_size_mul(in->h, in->w), cae_size_mul(out->h, out->w));
        const size_t uses =
            net->fixed_size ? cae_size_add(count, READ) : cae_size_mul(pixels, count);
        terms = cae_size_add(terms, cae_size_mul(w->len, uses));
    }
    return cae_size_max(1, cae_size_min(threads, terms / WORKER_TERMS));
}
