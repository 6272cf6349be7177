/*
 * Parts of the command `cae` from inside: measures against plain formulas, the way between pixels
 * and floats, splits by person, the batches of training.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "../unit/unit.h"
#undef fail /* an old name of Check's, and the command's way to say an error */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exif.h"
#include "images.h"
#include "measure.h"
#include "message.h"
#include "people.h"
#include "pnmio.h"
#include "random.h"
#include "train_data.h"

/* Two images of one size with textures that differ. */
static void make_pair(struct image *a, struct image *b, size_t channels, size_t height,
                      size_t width)
{
    ck_assert_int_eq(image_new(a, channels, height, width, "a"), DONE);
    ck_assert_int_eq(image_new(b, channels, height, width, "b"), DONE);
    for (size_t i = 0; i < image_len(a); i++) {
        a->pixels[i] = (uint8_t)(random_bits(1, RANDOM_FACE, i, 0) % 200);
        b->pixels[i] = (uint8_t)(a->pixels[i] + random_bits(1, RANDOM_FACE, i, 1) % 50);
    }
}

static void free_pair(struct image *a, struct image *b)
{
    image_free(a);
    image_free(b);
}

/* ---- Measures -------------------------------------------------------------------------------- */

/* SSIM of one window as the paper writes it: two passes, the mean first. */
static double window_ssim(const struct image *a, const struct image *b, size_t channel, size_t top,
                          size_t left, size_t rows, size_t columns)
{
    double weight[11][11], sum = 0, mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;
    for (size_t y = 0; y < rows; y++) {
        for (size_t x = 0; x < columns; x++) {
            const double dy = (double)y - (double)(rows - 1) / 2;
            const double dx = (double)x - (double)(columns - 1) / 2;
            weight[y][x] = exp(-(dx * dx + dy * dy) / (2 * 1.5 * 1.5));
            sum += weight[y][x];
        }
    }
    for (int pass = 0; pass < 2; pass++) {
        for (size_t y = 0; y < rows; y++) {
            for (size_t x = 0; x < columns; x++) {
                const size_t at = ((top + y) * a->width + left + x) * a->channels + channel;
                const double w = weight[y][x] / sum, p = a->pixels[at], q = b->pixels[at];
                mean_a += pass == 0 ? w * p : 0;
                mean_b += pass == 0 ? w * q : 0;
                aa += pass == 1 ? w * (p - mean_a) * (p - mean_a) : 0;
                bb += pass == 1 ? w * (q - mean_b) * (q - mean_b) : 0;
                ab += pass == 1 ? w * (p - mean_a) * (q - mean_b) : 0;
            }
        }
    }
    const double c1 = 6.5025, c2 = 58.5225;
    return (2 * mean_a * mean_b + c1) * (2 * ab + c2) /
           ((mean_a * mean_a + mean_b * mean_b + c1) * (aa + bb + c2));
}

static double plain_ssim(const struct image *a, const struct image *b)
{
    const size_t rows = a->height < 11 ? a->height : 11, columns = a->width < 11 ? a->width : 11;
    double sum = 0, count = 0;
    for (size_t c = 0; c < a->channels; c++) {
        for (size_t y = 0; y + rows <= a->height; y++) {
            for (size_t x = 0; x + columns <= a->width; x++) {
                sum += window_ssim(a, b, c, y, x, rows, columns);
                count++;
            }
        }
    }
    return sum / count;
}

START_TEST(ssim_is_that_of_the_paper)
{
    static const size_t sizes[][3] = {{1, 11, 11}, {1, 64, 64}, {3, 20, 33}, {1, 12, 100},
                                      {1, 1, 1},   {1, 5, 7},   {3, 10, 40}, {1, 30, 2}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct image a, b;
        make_pair(&a, &b, sizes[i][0], sizes[i][1], sizes[i][2]);
        ck_assert_double_eq_tol(measure_ssim(&a, &b), plain_ssim(&a, &b), 1e-10);
        ck_assert_double_eq_tol(measure_ssim(&a, &a), 1, 1e-12);
        free_pair(&a, &b);
    }
}
END_TEST

START_TEST(psnr_is_that_of_the_formula)
{
    struct image a, b;
    make_pair(&a, &b, 1, 8, 8);
    memset(a.pixels, 100, 64);
    memset(b.pixels, 100, 64);
    ck_assert(isinf(measure_psnr(&a, &b)));
    b.pixels[5] = 108; /* MSE 64 / 64 = 1 */
    ck_assert_double_eq_tol(measure_psnr(&a, &b), 48.130803608679, 1e-9);
    memset(a.pixels, 0, 64);
    memset(b.pixels, 255, 64);
    ck_assert_double_eq_tol(measure_psnr(&a, &b), 0, 1e-12);
    free_pair(&a, &b);
}
END_TEST

/* ---- Images ---------------------------------------------------------------------------------- */

START_TEST(pixels_survive_the_way_through_floats)
{
    struct image image, back;
    make_pair(&image, &back, 3, 16, 16);
    for (size_t i = 0; i < 768; i++) {
        image.pixels[i] = (uint8_t)i;
    }
    float values[768];
    image_to_floats(&image, values);
    /* Planar: the first plane has every third pixel value. */
    ck_assert_float_eq(values[1], 3.0f / 255.0f);
    ck_assert_float_eq(values[256], 1.0f / 255.0f);
    image_from_floats(&back, values);
    ck_assert_mem_eq(image.pixels, back.pixels, 768);
    free_pair(&image, &back);
}
END_TEST

START_TEST(floats_are_rounded_and_clipped)
{
    static const float values[] = {-1e30f, -0.001f, 0.0019f, 0.002f, 0.5f, 0.9999f, 1.5f, 1e30f};
    static const uint8_t wanted[] = {0, 0, 0, 1, 128, 255, 255, 255};
    struct image image;
    ck_assert_int_eq(image_new(&image, 1, 1, 8, "a"), DONE);
    image_from_floats(&image, values);
    ck_assert_mem_eq(image.pixels, wanted, 8);
    image_free(&image);
}
END_TEST

START_TEST(grey_is_that_of_the_formula)
{
    struct image image;
    ck_assert_int_eq(image_new(&image, 3, 1, 4, "a"), DONE);
    memcpy(image.pixels, (const uint8_t[]){255, 255, 255, 0, 0, 0, 10, 20, 30, 255, 0, 0}, 12);
    ck_assert_int_eq(image_set_channels(&image, 1, "a"), DONE);
    ck_assert_mem_eq(image.pixels, ((const uint8_t[]){255, 0, 18, 77}), 4);
    ck_assert_uint_eq(image.changes, IMAGE_TURNED_GREY);
    ck_assert_int_eq(image_set_channels(&image, 3, "a"), DONE);
    ck_assert_mem_eq(image.pixels + 6, ((const uint8_t[]){18, 18, 18, 77, 77, 77}), 6);
    image_free(&image);
}
END_TEST

/* ---- People ---------------------------------------------------------------------------------- */

START_TEST(a_name_tells_the_person)
{
    static const char *const names[][2] = {
        {"Ann_Lee/Ann_Lee_0001.jpg", "Ann_Lee"},
        {"Ann_Lee/x.png", "Ann_Lee"},
        {"Ann_Lee_0001.png", "Ann_Lee"},
        {"Ann_Lee_1.tar.png", "Ann_Lee_1.tar"},
        {"Ann_Lee.png", "Ann_Lee"},
        {"face-000001.png", "face-000001"},
        {"0001.png", "0001"},
        {"_0001.png", "_0001"},
        {"A__7.pgm", "A_"},
        {"Ann_0001_0002.png", "Ann_0001"},
        {"Ann_0001", "Ann"},
        {"Ann_", "Ann_"},
        {"a.b/c_1.png", "a.b"},
        {"_1/x_2.png", "_1"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ck_assert_uint_eq(people_person_len(names[i][0]), strlen(names[i][1]));
        ck_assert_mem_eq(names[i][0], names[i][1], strlen(names[i][1]));
    }
}
END_TEST

enum { FACES = 400 };

/* Names of many people, 1 to 13 images each, in a shuffled order; some names begin like others. */
static void make_names(char (*names)[24], char **pointers, uint64_t order)
{
    static const char *const suffixes[] = {"", "_1", "_b"};
    size_t len = 0;
    for (unsigned person = 0; len < FACES; person++) {
        for (unsigned i = 0; i <= person * person % 13 && len < FACES; i++) {
            snprintf(names[len++], 24, "P_%u%s_%04u.png", person / 3, suffixes[person % 3], i);
        }
    }
    for (size_t i = 0; i < FACES; i++) {
        pointers[i] = names[i];
    }
    for (size_t i = FACES - 1; order > 0 && i > 0; i--) {
        const size_t j = (size_t)(random_bits(order, RANDOM_ORDER, 0, i) % (i + 1));
        char *const other = pointers[j];
        pointers[j] = pointers[i];
        pointers[i] = other;
    }
}

static bool same_person(const char *a, const char *b)
{
    const size_t len = people_person_len(a);
    return len == people_person_len(b) && memcmp(a, b, len) == 0;
}

START_TEST(nobody_is_in_both_parts)
{
    static const double fractions[] = {0.001, 0.1, 0.25, 0.5, 0.75, 0.9};
    char names[FACES][24], *pointers[FACES];
    for (uint64_t seed = 0; seed < 30; seed++) {
        const double fraction = fractions[seed % 6];
        struct people_split split;
        make_names(names, pointers, seed);
        ck_assert_int_eq(people_split(&split, pointers, FACES, fraction, seed, "d"), DONE);
        size_t apart = 0, in_both = 0;
        for (size_t i = 0; i < FACES; i++) {
            apart += split.apart[i];
            for (size_t j = 0; j < i; j++) {
                in_both +=
                    split.apart[i] != split.apart[j] && same_person(pointers[i], pointers[j]);
            }
        }
        ck_assert_uint_eq(in_both, 0);
        ck_assert_uint_eq(split.images_apart, apart);
        ck_assert(apart > 0 && apart < FACES);
        ck_assert_double_eq_tol((double)apart, fraction * FACES, 13); /* within one person */
        people_split_free(&split);
    }
}
END_TEST

START_TEST(a_split_belongs_to_the_seed)
{
    char names[FACES][24], *pointers[FACES];
    char other_names[FACES][24], *other_pointers[FACES];
    struct people_split first, second;
    make_names(names, pointers, 0);
    make_names(other_names, other_pointers, 7);
    ck_assert_int_eq(people_split(&first, pointers, FACES, 0.3, 5, "d"), DONE);
    ck_assert_int_eq(people_split(&second, other_pointers, FACES, 0.3, 5, "d"), DONE);
    for (size_t i = 0; i < FACES; i++) { /* whatever the order of the names */
        const size_t place = (size_t)(other_pointers[i] - other_names[0]) / sizeof(names[0]);
        ck_assert(second.apart[i] == first.apart[place]);
    }
    people_split_free(&second);
    ck_assert_int_eq(people_split(&second, pointers, FACES, 0.3, 6, "d"), DONE);
    ck_assert_mem_ne(first.apart, second.apart, FACES * sizeof(bool));
    people_split_free(&second);
    people_split_free(&first);
}
END_TEST

START_TEST(a_split_sets_at_least_one_person_aside_and_not_all)
{
    char a1[] = "A/1", a2[] = "A/2", a3[] = "A/3", b1[] = "B/1", b2[] = "B/2";
    char *names[] = {a1, a2, a3, b1, b2};
    struct people_split split;
    for (uint64_t seed = 0; seed < 8; seed++) {
        ck_assert_int_eq(people_split(&split, names, 5, 0.001, seed, "d"), DONE);
        ck_assert_uint_eq(split.people_apart, 1);
        ck_assert(!split.apart[0] && split.apart[3] && split.apart[4]); /* B has fewer */
        people_split_free(&split);
        ck_assert_int_eq(people_split(&split, names, 5, 0.999, seed, "d"), DONE);
        ck_assert_uint_eq(split.people_apart, 1);
        people_split_free(&split);
    }
    ck_assert_int_eq(people_split(&split, names, 3, 0.5, 1, "d"), FAILED);
    ck_assert_ptr_null(split.apart);
}
END_TEST

/* ---- Batches --------------------------------------------------------------------------------- */

enum { IMAGES = 7, BATCH = 3, SIDE = 4 };

/* A folder of images whose first pixels say which one they are: image n holds 30 n + x. */
static void make_folder(char *folder)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (int n = 0; n < IMAGES; n++) {
        char path[64];
        struct image image;
        ck_assert_int_eq(image_new(&image, 1, SIDE, SIDE + 5, "a"), DONE);
        for (size_t i = 0; i < image_len(&image); i++) {
            image.pixels[i] = (uint8_t)(30 * n + (int)(i % image.width));
        }
        snprintf(path, sizeof(path), "%s/%d.pgm", folder, n);
        ck_assert_int_eq(image_save(&image, path), DONE);
        image_free(&image);
    }
}

static void remove_folder(const char *folder)
{
    for (int n = 0; n < IMAGES; n++) {
        char path[64];
        snprintf(path, sizeof(path), "%s/%d.pgm", folder, n);
        unlink(path);
    }
    rmdir(folder);
}

static void load(struct train_data *data, const char *folder, double sigma, uint64_t seed)
{
    static const size_t shape[3] = {1, SIDE, SIDE};
    static const struct preparation none;
    *data = (struct train_data){.batch = BATCH, .noise = {sigma, sigma}, .seed = seed};
    ck_assert_int_eq(image_set_load(&data->set, folder, 0, 1, &none), DONE);
    ck_assert_int_eq(train_data_start(data, shape), DONE);
    ck_assert_uint_eq(train_data_steps(data), 3);
}

START_TEST(an_epoch_sees_every_image_once)
{
    char folder[] = "/tmp/cae-parts-XXXXXX";
    make_folder(folder);
    struct train_data data;
    load(&data, folder, 0, 5);
    unsigned orders[20] = {0}, places = 0;
    for (uint64_t step = 0; step < 60; step++) {
        size_t count = 0;
        ck_assert_int_eq(train_data_fill(&data, step, &count), DONE);
        ck_assert_uint_eq(count, step % 3 == 2 ? 1 : 3);
        ck_assert_ptr_eq(data.input, data.target);
        for (size_t i = 0; i < count; i++) {
            const float *crop = data.target + i * SIDE * SIDE;
            const int pixel = (int)lrintf(255 * crop[0]);
            ck_assert_int_le(pixel % 30, 5); /* the crop begins at column 0 to 5 */
            ck_assert_int_eq((int)lrintf(255 * crop[SIDE * SIDE - 1]), pixel + SIDE - 1);
            orders[step / 3] = orders[step / 3] * 8 + (unsigned)(pixel / 30);
            places |= 1u << (pixel % 30);
        }
    }
    ck_assert_uint_eq(places, 63); /* every place was taken at some time */
    for (int epoch = 0; epoch < 20; epoch++) {
        unsigned seen = 0;
        for (unsigned rest = orders[epoch], i = 0; i < IMAGES; rest /= 8, i++) {
            seen |= 1u << (rest % 8);
        }
        ck_assert_uint_eq(seen, 127);
    }
    ck_assert_uint_ne(orders[0], orders[1]);
    train_data_free(&data);
    remove_folder(folder);
}
END_TEST

START_TEST(a_batch_is_a_function_of_its_step)
{
    char folder[] = "/tmp/cae-parts-XXXXXX";
    make_folder(folder);
    struct train_data first, second;
    size_t count = 0, other_count = 0;
    load(&first, folder, 25, 5);
    load(&second, folder, 25, 5);
    for (uint64_t step = 0; step <= 7; step++) {
        ck_assert_int_eq(train_data_fill(&first, step, &count), DONE);
    }
    ck_assert_int_eq(train_data_fill(&second, 7, &other_count), DONE);
    ck_assert_uint_eq(count, other_count);
    const size_t size = count * SIDE * SIDE * sizeof(float);
    ck_assert_mem_eq(first.input, second.input, size);
    ck_assert_mem_eq(first.target, second.target, size);
    ck_assert_mem_ne(first.input, first.target, size); /* noise is there ... */
    ck_assert_int_eq(train_data_fill(&second, 10, &other_count), DONE);
    ck_assert_mem_ne(first.input, second.input, size); /* ... and fresh in each epoch */
    train_data_free(&second);
    load(&second, folder, 25, 6);
    ck_assert_int_eq(train_data_fill(&second, 7, &other_count), DONE);
    ck_assert_mem_ne(first.input, second.input, size);
    train_data_free(&first);
    train_data_free(&second);
    remove_folder(folder);
}
END_TEST

START_TEST(random_numbers_never_change)
{
    ck_assert_uint_eq(random_bits(1, RANDOM_ORDER, 0, 0), UINT64_C(0xc965d6348c188782));
    ck_assert_uint_eq(random_from_name("face.png"), UINT64_C(0x8a119c94d6ecc309));
    double sum = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        const double unit = random_unit(3, RANDOM_CROP, i, 1);
        ck_assert(unit >= 0 && unit < 1);
        sum += unit;
    }
    ck_assert_double_eq_tol(sum / 10000, 0.5, 0.01); /* 3.5 standard deviations */
}
END_TEST

/* ---- Untrusted files ------------------------------------------------------------------------- */

/* A copy of the bytes that ends where its memory ends, for the tools that watch over reads; some of
 * them are others, and some may be missing. */
static uint8_t *damaged_copy(const uint8_t *data, size_t *size, uint64_t number)
{
    static const uint8_t others[] = {0, 1, 255, 8, 0x12};
    uint64_t draw = 0;
    if (random_bits(7, RANDOM_FACE, number, draw++) % 2 == 0) {
        *size = (size_t)(random_bits(7, RANDOM_FACE, number, draw++) % (*size + 1));
    }
    uint8_t *copy = malloc(*size > 0 ? *size : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, data, *size);
    for (size_t edits = number % 4; edits > 0 && *size > 0; edits--) {
        const size_t at = (size_t)(random_bits(7, RANDOM_FACE, number, draw++) % *size);
        copy[at] = others[random_bits(7, RANDOM_FACE, number, draw++) % sizeof others];
    }
    return copy;
}

START_TEST(damaged_exif_data_are_read_within_their_bounds)
{
    static const uint8_t jpeg[] = {
        0xff, 0xd8, 0xff, 0xe1, 0, 42, 'E', 'x', 'i', 'f', 0, 0, 'M',  'M',  0,    '*',  0,    0, 0,
        8,    0,    2,    1,    0, 0,  4,   0,   0,   0,   1, 0, 0,    0,    9,    0x01, 0x12, 0, 3,
        0,    0,    0,    1,    0, 6,  0,   0,   0,   0,   0, 0, 0xff, 0xda, 0xff, 0xe1, 0xff,
    };
    const size_t exif = 6, exif_size = 40;
    ck_assert_uint_eq(exif_orientation_of_jpeg(jpeg, sizeof jpeg), 6);
    ck_assert_uint_eq(exif_orientation(jpeg + exif, exif_size), 6);
    ck_assert_uint_eq(exif_orientation(jpeg + exif + 6, exif_size - 6), 6);
    for (uint64_t number = 0; number < 20000; number++) {
        size_t size = sizeof jpeg;
        uint8_t *copy = damaged_copy(jpeg, &size, number);
        const unsigned of_jpeg = size < 3 ? 1 : exif_orientation_of_jpeg(copy, size);
        free(copy);
        size = exif_size;
        copy = damaged_copy(jpeg + exif, &size, number);
        const unsigned alone = exif_orientation(copy, size);
        free(copy);
        ck_assert(of_jpeg >= 1 && of_jpeg <= 8 && alone >= 1 && alone <= 8);
    }
}
END_TEST

START_TEST(damaged_pgms_are_read_within_their_bounds)
{
    static const char *const files[] = {"P5#c\n3#\r2 255#c\rabcdef", "P2 3 2#\n9 1 2 3#\r4 5 6",
                                        "P6 1 1 65535\nabcdef"};
    size_t read = 0;
    message_be_quiet();
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr)); /* thousands of messages */
    for (uint64_t number = 0; number < 20000; number++) {
        const char *file = files[number % 3];
        size_t size = strlen(file);
        uint8_t *copy = damaged_copy((const uint8_t *)file, &size, number);
        struct image image = {0};
        if (pnmio_recognise(copy, size) &&
            pnmio_read(&image, copy, size, "file", size % 2 == 0) == DONE) {
            read++;
        }
        image_free(&image);
        free(copy);
    }
    ck_assert_uint_gt(read, 1000);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        ssim_is_that_of_the_paper,
        psnr_is_that_of_the_formula,
        pixels_survive_the_way_through_floats,
        floats_are_rounded_and_clipped,
        grey_is_that_of_the_formula,
        a_name_tells_the_person,
        nobody_is_in_both_parts,
        a_split_belongs_to_the_seed,
        a_split_sets_at_least_one_person_aside_and_not_all,
        an_epoch_sees_every_image_once,
        a_batch_is_a_function_of_its_step,
        random_numbers_never_change,
        damaged_exif_data_are_read_within_their_bounds,
        damaged_pgms_are_read_within_their_bounds,
        NULL,
    };
    return unit_run("tool parts", tests);
}
