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

static int too_many_symbols(size_t height, size_t width)
{
    return cae_fail(CAE_E_LIMIT, "the code of %zu x %zu pixels is too large", height, width);
}

int cae_image_bound(const cae_net *net, size_t height, size_t width, size_t *bound)
{
    cae_shape code;
    CAE_TRY(cae_net_code_shape(net, height, width, &code));
    const size_t len = cae_size_mul4(code.c, code.h, code.w, 1);
    if (len == SIZE_MAX) {
        return too_many_symbols(height, width);
    }
    /* Channels, height and width above those of CAE_IMAGE_OVERHEAD take a few bytes more. */
    *bound = cae_size_add(cae_coder_find(CAE_CODER)->bound(len), CAE_IMAGE_OVERHEAD + 16);
    return *bound < SIZE_MAX ? CAE_OK : too_many_symbols(height, width);
}

/* A run of one image through a part, and the symbols of its code, `len` of them, whose sizes follow
 * from it. */
static int begin(cae_run **run, const cae_image_codec *codec, cae_part part,
                 const cae_pixels *pixels, struct symbol_rows *symbols, size_t *len)
{
    CAE_TRY(cae_run_new(run, &codec->engine, part, false, 1, pixels->height, pixels->width));
    symbols->shape = *cae_run_code(*run);
    *len = cae_size_mul4(symbols->shape.c, symbols->shape.h, symbols->shape.w, 1);
    return *len < SIZE_MAX ? CAE_OK : too_many_symbols(pixels->height, pixels->width);
}

/* The bytes of `len` symbols and `more`, which are held beside the run: below the memory limit. */
static int reserve(const cae_image_codec *codec, const cae_coder *coder, size_t len, size_t more,
                   size_t *bytes)
{
    const size_t limit = codec->engine.memory_limit;
    *bytes = cae_size_add(cae_size_mul(len, coder->symbol_size), more);
    return *bytes < limit
               ? CAE_OK
               : cae_fail(CAE_E_LIMIT, "coding takes %zu bytes, and memory_limit is %zu bytes",
                          *bytes, limit);
}

int cae_image_compress(const cae_image_codec *codec, const cae_pixels *pixels, unsigned quality,
                       cae_image_file *file, uint8_t **payload)
{
    const cae_coder *coder = cae_coder_find(CAE_CODER);
    const cae_net *net = codec->engine.net;
    const struct pixel_rows from = {pixels, net->input.c};
    struct symbol_rows to = {.coder = coder, .ranges = &codec->ranges, .quality = quality};
    cae_run *run = NULL;
    size_t len = 0;
    size_t reserved = 0;
    *payload = NULL;
    int status = begin(&run, codec, CAE_ENCODE, pixels, &to, &len);
    if (status != CAE_OK) {
        goto done;
    }
    const size_t bound = coder->bound(len);
    status = reserve(codec, coder, len, cae_size_add(bound, coder->encode_memory), &reserved);
    if (status == CAE_OK) {
        status = cae_run_fit(run, reserved);
    }
    if (status != CAE_OK) {
        goto done;
    }
    to.symbols = cae_alloc(net->memory, len, coder->symbol_size);
    *payload = cae_alloc(net->memory, bound, 1);
    if (to.symbols == NULL || *payload == NULL) {
        status = CAE_E_NOMEM;
        goto done;
    }
    status = cae_run_infer(run, (cae_source){read_pixels, &from, 0, 0},
                           (cae_sink){write_symbols, &to, 0, 0});
    if (status != CAE_OK) {
        goto done;
    }
    *file = (cae_image_file){.coder = coder->id,
                             .quality = quality,
                             .channels = net->input.c,
                             .height = pixels->height,
                             .width = pixels->width,
                             .payload = *payload};
    status = coder->encode(net->memory, to.symbols, len, *payload, &file->payload_size);

done:
    if (status != CAE_OK) {
        cae_release(net->memory, *payload);
        *payload = NULL;
    }
    cae_release(net->memory, to.symbols);
    cae_run_free(run);
    return status;
}

int cae_image_decompress(const cae_image_codec *codec, const cae_image_file *file,
                         const cae_pixels *pixels)
{
    const cae_coder *coder = cae_coder_find(file->coder);
    const cae_net *net = codec->engine.net;
    struct pixel_rows to = {pixels, net->input.c};
    struct symbol_rows from = {.coder = coder, .ranges = &codec->ranges, .quality = file->quality};
    cae_run *run = NULL;
    size_t len = 0;
    size_t reserved = 0;
    int status = begin(&run, codec, CAE_DECODE, pixels, &from, &len);
    if (status != CAE_OK) {
        goto done;
    }
    if (!coder->could_hold(file->payload_size, len)) {
        status = cae_fail(CAE_E_FORMAT, "a payload of %zu bytes cannot hold %zu symbols",
                          file->payload_size, len);
        goto done;
    }
    status = reserve(codec, coder, len, coder->decode_memory, &reserved);
    if (status != CAE_OK) {
        goto done;
    }
    from.symbols = cae_alloc(net->memory, len, coder->symbol_size);
    if (from.symbols == NULL) {
        status = CAE_E_NOMEM;
        goto done;
    }
    status = coder->decode(net->memory, file->payload, file->payload_size, from.symbols, len);
    if (status == CAE_OK) {
        status = coder->check(from.symbols, len, file->quality);
    }
    if (status == CAE_OK) {
        status = cae_run_fit(run, reserved);
    }
    if (status == CAE_OK) {
        status = cae_run_infer(run, (cae_source){read_symbols, &from, 0, 0},
                               (cae_sink){write_pixels, &to, 0, 0});
    }

done:
    cae_release(net->memory, from.symbols);
    cae_run_free(run);
    return status;
}
