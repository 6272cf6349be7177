/*
 * Batches for training: see train_data.h. Images stay 8-bit in memory; each batch is cut and
 * converted when its step comes.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "train_data.h"

#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "random.h"

static int fail_without_memory(const struct train_data *data)
{
    const char *folder = data->self != NULL ? data->self->set.folder : data->set.folder;
    return fail("%s: out of memory", folder != NULL ? folder : "train");
}

/* Takes images below the training size out of the set and names them. */
static int drop_small_images(struct train_data *data)
{
    struct image_set *set = &data->set;
    size_t kept = 0;
    for (size_t i = 0; i < set->len; i++) {
        struct image *image = &set->images[i];
        if (image->height < data->height || image->width < data->width) {
            note("%s/%s: %zu x %zu is smaller than the training size %zu x %zu: left out",
                 set->folder, set->names[i], image->width, image->height, data->width,
                 data->height);
            image_free(image);
            free(set->names[i]);
            continue;
        }
        set->images[kept] = *image;
        set->names[kept++] = set->names[i];
    }
    set->len = kept;
    return kept > 0 ? DONE
                    : fail("%s: no image is at least %zu x %zu, the training size", set->folder,
                           data->width, data->height);
}

static bool allocate(struct train_data *data)
{
    const size_t len = train_data_len(data), batch = data->batch < len ? data->batch : len;
    const size_t image_size = data->channels * data->height * data->width * sizeof(float);
    data->order = calloc(len, sizeof *data->order);
    data->target = calloc(batch, image_size);
    data->input = data->noise.high > 0 ? calloc(batch, image_size) : data->target;
    data->sigma = calloc(batch, sizeof *data->sigma);
    data->self_batch = (struct train_self_batch){0};
    if (data->self != NULL && !train_self_batch_new(&data->self_batch, data->self, batch)) {
        return false;
    }
    return data->order != NULL && data->target != NULL && data->input != NULL &&
           data->sigma != NULL;
}

/* Fisher and Yates' shuffle, with the epoch's own numbers. */
static void shuffle(struct train_data *data, uint64_t epoch)
{
    size_t *order = data->order;
    const size_t len = train_data_len(data);
    for (size_t i = 0; i < len; i++) {
        order[i] = i;
    }
    for (size_t i = len - 1; i > 0; i--) {
        const size_t j = (size_t)(random_bits(data->seed, RANDOM_ORDER, epoch, i) % (i + 1));
        const size_t other = order[j];
        order[j] = order[i];
        order[i] = other;
    }
    data->order_epoch = epoch;
}

int train_data_check_noise(const struct train_data *data, const char *name)
{
    char text[NOISE_TEXT];
    return !data->takes_noise || data->noise.low >= noise_least
               ? DONE
               : fail("%s: the network takes a noise level: --noise must be %g or more, not %s",
                      name, noise_least, noise_text(&data->noise, text));
}

int train_data_start(struct train_data *data, const size_t shape[3])
{
    data->channels = shape[0];
    data->height = shape[1];
    data->width = shape[2];
    if (data->self == NULL && drop_small_images(data) != DONE) {
        return FAILED;
    }
    if (!allocate(data)) {
        return fail_without_memory(data);
    }
    shuffle(data, 0);
    return DONE;
}

void train_data_twin_free(struct train_data *twin)
{
    if (twin->input != twin->target) {
        free(twin->input);
    }
    free(twin->target);
    free(twin->sigma);
    free(twin->order);
    train_self_batch_free(&twin->self_batch);
    *twin = (struct train_data){0};
}

void train_data_free(struct train_data *data)
{
    image_set_free(&data->set);
    train_data_twin_free(data);
}

bool train_data_twin(struct train_data *twin, const struct train_data *data)
{
    *twin = *data;
    twin->silent = true;
    if (!allocate(twin)) {
        return false;
    }
    shuffle(twin, 0);
    return true;
}

void train_data_exchange(struct train_data *a, struct train_data *b)
{
    float *const input = a->input, *const target = a->target, *const sigma = a->sigma;
    const struct train_self_batch self_batch = a->self_batch;
    a->input = b->input;
    a->target = b->target;
    a->sigma = b->sigma;
    a->self_batch = b->self_batch;
    b->input = input;
    b->target = target;
    b->sigma = sigma;
    b->self_batch = self_batch;
}

size_t train_data_len(const struct train_data *data)
{
    return data->self != NULL ? data->self->len : data->set.len;
}

uint64_t train_data_steps(const struct train_data *data)
{
    return (train_data_len(data) - 1) / data->batch + 1;
}

struct train_walk train_walk_turned(struct train_walk w, size_t height, size_t width,
                                    uint64_t symmetry)
{
    if (symmetry & 1) {
        w.first += w.down * (ptrdiff_t)(height - 1);
        w.down = -w.down;
    }
    if (symmetry & 2) {
        w.first += w.along * (ptrdiff_t)(width - 1);
        w.along = -w.along;
    }
    return (symmetry & 4) && height == width ? (struct train_walk){w.first, w.along, w.down} : w;
}

struct place {
    size_t top, left;
};

/* Candidate number k for the place at which image `number` is cut in an epoch. */
static struct place place_at(const struct train_data *data, const struct image *image,
                             uint64_t epoch, uint64_t number, uint64_t k)
{
    const uint64_t counter = (k << 40) + 2 * number; /* there are fewer images than 2^39 */
    const uint64_t down = random_bits(data->seed, RANDOM_CROP, epoch, counter);
    const uint64_t along = random_bits(data->seed, RANDOM_CROP, epoch, counter + 1);
    return (struct place){(size_t)(down % (image->height - data->height + 1)),
                          (size_t)(along % (image->width - data->width + 1))};
}

/* The sum of the differences between neighbours. */
static uint64_t texture(const struct train_data *data, const struct image *image, struct place p)
{
    const size_t row_len = image->width * image->channels;
    uint64_t sum = 0;
    for (size_t y = 0; y + 1 < data->height; y++) {
        const uint8_t *row = image->pixels + (p.top + y) * row_len + p.left * image->channels;
        for (size_t i = 0; i < (data->width - 1) * image->channels; i++) {
            sum += (uint64_t)abs(row[i] - row[i + image->channels]);
            sum += (uint64_t)abs(row[i] - row[i + row_len]);
        }
    }
    return sum;
}

/* The place that belongs to the epoch: drawn, or the one with the most texture of some. */
static struct place place_of(const struct train_data *data, const struct image *image,
                             uint64_t epoch, uint64_t number)
{
    struct place best = place_at(data, image, epoch, number, 0);
    uint64_t most = data->places > 1 ? texture(data, image, best) : 0;
    for (uint64_t k = 1; k < data->places; k++) {
        const struct place other = place_at(data, image, epoch, number, k);
        const uint64_t its = texture(data, image, other);
        if (its > most) {
            best = other;
            most = its;
        }
    }
    return best;
}

/* Cuts the training size out of image `number`, at its place of the epoch, with its symmetry. */
static void cut(const struct train_data *data, const struct image *image, uint64_t epoch,
                uint64_t number, float *values)
{
    const struct place place = place_of(data, image, epoch, number);
    struct train_walk w = {(ptrdiff_t)((place.top * image->width + place.left) * image->channels),
                           (ptrdiff_t)(image->width * image->channels), (ptrdiff_t)image->channels};
    if (data->symmetries) {
        w = train_walk_turned(w, data->height, data->width,
                              random_bits(data->seed, RANDOM_SYMMETRY, epoch, number));
    }
    for (size_t c = 0; c < data->channels; c++) {
        for (size_t y = 0; y < data->height; y++) {
            const uint8_t *pixel = image->pixels + w.first + (ptrdiff_t)y * w.down + (ptrdiff_t)c;
            for (size_t x = 0; x < data->width; x++, pixel += w.along) {
                *values++ = (float)*pixel / 255.0f;
            }
        }
    }
}

static float level_of(const struct train_data *data, uint64_t epoch, uint64_t number)
{
    return (float)(noise_level(&data->noise, data->seed, epoch, number) / 255);
}

static int add_noise(const struct train_data *data, uint64_t epoch, uint64_t number, float *input)
{
    const size_t len = data->channels * data->height * data->width;
    const uint64_t seed = random_bits(data->seed, RANDOM_TRAIN_NOISE, epoch, number);
    const float level = level_of(data, epoch, number);
    if (level <= 0 || cae_add_noise(input, len, level, seed) == CAE_OK) {
        return DONE;
    }
    return data->silent ? FAILED : fail("noise: %s", cae_last_error());
}

int train_data_view(const struct train_data *data, const struct image *image, uint64_t epoch,
                    uint64_t number, size_t place)
{
    const size_t len = data->channels * data->height * data->width;
    cut(data, image, epoch, number, data->target + place * len);
    data->sigma[place] = level_of(data, epoch, number);
    if (data->input == data->target) {
        return DONE;
    }
    memcpy(data->input + place * len, data->target + place * len, len * sizeof(float));
    return add_noise(data, epoch, number, data->input + place * len);
}

int train_data_fill(struct train_data *data, uint64_t step, size_t *count)
{
    const uint64_t epoch = step / train_data_steps(data);
    const size_t first = (size_t)(step % train_data_steps(data)) * data->batch;
    const size_t left = train_data_len(data) - first;
    if (epoch != data->order_epoch) {
        shuffle(data, epoch);
    }
    *count = left < data->batch ? left : data->batch;
    for (size_t i = 0; i < *count; i++) {
        const size_t index = data->order[first + i];
        if (data->self != NULL) {
            train_self_view(data, epoch, index, i);
        } else if (train_data_view(data, &data->set.images[index], epoch, index, i) != DONE) {
            return FAILED;
        }
    }
    return DONE;
}

/* ---- The ranges of the code ------------------------------------------------------------------ */

enum { FIT_LEAST = 16, FIT_VALUES = 1 << 24 }; /* images; values, 64 MiB of floats */

static size_t fit_len(const struct train_data *data, size_t len)
{
    const size_t most = FIT_VALUES / (data->channels * data->height * data->width);
    const size_t wanted = most > FIT_LEAST ? most : FIT_LEAST;
    return wanted < len ? wanted : len;
}

bool train_data_fits(const struct train_data *data, size_t len, uint64_t number)
{
    const uint64_t wanted = fit_len(data, len);
    return (number + 1) * wanted / len > number * wanted / len;
}

int train_data_input(const struct train_data *data, const struct image *image, uint64_t number,
                     float *input)
{
    cut(data, image, 0, number, input);
    return add_noise(data, 0, number, input);
}

/* A model is worth saving without, so whatever fails here is a note. */
void train_data_fit(const struct train_data *data, cae_model *model)
{
    const size_t values = data->channels * data->height * data->width;
    const struct image_set *set = &data->set;
    size_t shape[3];
    if (set->len == 0 ||
        cae_code_shape(model, data->height, data->width, shape) == CAE_E_UNSUPPORTED) {
        return;
    }
    float *images = calloc(fit_len(data, set->len), values * sizeof *images);
    bool good = images != NULL;
    size_t count = 0;
    for (size_t i = 0; i < set->len && good; i++) {
        if (train_data_fits(data, set->len, i)) {
            good = train_data_input(data, &set->images[i], i, images + count++ * values) == DONE;
        }
    }
    if (images == NULL) {
        note("the ranges of the code stay as they are: out of memory");
    } else if (good && cae_fit_code(model, images, count, data->height, data->width) != CAE_OK) {
        note("the ranges of the code stay as they are: %s", cae_last_error());
    }
    free(images);
}
