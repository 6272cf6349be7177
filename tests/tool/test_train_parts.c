/*
 * Parts of `cae train` from inside: batches, the thread that prepares them, symmetries, noise
 * levels, schedules, noisy images alone.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "../unit/unit.h"
#undef fail /* an old name of Check's, and the command's way to say an error */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "message.h"
#include "noise.h"
#include "schedule.h"
#include "train_data.h"
#include "train_feed.h"

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

/* Steps in their order, then another than the one that was prepared. */
START_TEST(a_feed_gives_the_same_batches)
{
    char folder[] = "/tmp/cae-parts-XXXXXX";
    make_folder(folder);
    static const uint64_t steps[] = {0, 1, 2, 3, 4, 5, 6, 20, 4, 5};
    for (double sigma = 0; sigma <= 25; sigma += 25) {
        struct train_data data, plain;
        struct train_feed feed;
        load(&data, folder, sigma, 5);
        load(&plain, folder, sigma, 5);
        data.symmetries = plain.symmetries = true;
        train_feed_start(&feed, &data);
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
            size_t count = 0, plain_count = 0;
            ck_assert_int_eq(train_feed_next(&feed, steps[i], 21, &count), DONE);
            ck_assert_int_eq(train_data_fill(&plain, steps[i], &plain_count), DONE);
            ck_assert_uint_eq(count, plain_count);
            const size_t size = count * SIDE * SIDE * sizeof(float);
            ck_assert_mem_eq(data.input, plain.input, size);
            ck_assert_mem_eq(data.target, plain.target, size);
            ck_assert_mem_eq(data.sigma, plain.sigma, count * sizeof(float));
        }
        train_feed_stop(&feed);
        train_feed_stop(&feed);
        train_data_free(&data);
        train_data_free(&plain);
    }
    remove_folder(folder);
}
END_TEST

START_TEST(a_feed_passes_failures_on)
{
    char folder[] = "/tmp/cae-parts-XXXXXX";
    make_folder(folder);
    struct train_data data;
    struct train_feed feed;
    size_t count = 0;
    load(&data, folder, 25, 5);
    data.noise = (struct noise){NAN, 25};
    train_feed_start(&feed, &data);
    ck_assert_int_eq(train_feed_next(&feed, 0, 9, &count), FAILED);
    ck_assert_int_eq(train_feed_next(&feed, 1, 9, &count), FAILED);
    train_feed_stop(&feed);
    train_data_free(&data);
    remove_folder(folder);
}
END_TEST

/* Which of the 8 ways a crop is turned, by its corners; their values differ from one another. */
static unsigned way_of(const float *v, size_t height, size_t width)
{
    const float corners[4] = {v[0], v[width - 1], v[(height - 1) * width], v[height * width - 1]};
    unsigned way = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned smaller = 0;
        for (unsigned j = 0; j < 4; j++) {
            smaller += corners[j] < corners[i];
        }
        way = way * 4 + smaller;
    }
    return way;
}

/* A set of this image alone, which the data then own. */
static void start_with(struct train_data *data, struct image image, size_t height, size_t width)
{
    const size_t shape[3] = {image.channels, height, width};
    data->set = (struct image_set){
        .images = calloc(1, sizeof(image)), .names = calloc(1, sizeof(char *)), .len = 1};
    data->set.images[0] = image;
    data->set.names[0] = strdup("a");
    ck_assert_int_eq(train_data_start(data, shape), DONE);
}

static size_t count_ways(size_t height, size_t width, bool symmetries)
{
    struct image image;
    unsigned seen[8];
    size_t len = 0;
    ck_assert_int_eq(image_new(&image, 1, height, width, "a"), DONE);
    for (size_t i = 0; i < image_len(&image); i++) {
        image.pixels[i] = (uint8_t)i;
    }
    struct train_data data = {.batch = 1, .symmetries = symmetries, .seed = 3};
    start_with(&data, image, height, width);
    for (uint64_t step = 0; step < 100; step++) {
        size_t count = 0;
        ck_assert_int_eq(train_data_fill(&data, step, &count), DONE);
        double sum = 0;
        for (size_t i = 0; i < height * width; i++) {
            sum += (double)data.target[i] * 255;
        }
        /* Every pixel once. */
        ck_assert_double_eq_tol(sum, (double)(height * width * (height * width - 1)) / 2, 1e-2);
        const unsigned way = way_of(data.target, height, width);
        size_t i = 0;
        while (i < len && seen[i] != way) {
            i++;
        }
        if (i == len) {
            ck_assert_uint_lt(len, 8);
            seen[len++] = way;
        }
    }
    train_data_free(&data);
    return len;
}

START_TEST(symmetries_are_eight)
{
    ck_assert_uint_eq(count_ways(6, 6, true), 8);
    ck_assert_uint_eq(count_ways(6, 5, true), 4); /* no rows for columns where they differ */
    ck_assert_uint_eq(count_ways(6, 6, false), 1);
}
END_TEST

/* In how many of 200 epochs the cut of an image that is grey but for a corner has texture. */
static size_t count_textured(size_t places)
{
    enum { LARGE = 40, CUT = 8, CORNER = 16 };
    struct image image;
    ck_assert_int_eq(image_new(&image, 3, LARGE, LARGE, "a"), DONE);
    for (size_t i = 0; i < image_len(&image); i++) {
        const size_t y = i / (3 * LARGE), x = i / 3 % LARGE;
        image.pixels[i] = (uint8_t)(y < CORNER && x < CORNER ? i * 2654435761u >> 8 : 128);
    }
    struct train_data data = {.batch = 1, .places = places, .seed = 3};
    start_with(&data, image, CUT, CUT);
    size_t textured = 0;
    for (uint64_t step = 0; step < 200; step++) {
        size_t count = 0;
        bool differs = false;
        ck_assert_int_eq(train_data_fill(&data, step, &count), DONE);
        for (size_t i = 1; i < 3 * CUT * CUT; i++) {
            differs = differs || data.target[i] < data.target[0] || data.target[i] > data.target[0];
        }
        textured += differs;
    }
    train_data_free(&data);
    return textured;
}

/* A quarter of the places meet the corner: one of two does 7 times of 16, one of 50 nearly always.
 */
START_TEST(texture_is_preferred)
{
    const size_t one = count_textured(1), two = count_textured(2), many = count_textured(50);
    ck_assert_uint_eq(count_textured(0), one);
    ck_assert_uint_ge(one, 30);
    ck_assert_uint_le(one, 75);
    ck_assert_uint_ge(two, one + 15);
    ck_assert_uint_le(two, 130);
    ck_assert_uint_eq(many, 200);
}
END_TEST

START_TEST(levels_are_read_and_written)
{
    static const char *const good[] = {"0", "25", "255", ".5", "5-75", "0.01-255", "1e1-20", "2.5"};
    static const char *const bad[] = {"",        "x",    "-5",    "5-",    "5-5", "7-5", "0-5",
                                      "5-256",   "0x10", "1-2-3", "5 - 7", "inf", "nan", "+5",
                                      "0.009-1", "5,6",  "256",   "1e999", ".",   "5--7"};
    struct noise noise, again;
    char text[NOISE_TEXT];
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(noise_reading.read(&noise, good[i]), "%s", good[i]);
        ck_assert_msg(noise_reading.read(&again, noise_text(&noise, text)), "%s", text);
        ck_assert(again.low == noise.low && again.high == noise.high);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(!noise_reading.read(&noise, bad[i]), "%s", bad[i]);
    }
}
END_TEST

/* As many levels in each half of the logarithm, none outside; and the same for ever. */
START_TEST(levels_are_drawn_evenly)
{
    const struct noise noise = {5, 80}, one = {25, 25};
    size_t parts[4] = {0};
    for (uint64_t i = 0; i < 4000; i++) {
        const double level = noise_level(&noise, 1, i / 100, i % 100);
        ck_assert(level >= 5 && level < 80);
        parts[(level >= 10) + (level >= 20) + (level >= 40)]++;
        ck_assert(noise_level(&one, 1, 0, i) == 25);
    }
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_ge(parts[i], 900);
        ck_assert_uint_le(parts[i], 1100);
    }
    ck_assert(noise_level(&noise, 1, 2, 3) == 10.695321545276885); /* of a second program */
    ck_assert_double_eq(noise_level(&noise, 1, 2, 3), noise_level(&noise, 1, 2, 3));
    ck_assert_double_ne(noise_level(&noise, 1, 2, 3), noise_level(&noise, 2, 2, 3));
    double levels[NOISE_LEVELS];
    ck_assert_uint_eq(noise_levels(&one, levels), 1);
    ck_assert(levels[0] == 25);
    ck_assert_uint_eq(noise_levels(&noise, levels), 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_double_eq_tol(levels[i], 5 * sqrt(2) * (double)(1 << i), 1e-12);
    }
}
END_TEST

START_TEST(schedules)
{
    struct schedule s;
    char text[SCHEDULE_TEXT];
    s = (struct schedule){.warmup = 0};
    ck_assert_str_eq(schedule_text(&s, 100, text), "");
    for (uint64_t step = 0; step < 100; step++) {
        ck_assert(schedule_factor(&s, step, 100) == 1);
    }
    s = (struct schedule){.warmup = 0};
    ck_assert(schedule_reading.read(&s, "linear"));
    ck_assert_str_eq(schedule_text(&s, 100, text), "linear, warm-up 0, 100 steps");
    for (uint64_t step = 0; step < 100; step++) {
        ck_assert(schedule_factor(&s, step, 100) == (double)(100 - step) / 100);
    }
    s = (struct schedule){.warmup = 0.1};
    ck_assert(schedule_reading.read(&s, "cosine"));
    ck_assert_str_eq(schedule_text(&s, 100, text), "cosine, warm-up 0.1, 100 steps");
    for (uint64_t step = 0; step < 10; step++) {
        ck_assert(schedule_factor(&s, step, 100) == (double)(step + 1) / 10);
    }
    for (uint64_t step = 10; step < 100; step++) {
        const double wanted = (1 + cos(acos(-1) * (double)(step - 10) / 90)) / 2;
        ck_assert_double_eq_tol(schedule_factor(&s, step, 100), wanted, 1e-14);
    }
    ck_assert(schedule_factor(&s, 10, 100) == 1);
    s = (struct schedule){.warmup = 1};
    ck_assert(schedule_reading.read(&s, "constant")); /* it rises to the end */
    ck_assert(schedule_factor(&s, 0, 4) == 0.25 && schedule_factor(&s, 3, 4) == 1);
    s = (struct schedule){.warmup = 0.123456789012345678};
    ck_assert(schedule_reading.read(&s, "constant"));
    ck_assert_str_eq(schedule_text(&s, 1000000000000000000, text),
                     "constant, warm-up 0.12345678901234568, 1000000000000000000 steps");
}
END_TEST

/* One step is a training too, and the last of very many still moves the weights. */
START_TEST(schedules_at_their_ends)
{
    static const char *const names[] = {"constant", "linear", "cosine"};
    struct schedule s;
    for (size_t i = 0; i < 3; i++) {
        for (double warmup = 0; warmup <= 1; warmup += 0.5) {
            s = (struct schedule){.warmup = warmup};
            ck_assert(schedule_reading.read(&s, names[i]));
            ck_assert(schedule_factor(&s, 0, 1) == 1);
            const double last = schedule_factor(&s, 999999999999, 1000000000000);
            ck_assert(last > 0 && last <= 1);
        }
    }
    ck_assert(!schedule_reading.read(&s, "Linear"));
    ck_assert(!schedule_reading.read(&s, ""));
}
END_TEST

/* ---- Noisy images alone ---------------------------------------------------------------------- */

/* Where the pixels of a cell are in its plane, which has cells for `across` pixels of input. */
static size_t in_plane(size_t cell, size_t pixel, size_t across)
{
    return (2 * (cell / across) + pixel / 2) * 2 * across + 2 * (cell % across) + pixel % 2;
}

/* Which pixel of a cell has a value; no two have the same. */
static size_t pixel_with(float value, const float *plane, size_t cell, size_t across)
{
    size_t pixel = 0;
    while (pixel < 4 && plane[in_plane(cell, pixel, across)] != value) {
        pixel++;
    }
    ck_assert_uint_lt(pixel, 4);
    return pixel;
}

/* Pixel (y, x) of a plane is y + x / 64, so that a value says where it was. */
static void check_cells(const struct train_data *data, unsigned seen[4][4])
{
    for (size_t i = 0; i < data->height * data->width; i++) {
        const float *whole = data->self_batch.whole;
        const size_t first = pixel_with(data->input[i], whole, i, data->width);
        const size_t second = pixel_with(data->target[i], whole, i, data->width);
        ck_assert((first ^ second) == 1 || (first ^ second) == 2);
        seen[first][second]++;
    }
}

START_TEST(neighbours_of_each_cell_are_drawn_evenly)
{
    enum { IMAGE = 32, STEPS = 50 };
    static const size_t shape[3] = {1, 8, 8};
    float values[IMAGE * IMAGE];
    size_t cuts[1] = {0};
    char name[] = "a";
    for (size_t i = 0; i < IMAGE * IMAGE; i++) {
        values[i] = (float)(i / IMAGE) + (float)(i % IMAGE) / 64;
    }
    struct noisy_image image = {name, values, IMAGE, IMAGE, 0.1f, 0, 0, 1};
    struct train_self self = {{&image, 1, 1, name, false}, 16, 16, cuts, 1};
    struct train_data data = {.batch = 1, .noise = {1, 1}, .seed = 3, .symmetries = true};
    unsigned seen[4][4] = {{0}};
    data.self = &self;
    ck_assert_int_eq(train_data_start(&data, shape), DONE);
    for (uint64_t step = 0; step < STEPS; step++) {
        size_t count = 0;
        ck_assert_int_eq(train_data_fill(&data, step, &count), DONE);
        ck_assert_uint_eq(count, 1);
        check_cells(&data, seen);
    }
    for (size_t i = 0; i < 16; i++) {
        const unsigned times = seen[i / 4][i % 4], mean = STEPS * 64 / 8;
        const bool neighbours = ((i / 4) ^ (i % 4)) == 1 || ((i / 4) ^ (i % 4)) == 2;
        ck_assert(neighbours ? times > mean / 2 && times < 2 * mean : times == 0);
    }
    train_data_free(&data);
}
END_TEST

/* Values that say which image, channel and pixel they are of: their number among all. */
enum { FRAMES = 7, PLANES = 2, DOWN = 12, ALONG = 15, FRAME_LEN = PLANES * DOWN * ALONG, CUT = 6 };

static const char *network = "input 2 6 6 noise\nmark noisy\nconv 4 kernel 3 pad 1 relu\n"
                             "conv 2 kernel 3 pad 1\nadd noisy\n";
static const char *untold_network = "input 2 6 6\nconv 4 kernel 3 pad 1 relu\ncode\n"
                                    "conv 2 kernel 3 pad 1\n";

struct frames {
    float values[FRAMES * FRAME_LEN];
    struct noisy_image images[FRAMES];
    size_t cuts[FRAMES];
    struct train_self self;
    struct train_data data;
};

/* Bursts of two and five frames, or each image for itself; a cut of every one, in their order. */
static void start_frames(struct frames *f, bool bursts)
{
    static const size_t shape[3] = {PLANES, CUT, CUT};
    static char name[] = "a";
    static const float sigmas[FRAMES] = {0.05f, 0.2f, 0.02f, 0.3f, 0.3f, 0.125f, 0.07f};
    const size_t side = bursts ? CUT : 2 * CUT;
    for (size_t i = 0; i < FRAMES * FRAME_LEN; i++) {
        f->values[i] = (float)i;
    }
    for (size_t i = 0; i < FRAMES; i++) {
        const size_t first = !bursts ? i : i < 2 ? 0 : 2, frames = !bursts ? 1 : i < 2 ? 2 : 5;
        f->images[i] = (struct noisy_image){
            name, f->values + i * FRAME_LEN, DOWN, ALONG, sigmas[i], 0, first, frames};
        f->cuts[i] = i;
    }
    f->self =
        (struct train_self){{f->images, FRAMES, PLANES, name, bursts}, side, side, f->cuts, FRAMES};
    f->data = (struct train_data){
        .batch = FRAMES, .noise = {1, 1}, .seed = 4, .symmetries = true, .self = &f->self};
    ck_assert_int_eq(train_data_start(&f->data, shape), DONE);
}

START_TEST(a_frame_learns_another_of_its_burst)
{
    static struct frames f;
    start_frames(&f, true);
    unsigned seen[FRAMES][FRAMES] = {{0}}, ways = 0;
    for (uint64_t epoch = 0; epoch < 60; epoch++) {
        for (size_t n = 0; n < FRAMES; n++) {
            train_self_view(&f.data, epoch, n, FRAMES - 1 - n);
            const float *input = f.data.input + (FRAMES - 1 - n) * PLANES * CUT * CUT;
            const float *target = f.data.target + (FRAMES - 1 - n) * PLANES * CUT * CUT;
            const size_t other = (size_t)target[0] / FRAME_LEN;
            ck_assert_uint_lt(other, FRAMES);
            seen[n][other]++;
            ck_assert(f.data.sigma[FRAMES - 1 - n] == f.images[n].sigma);
            const long along = lrintf(input[1] - input[0]), down = lrintf(input[CUT] - input[0]);
            ck_assert(labs(along) == 1 ? labs(down) == ALONG
                                       : labs(along) == ALONG && labs(down) == 1);
            ways |= 1u << ((labs(along) == 1) + 2 * (along < 0) + 4 * (down < 0));
            for (size_t i = 0; i < (size_t)PLANES * CUT * CUT; i++) {
                const size_t c = i / (CUT * CUT), y = i / CUT % CUT, x = i % CUT;
                const long value =
                    lrintf(input[0]) + (long)c * DOWN * ALONG + (long)y * down + (long)x * along;
                ck_assert_int_eq(lrintf(input[i]), value);
                ck_assert_uint_eq((size_t)value / FRAME_LEN, n);
                ck_assert_int_eq(lrintf(target[i]), value + ((long)other - (long)n) * FRAME_LEN);
            }
        }
    }
    for (size_t i = 0; i < (size_t)FRAMES * FRAMES; i++) {
        const size_t a = i / FRAMES, b = i % FRAMES;
        if (a == b || (a < 2) != (b < 2)) {
            ck_assert_uint_eq(seen[a][b], 0);
        } else { /* all the others as often */
            ck_assert_uint_ge(seen[a][b], a < 2 ? 60 : 5);
        }
    }
    ck_assert_uint_eq(ways, 255);
    train_data_free(&f.data);
}
END_TEST

/* Checks target = g2 + part (g1(f(y)) - g2(f(y))) for one image of a batch, where *before has g2
 * and f(y) is made by itself here. */
static void check_target(const struct train_data *data, const float *before, const cae_model *model,
                         size_t place, double part)
{
    enum { CELLS = CUT * CUT };
    float clean[PLANES * 4 * CELLS];
    double change = 0;
    const float *whole = data->self_batch.whole + place * PLANES * 4 * CELLS;
    ck_assert_int_eq(
        cae_denoise(model, whole, 1, (size_t)2 * CUT, (size_t)2 * CUT, data->sigma[place], clean),
        CAE_OK);
    for (size_t i = 0; i < (size_t)PLANES * CELLS; i++) {
        const size_t at = place * PLANES * CELLS + i, cell = i % CELLS;
        const float *plane = whole + i / CELLS * 4 * CELLS, *its = clean + i / CELLS * 4 * CELLS;
        const size_t first = pixel_with(data->input[at], plane, cell, CUT);
        const size_t second = pixel_with(before[at], plane, cell, CUT);
        const double d =
            (double)its[in_plane(cell, first, CUT)] - (double)its[in_plane(cell, second, CUT)];
        ck_assert_double_eq_tol((double)data->target[at], (double)before[at] + part * d, 1e-6);
        change = fmax(change, fabs(d));
    }
    ck_assert_double_ge(change, 0.01); /* there is something to see */
}

START_TEST(the_second_term)
{
    static const double cases[][2] = {{1, 2.0 / 3}, {0.5, 0.5}, {0.25, 1.0 / 3}, {0, 0}};
    static struct frames f;
    static float before[FRAMES * PLANES * CUT * CUT];
    const char *const texts[] = {network, untold_network};
    start_frames(&f, false);
    for (size_t i = 0; i < FRAMES * FRAME_LEN; i++) { /* different in a cell, and on [0,1] */
        f.values[i] = (float)(i * 2654435761u % 65536) / 65536;
    }
    for (size_t t = 0; t < 2; t++) {
        cae_model *model;
        ck_assert_int_eq(cae_model_new(&model, texts[t], 5), CAE_OK);
        for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
            for (size_t n = 0; n < FRAMES; n++) {
                train_self_view(&f.data, k, n, n);
                ck_assert(f.data.sigma[n] == f.images[n].sigma);
            }
            memcpy(before, f.data.target, sizeof(before));
            ck_assert_int_eq(train_self_finish(&f.data, model, cases[k][0], FRAMES), CAE_OK);
            for (size_t n = 0; n < FRAMES; n++) {
                check_target(&f.data, before, model, n, cases[k][1]);
            }
            if (k == 3) {
                ck_assert_mem_eq(f.data.target, before, sizeof(before));
            }
        }
        cae_model_free(model);
    }
    train_data_free(&f.data);
}
END_TEST

/* Places and symmetries, neighbours, and the other frames: by the seed and by the epoch. */
START_TEST(a_seed_draws_others)
{
    static struct frames f;
    enum { LEN = FRAMES * PLANES * CUT * CUT };
    static float cuts[4 * LEN], targets[LEN];
    static uint8_t choices[FRAMES * CUT * CUT];
    for (int bursts = 0; bursts < 2; bursts++) {
        start_frames(&f, bursts);
        for (uint64_t variant = 0; variant < 4; variant++) { /* the last is the first again */
            const bool first = variant % 3 == 0;
            const float *made = bursts ? f.data.input : f.data.self_batch.whole;
            const size_t size = bursts ? sizeof(targets) : sizeof(cuts);
            f.data.seed = variant == 1 ? 5 : 4;
            for (size_t n = 0; n < FRAMES; n++) {
                train_self_view(&f.data, variant == 2 ? 1 : 0, n, n);
            }
            if (variant == 0) {
                memcpy(cuts, made, size);
                memcpy(targets, f.data.target, sizeof(targets));
                if (!bursts) {
                    memcpy(choices, f.data.self_batch.choice, sizeof(choices));
                }
            }
            ck_assert((memcmp(cuts, made, size) == 0) == first);
            ck_assert((memcmp(targets, f.data.target, sizeof(targets)) == 0) == first);
            if (!bursts) {
                ck_assert((memcmp(choices, f.data.self_batch.choice, sizeof(choices)) == 0) ==
                          first);
            }
        }
        train_data_free(&f.data);
    }
}
END_TEST

/* With two seeds, frames learn others than before; not all, some are the same by chance. */
START_TEST(a_seed_draws_other_frames)
{
    static struct frames f;
    unsigned differ = 0;
    start_frames(&f, true);
    for (uint64_t epoch = 0; epoch < 60; epoch++) {
        size_t others[2];
        for (unsigned i = 0; i < 2; i++) {
            f.data.seed = 4 + i;
            train_self_view(&f.data, epoch, FRAMES - 1, 0);
            others[i] = (size_t)f.data.target[0] / FRAME_LEN;
        }
        differ += others[0] != others[1];
    }
    ck_assert_uint_ge(differ, 30); /* three quarters are to be expected */
    ck_assert_uint_lt(differ, 60);
    train_data_free(&f.data);
}
END_TEST

START_TEST(bursts_have_no_second_term)
{
    static struct frames f;
    static float before[FRAMES * PLANES * CUT * CUT];
    cae_model *model;
    start_frames(&f, true);
    ck_assert_int_eq(cae_model_new(&model, network, 5), CAE_OK);
    size_t count = 0;
    ck_assert_int_eq(train_data_fill(&f.data, 0, &count), DONE);
    ck_assert_uint_eq(count, FRAMES);
    memcpy(before, f.data.target, sizeof(before));
    ck_assert_int_eq(train_self_finish(&f.data, model, 1, count), CAE_OK);
    ck_assert_mem_eq(f.data.target, before, sizeof(before));
    cae_model_free(model);
    train_data_free(&f.data);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_epoch_sees_every_image_once,
        a_batch_is_a_function_of_its_step,
        a_feed_gives_the_same_batches,
        a_feed_passes_failures_on,
        symmetries_are_eight,
        texture_is_preferred,
        levels_are_read_and_written,
        levels_are_drawn_evenly,
        schedules,
        schedules_at_their_ends,
        neighbours_of_each_cell_are_drawn_evenly,
        a_frame_learns_another_of_its_burst,
        the_second_term,
        a_seed_draws_others,
        a_seed_draws_other_frames,
        bursts_have_no_second_term,
        NULL,
    };
    return unit_run("training parts", tests);
}
