/*
 * The table of networks; see gradient_nets.h. Sizes are small and odd on purpose; those that are no
 * multiple of a network's unit are padded by it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "gradient_nets.h"

const struct gradient_net gradient_nets[] = {
    {"one pixel", "input 1 1 1\nconv 2 kernel 1\ncode\nconv 1 kernel 1\n", 1, 1, 1},
    {"convolution, other size than trained",
     "input 1 5 7\nconv 3 kernel 3 pad 1\ncode\nconv 1 kernel 3 pad 1\n", 2, 6, 4},
    {"1 x 1 convolutions, three channels",
     "input 3 4 5\nconv 4 kernel 1 relu\ncode\nconv 3 kernel 1 sigmoid\n", 3, 4, 5},
    {"even kernels", "input 1 6 5\nconv 2 kernel 2 tanh\ncode\ntconv 1 kernel 2\n", 2, 6, 5},
    {"kernel larger than the image",
     "input 1 3 4\nconv 2 kernel 7 pad 3 relu\ncode\nconv 1 kernel 5 pad 2\n", 2, 3, 4},
    {"padding beyond the kernel",
     "input 1 5 4\nconv 2 kernel 1 pad 2\ncode\nconv 1 kernel 5 leaky\n", 2, 5, 4},
    {"stride 2, odd size",
     "input 2 8 8\nconv 3 kernel 3 stride 2 pad 1 relu\ncode\ntconv 2 kernel 4 stride 2 pad 1\n", 2,
     7, 9},
    {"stride 3, wide kernels",
     "input 1 9 6\nconv 3 kernel 5 stride 3 pad 2 leaky\ncode\n"
     "tconv 1 kernel 5 stride 3 pad 1 sigmoid\n",
     2, 7, 5},
    {"stride beyond the kernel",
     "input 1 9 9\nconv 3 kernel 2 stride 3 relu\ncode\ntconv 1 kernel 3 stride 3\n", 2, 9, 8},
    {"gaps between stamps",
     "input 1 9 9\nconv 2 kernel 3 stride 3\ncode\ntconv 2 kernel 2 stride 3 tanh\n"
     "conv 1 kernel 2 pad 1\n",
     2, 9, 9},
    {"stride 4", "input 1 8 12\nconv 2 kernel 5 stride 4 pad 2\ncode\ntconv 1 kernel 4 stride 4\n",
     2, 5, 11},
    {"transposed, padding beyond the kernel",
     "input 1 6 7\nconv 2 kernel 3 pad 2\ncode\ntconv 2 kernel 1 pad 1 relu\n"
     "conv 1 kernel 3 pad 1\n",
     2, 6, 7},
    {"pool", "input 1 6 8\nconv 3 kernel 3 pad 1\nmaxpool 2\ncode\ntconv 1 kernel 2 stride 2\n", 2,
     5, 7},
    {"pool behind relu, with many ties at 0",
     "input 1 6 6\nconv 4 kernel 3 pad 1 relu\nmaxpool 3\ncode\n"
     "tconv 1 kernel 3 stride 3 sigmoid\n",
     2, 6, 6},
    {"overlapping pools",
     "input 1 8 8\nconv 2 kernel 3 pad 1\nmaxpool 3 stride 1 pad 1\nmaxpool 3 stride 2 pad 1\ncode\n"
     "tconv 1 kernel 4 stride 2 pad 1\n",
     2, 8, 7},
    {"pool with gaps",
     "input 1 9 9\nconv 2 kernel 3 pad 1\nmaxpool 2 stride 3\ncode\n"
     "tconv 1 kernel 3 stride 3\n",
     2, 9, 8},
    {"padded pool", "input 1 6 6\nconv 2 kernel 3 pad 1\nmaxpool 2 pad 1\ncode\ntconv 1 kernel 3\n",
     2, 6, 6},
    {"the code before its pool",
     "input 1 8 8\nconv 3 kernel 3 pad 1 relu\ncode\nmaxpool 2\ntconv 1 kernel 2 stride 2\n", 2, 8,
     6},
    {"pools behind many channels, and behind a stride",
     "input 1 12 12\nconv 70 kernel 3 pad 1 relu\nmaxpool 2\n"
     "conv 9 kernel 3 stride 2 pad 1 tanh\nmaxpool 2 stride 3\ncode\n"
     "tconv 9 kernel 6 stride 5\ntconv 1 kernel 2 stride 2 sigmoid\n",
     2, 12, 12},
    {"a pool that is not alone",
     "input 1 6 6\nconv 2 kernel 3 pad 1\nmark a\nmaxpool 2\ncode\ntconv 2 kernel 2 stride 2\n"
     "add a relu\nconv 1 kernel 1\n",
     2, 6, 5},
    {"few channels, wide strides",
     "input 3 9 9\nconv 2 kernel 4 stride 3 pad 2 relu\ncode\ntconv 5 kernel 4 stride 3 pad 2 leaky\n"
     "conv 3 kernel 3 pad 1\n",
     2, 9, 9},
    {"pool of one pixel, and of the input",
     "input 2 4 6\nmaxpool 1\nmaxpool 3 stride 1 pad 1\nconv 3 kernel 3 pad 1 relu\ncode\n"
     "conv 2 kernel 1\n",
     2, 4, 5},
    {"the paper's network, narrow",
     "input 1 16 16\nconv 3 kernel 3 pad 1 relu\nmaxpool 2\nconv 5 kernel 3 pad 1 relu\nmaxpool 2\n"
     "conv 4 kernel 3 pad 1 relu\nmaxpool 2\ncode\ntconv 5 kernel 5 stride 2 pad 1 relu\n"
     "tconv 3 kernel 3 stride 2 pad 1 relu\ntconv 2 kernel 2 stride 2 pad 1 relu\n"
     "tconv 1 kernel 3 pad 1 sigmoid\n",
     2, 13, 9},
    {"wider than a panel",
     "input 1 6 6\nconv 17 kernel 3 pad 1 relu\nconv 33 kernel 1 leaky\nmaxpool 2\ncode\n"
     "tconv 18 kernel 2 stride 2 tanh\nconv 1 kernel 3 pad 1\n",
     2, 6, 6},
    {"dense", "input 2 5 3\ndense 7 tanh\ncode\ndense 2 5 3 sigmoid\n", 3, 5, 3},
    {"dense, wide", "input 1 7 7\ndense 37 relu\ncode\ndense 1 7 7\n", 2, 7, 7},
    {"four dense",
     "input 1 4 4\ndense 9 leaky\ndense 3 2 1 tanh\ncode\ndense 19 sigmoid\ndense 1 4 4\n", 5, 4,
     4},
    {"dense between convolutions",
     "input 1 6 6\nconv 2 kernel 3 pad 1 relu\nmaxpool 2\ndense 4 3 3 leaky\ncode\n"
     "tconv 3 kernel 2 stride 2 tanh\nconv 1 kernel 3 pad 1\n",
     2, 6, 6},
    {"dense with a size that the unit does not divide",
     "input 1 5 5\nconv 2 kernel 3 stride 2 pad 1 relu\ncode\ndense 1 5 5\n", 2, 5, 5},
    {"all activations",
     "input 1 5 5\nconv 3 kernel 3 pad 1 none\nconv 3 kernel 3 pad 1 relu\ncode\n"
     "conv 3 kernel 3 pad 1 leaky\nconv 3 kernel 3 pad 1 tanh\nconv 1 kernel 3 pad 1 sigmoid\n",
     2, 5, 5},
    {"add, with relu",
     "input 1 5 6\nconv 3 kernel 3 pad 1 tanh\nmark a\nconv 3 kernel 3 pad 1\nadd a relu\ncode\n"
     "conv 1 kernel 3 pad 1\n",
     2, 5, 6},
    {"add to itself",
     "input 1 4 4\nconv 2 kernel 3 pad 1\nmark a\nadd a tanh\ncode\nconv 1 kernel 1\n", 2, 4, 4},
    {"add of the input across the code", /* a residual de-noiser */
     "input 1 6 5\nmark noisy\nconv 4 kernel 3 pad 1 relu\ncode\nconv 1 kernel 3 pad 1\nadd noisy\n",
     2, 6, 5},
    {"concat, with sigmoid",
     "input 2 5 4\nconv 3 kernel 3 pad 1 relu\nmark a\nconv 2 kernel 3 pad 1\nconcat a sigmoid\n"
     "code\nconv 2 kernel 3 pad 1\n",
     2, 5, 4},
    {"concat with itself",
     "input 1 4 5\nconv 3 kernel 3 pad 1 relu\nmark a\nconcat a\ncode\nconv 1 kernel 3 pad 1\n", 2,
     4, 5},
    {"concat of the input, twice",
     "input 1 4 4\nmark x\nconv 2 kernel 3 pad 1 tanh\nconcat x leaky\nconv 2 kernel 3 pad 1\n"
     "concat x\ncode\nconv 1 kernel 3 pad 1\n",
     2, 4, 4},
    {"one mark read three times",
     "input 1 5 5\nconv 2 kernel 3 pad 1 tanh\nmark a\nconv 2 kernel 3 pad 1 relu\nadd a\n"
     "conv 2 kernel 1\nconcat a\nconv 2 kernel 3 pad 1\nadd a sigmoid\ncode\nconv 1 kernel 1\n",
     2, 5, 5},
    {"crossing marks",
     "input 1 4 4\nconv 2 kernel 3 pad 1 tanh\nmark a\nconv 2 kernel 3 pad 1 tanh\nmark b\n"
     "conv 2 kernel 1\nadd a leaky\nconv 2 kernel 1\nadd b\ncode\nconv 1 kernel 1\n",
     2, 4, 4},
    {"skips at several sizes, across the code", /* a U-Net */
     "input 1 8 8\nconv 3 kernel 3 pad 1 relu\nmark whole\nmaxpool 2\nconv 4 kernel 3 pad 1 relu\n"
     "mark half\nmaxpool 2\nconv 5 kernel 3 pad 1 relu\ncode\ntconv 4 kernel 2 stride 2 relu\n"
     "concat half\nconv 4 kernel 3 pad 1 relu\ntconv 3 kernel 2 stride 2\nconcat whole relu\n"
     "conv 1 kernel 3 pad 1 sigmoid\n",
     2, 7, 6},
    {"skip around a pool of stride 1, and dense",
     "input 1 4 3\nconv 2 kernel 3 pad 1\nmark a\nmaxpool 3 stride 1 pad 1\nadd a tanh\n"
     "dense 2 4 3 relu\nadd a\ncode\ndense 1 4 3\n",
     2, 4, 3},
    {"sampled code", "input 1 6 5\nconv 6 kernel 3 pad 1\ncode sampled\nconv 1 kernel 3 pad 1\n", 3,
     6, 5},
    {"sampled code behind a pool and before one, padded image",
     "input 2 8 8\nconv 3 kernel 3 pad 1 tanh\nmaxpool 2\nconv 4 kernel 1\nmaxpool 1\ncode sampled\n"
     "maxpool 2\ntconv 2 kernel 4 stride 4 sigmoid\n",
     3, 7, 8},
    {"sampled code, dense", "input 2 5 3\ndense 6 tanh\ncode sampled\ndense 2 5 3 sigmoid\n", 3, 5,
     3},
    {"sampled code of one value between dense layers and convolutions",
     "input 1 8 8\nconv 3 kernel 3 pad 1 relu\nmaxpool 2\ndense 2\ncode sampled\ndense 3 4 4 leaky\n"
     "tconv 1 kernel 2 stride 2 sigmoid\n",
     5, 8, 8},
    {"sampled code whose statistics are marked and read across it, larger than the image",
     "input 1 4 4\nconv 2 kernel 1 pad 2 tanh\nmark s\ncode sampled\nconv 2 kernel 1\nadd s\n"
     "conv 1 kernel 5\n",
     2, 4, 4},
    {"sampled code behind no weights, marked itself",
     "input 2 4 4\nmaxpool 2\ncode sampled\nmark z\nconv 1 kernel 3 pad 1 relu\nconcat z\n"
     "tconv 2 kernel 2 stride 2\n",
     2, 4, 3},
    {"a long thin image",
     "input 1 8 8\nconv 3 kernel 3 stride 2 pad 1 relu\ncode\ntconv 1 kernel 4 stride 2 pad 1\n", 1,
     1, 23},
    {"many small images",
     "input 1 2 2\nconv 3 kernel 3 pad 1 tanh\nmaxpool 2\ncode\ntconv 1 kernel 2 stride 2\n", 37, 2,
     2},
    {"noise levels", "input 1 6 7 noise\nconv 3 kernel 3 pad 1 leaky\nconv 1 kernel 3 pad 1\n", 3,
     6, 7},
    {"noise levels, a U-net of odd size without code",
     "input 2 8 8 noise\nmark noisy\nconv 3 kernel 6 stride 2 pad 2 relu\nmark half\n"
     "conv 5 kernel 2 stride 2 relu\nconv 4 kernel 3 pad 1 relu\ntconv 3 kernel 2 stride 2\n"
     "add half relu\ntconv 2 kernel 6 stride 2 pad 2\nadd noisy\n",
     3, 7, 9},
    {"noise levels, dense", "input 1 4 5 noise\ndense 6 tanh\ncode\ndense 1 4 5\n", 3, 4, 5},
    {"noise levels, sampled code",
     "input 1 6 6 noise\nconv 6 kernel 3 pad 1\ncode sampled\nconv 1 kernel 3 pad 1\n", 2, 6, 6},
};

const size_t gradient_net_len = sizeof(gradient_nets) / sizeof(gradient_nets[0]);
