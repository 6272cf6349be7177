/*
 * Fuzz target: the architecture text, from an untrusted model file or with a typing error. A network
 * that is made must give a canonical text that makes the same network, and must compute the shapes
 * of images of any size or refuse them.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "fuzz.h"
#include "limited_memory.h"
#include "mutate.h"
#include "net/net.h"

static bool is_refusal(int status)
{
    return (status == CAE_E_SYNTAX || status == CAE_E_SHAPE || status == CAE_E_LIMIT) &&
           *cae_message() != '\0';
}

static void check_shapes(const cae_net *net)
{
    static const size_t sides[] = {1, 2, 7, 64, 100001, (size_t)1 << 24, SIZE_MAX};
    const size_t count = sizeof(sides) / sizeof(sides[0]);
    cae_shape *shapes = malloc((net->op_len + 1) * sizeof(*shapes));
    fuzz_check(shapes != NULL);
    for (size_t i = 0; i < count * count; i++) {
        const size_t height = sides[i / count];
        const size_t width = sides[i % count];
        cae_shape code;
        const int status = cae_net_shapes(net, height, width, shapes);
        fuzz_check(status == CAE_OK || is_refusal(status));
        fuzz_check(cae_net_code_shape(net, height, width, &code) == status);
        if (status == CAE_OK) {
            fuzz_check(memcmp(&code, &shapes[net->code], sizeof(code)) == 0 || net->latent != NULL);
            fuzz_check(shapes[0].h >= height && shapes[0].h - height < net->unit);
            fuzz_check(shapes[net->op_len].h == shapes[0].h &&
                       shapes[net->op_len].w == shapes[0].w);
        }
    }
    free(shapes);
}

static void check_canonical(const cae_net *net)
{
    cae_net *again = NULL;
    fuzz_check(cae_net_new(&again, net->memory, net->text) == CAE_OK);
    fuzz_check(strcmp(again->text, net->text) == 0);
    fuzz_check(again->parameters == net->parameters && again->unit == net->unit &&
               again->code == net->code && again->weight_len == net->weight_len);
    cae_net_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    limited_memory memory;
    cae_net *net = NULL;
    char *text = malloc(size + 1);
    fuzz_check(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    limited_memory_start(&memory, 0);
    const int status = cae_net_new(&net, &memory.memory, text);
    free(text);
    if (status == CAE_OK) {
        fuzz_accepted++;
        check_canonical(net);
        check_shapes(net);
        cae_net_free(net);
    } else {
        fuzz_check(net == NULL && is_refusal(status));
    }
    fuzz_check(memory.blocks == 0);
    return 0;
}

/* Words that stand in texts, and numbers at and beyond their bounds. */
static const char *const words[] = {
    "input", "conv",   "tconv",    "maxpool",   "dense",  "mark",
    "add",   "concat", "code",     "sampled",   "none",   "relu",
    "leaky", "tanh",   "sigmoid",  "a",         "kernel", "stride",
    "pad",   "0",      "1",        "2",         "3",      "8",
    "65536", "65537",  "16777216", "268435457", "-1",     "18446744073709551616",
    "\n",    "#",      "\t",       "1e3",
};

/* The word that begins or goes on at `at`: its first byte, and behind its last. */
static void find_word(const uint8_t *data, size_t size, size_t at, size_t *begin, size_t *end)
{
    *begin = at;
    while (*begin > 0 && data[*begin - 1] > ' ') {
        (*begin)--;
    }
    *end = at;
    while (*end < size && data[*end] > ' ') {
        (*end)++;
    }
}

static size_t replace(uint8_t *data, size_t size, size_t capacity, size_t begin, size_t end,
                      const void *with, size_t with_size)
{
    if (size - (end - begin) + with_size > capacity) {
        return size;
    }
    memmove(data + begin + with_size, data + end, size - end);
    memcpy(data + begin, with, with_size);
    return size - (end - begin) + with_size;
}

/* A line once more, somewhere else; or, with `cut`, no more where it is. */
static size_t move_line(uint8_t *data, size_t size, size_t capacity, bool cut, uint64_t *state)
{
    uint8_t line[256];
    size_t begin = random_below(state, size);
    while (begin > 0 && data[begin - 1] != '\n') {
        begin--;
    }
    size_t end = begin;
    while (end < size && end - begin < sizeof(line) && data[end++] != '\n') {
    }
    memcpy(line, data + begin, end - begin);
    if (cut) {
        return replace(data, size, capacity, begin, end, "", 0);
    }
    size_t to = random_below(state, size);
    while (to > 0 && data[to - 1] != '\n') {
        to--;
    }
    return replace(data, size, capacity, to, to, line, end - begin);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    uint64_t state = seed;
    for (size_t edits = 1 + random_below(&state, 3); edits > 0 && size > 0; edits--) {
        const size_t kind = random_below(&state, 8);
        size_t begin, end;
        find_word(data, size, random_below(&state, size), &begin, &end);
        if (kind < 5) {
            const char *word = words[random_below(&state, sizeof(words) / sizeof(words[0]))];
            size = replace(data, size, capacity, begin, end, word, strlen(word));
        } else if (kind < 7) {
            size = move_line(data, size, capacity, kind == 5, &state);
        } else {
            size = fuzz_edit(data, size, capacity, &state);
        }
    }
    return size;
}
