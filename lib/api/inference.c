/*
 * The exported functions that compute with images as floats: check the arguments, call, return.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "api/check.h"
#include "base/floats.h"
#include "base/fpenv.h"
#include "base/random.h"
#include "base/status.h"
#include "image/noise_level.h"
#include "net/infer.h"

/* Values that go through a model, and where to. */
struct call {
    const cae_model *model;
    cae_part part;
    size_t count, height, width;
    const char *in_name, *out_name;
    const float *in, *target; /* the target of a loss, or NULL */
    const float *sigma;       /* noise levels of a network that takes them, or NULL */
    float *out;
};

/* The model takes images of that size; now the values are looked at, and then the memory. */
static int go(const struct call *c, cae_run *r)
{
    const cae_shape *code = cae_run_code(r);
    const cae_planar image = {NULL, c->model->net->input.c, c->height, c->width};
    cae_planar in = image;
    cae_planar out = image;
    if (c->part == CAE_ENCODE) {
        out = (cae_planar){NULL, code->c, code->h, code->w};
    } else if (c->part == CAE_DECODE) {
        in = (cae_planar){NULL, code->c, code->h, code->w};
    }
    in.data = c->in;
    out.data = c->target != c->in ? c->target : NULL;
    CAE_TRY(cae_planar_check(&in, c->count, c->in_name));
    CAE_TRY(cae_planar_check(&out, c->count, c->out_name));
    CAE_TRY(cae_run_fit(r, 0));
    return c->target != NULL ? cae_run_loss(r, c->in, c->target, c->out)
                             : cae_run_infer_planar(r, c->in, c->out);
}

static int run(const struct call *c)
{
    const cae_fpenv saved = cae_fpenv_enter();
    cae_engine engine = cae_model_engine(c->model, c->model->kernels);
    engine.sigma = c->sigma;
    cae_run *r = NULL;
    int status =
        cae_run_new(&r, &engine, c->part, c->target != NULL, c->count, c->height, c->width);
    if (status == CAE_OK) {
        status = go(c, r);
    }
    cae_run_free(r);
    cae_fpenv_leave(saved);
    return status;
}

static int evaluate(const cae_model *m, const cae_pairs *p, float *loss)
{
    float mean = 0;
    CAE_TRY(cae_check_pairs(m, p));
    CAE_TRY(run(&(struct call){m, CAE_WHOLE, p->count, p->height, p->width, "input", "target",
                               p->input, p->target, p->sigma, &mean}));
    if (loss != NULL) {
        *loss = mean;
    }
    return CAE_OK;
}

int cae_evaluate(const cae_model *m, const float *input, const float *target, size_t count,
                 size_t height, size_t width, float *loss)
{
    return evaluate(m, &(cae_pairs){input, target, NULL, count, height, width}, loss);
}

int cae_evaluate_sigma(const cae_model *m, const float *input, const float *target,
                       const float *sigma, size_t count, size_t height, size_t width, float *loss)
{
    CAE_TRY(cae_check_pointer(sigma, "sigma"));
    return evaluate(m, &(cae_pairs){input, target, sigma, count, height, width}, loss);
}

int cae_encode(const cae_model *m, const float *images, size_t count, size_t height, size_t width,
               float *codes)
{
    CAE_TRY(cae_check_batch(m, images, "images", count, height, width));
    CAE_TRY(cae_check_code(m));
    CAE_TRY(cae_check_pointer(codes, "codes"));
    return run(&(struct call){m, CAE_ENCODE, count, height, width, "images", "codes", images, NULL,
                              NULL, codes});
}

int cae_decode(const cae_model *m, const float *codes, size_t count, size_t height, size_t width,
               float *images)
{
    CAE_TRY(cae_check_batch(m, codes, "codes", count, height, width));
    CAE_TRY(cae_check_pointer(images, "images"));
    CAE_TRY(cae_check_code(m));
    return run(&(struct call){m, CAE_DECODE, count, height, width, "codes", "images", codes, NULL,
                              NULL, images});
}

/* The levels of finite images, none below `least`. */
static void estimate(const cae_planar *images, size_t count, float least, float *sigma)
{
    const cae_source source = cae_source_planar(images);
    const cae_fpenv saved = cae_fpenv_enter();
    for (size_t n = 0; n < count; n++) {
        const float level = cae_noise_level(&source, n, images->c);
        sigma[n] = level > least ? level : least;
    }
    cae_fpenv_leave(saved);
}

int cae_estimate_noise(const float *images, size_t count, size_t channels, size_t height,
                       size_t width, float *sigma)
{
    CAE_TRY(cae_check_processor());
    CAE_TRY(cae_check_pointer(images, "images"));
    CAE_TRY(cae_check_pointer(sigma, "sigma"));
    CAE_TRY(cae_check_sides(height, width));
    if (count == 0 || channels == 0) {
        return cae_fail(CAE_E_ARGUMENT, "%s is 0", count == 0 ? "count" : "channels");
    }
    const cae_planar planar = {images, channels, height, width};
    CAE_TRY(cae_planar_check(&planar, count, "images"));
    estimate(&planar, count, 0, sigma);
    return CAE_OK;
}

/* The noise level of each image: what the caller says, or 0 for what the image says. */
static int find_levels(const cae_planar *noisy, size_t count, float sigma, float *levels)
{
    for (size_t n = 0; n < count; n++) {
        levels[n] = sigma;
    }
    if (sigma > 0) {
        return CAE_OK;
    }
    CAE_TRY(cae_planar_check(noisy, count, "noisy"));
    estimate(noisy, count, cae_noise_least, levels);
    return CAE_OK;
}

int cae_denoise(const cae_model *m, const float *noisy, size_t count, size_t height, size_t width,
                float sigma, float *clean)
{
    CAE_TRY(cae_check_batch(m, noisy, "noisy", count, height, width));
    CAE_TRY(cae_check_pointer(clean, "clean"));
    CAE_TRY(cae_check_sigma(sigma));
    if (!m->net->noise) {
        return run(&(struct call){m, CAE_WHOLE, count, height, width, "noisy", "clean", noisy, NULL,
                                  NULL, clean});
    }
    cae_planar planar = {NULL, m->net->input.c, height, width};
    CAE_TRY(cae_planar_check(&planar, count, "noisy")); /* the size alone, before memory is taken */
    planar.data = noisy;
    float *levels = cae_alloc(m->memory, count, sizeof(levels[0]));
    if (levels == NULL) {
        return CAE_E_NOMEM;
    }
    int status = find_levels(&planar, count, sigma, levels);
    if (status == CAE_OK) {
        status = run(&(struct call){m, CAE_WHOLE, count, height, width, "noisy", "clean", noisy,
                                    NULL, levels, clean});
    }
    cae_release(m->memory, levels);
    return status;
}

int cae_add_noise(float *images, size_t len, float sigma, uint64_t seed)
{
    CAE_TRY(cae_check_processor());
    CAE_TRY(cae_check_pointer(images, "images"));
    if (len == 0 || len > SIZE_MAX / 2 / sizeof(float)) {
        return cae_fail(CAE_E_ARGUMENT, "len is %zu", len);
    }
    CAE_TRY(cae_check_sigma(sigma));
    CAE_TRY(cae_check_finite(images, len, "images"));
    const cae_fpenv saved = cae_fpenv_enter();
    const int status = cae_check_noise(images, len, sigma);
    if (status == CAE_OK) {
        cae_random_add_normal(images, len, sigma, seed, CAE_STREAM_NOISE);
    }
    cae_fpenv_leave(saved);
    return status;
}
