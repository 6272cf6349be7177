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

/* De-noisers: U-nets (Ronneberger et al. 2015) whose skips add and whose output is a correction of
 * the input. Nothing runs at the full resolution: the first convolution and the last transposed one
 * stand for a pixel (un)shuffle by 2 with a 3x3 convolution (FFDNet, Zhang et al. 2018). */
#define IN_HALF(width)      \
    "input 1 96 96 noise\n" \
    "mark noisy\n"          \
    "conv " width " kernel 6 stride 2 pad 2 relu\n"
#define FROM_HALF(channels)                        \
    "tconv " channels " kernel 6 stride 2 pad 2\n" \
    "add noisy\n"
#define SAME(width) "conv " width " kernel 3 pad 1 relu\n"
#define DOWN(width) "conv " width " kernel 2 stride 2 relu\n"
#define UP(width, skip)                   \
    "tconv " width " kernel 2 stride 2\n" \
    "add " skip " relu\n"
/* In colour a pixel of half the resolution stands for 12 values, whose noise a narrow layer behind
 * a relu cannot carry. So the first convolution has none, and its output is added again before the
 * last one, as in DRUNet (Zhang et al. 2021): what lies between only corrects it. */
#define IN_HALF_LINEAR(width)                  \
    "input 3 96 96 noise\n"                    \
    "mark noisy\n"                             \
    "conv " width " kernel 6 stride 2 pad 2\n" \
    "mark linear\n"
#define ADD_LINEAR(width)             \
    "conv " width " kernel 3 pad 1\n" \
    "add linear\n"

/* 3.4, 9.6 and 28.6 thousand multiply-adds for a pixel of a grey image, 10.5 and 30 in colour. */
#define DENOISE_FAST                                                                      \
    IN_HALF("16")                                                                         \
    SAME("16")                                                                            \
    "mark half\n" DOWN("32") SAME("32") SAME("32") SAME("32") UP("16", "half") SAME("16") \
        FROM_HALF("1")
/* From half the resolution down and back. */
#define DENOISE_MIDDLE                                                                    \
    SAME("24")                                                                            \
    "mark half\n" DOWN("48") SAME("48") "mark quarter\n" DOWN("64") SAME("64") SAME("64") \
        SAME("64") UP("48", "quarter") SAME("48") UP("24", "half") SAME("24")
#define DENOISE     IN_HALF("24") DENOISE_MIDDLE SAME("24") FROM_HALF("1")
#define DENOISE_RGB IN_HALF_LINEAR("24") DENOISE_MIDDLE ADD_LINEAR("24") FROM_HALF("3")
#define BEST_MIDDLE                                                                          \
    SAME("40")                                                                               \
    SAME("40")                                                                               \
    "mark half\n" DOWN("80") SAME("80") "mark quarter\n" DOWN("112") SAME("112") SAME("112") \
        UP("80", "quarter") SAME("80") UP("40", "half") SAME("40")
#define DENOISE_BEST     IN_HALF("40") BEST_MIDDLE SAME("40") FROM_HALF("1")
#define DENOISE_BEST_RGB IN_HALF_LINEAR("40") BEST_MIDDLE ADD_LINEAR("40") FROM_HALF("3")

static const struct {
    const char *name;
    const char *text;
} presets[] = {
    {"sae-compress", SIMPLE("2048")},
    {"sae-denoise", SIMPLE("4096")},
    {"cae-compress", CONVOLUTIONAL("32")},
    {"cae-denoise", CONVOLUTIONAL("64")},
    {"vae", VARIATIONAL},
    {"unet-denoise-fast", DENOISE_FAST},
    {"unet-denoise", DENOISE},
    {"unet-denoise-best", DENOISE_BEST},
    {"unet-denoise-rgb", DENOISE_RGB},
    {"unet-denoise-best-rgb", DENOISE_BEST_RGB},
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
