/*
 * Scores of a model on a set of images: see score.h. Neighbours of one size go through the network
 * together, for speed alone: a result does not depend on the images around it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "score.h"

#include <math.h>
#include <stdlib.h>

#include "measure.h"
#include "message.h"
#include "model.h"
#include "random.h"

struct scorer {
    const cae_model *model;
    const struct image_set *set;
    double sigma;
    uint64_t seed;
    enum score_depth depth;
    uint32_t quality; /* of the files that are measured; 0: none are */
    struct scores *sum;
    float *clean, *noisy, *output; /* of one batch; noisy == clean without noise */
};

static int fail_at(const struct scorer *s, size_t index, const char *words)
{
    return fail("%s/%s: %s", s->set->folder, s->set->names[index], words);
}

/* How many images from `first` on have its size and fit one batch. */
static size_t batch_len(const struct image_set *set, size_t first)
{
    const struct image *image = &set->images[first];
    const size_t most = 1 + ((size_t)1 << 20) / image_len(image); /* about 4 MiB of floats */
    size_t len = 1;
    while (first + len < set->len && len < most &&
           set->images[first + len].height == image->height &&
           set->images[first + len].width == image->width) {
        len++;
    }
    return len;
}

static bool allocate(struct scorer *s, size_t len)
{
    s->clean = calloc(len, sizeof(float));
    s->output = calloc(len, sizeof(float));
    s->noisy = s->sigma > 0 ? calloc(len, sizeof(float)) : s->clean;
    return s->clean != NULL && s->output != NULL && s->noisy != NULL;
}

static void release(struct scorer *s)
{
    if (s->noisy != s->clean) {
        free(s->noisy);
    }
    free(s->clean);
    free(s->output);
    s->clean = s->noisy = s->output = NULL;
}

int score_input(const struct image_set *set, size_t index, double sigma, uint64_t seed,
                float *values)
{
    const uint64_t name = random_from_name(set->names[index]);
    image_to_floats(&set->images[index], values);
    if (sigma > 0 && cae_add_noise(values, image_len(&set->images[index]), (float)(sigma / 255),
                                   random_bits(seed, RANDOM_EVAL_NOISE, name, 0)) != CAE_OK) {
        return fail("%s/%s: %s", set->folder, set->names[index], cae_last_error());
    }
    return DONE;
}

static int fill_batch(struct scorer *s, size_t first, size_t count)
{
    const size_t len = image_len(&s->set->images[first]);
    for (size_t i = 0; i < count; i++) {
        if (score_input(s->set, first + i, 0, s->seed, s->clean + i * len) != DONE ||
            (s->sigma > 0 &&
             score_input(s->set, first + i, s->sigma, s->seed, s->noisy + i * len) != DONE)) {
            return FAILED;
        }
    }
    return DONE;
}

static double mean_squared_error(const float *a, const float *b, size_t len)
{
    double sum = 0;
    for (size_t i = 0; i < len; i++) {
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    }
    return sum / (double)len;
}

/* PSNR and SSIM of floats against the pixels of image `index`, added to the sums. */
static int add_likeness(const struct scorer *s, size_t index, const float *values, double *psnr,
                        double *ssim)
{
    const struct image *image = &s->set->images[index];
    struct image rounded;
    if (image_new(&rounded, image->channels, image->height, image->width, s->set->names[index]) !=
        DONE) {
        return FAILED;
    }
    image_from_floats(&rounded, values);
    *psnr += measure_psnr(image, &rounded);
    const double similarity = measure_ssim(image, &rounded);
    *ssim += similarity;
    image_free(&rounded);
    return isnan(similarity) ? fail_at(s, index, "out of memory") : DONE;
}

/* The size of the compressed image, added to the sum; NaN when the model cannot compress. */
static int add_bytes(const struct scorer *s, size_t index)
{
    const struct image *image = &s->set->images[index];
    const size_t capacity = cae_compress_bound(s->model, image->height, image->width);
    void *data = malloc(capacity + 1);
    if (data == NULL) {
        return fail_at(s, index, "out of memory");
    }
    size_t size = 0;
    const int status = cae_compress(s->model, image->pixels, image->height, image->width,
                                    image->width * image->channels, 0, data, capacity, &size);
    free(data);
    if (status != CAE_OK && status != CAE_E_UNSUPPORTED && capacity != 0) {
        return fail_at(s, index, cae_last_error());
    }
    s->sum->bytes += status == CAE_OK ? (double)size : NAN;
    return DONE;
}

/* Compresses the pixels of an image, restores them, and adds the size of the file. */
static int run_pixels(const struct scorer *s, size_t index, struct image *image, void *data,
                      size_t capacity)
{
    const size_t stride = image->width * image->channels;
    size_t size = 0;
    int status = cae_compress(s->model, image->pixels, image->height, image->width, stride,
                              s->quality, data, capacity, &size);
    if (status == CAE_OK) {
        status = cae_decompress(s->model, data, size, image->pixels, image->height, image->width,
                                stride);
    }
    s->sum->bytes += (double)size;
    if (status != CAE_OK) {
        (void)fail_at(s, index, cae_last_error());
        model_tell_fit();
        return FAILED;
    }
    return DONE;
}

/* What the file of image `index` restores; `input` is the image, maybe noisy. */
static int run_file(const struct scorer *s, size_t index, const float *input, float *output)
{
    const struct image *image = &s->set->images[index];
    const size_t capacity = cae_compress_bound(s->model, image->height, image->width);
    struct image pixels = {0};
    int result = FAILED;
    if (capacity == 0) {
        return fail_at(s, index, cae_last_error());
    }
    if (image_new(&pixels, image->channels, image->height, image->width, s->set->names[index]) !=
        DONE) {
        return FAILED;
    }
    void *data = malloc(capacity);
    image_from_floats(&pixels, input);
    result = data != NULL ? run_pixels(s, index, &pixels, data, capacity)
                          : fail_at(s, index, "out of memory");
    image_to_floats(&pixels, output);
    free(data);
    image_free(&pixels);
    return result;
}

static int run_batch(const struct scorer *s, size_t first, size_t count)
{
    const struct image *image = &s->set->images[first];
    const size_t len = image_len(image);
    for (size_t i = 0; i < count && s->quality > 0; i++) {
        if (run_file(s, first + i, s->noisy + i * len, s->output + i * len) != DONE) {
            return FAILED;
        }
    }
    return s->quality > 0 || cae_denoise(s->model, s->noisy, count, image->height, image->width,
                                         (float)(s->sigma / 255), s->output) == CAE_OK
               ? DONE
               : fail_at(s, first, cae_last_error());
}

static int add_image(struct scorer *s, size_t index, const float *clean, const float *noisy,
                     const float *output)
{
    struct scores *sum = s->sum;
    sum->count++;
    sum->mse += mean_squared_error(output, clean, image_len(&s->set->images[index]));
    if (s->depth == SCORE_MSE) {
        return DONE;
    }
    if (add_likeness(s, index, output, &sum->psnr, &sum->ssim) != DONE ||
        (s->quality == 0 && add_bytes(s, index) != DONE)) {
        return FAILED;
    }
    if (s->sigma > 0) {
        return add_likeness(s, index, noisy, &sum->input_psnr, &sum->input_ssim);
    }
    return DONE;
}

static int score_batch(struct scorer *s, size_t first, size_t count)
{
    const struct image *image = &s->set->images[first];
    const size_t len = image_len(image);
    int result = FAILED;
    if (!allocate(s, count * len)) {
        fail_at(s, first, "out of memory");
        goto done;
    }
    if (fill_batch(s, first, count) != DONE || run_batch(s, first, count) != DONE) {
        goto done;
    }
    result = DONE;
    for (size_t i = 0; i < count && result == DONE; i++) {
        result =
            add_image(s, first + i, s->clean + i * len, s->noisy + i * len, s->output + i * len);
    }
done:
    release(s);
    return result;
}

static void divide(struct scores *sum, const struct scorer *s)
{
    const double count = (double)sum->count;
    const bool all = s->depth == SCORE_ALL;
    sum->mse /= count;
    sum->psnr = all ? sum->psnr / count : NAN;
    sum->ssim = all ? sum->ssim / count : NAN;
    sum->bytes = all ? sum->bytes / count : NAN;
    sum->input_psnr = all && s->sigma > 0 ? sum->input_psnr / count : NAN;
    sum->input_ssim = all && s->sigma > 0 ? sum->input_ssim / count : NAN;
}

static int score_all(struct scorer *s)
{
    *s->sum = (struct scores){0};
    for (size_t first = 0; first < s->set->len;) {
        const size_t count = batch_len(s->set, first);
        if (score_batch(s, first, count) != DONE) {
            return FAILED;
        }
        first += count;
        if (s->depth == SCORE_ALL && progress_is_due()) {
            progress("%zu of %zu images", first, s->set->len);
        }
    }
    progress_end();
    divide(s->sum, s);
    return DONE;
}

int score_images(const cae_model *model, const struct image_set *set, double sigma, uint64_t seed,
                 enum score_depth depth, struct scores *scores)
{
    struct scorer s = {
        .model = model, .set = set, .sigma = sigma, .seed = seed, .depth = depth, .sum = scores};
    return score_all(&s);
}

int score_files(const cae_model *model, const struct image_set *set, double sigma, uint64_t seed,
                uint32_t quality, struct scores *scores)
{
    struct scorer s = {.model = model,
                       .set = set,
                       .sigma = sigma,
                       .seed = seed,
                       .depth = SCORE_ALL,
                       .quality = quality,
                       .sum = scores};
    return score_all(&s);
}

int score_bytes(const cae_model *model, const struct image_set *set, double *bytes)
{
    struct scores sum = {0};
    const struct scorer s = {.model = model, .set = set, .sum = &sum};
    for (size_t i = 0; i < set->len; i++) {
        if (add_bytes(&s, i) != DONE) {
            return FAILED;
        }
    }
    *bytes = sum.bytes / (double)set->len;
    return DONE;
}

int score_keep_sizes(const cae_model *model, struct image_set *set)
{
    const size_t len = set->len;
    set->len = 0;
    for (size_t i = 0; i < len; i++) {
        size_t shape[3];
        struct image *image = &set->images[i];
        if (cae_code_shape(model, image->height, image->width, shape) == CAE_E_SHAPE) {
            fail("%s/%s: %s", set->folder, set->names[i], cae_last_error());
            image_free(image);
            free(set->names[i]);
            continue;
        }
        set->images[set->len] = *image;
        set->names[set->len++] = set->names[i];
    }
    set->left_out += len - set->len;
    if (set->len == 0) {
        return fail("%s: not one of %zu images has a size that the model takes", set->folder, len);
    }
    if (set->len < len) {
        note("%s: %zu of %zu images are left out for their size", set->folder, len - set->len, len);
    }
    return DONE;
}
