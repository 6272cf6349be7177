/*
 * `cae sample` and `interpolate`: images made from codes, side by side in one picture.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "commands.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "images.h"
#include "message.h"
#include "model.h"
#include "options.h"
#include "output.h"

enum { MAX_TILES = 65536, BATCH = 32 /* tiles decoded at once */ };

/* ---- From codes to a picture ----------------------------------------------------------------- */

/* Codes of `count` images of one size, to be drawn in rows of `columns`. */
struct sheet {
    const cae_model *model;
    size_t channels, height, width; /* of a tile */
    size_t code_len;
    size_t count, columns;
    float *codes;
};

/* Makes room for the codes, all 0; `what` is put in front of an error message. */
static int make_codes(struct sheet *s, const char *what)
{
    size_t shape[3];
    if (cae_code_shape(s->model, s->height, s->width, shape) != CAE_OK) {
        return fail("%s: %s", what, cae_last_error());
    }
    s->code_len = shape[0] * shape[1] * shape[2];
    s->codes = calloc(s->count, s->code_len * sizeof *s->codes);
    return s->codes != NULL ? DONE : fail("%s: out of memory", what);
}

/* Copies a tile into its place. */
static void put_tile(const struct sheet *s, size_t number, const struct image *tile,
                     struct image *picture)
{
    const size_t row_size = s->width * s->channels;
    const size_t top = number / s->columns * s->height, left = number % s->columns * row_size;
    for (size_t y = 0; y < s->height; y++) {
        memcpy(picture->pixels + (top + y) * picture->width * s->channels + left,
               tile->pixels + y * row_size, row_size);
    }
}

static int decode(const struct sheet *s, struct image *tile, float *values, struct image *picture,
                  const char *out)
{
    const size_t len = image_len(tile);
    for (size_t first = 0; first < s->count; first += BATCH) {
        const size_t images = s->count - first < BATCH ? s->count - first : BATCH;
        if (cae_decode(s->model, s->codes + first * s->code_len, images, s->height, s->width,
                       values) != CAE_OK) {
            return fail("%s: %s", out, cae_last_error());
        }
        for (size_t i = 0; i < images; i++) {
            image_from_floats(tile, values + i * len);
            put_tile(s, first + i, tile, picture);
        }
    }
    return DONE;
}

/* Decodes all and saves the picture; places that no image takes stay black. */
static int draw(const struct sheet *s, const char *out, const char *format)
{
    struct image tile = {0}, picture = {0};
    float *values = NULL;
    const size_t rows = (s->count - 1) / s->columns + 1;
    int result = FAILED;
    const char *name = output_name(out);
    if (image_new(&tile, s->channels, s->height, s->width, name) != DONE ||
        image_new(&picture, s->channels, rows * s->height, s->columns * s->width, name) != DONE) {
        goto done;
    }
    memset(picture.pixels, 0, image_len(&picture));
    values = calloc(BATCH, image_len(&tile) * sizeof *values);
    if (values == NULL) {
        fail("%s: out of memory", name);
    } else if (decode(s, &tile, values, &picture, name) == DONE) {
        result = image_save_as(&picture, out, format);
    }
done:
    free(values);
    image_free(&picture);
    image_free(&tile);
    return result;
}

/* ---- sample ---------------------------------------------------------------------------------- */

/* Normal codes are like those of images only where training has made these so. */
static int check_sampled(const cae_model *model, const char *path)
{
    return model_is_sampled(model)
               ? DONE
               : fail("%s: not a variational autoencoder: its architecture has no line \"code "
                      "sampled\", so nobody knows what codes to draw",
                      path);
}

int sample_main(int argc, char **argv)
{
    const char *model_path = NULL, *out = NULL, *format = NULL;
    size_t count = 16;
    uint64_t seed = 1;
    const struct operand operands[] = {{"MODEL", &model_path}, {NULL, NULL}};
    const struct option options[] = {
        COUNT_OPTION("n", &count, 1, MAX_TILES, "N", "how many images"),
        SEED_OPTION("seed", &seed, "S", "which images"),
        REQUIRED_TEXT_OPTION("out", &out, "GRID.png", "the picture of them all"),
        TEXT_OPTION("format", &format, "FORMAT", FORMAT_HELP),
        OPTIONS_END,
    };
    const struct command_line line = {
        .command = "sample",
        .summary = "Draws new images from a variational autoencoder.",
        .operands = operands,
        .options = options,
        .details =
            "Codes are drawn from the normal distribution that training has pulled them to,\n"
            "and decoded at the training size. The same seed gives the same codes on every\n"
            "machine, and its first images do not depend on N.\n",
    };
    int result = DONE;
    if (!options_parse(&line, argc, argv, &result) ||
        (result = image_check_format(line.command, format)) != DONE) {
        return result;
    }
    if (image_check_name(out, format) != DONE) {
        return FAILED;
    }

    cae_model *model = NULL;
    struct sheet sheet = {.count = count, .columns = (size_t)ceil(sqrt((double)count))};
    size_t shape[3];
    result = FAILED;
    if (model_load(&model, model_path) != DONE || model_shape(model, model_path, shape) != DONE ||
        check_sampled(model, file_input_name(model_path)) != DONE) {
        goto done;
    }
    sheet.model = model;
    sheet.channels = shape[0];
    sheet.height = shape[1];
    sheet.width = shape[2];
    if (make_codes(&sheet, file_input_name(model_path)) != DONE) {
        goto done;
    }
    if (cae_add_noise(sheet.codes, count * sheet.code_len, 1, seed) != CAE_OK) {
        fail("%s: %s", file_input_name(model_path), cae_last_error());
        goto done;
    }
    result = draw(&sheet, out, format);
done:
    free(sheet.codes);
    cae_model_free(model);
    return result;
}

/* ---- interpolate ----------------------------------------------------------------------------- */

/* Loads an image with the model's channels. */
static int load_end(struct image *image, size_t channels, const char *path, unsigned *said)
{
    const char *name = file_input_name(path);
    if (image_load_input(image, path) != DONE ||
        image_set_channels(image, channels, name) != DONE) {
        return FAILED;
    }
    image_note_changes(image, name, said);
    return DONE;
}

static int encode(const struct sheet *s, const struct image *image, const char *path, float *code)
{
    float *values = calloc(image_len(image), sizeof *values);
    if (values == NULL) {
        return fail("%s: out of memory", path);
    }
    image_to_floats(image, values);
    const int status = cae_encode(s->model, values, 1, s->height, s->width, code);
    free(values);
    return status == CAE_OK ? DONE : fail("%s: %s", path, cae_last_error());
}

/* Fills in the codes between the first and the last, which are there. */
static void walk(const struct sheet *s)
{
    const float *from = s->codes, *to = s->codes + (s->count - 1) * s->code_len;
    for (size_t i = 1; i + 1 < s->count; i++) {
        const float part = (float)i / (float)(s->count - 1);
        for (size_t k = 0; k < s->code_len; k++) {
            s->codes[i * s->code_len + k] = from[k] * (1 - part) + to[k] * part;
        }
    }
}

static int interpolate(struct sheet *s, const struct image ends[2], const char *const paths[2],
                       const char *out, const char *format)
{
    if (ends[0].height != ends[1].height || ends[0].width != ends[1].width) {
        return fail("%s is %zu x %zu, %s %zu x %zu (width x height): their codes do not match",
                    paths[0], ends[0].width, ends[0].height, paths[1], ends[1].width,
                    ends[1].height);
    }
    s->height = ends[0].height;
    s->width = ends[0].width;
    s->columns = s->count;
    if (make_codes(s, paths[0]) != DONE || encode(s, &ends[0], paths[0], s->codes) != DONE ||
        encode(s, &ends[1], paths[1], s->codes + (s->count - 1) * s->code_len) != DONE) {
        return FAILED;
    }
    walk(s);
    return draw(s, out, format);
}

int interpolate_main(int argc, char **argv)
{
    const char *model_path = NULL, *paths[2] = {NULL, NULL}, *out = NULL, *format = NULL;
    size_t steps = 8;
    const struct operand operands[] = {
        {"MODEL", &model_path}, {"A.png", &paths[0]}, {"B.png", &paths[1]}, {NULL, NULL}};
    const struct option options[] = {
        COUNT_OPTION("steps", &steps, 2, MAX_TILES, "N", "how many images, A and B with them"),
        REQUIRED_TEXT_OPTION("out", &out, "STRIP.png", "the picture of them all"),
        TEXT_OPTION("format", &format, "FORMAT", FORMAT_HELP),
        OPTIONS_END,
    };
    const struct command_line line = {
        .command = "interpolate",
        .summary = "Walks from the code of one image to that of another of the same size.",
        .operands = operands,
        .options = options,
        .details =
            "The codes between lie on a straight line at equal distances. The first image is A\n"
            "as the model restores it, the last is B. Any model with a code will do; those of\n"
            "a variational autoencoder are made for it.\n",
    };
    int result = DONE;
    if (!options_parse(&line, argc, argv, &result) ||
        (result = image_check_format(line.command, format)) != DONE) {
        return result;
    }
    if (image_check_name(out, format) != DONE) {
        return FAILED;
    }

    cae_model *model = NULL;
    struct sheet sheet = {.count = steps};
    struct image ends[2] = {{0}, {0}};
    size_t shape[3];
    unsigned said = 0;
    result = FAILED;
    if (model_load(&model, model_path) != DONE || model_shape(model, model_path, shape) != DONE ||
        load_end(&ends[0], shape[0], paths[0], &said) != DONE ||
        load_end(&ends[1], shape[0], paths[1], &said) != DONE) {
        goto done;
    }
    sheet.model = model;
    sheet.channels = shape[0];
    paths[0] = file_input_name(paths[0]);
    paths[1] = file_input_name(paths[1]);
    result = interpolate(&sheet, ends, paths, out, format);
done:
    free(sheet.codes);
    image_free(&ends[0]);
    image_free(&ends[1]);
    cae_model_free(model);
    return result;
}
