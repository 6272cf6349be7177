/*
 * The table of coders. A new coder is one row.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "codec/coder.h"

#include "codec/deflate.h"

static const cae_coder coders[] = {
    {
        .id = 0,
        .symbol_size = 1,
        .quantise = cae_quantise,
        .dequantise = cae_dequantise,
        .check = cae_symbols_check,
        .bound = cae_deflate_bound,
        .could_hold = cae_deflate_could_hold,
        .encode_memory = CAE_DEFLATE_MEMORY,
        .decode_memory = CAE_INFLATE_MEMORY,
        .encode = cae_deflate,
        .decode = cae_inflate,
    },
};

const cae_coder *cae_coder_find(unsigned id)
{
    for (size_t i = 0; i < sizeof(coders) / sizeof(coders[0]); i++) {
        if (coders[i].id == id) {
            return &coders[i];
        }
    }
    return NULL;
}
