/*
 * Noisy images for training: see noisy_set.h. The names come from image_set_list, so that folders
 * mean here what they mean elsewhere; the files are read here, with all their bits.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "noisy_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <zlib.h>

#include <cae/cae.h>

#include "file.h"
#include "image_set.h"
#include "message.h"
#include "noise_colour.h"

static int fail_without_memory(const char *name)
{
    return fail("%s: out of memory", name);
}

/* ---- Values ---------------------------------------------------------------------------------- */

/* `cae_denoise_pixels`' transform for noise that grows with the value: lib/image/denoise.c has the
 * derivation. The network learns behind it what it will see there. */
struct transform {
    double gain, q, a;
};

static struct transform make_transform(const struct noisy_reading *how)
{
    const double sigma = how->level / 255, gain = how->gain;
    const double b = 0.375 * gain * gain + sigma * sigma, q = sqrt(b);
    return (struct transform){gain, q, sqrt(gain + b) + q};
}

static float value_of(const struct image *image, size_t index, const struct transform *t)
{
    const double x = image_value(image, index);
    return (float)(t->gain > 0 ? x * t->a / (sqrt(t->gain * x + t->q * t->q) + t->q) : x);
}

/* What the estimate gives at least, where the library estimates. */
static const float least_estimate = 0.5f / 255;

static int set_level(struct noisy_image *image, size_t channels, const struct noisy_reading *how)
{
    if (how->gain > 0) {
        image->sigma = (float)(make_transform(how).a / 2);
        return DONE;
    }
    if (how->level > 0) {
        image->sigma = (float)(how->level / 255);
        return DONE;
    }
    if (cae_estimate_noise(image->values, 1, channels, image->height, image->width,
                           &image->sigma) != CAE_OK) {
        return fail("%s: %s", image->name, cae_last_error());
    }
    image->sigma = fmaxf(image->sigma, least_estimate);
    return DONE;
}

/* ---- Images ---------------------------------------------------------------------------------- */

static struct noisy_image *add_image(struct noisy_set *set)
{
    struct noisy_image *more = realloc(set->images, (set->len + 1) * sizeof *more);
    if (more == NULL) {
        return NULL;
    }
    set->images = more;
    set->images[set->len] = (struct noisy_image){.first = set->len, .frames = 1};
    return &set->images[set->len++];
}

/* Adds `channels` of the picture from channel `first` on, a grey one again and again. */
static int add_channels(struct noisy_set *set, const struct image *picture, size_t first,
                        const char *name, const struct noisy_reading *how)
{
    const struct transform t = make_transform(how);
    const size_t colours = picture->channels - picture->alpha;
    struct noisy_image *image = add_image(set);
    if (image == NULL) {
        return fail_without_memory(name);
    }
    image->name = strdup(name);
    image->step = how->gain > 0 ? 0 : picture->deep ? 1 / 65535.0 : 1 / 255.0;
    image->height = picture->height;
    image->width = picture->width;
    image->values = calloc(set->channels * picture->height, picture->width * sizeof(float));
    if (image->name == NULL || image->values == NULL) {
        return fail_without_memory(name);
    }
    float *value = image->values;
    for (size_t c = first; c < first + set->channels; c++) {
        for (size_t pixel = 0; pixel < picture->height * picture->width; pixel++) {
            *value++ = value_of(picture, pixel * picture->channels + (c < colours ? c : 0), &t);
        }
    }
    return set_level(image, set->channels, how);
}

/* Reads a file; *taken is false, and this is no failure, if it cannot be used. */
static int add_file(struct noisy_set *set, const char *path, const char *name,
                    const struct noisy_reading *how, unsigned *said, bool *taken)
{
    struct image picture = {0};
    int result = DONE;
    *taken = image_load_whole(&picture, path) == DONE &&
             (how->crop->crop_width == 0 || image_crop(&picture, how->crop, path) == DONE);
    if (*taken) {
        picture.changes |= picture.alpha ? IMAGE_LOST_ALPHA : 0;
        image_note_changes(&picture, path, said);
        const size_t colours = picture.channels - picture.alpha;
        const size_t parts = set->channels == 1 ? colours : 1;
        for (size_t i = 0; i < parts && result == DONE; i++) {
            result = add_channels(set, &picture, i, name, how);
        }
    }
    image_free(&picture);
    return result;
}

static int add_folder(struct noisy_set *set, const char *folder, const struct noisy_reading *how)
{
    struct image_set names;
    unsigned said = 0;
    size_t left_out = 0;
    int result = image_set_list(&names, folder, how->limit);
    for (size_t i = 0; result == DONE && i < names.len; i++) {
        bool taken = false;
        char *path = file_join(folder, names.names[i]);
        result = path != NULL ? add_file(set, path, names.names[i], how, &said, &taken)
                              : fail_without_memory(folder);
        left_out += !taken;
        free(path);
        if (progress_is_due()) {
            progress("%s: %zu of %zu images read", folder, i + 1, names.len);
        }
    }
    progress_end();
    if (result == DONE && set->len == 0) {
        result = fail("%s: not one of %zu images can be taken", folder, names.len);
    } else if (result == DONE && left_out > 0) {
        note("%s: %zu of %zu images are left out", folder, left_out, names.len);
    }
    image_set_free(&names);
    return result;
}

/* ---- Bursts ---------------------------------------------------------------------------------- */

/* The length of the name of the folder that an image lies in, below the set's; 0 without one. */
static size_t folder_len(const char *name)
{
    const char *slash = strchr(name, '/');
    return slash != NULL ? (size_t)(slash - name) : 0;
}

static bool is_same_burst(const char *a, const char *b)
{
    return folder_len(a) == folder_len(b) && memcmp(a, b, folder_len(a)) == 0;
}

/* The channels of a colour picture, which have its name, are frames of bursts of their own. So that
 * a burst's frames stand together, they are sorted by burst, channel and, as before, by name. */
static int place_of_image(const void *a, const void *b)
{
    const struct noisy_image *one = a, *other = b;
    if (!is_same_burst(one->name, other->name)) {
        return strcmp(one->name, other->name);
    }
    if (one->frames != other->frames) { /* the channel, until the bursts are known */
        return one->frames < other->frames ? -1 : 1;
    }
    return strcmp(one->name, other->name);
}

static void sort_channels(struct noisy_set *set)
{
    for (size_t i = 0; i < set->len; i++) {
        const bool again = i > 0 && strcmp(set->images[i - 1].name, set->images[i].name) == 0;
        set->images[i].frames = again ? set->images[i - 1].frames + 1 : 0;
    }
    qsort(set->images, set->len, sizeof *set->images, place_of_image);
}

static int check_burst(const struct noisy_set *set, size_t first, size_t frames)
{
    const struct noisy_image *image = set->images + first;
    const int len = (int)folder_len(image->name);
    if (frames < 2) {
        return fail("%s%s%.*s: a burst of one frame, %s; each needs two of the same scene "
                    "(--limit counts frames)",
                    set->folder, len > 0 ? "/" : "", len, image->name, image->name);
    }
    for (size_t i = 1; i < frames; i++) {
        if (image[i].height != image->height || image[i].width != image->width) {
            return fail("%s/%s: %zu x %zu, but %s of the same burst has %zu x %zu", set->folder,
                        image[i].name, image[i].width, image[i].height, image->name, image->width,
                        image->height);
        }
    }
    return DONE;
}

static int find_bursts(struct noisy_set *set)
{
    sort_channels(set);
    for (size_t first = 0, end = 0; first < set->len; first = end) {
        const size_t channel = set->images[first].frames;
        while (end < set->len && set->images[end].frames == channel &&
               is_same_burst(set->images[first].name, set->images[end].name)) {
            end++;
        }
        if (check_burst(set, first, end - first) != DONE) {
            return FAILED;
        }
        for (size_t i = first; i < end; i++) {
            set->images[i].first = first;
            set->images[i].frames = end - first;
        }
    }
    return DONE;
}

int noisy_set_load(struct noisy_set *set, const char *path, size_t channels,
                   const struct noisy_reading *how)
{
    struct stat info;
    const bool is_file = stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
    *set = (struct noisy_set){.channels = channels, .folder = strdup(path), .bursts = how->bursts};
    int result = set->folder != NULL ? DONE : fail_without_memory(path);
    if (result == DONE && is_file && how->bursts) {
        result = fail("%s: a file; bursts are in a folder, or each in one of its own", path);
    } else if (result == DONE && is_file) {
        unsigned said = 0;
        bool taken = false;
        result = add_file(set, path, path, how, &said, &taken);
        result = result == DONE && !taken ? FAILED : result;
    } else if (result == DONE) {
        result = add_folder(set, path, how);
    }
    if (result == DONE && how->bursts) {
        result = find_bursts(set);
    }
    if (result != DONE) {
        noisy_set_free(set);
    }
    return result;
}

void noisy_set_free(struct noisy_set *set)
{
    for (size_t i = 0; i < set->len; i++) {
        free(set->images[i].name);
        free(set->images[i].values);
    }
    free(set->images);
    free(set->folder);
    *set = (struct noisy_set){0};
}

void noisy_set_levels(const struct noisy_set *set, double *low, double *high)
{
    *low = *high = 255 * (double)set->images[0].sigma;
    for (size_t i = 1; i < set->len; i++) {
        *low = fmin(*low, 255 * (double)set->images[i].sigma);
        *high = fmax(*high, 255 * (double)set->images[i].sigma);
    }
}

/* ---- The colour of the noise ----------------------------------------------------------------- */

static int order(const void *a, const void *b)
{
    const double one = *(const double *)a, other = *(const double *)b;
    return (one > other) - (one < other);
}

int noisy_set_colour(const struct noisy_set *set, double *ratio)
{
    double *ratios = calloc(set->len, sizeof *ratios);
    size_t len = 0;
    int result = ratios != NULL ? DONE : fail_without_memory(set->folder);
    *ratio = 0;
    for (size_t i = 0; i < set->len && result == DONE; i++) {
        const struct noisy_image *image = &set->images[i];
        result =
            noise_colour(image->values, image->height, image->width, image->step, &ratios[len]);
        len += result == DONE && ratios[len] > 0;
    }
    if (result == DONE && len > 0) {
        qsort(ratios, len, sizeof *ratios, order);
        *ratio = ratios[len / 2];
    }
    free(ratios);
    return result;
}

/* ---- The number for resumption --------------------------------------------------------------- */

static uint32_t crc_of_u32(uint32_t crc, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                              (uint8_t)(value >> 24)};
    return (uint32_t)crc32_z(crc, bytes, sizeof bytes);
}

static uint32_t crc_of_image(const struct noisy_image *image, size_t channels)
{
    const size_t len = channels * image->height * image->width;
    uint32_t crc = crc_of_u32(0, (uint32_t)channels);
    crc = crc_of_u32(crc, (uint32_t)image->height);
    crc = crc_of_u32(crc, (uint32_t)image->width);
    for (size_t i = 0; i < len; i++) {
        uint32_t bits;
        memcpy(&bits, &image->values[i], sizeof bits);
        crc = crc_of_u32(crc, bits);
    }
    return crc;
}

uint32_t noisy_set_crc(const struct noisy_set *set)
{
    uint32_t crc = 0;
    for (size_t i = 0; i < set->len; i++) {
        crc = crc_of_u32(crc, crc_of_image(&set->images[i], set->channels));
    }
    return crc;
}
