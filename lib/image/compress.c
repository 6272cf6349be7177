/*
 * Pixels to symbols and symbols to pixels; see compress.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "image/compress.h"

#include "base/size.h"
#include "base/status.h"

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

/* Symbols of a code, planar. */
struct symbol_rows {
    const cae_coder *coder;
    uint8_t *symbols;
    const cae_ranges *ranges;
    cae_shape shape;
    unsigned quality;
};

static void *symbols_at(const struct symbol_rows *s, size_t c, size_t y, size_t x)
{
    return s->symbols + ((c * s->shape.h + y) * s->shape.w + x) * s->coder->symbol_size;
}

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
    s->coder->dequantise(row, symbols_at(s, c, y, x0), &range, x1 - x0, s->quality);
}

static void write_symbols(void *to, size_t n, size_t c, size_t y, size_t x0, size_t x1,
                          const float *row)
{
    const struct symbol_rows *s = to;
    const cae_ranges range = range_of(s, c);
    (void)n;
    s->coder->quantise(symbols_at(s, c, y, x0), row, &range, x1 - x0, s->quality);
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
    /* Channels, height and width above those of CAE_IMAGE_OVERHEAD take a few bytes more. */
    *bound = cae_size_sat_add(cae_coder_find(CAE_CODER)->bound(len), CAE_IMAGE_OVERHEAD + 16);
    if (*bound == SIZE_MAX) {
        return cae_fail(CAE_E_LIMIT, "the code of %zu x %zu pixels is too large", height, width);
    }
    return CAE_OK;
}

/* Takes what coding `len` symbols needs, `more` beside the symbols, off the engine's memory limit:
 * what is left is the network's. */
static int reserve(cae_engine *e, const cae_coder *coder, size_t len, size_t more)
{
    const size_t bytes = cae_size_sat_add(cae_size_sat_mul(len, coder->symbol_size), more);
    if (bytes >= e->memory_limit) {
        return cae_fail(CAE_E_LIMIT, "coding takes %zu bytes, and memory_limit is %zu bytes", bytes,
                        e->memory_limit);
    }
    e->memory_limit -= bytes;
    return CAE_OK;
}

int cae_image_compress(const cae_image_codec *codec, const cae_pixels *pixels, unsigned quality,
                       cae_image_file *file, uint8_t **payload)
{
    const cae_coder *coder = cae_coder_find(CAE_CODER);
    cae_engine engine = codec->engine;
    const cae_memory *memory = engine.net->memory;
    const struct pixel_rows from = {pixels, engine.net->input.c};
    struct symbol_rows to = {.coder = coder, .ranges = &codec->ranges, .quality = quality};
    size_t len = 0;
    *payload = NULL;
    CAE_TRY(symbol_count(engine.net, pixels->height, pixels->width, &to.shape, &len));
    const size_t bound = coder->bound(len);
    CAE_TRY(reserve(&engine, coder, len, cae_size_sat_add(bound, coder->encode_memory)));
    to.symbols = cae_alloc(memory, len, coder->symbol_size);
    *payload = cae_alloc(memory, bound, 1);
    int status = CAE_E_NOMEM;
    if (to.symbols == NULL || *payload == NULL) {
        goto done;
    }
    status = cae_net_infer(&engine, CAE_ENCODE, (cae_source){read_pixels, &from, 0, 0}, 1,
                           pixels->height, pixels->width, (cae_sink){write_symbols, &to, 0, 0});
    if (status != CAE_OK) {
        goto done;
    }
    *file = (cae_image_file){.coder = coder->id,
                             .quality = quality,
                             .channels = engine.net->input.c,
                             .height = pixels->height,
                             .width = pixels->width,
                             .payload = *payload};
    status = coder->encode(memory, to.symbols, len, *payload, &file->payload_size);

done:
    if (status != CAE_OK) {
        cae_release(memory, *payload);
        *payload = NULL;
    }
    cae_release(memory, to.symbols);
    return status;
}

int cae_image_decompress(const cae_image_codec *codec, const cae_image_file *file,
                         const cae_pixels *pixels)
{
    const cae_coder *coder = cae_coder_find(file->coder);
    cae_engine engine = codec->engine;
    const cae_memory *memory = engine.net->memory;
    struct pixel_rows to = {pixels, engine.net->input.c};
    struct symbol_rows from = {.coder = coder, .ranges = &codec->ranges, .quality = file->quality};
    size_t len = 0;
    CAE_TRY(symbol_count(engine.net, pixels->height, pixels->width, &from.shape, &len));
    if (!coder->could_hold(file->payload_size, len)) {
        return cae_fail(CAE_E_FORMAT, "a payload of %zu bytes cannot hold %zu symbols",
                        file->payload_size, len);
    }
    CAE_TRY(reserve(&engine, coder, len, coder->decode_memory));
    from.symbols = cae_alloc(memory, len, coder->symbol_size);
    if (from.symbols == NULL) {
        return CAE_E_NOMEM;
    }
    int status = coder->decode(memory, file->payload, file->payload_size, from.symbols, len);
    if (status == CAE_OK) {
        status = coder->check(from.symbols, len, file->quality);
    }
    if (status == CAE_OK) {
        status = cae_net_infer(&engine, CAE_DECODE, (cae_source){read_symbols, &from, 0, 0}, 1,
                               pixels->height, pixels->width, (cae_sink){write_pixels, &to, 0, 0});
    }
    cae_release(memory, from.symbols);
    return status;
}
