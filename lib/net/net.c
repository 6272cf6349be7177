/*
 * Making a network: shapes from layers, the unit, and the places of the weights.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "net/net.h"

#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "layers/conv_pool.h"

/* ---- Shapes ---------------------------------------------------------------------------------- */

/* Puts the line before the message of a layer. */
static int at_line(int status, const cae_layer *l)
{
    return cae_fail(status, "line %zu: %s", l->line, cae_message());
}

static int layer_shape(const cae_layer *l, const cae_shape *shapes, cae_shape *out)
{
    const cae_shape in[2] = {shapes[l->input[0]], shapes[l->input[1]]};
    const int status = l->type->shape(l, in, out);
    if (status != CAE_OK) {
        return at_line(status, l);
    }
    if (out->c > CAE_MAX_CHANNELS || out->h > CAE_MAX_SIDE || out->w > CAE_MAX_SIDE) {
        return cae_fail(CAE_E_LIMIT,
                        "line %zu: an output of %zu x %zu x %zu (channels, height, width) is over "
                        "the caps of 65536, 2^24 and 2^24",
                        l->line, out->c, out->h, out->w);
    }
    return CAE_OK;
}

int cae_net_shapes(const cae_net *net, size_t height, size_t width, cae_shape *shapes)
{
    if (height > CAE_MAX_SIDE || width > CAE_MAX_SIDE) {
        return cae_fail(CAE_E_LIMIT, "an image of %zu x %zu is over the cap of 2^24 pixels a side",
                        height, width);
    }
    if (net->whole && (height != net->input.h || width != net->input.w)) {
        return cae_fail(CAE_E_SHAPE,
                        "this network has a dense layer and takes images of %zu x %zu only, not "
                        "%zu x %zu (height x width)",
                        net->input.h, net->input.w, height, width);
    }
    const size_t unit = net->whole ? 1 : net->unit;
    shapes[0] =
        (cae_shape){net->input.c, cae_div_up(height, unit) * unit, cae_div_up(width, unit) * unit};
    for (size_t i = 0; i < net->layer_len; i++) {
        CAE_TRY(layer_shape(&net->layers[i], shapes, &shapes[i + 1]));
    }
    const cae_shape *in = &shapes[0];
    const cae_shape *out = &shapes[net->layer_len];
    if (out->c != in->c || out->h != in->h || out->w != in->w) {
        return cae_fail(CAE_E_SHAPE,
                        "line %zu: the output is %zu x %zu x %zu (channels, height, width), the "
                        "input %zu x %zu x %zu",
                        net->layers[net->layer_len - 1].line, out->c, out->h, out->w, in->c, in->h,
                        in->w);
    }
    return CAE_OK;
}

int cae_net_code_shape(const cae_net *net, size_t height, size_t width, cae_shape *code)
{
    cae_shape *shapes = cae_alloc(net->memory, net->layer_len + 1, sizeof(shapes[0]));
    if (shapes == NULL) {
        return CAE_E_NOMEM;
    }
    const int status = cae_net_shapes(net, height, width, shapes);
    *code = status == CAE_OK ? shapes[net->code] : (cae_shape){0};
    cae_release(net->memory, shapes);
    return status;
}

/* The product of the strides before `code`; whether a dense layer or a skip bars other uses. */
static int find_traits(cae_net *net)
{
    uint64_t unit = 1;
    for (size_t i = 0; i < net->layer_len; i++) {
        const cae_layer *l = &net->layers[i];
        net->whole = net->whole || l->type->whole;
        if (i < net->code) {
            /* Below 2^41: the factors are at most 2^24 and 2^16. */
            unit *= l->stride;
        }
        for (size_t k = 0; k < l->input_len; k++) {
            net->skip_crosses = net->skip_crosses || (i >= net->code && l->input[k] < net->code);
        }
        if (unit > CAE_MAX_SIDE) {
            return cae_fail(CAE_E_LIMIT, "line %zu: the strides' product is over 2^24", l->line);
        }
    }
    net->unit = (size_t)unit;
    return CAE_OK;
}

/* Marks the layers that run as one with the max pool that alone reads them; the code is read by
 * others too. */
static void find_pooled(cae_net *net)
{
    for (size_t i = 0; i < net->layer_len; i++) {
        size_t readers = 0;
        size_t last = 0;
        for (size_t j = i + 1; j < net->layer_len; j++) {
            const cae_layer *reader = &net->layers[j];
            for (size_t k = 0; k < reader->input_len; k++) {
                readers += reader->input[k] == i + 1;
                last = reader->input[k] == i + 1 ? j : last;
            }
        }
        if (readers == 1 && i + 1 != net->code &&
            cae_conv_pool_applies(&net->layers[i], &net->layers[last])) {
            net->layers[i].pooled = last + 1;
        }
    }
}

/* ---- Weights --------------------------------------------------------------------------------- */

/* Number of the layer's module in the matching nn.Sequential: one per layer, activation, and the
 * Flatten before the first dense; add, concat and the code are no modules, activations are. */
static size_t next_module(const cae_layer *l, bool *flattened, size_t *counter)
{
    if (l->type->whole && !*flattened) {
        *flattened = true;
        (*counter)++;
    }
    const size_t module = *counter;
    *counter += l->input_len == 1 && !l->type->samples ? 1 : 0;
    *counter += l->activation != CAE_NONE ? 1 : 0;
    return module;
}

static int add_weight(cae_net *net, size_t layer, size_t module, const cae_parameter *p,
                      bool is_bias)
{
    cae_weight *w = &net->weights[net->weight_len];
    *w = (cae_weight){.layer = layer, .is_bias = is_bias, .parameter = *p};
    cae_format(w->name, sizeof(w->name), "%zu.%s", module, p->name);
    if (!cae_size_mul4(p->shape[0], p->shape[1], p->shape[2], p->shape[3], &w->len) ||
        w->len > CAE_MAX_PARAMETERS - net->parameters) {
        return cae_fail(CAE_E_LIMIT, "line %zu: the network has more than 2^28 parameters",
                        net->layers[layer].line);
    }
    net->parameters += w->len;
    net->weight_len++;
    return CAE_OK;
}

static int list_weights(cae_net *net)
{
    bool flattened = false;
    size_t counter = 0;
    for (size_t i = 0; i < net->layer_len; i++) {
        const cae_layer *l = &net->layers[i];
        const size_t module = next_module(l, &flattened, &counter);
        cae_parameter p[2];
        if (l->type->parameters == NULL) {
            continue;
        }
        if (!l->type->parameters(l, &net->shapes[l->input[0]], p)) {
            return cae_fail(CAE_E_LIMIT, "line %zu: the layer has too many parameters", l->line);
        }
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
        net->packed_len += net->whole ? w->len : cae_div_up(w->len, floats) * floats;
        *(w->is_bias ? &net->slots[w->layer].bias : &net->slots[w->layer].weight) = w->offset;
        *(w->is_bias ? &net->slots[w->layer].packed_bias : &net->slots[w->layer].packed_weight) =
            w->packed;
    }
    net->packed_len += CAE_OVER; /* that a product may read beyond the last */
}

/* ---- The whole ------------------------------------------------------------------------------- */

static int build(cae_net *net, const char *text)
{
    CAE_TRY(cae_net_parse(net, text));
    CAE_TRY(find_traits(net));
    find_pooled(net);
    net->shapes = cae_alloc(net->memory, net->layer_len + 1, sizeof(net->shapes[0]));
    net->weights = cae_alloc(net->memory, 2 * net->layer_len, sizeof(net->weights[0]));
    net->slots = cae_alloc(net->memory, net->layer_len, sizeof(net->slots[0]));
    if (net->shapes == NULL || net->weights == NULL || net->slots == NULL) {
        return CAE_E_NOMEM;
    }
    memset(net->slots, 0xff, net->layer_len * sizeof(net->slots[0]));
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
    cae_release(net->memory, net->layers);
    cae_release(net->memory, net->shapes);
    cae_release(net->memory, net->weights);
    cae_release(net->memory, net->slots);
    cae_release(net->memory, net);
}

bool cae_net_keeps(const cae_net *net, bool all)
{
    bool some = false;
    for (size_t i = 0; i < net->layer_len; i++) {
        const cae_layer_type *type = net->layers[i].type;
        some = some || type->deferred_len != NULL;
        if (all && type->parameters != NULL && type->deferred_len == NULL) {
            return false;
        }
    }
    return some;
}
