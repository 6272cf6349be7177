/*
 * Pixels through a network that removes noise; see denoise.h.
 *
 * In place, a tile would overwrite what another tile has yet to read. So the rows and columns that
 * tiles read of each other are copied before the run begins and read from the copy by everybody;
 * all other pixels are read by the tile that makes them alone, before it does.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "image/denoise.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/floats.h"
#include "base/size.h"
#include "base/status.h"
#include "image/noise_level.h"

/* ---- Values ---------------------------------------------------------------------------------- */

static size_t value_size(uint32_t format)
{
    return format == CAE_U8 ? 1 : format == CAE_U16 ? 2 : sizeof(float);
}

size_t cae_picture_pixel(const cae_picture *p)
{
    return cae_size_mul(cae_size_add(p->channels, p->alpha ? 1 : 0), value_size(p->format));
}

static float load(uint32_t format, const uint8_t *at)
{
    uint16_t deep;
    float value;
    switch (format) {
    case CAE_U8:
        return (float)*at / 255.0f;
    case CAE_U16:
        memcpy(&deep, at, sizeof(deep));
        return (float)deep / 65535.0f;
    default:
        memcpy(&value, at, sizeof(value));
        return value;
    }
}

/* Rounded to the nearest of 0 .. most. Written so that NaN gives 0; the run then fails for it. */
static unsigned rounded(double value, double most)
{
    const double v = value * most + 0.5;
    return v >= most ? (unsigned)most : v > 0 ? (unsigned)v : 0;
}

/* False when the value is no finite float. */
static bool store(uint32_t format, uint8_t *at, double value)
{
    const float single = (float)value;
    const uint16_t deep = (uint16_t)rounded(value, 65535);
    switch (format) {
    case CAE_U8:
        *at = (uint8_t)rounded(value, 255);
        break;
    case CAE_U16:
        memcpy(at, &deep, sizeof(deep));
        break;
    default:
        memcpy(at, &single, sizeof(single));
    }
    return cae_all_finite(&single, 1, NULL);
}

/* ---- Noise that grows with the value --------------------------------------------------------- */

/* The generalised Anscombe transform: z(x) = 2/g sqrt(g x + b), b = 3/8 g^2 + sigma^2, has noise of
 * variance 1 if x has sigma^2 + g x. The network gets t = (z(x) - z(0)) / (z(1) - z(0)), which is
 * 0 at 0 and 1 at 1, with noise of 1 / (z(1) - z(0)). With q = sqrt(b), a = sqrt(g + b) + q it is
 *     t = x a / (sqrt(g x + b) + q),   noise a / 2,
 * where nothing cancels: for small gains t becomes x and the noise sigma.
 *
 * Back it goes by the closed form of the exact unbiased inverse (Makitalo & Foi, "A closed-form
 * approximation of the exact unbiased inverse of the Anscombe variance-stabilizing transformation",
 * 2011, and "Optimal inversion of the generalized Anscombe transformation for Poisson-Gaussian
 * noise", 2013), for x / g and sigma / g:
 *     z^2/4 + sqrt(3/2)/4 z^-1 - 11/8 z^-2 + 5/8 sqrt(3/2) z^-3 - 1/8 - (sigma/g)^2.
 * With r = g z / 2 = q + t g / a the difference of the squares is again one of small terms alone:
 *     x = t (2 q + t g / a) / a + g/4 + g (sqrt(3/2)/4 u - 11/8 u^2 + 5/8 sqrt(3/2) u^3),
 *     u = g / (2 r).
 * The closed form is not monotonic below r = sqrt(3/8) g, the transform of 0 without sigma. It is
 * held there, at x = -sigma^2 / g. */
struct transform {
    double gain, q, a;
    double lowest; /* the value of which the root is 0 */
};

static const double root_3_2 = 1.2247448713915890491;
static const double root_3_8 = 0.61237243569579452455;

static struct transform make_transform(double sigma, double gain)
{
    const double b = 0.375 * gain * gain + sigma * sigma;
    const double q = sqrt(b);
    return (struct transform){gain, q, sqrt(gain + b) + q, gain > 0 ? -b / gain : 0};
}

static double stabilised(const struct transform *t, double x)
{
    const double from = x > t->lowest ? x : t->lowest;
    const double square = t->gain * from + t->q * t->q;
    return from * t->a / (sqrt(square > 0 ? square : 0) + t->q);
}

static double unstabilised(const struct transform *t, double y)
{
    const double slope = t->gain / t->a;
    const double least = root_3_8 * t->gain;
    double r = t->q + y * slope;
    if (r < least) {
        r = least;
        y = (least - t->q) / slope;
    }
    const double u = t->gain / (2 * r);
    const double bias = u * (0.25 * root_3_2 + u * (-1.375 + u * (0.625 * root_3_2)));
    return y * (2 * t->q + y * slope) / t->a + t->gain * (0.25 + bias);
}

/* ---- Rows and columns that are read of a copy ------------------------------------------------ */

/* Numbers of rows and columns in the copy, from 1 on; 0: not in it. NULL, unless in place. */
struct halos {
    uint32_t *row_at, *column_at;
    size_t row_len, column_len;
    uint8_t *rows, *columns; /* whole rows; and of every row, those columns */
};

static size_t number(uint32_t *marks, size_t len)
{
    uint32_t count = 0;
    for (size_t i = 0; i < len; i++) {
        marks[i] = marks[i] != 0 ? ++count : 0;
    }
    return count;
}

struct job {
    const cae_engine *engine;
    const cae_picture *picture;
    const cae_denoising *what;
    size_t pixel; /* bytes */
    struct transform transform;
    bool transforms;
    struct halos halos;
    size_t images; /* that the run has: one, or every channel is one */
    float *levels; /* of the noise in each */
    cae_run *run;
    atomic_bool overflowed;
};

static const uint8_t *pixel_in(const struct job *j, size_t y, size_t x)
{
    return j->picture->in + y * j->picture->in_stride + x * j->pixel;
}

static int halos_make(struct job *j)
{
    struct halos *h = &j->halos;
    const cae_memory *memory = j->engine->net->memory;
    const cae_picture *p = j->picture;
    const size_t row = p->width * j->pixel;
    h->rows = cae_alloc(memory, h->row_len, row);
    h->columns = cae_alloc(memory, cae_size_mul(h->column_len, p->height), j->pixel);
    if (h->rows == NULL || h->columns == NULL) {
        return CAE_E_NOMEM;
    }
    for (size_t y = 0; y < p->height; y++) {
        if (h->row_at[y] != 0) {
            memcpy(h->rows + (h->row_at[y] - 1) * row, pixel_in(j, y, 0), row);
        }
        uint8_t *columns = h->columns + y * h->column_len * j->pixel;
        for (size_t x = 0; h->column_len > 0 && x < p->width; x++) {
            if (h->column_at[x] != 0) {
                memcpy(columns + (h->column_at[x] - 1) * j->pixel, pixel_in(j, y, x), j->pixel);
            }
        }
    }
    return CAE_OK;
}

static void halos_free(struct halos *h, const cae_memory *memory)
{
    cae_release(memory, h->row_at);
    cae_release(memory, h->column_at);
    cae_release(memory, h->rows);
    cae_release(memory, h->columns);
}

/* Where pixels x .. of row y are to be read; *end: up to where, at most `x1`. */
static const uint8_t *find_pixels(const struct job *j, size_t y, size_t x, size_t x1, size_t *end)
{
    const struct halos *h = &j->halos;
    *end = x1;
    if (h->row_at == NULL) {
        return pixel_in(j, y, x);
    }
    if (h->row_at[y] != 0) {
        return h->rows + ((h->row_at[y] - 1) * j->picture->width + x) * j->pixel;
    }
    if (h->column_len == 0) {
        return pixel_in(j, y, x);
    }
    size_t stop = x + 1;
    const bool copied = h->column_at[x] != 0;
    while (stop < x1 && (h->column_at[stop] != 0) == copied) {
        stop++;
    }
    *end = stop;
    /* Neighbours have neighbouring numbers. */
    return copied ? h->columns + (y * h->column_len + h->column_at[x] - 1) * j->pixel
                  : pixel_in(j, y, x);
}

/* ---- Parts of rows --------------------------------------------------------------------------- */

/* A network of one channel runs each channel as an image of its own: one of n and c is 0. */
static size_t offset_of(const struct job *j, size_t n, size_t c)
{
    return (n + c) * value_size(j->picture->format);
}

static void read_values(const void *from, size_t n, size_t c, size_t y, size_t x0, size_t x1,
                        float *row)
{
    const struct job *j = from;
    const uint32_t format = j->picture->format;
    for (size_t x = x0, end = x0; x < x1;) {
        const uint8_t *at = find_pixels(j, y, x, x1, &end) + offset_of(j, n, c);
        for (; x < end; x++, at += j->pixel) {
            row[x - x0] = load(format, at);
        }
    }
    for (size_t i = 0; j->transforms && i < x1 - x0; i++) {
        row[i] = (float)stabilised(&j->transform, row[i]);
    }
}

/* `strength` of the way from the pixel as it was to the result, which is clipped if it is stored as
 * an integer. */
static double blended(const struct job *j, const uint8_t *in, double value)
{
    const double strength = j->what->strength;
    if (strength >= 1) {
        return value;
    }
    if (j->picture->format != CAE_F32) {
        value = value > 0 ? value < 1 ? value : 1 : 0;
    }
    const double before = load(j->picture->format, in);
    return before + strength * (value - before);
}

static void write_values(void *to, size_t n, size_t c, size_t y, size_t x0, size_t x1,
                         const float *row)
{
    struct job *j = to;
    const cae_picture *p = j->picture;
    const size_t size = value_size(p->format);
    const uint8_t *in = pixel_in(j, y, x0);
    uint8_t *out = p->out + y * p->out_stride + x0 * j->pixel;
    const size_t at = offset_of(j, n, c);
    bool good = true;
    for (size_t x = x0; x < x1; x++, in += j->pixel, out += j->pixel) {
        double value = row[x - x0];
        if (j->transforms) {
            value = unstabilised(&j->transform, value);
        }
        good = store(p->format, out + at, blended(j, in + at, value)) && good;
        if (p->alpha && at == 0 && out != in) {
            memcpy(out + p->channels * size, in + p->channels * size, size);
        }
    }
    if (!good) {
        atomic_store(&j->overflowed, true);
    }
}

/* ---- The call -------------------------------------------------------------------------------- */

static int check_finite(const cae_picture *p)
{
    const size_t pixel = cae_picture_pixel(p);
    for (size_t y = 0; p->format == CAE_F32 && y < p->height; y++) {
        const uint8_t *row = p->in + y * p->in_stride;
        for (size_t i = 0; i < p->width * p->channels; i++) {
            const size_t x = i / p->channels, c = i % p->channels;
            const float value = load(CAE_F32, row + x * pixel + c * sizeof(float));
            if (!cae_all_finite(&value, 1, NULL)) {
                return cae_fail(CAE_E_NONFINITE,
                                "in: channel %zu of pixel %zu of row %zu is NaN or infinite", c, x,
                                y);
            }
        }
    }
    return CAE_OK;
}

/* The noise level of each of the run's images, where none is given: one for all channels, or of
 * each channel its own. */
static void estimate_levels(struct job *j)
{
    const cae_picture *p = j->picture;
    const cae_source source = {read_values, j, p->height, p->width};
    for (size_t n = 0; n < j->images; n++) {
        const float level = cae_noise_level(&source, n, p->channels / j->images);
        j->levels[n] = level > cae_noise_least ? level : cae_noise_least;
    }
}

/* What the network is told. A strength above 1 makes more of the noise than there is. */
static int set_levels(struct job *j)
{
    const cae_denoising *what = j->what;
    if (j->levels == NULL) {
        return CAE_OK;
    }
    const bool known = what->sigma > 0 || what->gain > 0;
    if (!known) {
        estimate_levels(j);
    }
    const float given = j->transforms ? (float)(j->transform.a / 2) : what->sigma;
    for (size_t n = 0; n < j->images; n++) {
        const float level = known ? given : j->levels[n];
        j->levels[n] = what->strength > 1 ? level * what->strength : level;
        if (!cae_all_finite(&j->levels[n], 1, NULL)) {
            return cae_fail(CAE_E_ARGUMENT, "sigma %g and gain %g are too large",
                            (double)what->sigma, (double)what->gain);
        }
    }
    return CAE_OK;
}

static int make_run(struct job *j, const cae_engine *engine)
{
    cae_run_free(j->run);
    return cae_run_new(&j->run, engine, CAE_WHOLE, false, j->images, j->picture->height,
                       j->picture->width);
}

/* The bytes of the copy that tiles as they are now need. */
static size_t halos_plan(struct job *j)
{
    struct halos *h = &j->halos;
    const cae_picture *p = j->picture;
    memset(h->row_at, 0, p->height * sizeof(h->row_at[0]));
    memset(h->column_at, 0, p->width * sizeof(h->column_at[0]));
    cae_run_mark_halos(j->run, h->row_at, h->column_at);
    h->row_len = number(h->row_at, p->height);
    h->column_len = number(h->column_at, p->width);
    return cae_size_add(cae_size_mul4(h->row_len, p->width, j->pixel, 1),
                        cae_size_mul4(h->column_len, p->height, j->pixel, 1));
}

/* Tiles that leave room for the copy, whose size follows from them. One thread needs the least. */
static int fit_in_place(struct job *j, cae_engine *engine)
{
    enum { ROUNDS = 4 };
    struct halos *h = &j->halos;
    const cae_memory *memory = engine->net->memory;
    const size_t numbers = (j->picture->height + j->picture->width) * sizeof(h->row_at[0]);
    size_t reserved = 0;
    h->row_at = cae_alloc(memory, j->picture->height, sizeof(h->row_at[0]));
    h->column_at = cae_alloc(memory, j->picture->width, sizeof(h->column_at[0]));
    if (h->row_at == NULL || h->column_at == NULL) {
        return CAE_E_NOMEM;
    }
    for (int round = 0; round < ROUNDS; round++) {
        CAE_TRY(cae_run_fit(j->run, cae_size_add(numbers, reserved)));
        const size_t needed = halos_plan(j);
        if (needed <= reserved) {
            return CAE_OK;
        }
        reserved = needed;
        engine->threads = round + 2 < ROUNDS ? engine->threads : 1;
        CAE_TRY(make_run(j, engine));
    }
    return cae_fail(CAE_E_LIMIT, "in place needs %zu bytes more, over the memory_limit of %zu",
                    reserved, engine->memory_limit);
}

static bool told_to_stop(const struct job *j, double done)
{
    const cae_watch *w = &j->what->watch;
    return w->progress != NULL && w->progress(w->user, done) != 0;
}

static int stop(void)
{
    return cae_fail(CAE_E_CANCELLED, "progress asked to stop");
}

static void copy(const struct job *j)
{
    const cae_picture *p = j->picture;
    for (size_t y = 0; p->in != p->out && y < p->height; y++) {
        memcpy(p->out + y * p->out_stride, pixel_in(j, y, 0), p->width * j->pixel);
    }
}

static int denoise(struct job *j)
{
    cae_engine engine = *j->engine;
    if (engine.net->noise) {
        j->levels = cae_alloc(engine.net->memory, j->images, sizeof(j->levels[0]));
        if (j->levels == NULL) {
            return CAE_E_NOMEM;
        }
        engine.sigma = j->levels;
    }
    CAE_TRY(make_run(j, &engine));
    CAE_TRY(check_finite(j->picture));
    const bool idle = !(j->what->strength > 0);
    if (!idle) {
        CAE_TRY(set_levels(j));
        CAE_TRY(j->picture->in == j->picture->out ? fit_in_place(j, &engine)
                                                  : cae_run_fit(j->run, 0));
    }
    if (told_to_stop(j, 0)) {
        return stop();
    }
    if (idle) {
        copy(j);
        return told_to_stop(j, 1) ? stop() : CAE_OK;
    }
    if (j->halos.row_at != NULL) {
        CAE_TRY(halos_make(j));
    }
    cae_run_watch(j->run, j->what->watch);
    CAE_TRY(cae_run_infer(j->run, (cae_source){read_values, j, 0, 0},
                          (cae_sink){write_values, j, 0, 0}));
    if (atomic_load(&j->overflowed)) {
        return cae_fail(CAE_E_NONFINITE, "the result overflowed");
    }
    return told_to_stop(j, 1) ? stop() : CAE_OK;
}

int cae_image_denoise(const cae_engine *engine, const cae_picture *picture,
                      const cae_denoising *what)
{
    struct job j = {.engine = engine,
                    .picture = picture,
                    .what = what,
                    .pixel = cae_picture_pixel(picture),
                    .transform = make_transform(what->sigma, what->gain),
                    .transforms = engine->net->noise && what->gain > 0,
                    .images = engine->net->input.c == 1 ? picture->channels : 1};
    const int status = denoise(&j);
    cae_run_free(j.run);
    halos_free(&j.halos, engine->net->memory);
    cae_release(engine->net->memory, j.levels);
    return status;
}
