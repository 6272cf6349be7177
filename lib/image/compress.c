/*
 * Pixels to symbols and symbols to pixels; see compress.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "image/compress.h"

#include "base/size.h"
#include "base/status.h"

/* ---- Pieces of rows -------------------------------------------------------------------------- */

static void read_pixels(const void *from, size_t n, size_t c, size_t y, size_t x0, size_t x1,
                        float *row)
{
    const cae_pixels *p = from;
    const uint8_t *line = p->in + y * p->stride + c;
    (void)n;
    for (size_t x = x0; x < x1; x++) {
        row[x - x0] = (float)line[x * p->channels] / 255.0f;
    }
}

static void write_pixels(void *to, size_t n, size_t c, size_t y, size_t x0, size_t x1,
                         const float *row)
{
    const cae_pixels *p = to;
    uint8_t *line = p->out + y * p->stride + c;
    (void)n;
    for (size_t x = x0; x < x1; x++) {
        const float v = row[x - x0] * 255.0f + 0.5f;
        /* Written so that NaN gives 0; the run then fails for it. */
        line[x * p->channels] = v >= 255.0f ? 255 : v > 0.0f ? (uint8_t)v : 0;
    }
}

/* Symbols of a code, planar, and the run that makes or takes them. */
struct symbol_rows {
    const cae_coder *coder;
    cae_run *run;
    uint8_t *symbols;
    size_t len;
    const cae_ranges *ranges;
    cae_shape shape;
    unsigned quality;
};

static void *symbols_at(const struct symbol_rows *s, size_t c, size_t y, size_t x)
{
    return s->symbols + ((c * s->shape.h + y) * s->shape.w + x) * s->coder->symbol_size;
}

static void read_symbols(const void *from, size_t n, size_t c, size_t y, size_t x0, size_t x1,
                         float *row)
{
    const struct symbol_rows *s = from;
    (void)n;
    s->coder->dequantise(row, symbols_at(s, c, y, x0), x1 - x0, s->ranges->lo[c], s->ranges->hi[c],
                         s->quality);
}

static void write_symbols(void *to, size_t n, size_t c, size_t y, size_t x0, size_t x1,
                          const float *row)
{
    const struct symbol_rows *s = to;
    (void)n;
    s->coder->quantise(symbols_at(s, c, y, x0), row, x1 - x0, s->ranges->lo[c], s->ranges->hi[c],
                       s->quality);
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

/* The run of one image through a part, whose code gives the symbols their shape. */
static int begin(struct symbol_rows *s, const cae_image_codec *codec, cae_part part,
                 const cae_pixels *pixels)
{
    CAE_TRY(cae_run_new(&s->run, &codec->engine, part, false, 1, pixels->height, pixels->width));
    s->shape = *cae_run_code(s->run);
    s->len = cae_size_mul4(s->shape.c, s->shape.h, s->shape.w, 1);
    return s->len < SIZE_MAX ? CAE_OK : too_many_symbols(pixels->height, pixels->width);
}

static void end(struct symbol_rows *s, const cae_image_codec *codec)
{
    cae_release(codec->engine.net->memory, s->symbols);
    cae_run_free(s->run);
}

/* The bytes of the symbols and `more`, which are held beside the run: below the memory limit. */
static int reserve(const struct symbol_rows *s, const cae_image_codec *codec, size_t more,
                   size_t *bytes)
{
    const size_t limit = codec->engine.memory_limit;
    *bytes = cae_size_add(cae_size_mul(s->len, s->coder->symbol_size), more);
    return *bytes < limit
               ? CAE_OK
               : cae_fail(CAE_E_LIMIT, "coding takes %zu bytes, and memory_limit is %zu bytes",
                          *bytes, limit);
}

static int compress(struct symbol_rows *to, const cae_image_codec *codec, const cae_pixels *pixels,
                    cae_image_file *file, uint8_t **payload)
{
    const cae_coder *coder = to->coder;
    const cae_memory *memory = codec->engine.net->memory;
    size_t reserved = 0;
    CAE_TRY(begin(to, codec, CAE_ENCODE, pixels));
    const size_t bound = coder->bound(to->len);
    CAE_TRY(reserve(to, codec, cae_size_add(bound, coder->encode_memory), &reserved));
    CAE_TRY(cae_run_fit(to->run, reserved));
    to->symbols = cae_alloc(memory, to->len, coder->symbol_size);
    *payload = cae_alloc(memory, bound, 1);
    if (to->symbols == NULL || *payload == NULL) {
        return CAE_E_NOMEM;
    }
    CAE_TRY(cae_run_infer(to->run, (cae_source){read_pixels, pixels, 0, 0},
                          (cae_sink){write_symbols, to, 0, 0}));
    *file = (cae_image_file){.coder = coder->id,
                             .quality = to->quality,
                             .channels = pixels->channels,
                             .height = pixels->height,
                             .width = pixels->width,
                             .payload = *payload};
    return coder->encode(memory, to->symbols, to->len, *payload, &file->payload_size);
}

int cae_image_compress(const cae_image_codec *codec, const cae_pixels *pixels, unsigned quality,
                       cae_image_file *file, uint8_t **payload)
{
    struct symbol_rows to = {
        .coder = cae_coder_find(CAE_CODER), .ranges = &codec->ranges, .quality = quality};
    *payload = NULL;
    const int status = compress(&to, codec, pixels, file, payload);
    if (status != CAE_OK) {
        cae_release(codec->engine.net->memory, *payload);
        *payload = NULL;
    }
    end(&to, codec);
    return status;
}

static int decompress(struct symbol_rows *from, const cae_image_codec *codec,
                      const cae_image_file *file, const cae_pixels *pixels)
{
    const cae_coder *coder = from->coder;
    const cae_memory *memory = codec->engine.net->memory;
    cae_pixels to = *pixels;
    size_t reserved = 0;
    CAE_TRY(begin(from, codec, CAE_DECODE, pixels));
    if (!coder->could_hold(file->payload_size, from->len)) {
        return cae_fail(CAE_E_FORMAT, "a payload of %zu bytes cannot hold %zu symbols",
                        file->payload_size, from->len);
    }
    CAE_TRY(reserve(from, codec, coder->decode_memory, &reserved));
    CAE_TRY(cae_run_fit(from->run, reserved));
    from->symbols = cae_alloc(memory, from->len, coder->symbol_size);
    if (from->symbols == NULL) {
        return CAE_E_NOMEM;
    }
    CAE_TRY(coder->decode(memory, file->payload, file->payload_size, from->symbols, from->len));
    CAE_TRY(coder->check(from->symbols, from->len, file->quality));
    return cae_run_infer(from->run, (cae_source){read_symbols, from, 0, 0},
                         (cae_sink){write_pixels, &to, 0, 0});
}

int cae_image_decompress(const cae_image_codec *codec, const cae_image_file *file,
                         const cae_pixels *pixels)
{
    struct symbol_rows from = {
        .coder = cae_coder_find(file->coder), .ranges = &codec->ranges, .quality = file->quality};
    const int status = decompress(&from, codec, file, pixels);
    end(&from, codec);
    return status;
}
