/*
 * Training without clean images: see train_self.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "train_self.h"

#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "random.h"
#include "train_data.h"

/* Of an image's side: less has next to nothing to learn from. */
enum { LEAST_SIDE = 16 };

/* Of what a network of larger training size learns from: four of 48 x 48 a step end 0.4 dB better
 * than one of 96 x 96, at the same cost. */
enum { LARGEST_HALF = 48 };

/* The second term's weight in the end, as in the paper. */
static const double last_weight = 2;

/* ---- Cuts ------------------------------------------------------------------------------------ */

/* Leaves out the images that do not hold a cut: whole bursts, since their frames have one size. */
static void drop_small_images(struct train_self *self)
{
    struct noisy_set *set = &self->set;
    size_t kept = 0;
    for (size_t i = 0; i < set->len; i++) {
        struct noisy_image *image = &set->images[i];
        if (image->height >= self->height && image->width >= self->width) {
            image->first -= i - kept;
            set->images[kept++] = *image;
            continue;
        }
        note("%s/%s: %zu x %zu is smaller than the parts that are trained on, %zu x %zu: left out",
             set->folder, image->name, image->width, image->height, self->width, self->height);
        free(image->name);
        free(image->values);
    }
    set->len = kept;
}

/* An image is cut as often as cuts fit into it side by side. */
static int number_cuts(struct train_self *self)
{
    const struct noisy_set *set = &self->set;
    size_t len = 0;
    for (size_t i = 0; i < set->len; i++) {
        len += (set->images[i].height / self->height) * (set->images[i].width / self->width);
    }
    self->image_of = calloc(len, sizeof *self->image_of);
    if (self->image_of == NULL) {
        return fail("%s: out of memory", set->folder);
    }
    for (size_t i = 0; i < set->len; i++) {
        size_t cuts = (set->images[i].height / self->height) * (set->images[i].width / self->width);
        while (cuts-- > 0) {
            self->image_of[self->len++] = i;
        }
    }
    return DONE;
}

/* A side of the network's input, so that the cut for it lies in the image's side. */
static size_t fitted(size_t side, size_t image_side, size_t scale)
{
    side = scale > 1 && side > LARGEST_HALF ? LARGEST_HALF : side;
    return side < image_side / scale ? side : image_side / scale;
}

static size_t shorter_side(const struct noisy_image *image)
{
    return image->height < image->width ? image->height : image->width;
}

int train_self_start(struct train_self *self, const cae_model *model, const char *name,
                     size_t *height, size_t *width)
{
    const struct noisy_set *set = &self->set;
    const size_t scale = set->bursts ? 1 : 2;
    const struct noisy_image *largest = &set->images[0];
    size_t shape[3];
    for (size_t i = 1; i < set->len; i++) {
        const struct noisy_image *image = &set->images[i];
        largest = shorter_side(image) > shorter_side(largest) ? image : largest;
    }
    if (largest->height < LEAST_SIDE || largest->width < LEAST_SIDE) {
        return fail("%s: %zu x %zu is too small to learn from: the least is %d x %d", set->folder,
                    largest->width, largest->height, LEAST_SIDE, LEAST_SIDE);
    }
    *height = fitted(*height, largest->height, scale);
    *width = fitted(*width, largest->width, scale);
    self->height = scale * *height;
    self->width = scale * *width;
    for (size_t i = 1; i <= scale; i++) {
        if (cae_code_shape(model, i * *height, i * *width, shape) == CAE_E_SHAPE) {
            return fail("%s: the network must take images of %zu x %zu, and of half the size: %s",
                        name, self->width, self->height, cae_last_error());
        }
    }
    drop_small_images(self);
    return number_cuts(self);
}

void train_self_free(struct train_self *self)
{
    noisy_set_free(&self->set);
    free(self->image_of);
    *self = (struct train_self){0};
}

/* ---- Batches --------------------------------------------------------------------------------- */

bool train_self_batch_new(struct train_self_batch *b, const struct train_self *self, size_t len)
{
    const size_t area = self->height * self->width;
    *b = (struct train_self_batch){0};
    if (self->set.bursts) {
        return true;
    }
    b->whole = calloc(len * self->set.channels, area * sizeof(float));
    b->clean = calloc(len * self->set.channels, area * sizeof(float));
    b->choice = calloc(len, area / 4);
    return b->whole != NULL && b->clean != NULL && b->choice != NULL;
}

void train_self_batch_free(struct train_self_batch *b)
{
    free(b->whole);
    free(b->clean);
    free(b->choice);
    *b = (struct train_self_batch){0};
}

/* Copies a cut, turned as the epoch has it. */
static void cut(const struct train_data *data, const struct noisy_image *image, uint64_t epoch,
                uint64_t number, float *values)
{
    const struct train_self *self = data->self;
    const uint64_t down = random_bits(data->seed, RANDOM_CROP, epoch, 2 * number);
    const uint64_t along = random_bits(data->seed, RANDOM_CROP, epoch, 2 * number + 1);
    const size_t top = (size_t)(down % (image->height - self->height + 1));
    const size_t left = (size_t)(along % (image->width - self->width + 1));
    struct train_walk w = {(ptrdiff_t)(top * image->width + left), (ptrdiff_t)image->width, 1};
    if (data->symmetries) {
        w = train_walk_turned(w, self->height, self->width,
                              random_bits(data->seed, RANDOM_SYMMETRY, epoch, number));
    }
    for (size_t c = 0; c < self->set.channels; c++) {
        const float *plane = image->values + c * image->height * image->width;
        for (size_t y = 0; y < self->height; y++) {
            const float *value = plane + w.first + (ptrdiff_t)y * w.down;
            for (size_t x = 0; x < self->width; x++, value += w.along) {
                *values++ = *value;
            }
        }
    }
}

/* Two neighbours of a cell. Bits 0 and 1 of a choice: column and row of the first; bit 2: whether
 * the second is above or below, not beside it. */
enum { CHOICE_BITS = 3, CHOICES_OF_WORD = 64 / CHOICE_BITS };

static void choose(uint8_t *choice, size_t len, uint64_t seed)
{
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++) {
        if (i % CHOICES_OF_WORD == 0) {
            word = random_bits(seed, RANDOM_NEIGHBOURS, i / CHOICES_OF_WORD, 0);
        }
        choice[i] = word & ((1 << CHOICE_BITS) - 1);
        word >>= CHOICE_BITS;
    }
}

/* The place in a plane of a cell's pixel, numbered like the first of a choice. */
static size_t place_of(const struct train_self *self, size_t cell, unsigned pixel)
{
    const size_t across = self->width / 2, y = cell / across, x = cell % across;
    return (2 * y + (pixel >> 1)) * self->width + 2 * x + (pixel & 1);
}

static unsigned first_of(uint8_t choice)
{
    return choice & 3;
}

static unsigned second_of(uint8_t choice)
{
    return first_of(choice) ^ (choice & 4 ? 2 : 1);
}

/* Where one image begins in the buffers. */
struct places {
    float *whole, *clean, *input, *target;
    uint8_t *choice;
};

static struct places places_of(const struct train_data *data, size_t place)
{
    const size_t half_len = data->channels * data->height * data->width;
    const struct train_self_batch *b = &data->self_batch;
    struct places p = {.input = data->input + place * half_len,
                       .target = data->target + place * half_len};
    if (!data->self->set.bursts) {
        p.whole = b->whole + place * 4 * half_len;
        p.clean = b->clean + place * 4 * half_len;
        p.choice = b->choice + place * data->height * data->width;
    }
    return p;
}

static void split(const struct train_data *data, struct places p)
{
    const size_t cells = data->height * data->width;
    for (size_t c = 0; c < data->channels; c++) {
        const float *plane = p.whole + c * 4 * cells;
        for (size_t i = 0; i < cells; i++) {
            *p.input++ = plane[place_of(data->self, i, first_of(p.choice[i]))];
            *p.target++ = plane[place_of(data->self, i, second_of(p.choice[i]))];
        }
    }
}

void train_self_view(const struct train_data *data, uint64_t epoch, uint64_t number, size_t place)
{
    const struct noisy_set *set = &data->self->set;
    const size_t index = data->self->image_of[number];
    const struct noisy_image *image = &set->images[index];
    const struct places p = places_of(data, place);
    const uint64_t bits = random_bits(data->seed, RANDOM_NEIGHBOURS, epoch, number);
    data->sigma[place] = image->sigma;
    if (set->bursts) {
        /* Any other frame. */
        size_t other = image->first + (size_t)(bits % (image->frames - 1));
        other += other >= index;
        cut(data, image, epoch, number, p.input);
        cut(data, &set->images[other], epoch, number, p.target);
        return;
    }
    cut(data, image, epoch, number, p.whole);
    choose(p.choice, data->height * data->width, bits);
    split(data, p);
}

/* How many images from the first on have its level: these are de-noised together. */
static size_t alike(const float *sigma, size_t len)
{
    size_t count = 1;
    while (count < len && sigma[count] >= sigma[0] && sigma[count] <= sigma[0]) {
        count++;
    }
    return count;
}

static void add_difference(const struct train_data *data, struct places p, float part)
{
    const size_t cells = data->height * data->width;
    for (size_t c = 0; c < data->channels; c++) {
        const float *plane = p.clean + c * 4 * cells;
        for (size_t i = 0; i < cells; i++) {
            *p.target++ += part * (plane[place_of(data->self, i, first_of(p.choice[i]))] -
                                   plane[place_of(data->self, i, second_of(p.choice[i]))]);
        }
    }
}

int train_self_finish(const struct train_data *data, const cae_model *model, double done,
                      size_t count)
{
    const double weight = last_weight * done;
    const struct train_self *self = data->self;
    int status = CAE_OK;
    for (size_t i = 0, len = 0; i < count && !self->set.bursts && status == CAE_OK; i += len) {
        const struct places p = places_of(data, i);
        len = alike(data->sigma + i, count - i);
        status =
            cae_denoise(model, p.whole, len, self->height, self->width, data->sigma[i], p.clean);
    }
    for (size_t i = 0; i < count && !self->set.bursts && status == CAE_OK; i++) {
        add_difference(data, places_of(data, i), (float)(weight / (1 + weight)));
    }
    return status;
}
