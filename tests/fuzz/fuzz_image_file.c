/*
 * Fuzz target: the container of a compressed image and the coders. A model is not needed: the code
 * is taken to be of two channels of half the image's size.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "codec/coder.h"
#include "fuzz.h"
#include "limited_memory.h"
#include "mutate.h"
#include "serial/image_file.h"

enum { LARGEST_PLANE = 1 << 16 };

static void dequantise(const cae_coder *coder, const void *symbols, size_t plane, unsigned quality)
{
    static const float lo[] = {-1.0f, 0.0f}, hi[] = {3.0f, 1e30f};
    float *code = malloc(2 * plane * sizeof(*code));
    fuzz_check(code != NULL);
    for (size_t c = 0; c < 2; c++) {
        const uint8_t *of_channel = (const uint8_t *)symbols + c * plane * coder->symbol_size;
        coder->dequantise(code + c * plane, of_channel, plane, lo[c], hi[c], quality);
    }
    for (size_t i = 0; i < 2 * plane; i++) {
        fuzz_check(isfinite(code[i]) && code[i] >= lo[i / plane]);
    }
    free(code);
}

/* True when the payload is good. */
static int unpack(const cae_image_file *image)
{
    limited_memory memory;
    const size_t plane = (image->height + 1) / 2 * ((image->width + 1) / 2);
    if (plane > LARGEST_PLANE) {
        return 0;
    }
    const cae_coder *coder = cae_coder_find(image->coder);
    fuzz_check(coder != NULL);
    uint8_t *symbols = malloc(2 * plane * coder->symbol_size);
    fuzz_check(symbols != NULL);
    limited_memory_start(&memory, 0);
    const int status =
        coder->decode(&memory.memory, image->payload, image->payload_size, symbols, 2 * plane);
    fuzz_check(memory.blocks == 0 && (status == CAE_OK || status == CAE_E_FORMAT));
    const int good = status == CAE_OK && coder->check(symbols, 2 * plane, image->quality) == CAE_OK;
    if (good) {
        dequantise(coder, symbols, plane, image->quality);
    }
    free(symbols);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cae_image_file image, header;
    const int header_status = cae_image_file_parse_header(&header, data, size);
    const int status = cae_image_file_parse(&image, data, size);
    if (status != CAE_OK) {
        fuzz_check(*cae_message() != '\0');
        return 0;
    }
    fuzz_check(header_status == CAE_OK && header.channels == image.channels &&
               header.height == image.height && header.width == image.width);
    fuzz_check(image.payload >= data && image.payload_size <= size - 4 &&
               (size_t)(image.payload - data) + image.payload_size == size - 4);
    fuzz_accepted += (unsigned long)unpack(&image);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    uint64_t state = seed;
    return fuzz_mutate_image(data, size, capacity, &state);
}
