/*
 * cae_denoise_pixels: the result of cae_denoise for every format and stride, in place and not, for
 * any tiles and threads; alpha and the bytes between rows stay; strength, gain, progress; and
 * whatever a caller may get wrong.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "contract.h"

/* Halos on all sides, and sizes that are multiples of nothing: unit 4. */
static const char grey_net[] = "input 1 8 8 noise\n"
                               "mark noisy\n"
                               "conv 3 kernel 6 stride 2 pad 2 relu\n"
                               "conv 4 kernel 2 stride 2 leaky\n"
                               "conv 4 kernel 5 pad 2 relu\n"
                               "tconv 3 kernel 2 stride 2 relu\n"
                               "tconv 1 kernel 6 stride 2 pad 2\n"
                               "add noisy\n";
static const char rgb_net[] = "input 3 8 8 noise\n"
                              "mark noisy\n"
                              "conv 5 kernel 4 stride 2 pad 1 relu\n"
                              "conv 4 kernel 3 pad 1 relu\n"
                              "tconv 3 kernel 4 stride 2 pad 1\n"
                              "add noisy\n";
static const char blind_net[] = "input 1 8 8\n"
                                "conv 3 kernel 3 pad 1 relu\n"
                                "maxpool 2\n"
                                "code\n"
                                "tconv 1 kernel 4 stride 2 pad 1\n";

enum { GUARD = 64 };

/* Pixels in memory: rows with bytes between them, and bytes around. */
struct picture {
    uint32_t format;
    size_t h, w, c, stride, size;
    uint8_t *block, *pixels;
};

static size_t value_size(uint32_t format)
{
    return format == CAE_U8 ? 1 : format == CAE_U16 ? 2 : 4;
}

static struct picture make(uint32_t format, size_t h, size_t w, size_t c, size_t gap)
{
    struct picture p = {.format = format, .h = h, .w = w, .c = c};
    p.stride = w * c * value_size(format) + gap;
    p.size = p.stride * h + 2 * GUARD;
    p.block = need(p.size, 1);
    for (size_t i = 0; i < p.size; i++) {
        p.block[i] = (uint8_t)(i * 2654435761u >> 7);
    }
    p.pixels = p.block + GUARD;
    return p;
}

static uint8_t *value_at(const struct picture *p, size_t y, size_t x, size_t c)
{
    return p->pixels + y * p->stride + (x * p->c + c) * value_size(p->format);
}

static void put(const struct picture *p, size_t y, size_t x, size_t c, float v)
{
    uint8_t *at = value_at(p, y, x, c);
    if (p->format == CAE_U8) {
        *at = (uint8_t)((double)v * 255 + 0.5);
    } else if (p->format == CAE_U16) {
        const uint16_t deep = (uint16_t)((double)v * 65535 + 0.5);
        memcpy(at, &deep, 2);
    } else {
        memcpy(at, &v, 4);
    }
}

static float get(const struct picture *p, size_t y, size_t x, size_t c)
{
    const uint8_t *at = value_at(p, y, x, c);
    uint16_t deep;
    float v;
    if (p->format == CAE_U8) {
        return (float)*at / 255.0f;
    }
    if (p->format == CAE_U16) {
        memcpy(&deep, at, 2);
        return (float)deep / 65535.0f;
    }
    memcpy(&v, at, 4);
    return v;
}

static struct picture noisy(uint32_t format, size_t h, size_t w, size_t c, size_t gap)
{
    struct picture p = make(format, h, w, c, gap);
    float *values = noise(h * w * c, h * 31 + w);
    for (size_t y = 0; y < h; y++) {
        for (size_t x = 0; x < w; x++) {
            for (size_t k = 0; k < c; k++) {
                put(&p, y, x, k, values[(y * w + x) * c + k]);
            }
        }
    }
    free(values);
    return p;
}

static struct picture copy(const struct picture *p)
{
    struct picture q = *p;
    q.block = need(p->size, 1);
    memcpy(q.block, p->block, p->size);
    q.pixels = q.block + GUARD;
    return q;
}

static int run(const cae_model *m, const struct picture *in, const struct picture *out, float sigma,
               float gain, float strength)
{
    return cae_denoise_pixels(m, in->pixels, in->stride, out->pixels, out->stride, in->format,
                              in->h, in->w, in->c, sigma, gain, strength, NULL, NULL);
}

static bool has_alpha(size_t model_channels, size_t c)
{
    return model_channels == 1 ? c == 2 || c == 4 : c == model_channels + 1;
}

/* What cae_denoise makes of the picture, as pixels in `q`, whose other bytes stay. */
static void expected(const cae_model *m, const struct picture *p, struct picture *q, float sigma)
{
    size_t shape[3];
    OK(cae_model_shape(m, shape));
    const size_t seen = p->c - has_alpha(shape[0], p->c), area = p->h * p->w;
    float *planar = need(seen * area, sizeof(float)), *clean = need(seen * area, sizeof(float));
    for (size_t i = 0; i < seen * area; i++) {
        planar[i] = get(p, i % area / p->w, i % p->w, i / area);
    }
    OK(cae_denoise(m, planar, seen / shape[0], p->h, p->w, sigma, clean));
    for (size_t i = 0; i < seen * area; i++) {
        float v = clean[i];
        v = p->format == CAE_F32 ? v : v < 0 ? 0 : v > 1 ? 1 : v;
        put(q, i % area / p->w, i % p->w, i / area, v);
    }
    if (seen < p->c) {
        for (size_t i = 0; i < area; i++) {
            memcpy(value_at(q, i / p->w, i % p->w, seen), value_at(p, i / p->w, i % p->w, seen),
                   value_size(p->format));
        }
    }
    free(planar);
    free(clean);
}

static bool same(const struct picture *a, const struct picture *b)
{
    return memcmp(a->block, b->block, a->size) == 0;
}

/* Not in place and in place, against cae_denoise: every byte, those around the pixels too. */
static void check(const cae_model *m, uint32_t format, size_t h, size_t w, size_t c, size_t gap)
{
    expect_context("format %u, %zu x %zu x %zu, gap %zu", (unsigned)format, h, w, c, gap);
    struct picture in = noisy(format, h, w, c, gap), before = copy(&in);
    struct picture wanted = make(format, h, w, c, gap + 3), out = copy(&wanted);
    expected(m, &in, &wanted, 0.1f);
    OK(run(m, &in, &out, 0.1f, 0, 1));
    EXPECT(same(&in, &before));
    EXPECT(same(&out, &wanted));
    expected(m, &before, &before, 0.1f);
    OK(run(m, &in, &in, 0.1f, 0, 1));
    EXPECT(same(&in, &before));
    free(in.block);
    free(before.block);
    free(wanted.block);
    free(out.block);
    expect_context("%s", "");
}

static const uint32_t formats[] = {CAE_U8, CAE_U16, CAE_F32};

static void every_format_gives_what_denoise_gives(void)
{
    static const size_t sizes[][2] = {{1, 1}, {1, 7}, {7, 1}, {5, 3}, {8, 8}, {9, 65}, {33, 300}};
    const char *const texts[] = {grey_net, rgb_net, blind_net};
    for (size_t t = 0; t < 3; t++) {
        cae_model *m = new_model(texts[t], 5);
        const size_t first = t == 1 ? 3 : 1, last = t == 1 ? 4 : 5;
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            for (size_t c = first; c <= last; c++) {
                for (size_t f = 0; f < 3; f++) {
                    check(m, formats[f], sizes[i][0], sizes[i][1], c, i % 3);
                }
            }
        }
        cae_model_free(m);
    }
}

static void a_dense_network_takes_its_size(void)
{
    cae_model *m = new_model(dense_net, 5);
    size_t shape[3];
    OK(cae_model_shape(m, shape));
    check(m, CAE_U8, shape[1], shape[2], shape[0], 5);
    struct picture p = noisy(CAE_U8, shape[1] + 1, shape[2], shape[0], 0);
    FAILS(run(m, &p, &p, 0.1f, 0, 1), CAE_E_SHAPE, "");
    FAILS(run(m, &p, &p, 0.1f, 0, 0), CAE_E_SHAPE, ""); /* also where nothing would run */
    free(p.block);
    cae_model_free(m);
}

static const char nearby_net[] = "input 1 8 8 noise\n"
                                 "mark noisy\n"
                                 "conv 3 kernel 3 pad 1 relu\n"
                                 "conv 1 kernel 5 pad 2\n"
                                 "add noisy\n";

/* In place, tiles read what others overwrite; the result must not show it. */
static void tiles_in_place(void)
{
    static const double threads[] = {1, 2, 3, 7};
    static const size_t sizes[][3] = {{600, 40, 1}, {40, 3000, 1},   {531, 1601, 1},
                                      {400, 30, 3}, {1026, 1900, 1}, {1025, 2000, 1}};
    /* The last see few rows ahead: mirrored rows at the lower edge were made before they are read. */
    const char *const texts[] = {grey_net, grey_net,   "unet-denoise-fast",
                                 grey_net, nearby_net, nearby_net};
    for (size_t i = 0; i < 6; i++) {
        cae_model *m = new_model(texts[i], 6);
        struct picture in = noisy(CAE_U16, sizes[i][0], sizes[i][1], sizes[i][2], 2);
        struct picture wanted = copy(&in);
        OK(run(m, &in, &wanted, 0.1f, 0, 1));
        for (size_t k = 0; k < 8; k++) {
            const double limit = k < 4 ? 1 << 30 : 1 << 24;
            expect_context("size %zu, %g threads, limit %g", i, threads[k % 4], limit);
            OK(cae_model_set(m, "threads", threads[k % 4]));
            OK(cae_model_set(m, "memory_limit", limit));
            struct picture p = copy(&in), q = copy(&in);
            OK(run(m, &in, &q, 0.1f, 0, 1));
            EXPECT(same(&q, &wanted));
            OK(run(m, &p, &p, 0.1f, 0, 1));
            EXPECT(same(&p, &wanted));
            free(p.block);
            free(q.block);
        }
        expect_context("%s", "");
        free(in.block);
        free(wanted.block);
        cae_model_free(m);
    }
}

/* Without a level the picture says it, as cae_denoise lets it; each channel of its own, if the model
 * has one. */
static void the_level_is_estimated(void)
{
    enum { H = 40, W = 56 };
    const char *const texts[] = {grey_net, rgb_net};
    for (size_t t = 0; t < 2; t++) {
        cae_model *m = new_model(texts[t], 5);
        const size_t channels = t == 0 ? 1 : 3;
        float *planar = noise(channels * H * W, 9), *wanted = need(channels * H * W, sizeof(float));
        struct picture p = make(CAE_F32, H, W, channels, 4);
        for (size_t i = 0; i < channels * H * W; i++) {
            planar[i] = 0.5f + 0.1f * (planar[i] - 0.5f);
            put(&p, i / W % H, i % W, i / (H * W), planar[i]);
        }
        OK(cae_denoise(m, planar, 1, H, W, 0, wanted));
        OK(run(m, &p, &p, 0, 0, 1));
        for (size_t i = 0; i < channels * H * W; i++) {
            EXPECT(get(&p, i / W % H, i % W, i / (H * W)) == wanted[i]);
        }
        free(planar);
        free(wanted);
        free(p.block);
        cae_model_free(m);
    }
}

/* ---- Strength and gain ----------------------------------------------------------------------- */

static void strength(void)
{
    cae_model *m = new_model(grey_net, 7);
    for (size_t f = 0; f < 3; f++) {
        struct picture in = noisy(formats[f], 13, 17, 2, 1), full = copy(&in), out = copy(&in);
        OK(run(m, &in, &out, 0.1f, 0.01f, 0));
        EXPECT(same(&in, &out));
        memset(out.block, 0, out.size);
        OK(run(m, &in, &out, 0, 0, 0)); /* nothing to estimate */
        for (size_t y = 0; y < in.h; y++) {
            EXPECT(memcmp(value_at(&in, y, 0, 0), value_at(&out, y, 0, 0), in.stride - 1) == 0);
        }
        OK(run(m, &in, &full, 0.1f, 0, 1));
        OK(run(m, &in, &out, 0.1f, 0, 0.25f));
        const double tolerance = formats[f] == CAE_U8 ? 0.63 / 255 : 1e-5;
        for (size_t i = 0; i < in.h * in.w; i++) {
            const double a = get(&in, i / in.w, i % in.w, 0), b = get(&full, i / in.w, i % in.w, 0);
            const double got = get(&out, i / in.w, i % in.w, 0);
            EXPECT_SAID(fabs(got - (a + 0.25 * (b - a))) <= tolerance, "%g of %g to %g", got, a, b);
        }
        free(in.block);
        free(full.block);
        free(out.block);
    }
    /* Above 1 the network is told more. */
    struct picture in = noisy(CAE_F32, 13, 17, 1, 0), twice = copy(&in), out = copy(&in);
    OK(run(m, &in, &twice, 0.25f, 0, 1));
    OK(run(m, &in, &out, 0.125f, 0, 2));
    EXPECT(same(&twice, &out));
    free(in.block);
    free(twice.block);
    free(out.block);
    cae_model_free(m);
}

/* A network that gives back what it gets: the transform and its inverse alone. */
static cae_model *identity(void)
{
    cae_model *m = new_model("input 1 8 8 noise\nconv 1 kernel 1\n", 1);
    const float one = 1, zero = 0;
    OK(cae_tensor_set(m, 0, &zero, 1));
    OK(cae_tensor_set(m, 1, &one, 1));
    return m;
}

/* The closed form, as the paper has it. */
static double inverse(double x, double sigma, double gain)
{
    const double s = sigma / gain, z = 2 * sqrt(x / gain + 0.375 + s * s);
    return gain * (z * z / 4 + sqrt(1.5) / 4 / z - 1.375 / (z * z) +
                   0.625 * sqrt(1.5) / (z * z * z) - 0.125 - s * s);
}

static void the_transform_is_the_papers(void)
{
    static const double levels[][2] = {{0, 0.01},   {0, 1},      {0.05, 0.01},
                                       {0.1, 1e-3}, {0.2, 1e-9}, {0.01, 0.3}};
    cae_model *m = identity();
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        const double sigma = levels[i][0], gain = levels[i][1];
        struct picture in = noisy(CAE_F32, 20, 20, 1, 0), out = copy(&in);
        put(&in, 0, 0, 0, 0);
        put(&in, 0, 1, 0, 1);
        put(&in, 0, 2, 0, 7);
        OK(run(m, &in, &out, (float)sigma, (float)gain, 1));
        for (size_t k = 0; k < 400; k++) {
            const double x = get(&in, k / 20, k % 20, 0), got = get(&out, k / 20, k % 20, 0);
            /* For tiny gains the paper's form cancels; the limit is x itself. */
            const double want = gain < 1e-6 ? x : inverse(x, sigma, gain);
            EXPECT_SAID(fabs(got - want) < 2e-6 * (1 + fabs(x)), "%g for %g, not %g (%g, %g)", got,
                        x, want, sigma, gain);
        }
        free(in.block);
        free(out.block);
    }
    cae_model_free(m);
}

/* Means of Poisson noise survive, where the algebraic inverse loses gain / 4 and more. */
static void the_inverse_is_unbiased(void)
{
    static const double means[] = {0.5, 1, 2, 5, 20};
    for (size_t i = 0; i < sizeof(means) / sizeof(means[0]); i++) {
        double z = 0, p = exp(-means[i]);
        for (unsigned k = 0; k < 200; k++) {
            z += p * 2 * sqrt(k + 0.375);
            p *= means[i] / (k + 1);
        }
        /* A picture of the value whose transform is that mean. */
        const double gain = 0.01, x = (z * z / 4 - 0.375) * gain;
        cae_model *m = identity();
        struct picture in = make(CAE_F32, 1, 1, 1, 0);
        put(&in, 0, 0, 0, (float)x);
        OK(run(m, &in, &in, 0, (float)gain, 1));
        const double got = get(&in, 0, 0, 0) / gain;
        EXPECT_SAID(fabs(got - means[i]) < 0.03, "%g for a mean of %g", got, means[i]);
        free(in.block);
        cae_model_free(m);
    }
}

static void extreme_values(void)
{
    static const float gains[] = {0, FLT_MIN, 1e-45f, 1e-6f, 1, 1e30f};
    static const float values[] = {0, -0.0f, -1, -1e30f, 1e-45f, 1, 1e30f, FLT_MAX, -FLT_MAX};
    cae_model *m = identity();
    for (size_t i = 0; i < sizeof(gains) / sizeof(gains[0]); i++) {
        for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
            struct picture p = make(CAE_F32, 1, 1, 1, 0);
            put(&p, 0, 0, 0, values[k]);
            const int status = run(m, &p, &p, 0.5f, gains[i], 1);
            EXPECT_SAID(status == CAE_OK || status == CAE_E_NONFINITE, "%d for %g, gain %g", status,
                        (double)values[k], (double)gains[i]);
            EXPECT_SAID(status != CAE_OK || isfinite(get(&p, 0, 0, 0)), "%g, gain %g",
                        (double)values[k], (double)gains[i]);
            free(p.block);
        }
    }
    /* The ends of integers stay the ends. */
    for (size_t f = 0; f < 2; f++) {
        struct picture p = make(formats[f], 1, 2, 1, 0), q = copy(&p);
        put(&p, 0, 0, 0, 0);
        put(&p, 0, 1, 0, 1);
        OK(run(m, &p, &q, 0.5f, 0, 1));
        EXPECT(get(&q, 0, 0, 0) == 0 && get(&q, 0, 1, 0) == 1);
        free(p.block);
        free(q.block);
    }
    cae_model_free(m);
}

static void all_16_bit_values_return(void)
{
    cae_model *m = identity();
    struct picture p = make(CAE_U16, 256, 256, 1, 0);
    for (size_t i = 0; i < 65536; i++) {
        const uint16_t v = (uint16_t)i;
        memcpy(value_at(&p, i / 256, i % 256, 0), &v, 2);
    }
    struct picture q = copy(&p);
    OK(run(m, &p, &q, 1, 0, 1));
    EXPECT(same(&p, &q));
    free(p.block);
    free(q.block);
    cae_model_free(m);
}

/* ---- Progress -------------------------------------------------------------------------------- */

struct watch {
    size_t calls, stop_at;
    double last;
    bool good;
    pthread_t caller;
    const cae_model *m;
    int rounding;
};

static int count_call(void *user, double done)
{
    struct watch *w = user;
    w->good = w->good && (w->calls == 0 ? done == 0 : done >= w->last) && done <= 1 &&
              pthread_equal(w->caller, pthread_self()) && fegetround() == w->rounding;
    w->last = done;
    return ++w->calls == w->stop_at ? 7 : 0;
}

static int watched(struct watch *w, struct picture *in, struct picture *out, float strength_of)
{
    w->calls = 0;
    w->good = true;
    w->caller = pthread_self();
    w->rounding = fegetround();
    return cae_denoise_pixels(w->m, in->pixels, in->stride, out->pixels, out->stride, in->format,
                              in->h, in->w, in->c, 0.1f, 0, strength_of, count_call, w);
}

static void progress_and_stopping(void)
{
    cae_model *m = new_model("unet-denoise-fast", 5);
    struct picture in = noisy(CAE_U8, 700, 600, 1, 0), wanted = copy(&in);
    OK(run(m, &in, &wanted, 0.1f, 0, 1));
    for (int threads = 1; threads <= 2; threads++) {
        OK(cae_model_set(m, "threads", threads));
        struct watch w = {.m = m};
        struct picture out = copy(&in);
        OK(watched(&w, &in, &out, 1));
        EXPECT(same(&out, &wanted) && w.good && w.last == 1 && w.calls >= 4);
        const size_t calls = w.calls;
        /* With threads the number depends on who is faster, but never below two. */
        for (w.stop_at = 1; w.stop_at <= (threads == 1 ? calls : 2); w.stop_at++) {
            memcpy(out.block, in.block, in.size);
            FAILS(watched(&w, &in, &out, 1), CAE_E_CANCELLED, "progress");
            EXPECT(w.good && w.calls == w.stop_at);
            EXPECT(w.stop_at > 1 || same(&out, &in)); /* nothing is written before the first */
            EXPECT(w.stop_at < calls || same(&out, &wanted));
        }
        w.stop_at = 1;
        FAILS(watched(&w, &in, &in, 1), CAE_E_CANCELLED, "");
        w.stop_at = 0;
        OK(watched(&w, &in, &out, 0));
        EXPECT(same(&out, &in) && w.calls == 2 && w.last == 1);
        w.stop_at = 2;
        FAILS(watched(&w, &in, &out, 0), CAE_E_CANCELLED, "");
        free(out.block);
    }
    /* The caller's rounding mode: seen by the function, not by the result. */
    struct watch w = {.m = m};
    struct picture out = copy(&in);
    fesetround(FE_UPWARD);
    OK(watched(&w, &in, &out, 1));
    const bool kept = fegetround() == FE_UPWARD;
    fesetround(FE_TONEAREST);
    EXPECT(kept && w.good && same(&out, &wanted));
    free(out.block);
    free(in.block);
    free(wanted.block);
    cae_model_free(m);
}

/* ---- What is refused ------------------------------------------------------------------------- */

static void arguments(void)
{
    cae_model *m = new_model(grey_net, 5), *rgb = new_model(rgb_net, 5);
    struct picture p = noisy(CAE_U8, 8, 6, 4, 0), before = copy(&p);
    uint8_t *const a = p.pixels, *const b = before.pixels;
#define CALL(model, in, is, out, os, f, h, w, c, sigma, gain, strength) \
    cae_denoise_pixels(model, in, is, out, os, f, h, w, c, sigma, gain, strength, NULL, NULL)
    FAILS(CALL(NULL, a, 24, b, 24, CAE_U8, 8, 6, 4, 0.1f, 0, 1), CAE_E_ARGUMENT, "m is NULL");
    FAILS(CALL(m, NULL, 24, b, 24, CAE_U8, 8, 6, 4, 0.1f, 0, 1), CAE_E_ARGUMENT, "in is NULL");
    FAILS(CALL(m, a, 24, NULL, 24, CAE_U8, 8, 6, 4, 0.1f, 0, 1), CAE_E_ARGUMENT, "out is NULL");
    FAILS(CALL(m, a, 24, b, 24, 0, 8, 6, 4, 0.1f, 0, 1), CAE_E_ARGUMENT, "format is 0");
    FAILS(CALL(m, a, 24, b, 24, 3, 8, 6, 4, 0.1f, 0, 1), CAE_E_ARGUMENT, "format is 3");
    FAILS(CALL(m, a, 24, b, 24, 8, 8, 6, 4, 0.1f, 0, 1), CAE_E_ARGUMENT, "format is 8");
    FAILS(CALL(m, a, 24, b, 24, CAE_U8, 0, 6, 4, 0.1f, 0, 1), CAE_E_ARGUMENT, "height");
    FAILS(CALL(m, a, 24, b, 24, CAE_U8, 8, 0, 4, 0.1f, 0, 1), CAE_E_ARGUMENT, "width");
    FAILS(CALL(m, a, 24, b, 24, CAE_U8, 8, 6, 0, 0.1f, 0, 1), CAE_E_ARGUMENT, "channels is 0");
    FAILS(CALL(rgb, a, 24, b, 24, CAE_U8, 8, 6, 2, 0.1f, 0, 1), CAE_E_SHAPE, "channels is 2");
    FAILS(CALL(rgb, a, 24, b, 24, CAE_U8, 4, 4, 5, 0.1f, 0, 1), CAE_E_SHAPE, "3, or 4");
    FAILS(CALL(m, a, 23, b, 24, CAE_U8, 8, 6, 4, 0.1f, 0, 1), CAE_E_ARGUMENT, "in_stride");
    FAILS(CALL(m, a, 24, b, 23, CAE_U8, 8, 6, 4, 0.1f, 0, 1), CAE_E_ARGUMENT, "out_stride");
    FAILS(CALL(m, a, 0, b, 24, CAE_U8, 8, 6, 4, 0.1f, 0, 1), CAE_E_ARGUMENT, "in_stride");
    FAILS(CALL(m, a, 24, b, 24, CAE_F32, 8, 6, 4, 0.1f, 0, 1), CAE_E_ARGUMENT, "in_stride");
    FAILS(CALL(m, a, 24, b, SIZE_MAX / 4, CAE_U8, 8, 6, 4, 0.1f, 0, 1), CAE_E_ARGUMENT, "rows");
    FAILS(CALL(m, a, 24, b, 24, CAE_U8, SIZE_MAX, 6, 4, 0.1f, 0, 1), CAE_E_ARGUMENT, "rows");
    FAILS(CALL(m, a, 24, b, 24, CAE_U8, 8, SIZE_MAX, 4, 0.1f, 0, 1), CAE_E_ARGUMENT, "in_stride");
    FAILS(CALL(m, a, 24, b, 24, CAE_U8, 8, 6, SIZE_MAX, 0.1f, 0, 1), CAE_E_ARGUMENT, "in_stride");
    FAILS(CALL(m, a, 24, b, 24, CAE_U16, 8, SIZE_MAX / 8 + 1, 4, 1, 0, 1), CAE_E_ARGUMENT, "");
    static const float wrong[] = {-1, NAN, INFINITY, -INFINITY, -1e-45f};
    for (size_t i = 0; i < 5; i++) {
        FAILS(CALL(m, a, 24, b, 24, CAE_U8, 8, 6, 4, wrong[i], 0, 1), CAE_E_ARGUMENT, "sigma");
        FAILS(CALL(m, a, 24, b, 24, CAE_U8, 8, 6, 4, 0.1f, wrong[i], 1), CAE_E_ARGUMENT, "gain");
        FAILS(CALL(m, a, 24, b, 24, CAE_U8, 8, 6, 4, 1, 0, wrong[i]), CAE_E_ARGUMENT, "strength");
    }
    FAILS(CALL(m, a, 24, b, 24, CAE_U8, 8, 6, 4, 0.1f, 0, 100), CAE_E_ARGUMENT, "strength is 100");
    FAILS(CALL(m, a, 24, b, 24, CAE_U8, 8, 6, 4, FLT_MAX, 0, 2), CAE_E_ARGUMENT, "sigma");
    /* Too wide for the network, of which nothing is read. */
    const size_t wide = ((size_t)1 << 24) + 1;
    FAILS(CALL(m, a, wide, b, wide, CAE_U8, 1, wide, 1, 0.1f, 0, 1), CAE_E_ARGUMENT, "overlap");
    EXPECT(same(&p, &before));
    free(p.block);
    free(before.block);
    cae_model_free(m);
    cae_model_free(rgb);
}

static void overlap(void)
{
    cae_model *m = new_model(grey_net, 5);
    struct picture p = noisy(CAE_U8, 16, 16, 1, 0), q = copy(&p);
    uint8_t *const a = p.pixels;
    /* Four columns of 16, side by side. */
    OK(CALL(m, a, 16, a + 4, 16, CAE_U8, 16, 4, 1, 0.1f, 0, 1));
    OK(CALL(m, a + 12, 16, a, 16, CAE_U8, 16, 4, 1, 0.1f, 0, 1));
    FAILS(CALL(m, a, 16, a + 3, 16, CAE_U8, 15, 4, 1, 0.1f, 0, 1), CAE_E_ARGUMENT, "overlap");
    FAILS(CALL(m, a + 3, 16, a, 16, CAE_U8, 15, 4, 1, 0.1f, 0, 1), CAE_E_ARGUMENT, "overlap");
    FAILS(CALL(m, a, 16, a + 13, 16, CAE_U8, 15, 4, 1, 0.1f, 0, 1), CAE_E_ARGUMENT, "overlap");
    FAILS(CALL(m, a, 16, a + 16, 16, CAE_U8, 15, 16, 1, 0.1f, 0, 1), CAE_E_ARGUMENT, "overlap");
    FAILS(CALL(m, a, 16, a, 17, CAE_U8, 14, 16, 1, 0.1f, 0, 1), CAE_E_ARGUMENT, "overlap");
    FAILS(CALL(m, a, 16, a + 4, 17, CAE_U8, 14, 4, 1, 0.1f, 0, 1), CAE_E_ARGUMENT, "overlap");
    OK(CALL(m, a, 16, a + 8 * 16, 16, CAE_U8, 8, 16, 1, 0.1f, 0, 1));
    OK(CALL(m, a + 8 * 16, 16, a, 16, CAE_U8, 8, 16, 1, 0.1f, 0, 1));
    FAILS(CALL(m, a + 8 * 16 - 1, 16, a, 16, CAE_U8, 8, 16, 1, 0.1f, 0, 1), CAE_E_ARGUMENT, "over");
    OK(CALL(m, a, 16, a, 20, CAE_U8, 1, 16, 1, 0.1f, 0, 1)); /* one row has no stride */
    /* What ran side by side is what runs apart. */
    memcpy(p.block, q.block, q.size);
    struct picture left = p, out = make(CAE_U8, 16, 4, 1, 0);
    left.w = 4;
    OK(run(m, &left, &out, 0.1f, 0, 1));
    OK(CALL(m, a, 16, a + 8, 16, CAE_U8, 16, 4, 1, 0.1f, 0, 1));
    for (size_t y = 0; y < 16; y++) {
        EXPECT(memcmp(a + 16 * y + 8, out.pixels + 4 * y, 4) == 0);
        EXPECT(memcmp(a + 16 * y, q.pixels + 16 * y, 8) == 0);
        EXPECT(memcmp(a + 16 * y + 12, q.pixels + 16 * y + 12, 4) == 0);
    }
    free(out.block);
    free(p.block);
    free(q.block);
    cae_model_free(m);
}

static void floats_that_are_not_finite(void)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    cae_model *m = new_model(rgb_net, 5);
    for (size_t i = 0; i < 3; i++) {
        for (size_t c = 0; c < 4; c++) {
            struct picture p = noisy(CAE_F32, 5, 7, 4, 4);
            put(&p, 3, 2, c, bad[i]);
            struct picture before = copy(&p);
            if (c < 3) {
                FAILS(run(m, &p, &p, 0.1f, 0, 1), CAE_E_NONFINITE, "pixel 2 of row 3");
                FAILS(run(m, &p, &p, 0.1f, 0, 0), CAE_E_NONFINITE, "channel");
                EXPECT(same(&p, &before));
            } else { /* alpha */
                OK(run(m, &p, &p, 0.1f, 0.01f, 1));
                EXPECT(memcmp(value_at(&p, 3, 2, 3), value_at(&before, 3, 2, 3), 4) == 0);
            }
            free(p.block);
            free(before.block);
        }
    }
    cae_model_free(m);
}

static void limits(void)
{
    cae_model *m = new_model("unet-denoise", 5);
    struct picture p = noisy(CAE_F32, 64, 40000, 1, 0), before = copy(&p);
    OK(cae_model_set(m, "memory_limit", 1 << 20));
    FAILS(run(m, &p, &p, 0.1f, 0, 1), CAE_E_LIMIT, "memory_limit");
    EXPECT(same(&p, &before));
    free(p.block);
    free(before.block);
    cae_model_free(m);
}

/* ---- Two threads ----------------------------------------------------------------------------- */

struct shared {
    const cae_model *m;
    struct picture in, wanted;
};

static void *in_place_again(void *arg)
{
    const struct shared *s = arg;
    for (int i = 0; i < 10; i++) {
        struct picture p = copy(&s->in);
        OK(run(s->m, &p, &p, 0.1f, 0.02f, 1.5f));
        EXPECT(same(&p, &s->wanted));
        free(p.block);
    }
    return NULL;
}

static void one_model_in_two_threads(void)
{
    cae_model *m = new_model(rgb_net, 5);
    OK(cae_model_set(m, "threads", 2));
    struct shared s = {m, noisy(CAE_U16, 300, 20, 4, 0), noisy(CAE_U16, 300, 20, 4, 0)};
    pthread_t threads[2];
    OK(run(m, &s.in, &s.wanted, 0.1f, 0.02f, 1.5f));
    for (int i = 0; i < 2; i++) {
        EXPECT(pthread_create(&threads[i], NULL, in_place_again, &s) == 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    free(s.in.block);
    free(s.wanted.block);
    cae_model_free(m);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(every_format_gives_what_denoise_gives),
        TEST(a_dense_network_takes_its_size),
        TEST(tiles_in_place),
        TEST(the_level_is_estimated),
        TEST(strength),
        TEST(the_transform_is_the_papers),
        TEST(the_inverse_is_unbiased),
        TEST(extreme_values),
        TEST(all_16_bit_values_return),
        TEST(progress_and_stopping),
        TEST(arguments),
        TEST(overlap),
        TEST(floats_that_are_not_finite),
        TEST(limits),
        TEST(one_model_in_two_threads),
    };
    return RUN_TESTS(argc, argv, tests);
}
