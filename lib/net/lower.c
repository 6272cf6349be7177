/*
 * Lines to operators. Each line is one operator, but a convolution and the max pool behind it are
 * one together where they can be: no other file knows of that.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "base/status.h"
#include "layers/conv_passes.h"
#include "net/net.h"

/* Whether line `at` is fused with the line behind it, which reads it as every line reads the one
 * before. No other line may read it, and it may not be the code, which callers read. */
static bool is_fused(const cae_net *net, size_t at)
{
    if (at + 1 == net->line_len || at + 1 == net->code ||
        !cae_conv_pool_applies(&net->lines[at], &net->lines[at + 1])) {
        return false;
    }
    for (size_t i = at + 2; i < net->line_len; i++) {
        if (net->lines[i].input_len == 2 && net->lines[i].input[1] == at + 1) {
            return false;
        }
    }
    return true;
}

int cae_net_lower(cae_net *net)
{
    /* The tensor of operators for each tensor of lines. */
    size_t *tensors = cae_alloc_zeroed(net->memory, net->line_len + 1, sizeof(tensors[0]));
    net->ops = cae_alloc(net->memory, net->line_len, sizeof(net->ops[0]));
    if (tensors == NULL || net->ops == NULL) {
        cae_release(net->memory, tensors);
        return CAE_E_NOMEM;
    }
    for (size_t line = 0; line < net->line_len; line++) {
        cae_op *op = &net->ops[net->op_len++];
        *op = net->lines[line];
        for (size_t k = 0; k < op->input_len; k++) {
            op->input[k] = tensors[op->input[k]];
        }
        /* Add, concat and the code are no modules, their activations are. */
        op->modules = op->input_len == 1 && !op->type->unnamed ? 1 : 0;
        op->modules += op->activation != CAE_NONE ? 1 : 0;
        if (is_fused(net, line)) {
            op->type = &cae_op_conv_pool;
            op->detail = &net->lines[++line];
            op->modules++;
        }
        tensors[line + 1] = net->op_len;
    }
    net->code = tensors[net->code];
    cae_release(net->memory, tensors);
    return CAE_OK;
}
