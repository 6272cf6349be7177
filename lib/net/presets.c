/*
 * The four networks of Zhang, "A Better Autoencoder for Image: Convolutional Autoencoder". The
 * paper gives the layers of Table 1 and the code sizes; its pools must have stride 2 and padding
 * 0 for those sizes to come out. The widths of the hidden layers are our choice. Behind them the
 * variational one that its section 5 looks forward to: the same convolutions around a sampled code
 * of 64 values.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <string.h>

#include "net/net.h"

#define CONVOLUTIONAL(code_channels)               \
    "input 1 64 64\n"                              \
    "conv 32 kernel 3 pad 1 relu\n"                \
    "maxpool 2\n"                                  \
    "conv 64 kernel 3 pad 1 relu\n"                \
    "maxpool 2\n"                                  \
    "conv " code_channels " kernel 3 pad 1 relu\n" \
    "maxpool 2\n"                                  \
    "code\n"                                       \
    "tconv 64 kernel 5 stride 2 pad 1 relu\n"      \
    "tconv 32 kernel 3 stride 2 pad 1 relu\n"      \
    "tconv 16 kernel 2 stride 2 pad 1 relu\n"      \
    "tconv 1 kernel 3 pad 1 sigmoid\n"

#define SIMPLE(hidden)        \
    "input 1 64 64\n"         \
    "dense " hidden " relu\n" \
    "code\n"                  \
    "dense 1 64 64 sigmoid\n"

#define VARIATIONAL                           \
    "input 1 64 64\n"                         \
    "conv 32 kernel 3 pad 1 relu\n"           \
    "maxpool 2\n"                             \
    "conv 64 kernel 3 pad 1 relu\n"           \
    "maxpool 2\n"                             \
    "conv 32 kernel 3 pad 1 relu\n"           \
    "maxpool 2\n"                             \
    "dense 128\n"                             \
    "code sampled\n"                          \
    "dense 64 8 8 relu\n"                     \
    "tconv 64 kernel 5 stride 2 pad 1 relu\n" \
    "tconv 32 kernel 3 stride 2 pad 1 relu\n" \
    "tconv 16 kernel 2 stride 2 pad 1 relu\n" \
    "tconv 1 kernel 3 pad 1 sigmoid\n"

static const struct {
    const char *name;
    const char *text;
} presets[] = {
    {"sae-compress", SIMPLE("2048")},
    {"sae-denoise", SIMPLE("4096")},
    {"cae-compress", CONVOLUTIONAL("32")},
    {"cae-denoise", CONVOLUTIONAL("64")},
    {"vae", VARIATIONAL},
};

enum { PRESETS = sizeof(presets) / sizeof(presets[0]) };

const char *cae_net_preset_name(size_t index)
{
    return index < PRESETS ? presets[index].name : NULL;
}

const char *cae_net_preset_text(const char *name)
{
    for (size_t i = 0; i < PRESETS; i++) {
        if (strcmp(name, presets[i].name) == 0) {
            return presets[i].text;
        }
    }
    return NULL;
}
