/*
 * `cae compress`, `decompress` and `noise`: one file in, one file out.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "images.h"
#include "message.h"
#include "kind.h"
#include "model.h"
#include "options.h"
#include "output.h"

/* ---- compress -------------------------------------------------------------------------------- */

static int write_bytes(const char *path, const void *data, size_t size)
{
    struct output output;
    if (output_open(&output, path) != DONE) {
        return FAILED;
    }
    fwrite(data, 1, size, output.file); /* output_commit finds an error */
    return output_commit(&output);
}

static int compress_file(const cae_model *model, const struct image *image, const char *in,
                         uint32_t quality, const char *out)
{
    const size_t capacity = cae_compress_bound(model, image->height, image->width);
    if (capacity == 0) {
        return fail("%s: %s", in, cae_last_error());
    }
    void *data = malloc(capacity);
    if (data == NULL) {
        return fail("%s: out of memory", in);
    }
    size_t size = 0;
    int result = DONE;
    if (cae_compress(model, image->pixels, image->height, image->width,
                     image->width * image->channels, quality, data, capacity, &size) != CAE_OK) {
        result = fail("%s: %s", in, cae_last_error());
        model_tell_fit();
    } else {
        result = write_bytes(out, data, size);
    }
    free(data);
    return result;
}

int compress_main(int argc, char **argv)
{
    const char *model_path = NULL, *in = NULL, *out = NULL;
    size_t quality = 0;
    const struct operand operands[] = {
        {"MODEL", &model_path}, {"IN.png", &in}, {"OUT.cae", &out}, {NULL, NULL}};
    const struct option options[] = {
        COUNT_OPTION("quality", &quality, 1, 100, "Q", "1 (smallest) to 100 (best); default 50"),
        OPTIONS_END,
    };
    const struct command_line line = {
        .command = "compress",
        .summary = "Compresses an image (PNG, JPEG, PGM, PPM) with a model.",
        .operands = operands,
        .options = options,
        .details =
            "Restoring it takes the same model: see `cae decompress`. A model with one channel\n"
            "stores colour as grey.\n",
    };
    int result = DONE;
    if (!options_parse(&line, argc, argv, &result)) {
        return result;
    }

    cae_model *model = NULL;
    struct image image = {0};
    size_t shape[3];
    unsigned said = 0;
    result = FAILED;
    if (model_load(&model, model_path) != DONE || model_shape(model, model_path, shape) != DONE ||
        image_load_input(&image, in) != DONE ||
        image_set_channels(&image, shape[0], file_input_name(in)) != DONE) {
        goto done;
    }
    image_note_changes(&image, file_input_name(in), &said);
    result = compress_file(model, &image, file_input_name(in), (uint32_t)quality, out);
done:
    image_free(&image);
    cae_model_free(model);
    return result;
}

/* ---- decompress ------------------------------------------------------------------------------ */

/* Makes room for the image that a compressed file promises; its channels must be the model's. */
static int make_room(struct image *image, const cae_model *model, const char *model_path,
                     const uint8_t *data, size_t size, const char *in)
{
    size_t shape[3], model_channels[3];
    if (cae_compressed_info(data, size, shape) != CAE_OK) {
        const char *kind = kind_of_bytes(data, size);
        return kind == NULL || strcmp(kind, "a compressed image") == 0
                   ? fail("%s: %s", in, cae_last_error())
                   : fail("%s: this is %s, not a compressed image; the order is %s", in, kind,
                          options_order());
    }
    if (model_shape(model, model_path, model_channels) != DONE) {
        return FAILED;
    }
    if (shape[0] != model_channels[0]) {
        return fail("%s: made with another model: it has %zu channels, the model %zu", in, shape[0],
                    model_channels[0]);
    }
    return image_new(image, shape[0], shape[1], shape[2], in);
}

int decompress_main(int argc, char **argv)
{
    const char *model_path = NULL, *in = NULL, *out = NULL, *format = NULL;
    const struct operand operands[] = {
        {"MODEL", &model_path}, {"IN.cae", &in}, {"OUT.png", &out}, {NULL, NULL}};
    const struct option options[] = {
        TEXT_OPTION("format", &format, "FORMAT", FORMAT_HELP),
        OPTIONS_END,
    };
    const struct command_line line = {
        .command = "decompress",
        .summary = "Restores an image that `cae compress` made with the same model.",
        .operands = operands,
        .options = options,
        .details = "OUT ends in .png, .pgm, .ppm or .pnm; without an ending it is a PNG.\n",
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
    const struct file_reading reading = {.limit = (size_t)1 << 30, .streams = true};
    struct image image = {0};
    uint8_t *data = NULL;
    size_t size = 0;
    result = FAILED;
    if (model_load(&model, model_path) != DONE ||
        file_read_as(&reading, in, &data, &size) != DONE ||
        make_room(&image, model, model_path, data, size, file_input_name(in)) != DONE) {
        goto done;
    }
    if (cae_decompress(model, data, size, image.pixels, image.height, image.width,
                       image.width * image.channels) != CAE_OK) {
        fail("%s: %s", file_input_name(in), cae_last_error());
    } else {
        result = image_save_as(&image, out, format);
    }
done:
    image_free(&image);
    free(data);
    cae_model_free(model);
    return result;
}

/* ---- noise ----------------------------------------------------------------------------------- */

static int add_noise(struct image *image, double sigma, uint64_t seed, const char *in)
{
    const size_t len = image_len(image);
    float *values = calloc(len, sizeof *values);
    if (values == NULL) {
        return fail("%s: out of memory", in);
    }
    int result = DONE;
    image_to_floats(image, values);
    if (cae_add_noise(values, len, (float)(sigma / 255), seed) != CAE_OK) {
        result = fail("%s: %s", in, cae_last_error());
    } else {
        image_from_floats(image, values);
    }
    free(values);
    return result;
}

/* The noise's standard deviation of 255; false when that has failed and been said. */
static bool estimate_noise(const struct image *image, const char *in, double *sigma)
{
    float level = 0;
    float *values = calloc(image_len(image), sizeof *values);
    if (values == NULL) {
        return fail("%s: out of memory", in) == DONE;
    }
    image_to_floats(image, values);
    const bool good = cae_estimate_noise(values, 1, image->channels, image->height, image->width,
                                         &level) == CAE_OK ||
                      fail("%s: %s", in, cae_last_error()) == DONE;
    free(values);
    *sigma = 255 * (double)level;
    return good;
}

/* Loads one image and prints its noise. */
static int estimate_file(const char *in, bool json, bool first)
{
    struct image image = {0};
    unsigned said = 0;
    double sigma = 0;
    int result = image_load_input(&image, in);
    if (result == DONE) {
        image_note_changes(&image, file_input_name(in), &said);
        result = estimate_noise(&image, file_input_name(in), &sigma) ? DONE : FAILED;
    }
    image_free(&image);
    if (result == DONE && json) {
        printf("%s{\"name\": ", first ? "[" : ",\n ");
        print_json_string(in);
        printf(", \"sigma\": %.9g}", sigma);
    } else if (result == DONE) {
        print_safely(stdout, in);
        printf(" %.2f\n", sigma);
    }
    return result;
}

static int estimate_main(int argc, char **argv)
{
    const char *in = NULL;
    bool estimate = true, json = false;
    size_t len = 0;
    int result = DONE;
    const struct operand operands[] = {{"IN.png", &in}, {NULL, NULL}};
    const struct option options[] = {
        SWITCH_OPTION("estimate", &estimate, "print the noise of images"),
        SWITCH_OPTION("json", &json, "print JSON"),
        OPTIONS_END,
    };
    const char **more = calloc((size_t)argc + 1, sizeof *more);
    if (more == NULL) {
        return fail("out of memory");
    }
    const struct command_line line = {
        .command = "noise",
        .summary = "Estimates the standard deviation, of 255, of the white noise in images.",
        .operands = operands,
        .options = options,
        .details = "Prints the name and the noise of each image.\n",
        .more = more,
        .more_len = &len,
    };
    if (options_parse(&line, argc, argv, &result)) {
        result = estimate_file(in, json, true);
        for (size_t i = 0; i < len && result == DONE; i++) {
            result = estimate_file(more[i], json, false);
        }
        if (json && result == DONE) {
            printf("]\n");
        }
    }
    free((void *)more);
    return result;
}

/* Whether the option is among the arguments. */
static bool asks_for_estimate(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--estimate") == 0) {
            return true;
        }
    }
    return false;
}

int noise_main(int argc, char **argv)
{
    if (asks_for_estimate(argc, argv)) {
        return estimate_main(argc, argv);
    }
    const char *in = NULL, *out = NULL, *format = NULL;
    double sigma = -1;
    uint64_t seed = 1;
    const struct operand operands[] = {{"IN.png", &in}, {"OUT.png", &out}, {NULL, NULL}};
    const struct option options[] = {
        REQUIRED_REAL_OPTION("sigma", &sigma, 0, 255, "SIGMA", "standard deviation, of 255"),
        SEED_OPTION("seed", &seed, "S", "which noise"),
        TEXT_OPTION("format", &format, "FORMAT", FORMAT_HELP),
        OPTIONS_END,
    };
    const struct command_line line = {
        .command = "noise",
        .summary =
            "Adds Gaussian noise to an image (PNG, JPEG, PGM, PPM), rounded and clipped to pixels.",
        .operands = operands,
        .options = options,
        .details =
            "The same seed gives the same noise on every machine. With --estimate IN.png ..., "
            "the noise in images is estimated and printed; --help --estimate says more.\n",
    };
    int result = DONE;
    if (!options_parse(&line, argc, argv, &result) ||
        (result = image_check_format(line.command, format)) != DONE) {
        return result;
    }
    if (image_check_name(out, format) != DONE) {
        return FAILED;
    }

    struct image image = {0};
    unsigned said = 0;
    result = image_load_input(&image, in);
    if (result == DONE) {
        image_note_changes(&image, file_input_name(in), &said);
        result = add_noise(&image, sigma, seed, file_input_name(in));
    }
    if (result == DONE) {
        result = image_save_as(&image, out, format);
    }
    image_free(&image);
    return result;
}
