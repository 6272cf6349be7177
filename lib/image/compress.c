/*
 * Pixels to symbols and symbols to pixels; see compress.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "image/compress.h"

#include "base/size.h"
#include "base/status.h"
#include "codec/deflate.h"

/* ---- Pieces of rows -------------------------------------------------------------------------- */

struct pixel_rows {
    const cae_pixels *pixels;
    size_t channels;
};

static void read_pixels(const void *from, size_t n, size_t c, size_t y, size_t x0, size_t x1,
                        float *row)
{
    const struct pixel_rows *p = from;
    const uint8_t *line = p->pixels->in + y * p->pixels->stride + c;
    (void)n;
    for (size_t x = x0; x < x1; x++) {
        row[x - x0] = (float)line[x * p->channels] / 255.0f;
    }
}

static void write_pixels(void *to, size_t n, size_t c, size_t y, size_t x0, size_t x1,
                         const float *row)
{
    const struct pixel_rows *p = to;
    uint8_t *line = p->pixels->out + y * p->pixels->stride + c;
    (void)n;
    for (size_t x = x0; x < x1; x++) {
        const float v = row[x - x0] * 255.0f + 0.5f;
        /* Written so that NaN gives 0; the run then fails for it. */
        line[x * p->channels] = v >= 255.0f ? 255 : v > 0.0f ? (uint8_t)v : 0;
    }
}

struct symbol_rows {
    uint8_t *symbols; /* planar */
    const cae_ranges *ranges;
    cae_shape shape;
    unsigned quality;
};

/* Channel c alone, as the quantiser takes it. */
static cae_ranges range_of(const struct symbol_rows *s, size_t c)
{
    return (cae_ranges){s->ranges->lo + c, s->ranges->hi + c, 1};
}

static void read_symbols(const void *from, size_t n, size_t c, size_t y, size_t x0, size_t x1,
                         float *row)
{
    const struct symbol_rows *s = from;
    const cae_ranges range = range_of(s, c);
    (void)n;
    cae_dequantise(row, s->symbols + (c * s->shape.h + y) * s->shape.w + x0, &range, x1 - x0,
                   s->quality);
}

static void write_symbols(void *to, size_t n, size_t c, size_t y, size_t x0, size_t x1,
                          const float *row)
{
    const struct symbol_rows *s = to;
    const cae_ranges range = range_of(s, c);
    (void)n;
    cae_quantise(s->symbols + (c * s->shape.h + y) * s->shape.w + x0, row, &range, x1 - x0,
                 s->quality);
}

/* ---- Whole images ---------------------------------------------------------------------------- */

static int symbol_count(const cae_net *net, size_t height, size_t width, cae_shape *code,
                        size_t *len)
{
    CAE_TRY(cae_net_code_shape(net, height, width, code));
    if (!cae_size_mul4(code->c, code->h, code->w, 1, len)) {
        return cae_fail(CAE_E_LIMIT, "the code of %zu x %zu pixels is too large", height, width);
    }
    return CAE_OK;
}

int cae_image_bound(const cae_net *net, size_t height, size_t width, size_t *bound)
{
    cae_shape code;
    size_t len = 0;
    CAE_TRY(symbol_count(net, height, width, &code, &len));
    const size_t payload = cae_deflate_bound(len);
    /* Channels, height and width above those of CAE_IMAGE_OVERHEAD take a few bytes more. */
    if (payload == SIZE_MAX || !cae_size_add(payload, CAE_IMAGE_OVERHEAD + 16, bound)) {
        return cae_fail(CAE_E_LIMIT, "the code of %zu x %zu pixels is too large", height, width);
    }
    return CAE_OK;
}

/* Takes `bytes` off the engine's memory limit. */
static int reserve(cae_engine *e, size_t bytes)
{
    if (bytes >= e->memory_limit) {
        return cae_fail(CAE_E_LIMIT, "coding takes %zu bytes, and memory_limit is %zu bytes", bytes,
                        e->memory_limit);
    }
    e->memory_limit -= bytes;
    return CAE_OK;
}

int cae_image_check(cae_engine *engine, cae_part part, size_t height, size_t width,
                    const cae_image_file *file)
{
    cae_shape code;
    size_t len = 0;
    CAE_TRY(symbol_count(engine->net, height, width, &code, &len));
    if (file != NULL && !cae_deflate_could_hold(file->payload_size, len)) {
        return cae_fail(CAE_E_FORMAT, "a payload of %zu bytes cannot hold %zu symbols",
                        file->payload_size, len);
    }
    size_t bytes = CAE_INFLATE_MEMORY;
    if ((part == CAE_ENCODE && !cae_size_add(cae_deflate_bound(len), CAE_DEFLATE_MEMORY, &bytes)) ||
        !cae_size_add(bytes, len, &bytes)) {
        return cae_fail(CAE_E_LIMIT, "the code of %zu x %zu pixels is too large", height, width);
    }
    CAE_TRY(reserve(engine, bytes));
    return cae_net_check(engine, part, height, width);
}

int cae_image_compress(const cae_image_coder *coder, const cae_pixels *pixels, unsigned quality,
                       void *data, size_t capacity, size_t *size)
{
    const cae_engine engine = coder->engine;
    const cae_memory *memory = engine.net->memory;
    const struct pixel_rows from = {pixels, engine.net->input.c};
    struct symbol_rows to = {.ranges = &coder->ranges, .quality = quality};
    uint8_t *payload = NULL;
    size_t len = 0;
    int status = symbol_count(engine.net, pixels->height, pixels->width, &to.shape, &len);
    if (status != CAE_OK) {
        return status;
    }
    to.symbols = cae_alloc(memory, len, 1);
    payload = cae_alloc(memory, cae_deflate_bound(len), 1);
    if (to.symbols == NULL || payload == NULL) {
        status = CAE_E_NOMEM;
        goto done;
    }
    status = cae_net_infer(&engine, CAE_ENCODE, (cae_source){read_pixels, &from, 0, 0}, 1,
                           pixels->height, pixels->width, (cae_sink){write_symbols, &to, 0, 0});
    if (status != CAE_OK) {
        goto done;
    }
    cae_image_file file = {.coder = CAE_IMAGE_CODER_DEFLATE,
                           .quality = quality,
                           .channels = engine.net->input.c,
                           .height = pixels->height,
                           .width = pixels->width,
                           .payload = payload};
    for (size_t i = 0; i < CAE_IMAGE_ID; i++) {
        file.model_id[i] = coder->id[i];
    }
    status = cae_deflate(memory, to.symbols, len, payload, &file.payload_size);
    if (status == CAE_OK) {
        status = cae_image_file_write(&file, data, capacity, size);
    }

done:
    cae_release(memory, payload);
    cae_release(memory, to.symbols);
    return status;
}

int cae_image_decompress(const cae_image_coder *coder, const cae_image_file *file,
                         const cae_pixels *pixels)
{
    const cae_engine engine = coder->engine;
    const cae_memory *memory = engine.net->memory;
    struct pixel_rows to = {pixels, engine.net->input.c};
    struct symbol_rows from = {.ranges = &coder->ranges, .quality = file->quality};
    size_t len = 0;
    size_t bad = 0;
    CAE_TRY(symbol_count(engine.net, pixels->height, pixels->width, &from.shape, &len));
    from.symbols = cae_alloc(memory, len, 1);
    if (from.symbols == NULL) {
        return CAE_E_NOMEM;
    }
    int status = cae_inflate(memory, file->payload, file->payload_size, from.symbols, len);
    if (status == CAE_OK && !cae_symbols_valid(from.symbols, len, file->quality, &bad)) {
        status = cae_fail(CAE_E_FORMAT, "symbol %zu of the payload is above the largest, %u", bad,
                          cae_quantise_top(file->quality));
    }
    if (status == CAE_OK) {
        status = cae_net_infer(&engine, CAE_DECODE, (cae_source){read_symbols, &from, 0, 0}, 1,
                               pixels->height, pixels->width, (cae_sink){write_pixels, &to, 0, 0});
    }
    cae_release(memory, from.symbols);
    return status;
}
