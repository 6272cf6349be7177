/*
 * `cae denoise`: noise out of one image, which keeps its 16 bits and its alpha.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdlib.h>

#include "commands.h"
#include "file.h"
#include "images.h"
#include "message.h"
#include "model.h"
#include "noise.h"
#include "options.h"

struct settings {
    const char *model, *in, *out;
    const char *sigma; /* a number or "auto"; NULL: not given */
    double level;      /* that number, of 255; 0: estimated, or none beside the gain */
    double gain, strength;
    const char *format;
};

static int set_level(struct settings *s)
{
    if (noise_read_told("denoise", s->sigma, s->gain, &s->level) != DONE) {
        return USAGE;
    }
    return noise_is_estimated(s->sigma) || s->level > 0 || s->gain > 0
               ? DONE
               : usage_error("denoise",
                             "--sigma is 0: nothing is to be removed; auto estimates it");
}

/* The model that came with the library for images of so many channels; that for grey images takes
 * those of a colour image one by one. */
static int load_shipped(cae_model **model, size_t channels)
{
    const char *name = channels == 3 ? "denoise-rgb" : "denoise";
    if (cae_model_load_shipped(model, name) == CAE_OK ||
        (channels == 3 && cae_model_load_shipped(model, "denoise") == CAE_OK)) {
        return DONE;
    }
    return fail("no model that came with the library: %s (or name one: MODEL IN.png OUT.png)",
                cae_last_error());
}

static int load_model(cae_model **model, const struct settings *s, size_t channels, size_t shape[3])
{
    const int result =
        s->model != NULL ? model_load(model, s->model) : load_shipped(model, channels);
    if (result != DONE) {
        return result;
    }
    const char *name = s->model != NULL ? s->model : "the model of the library";
    if (!model_takes_noise(*model) && (s->sigma != NULL || s->gain > 0 || s->strength > 1)) {
        note(
            "%s: the network takes no noise level: --sigma, --gain and a --strength above 1 change "
            "nothing",
            name);
    }
    return model_shape(*model, name, shape);
}

/* The estimate that a call without a level goes by, of 255, from the middle of a large image; less
 * than 0: not known. */
static double estimate_level(const struct image *image)
{
    enum { SIDE = 1024 };
    const size_t height = image->height < SIDE ? image->height : SIDE;
    const size_t width = image->width < SIDE ? image->width : SIDE;
    const size_t channels = image->channels - image->alpha;
    const size_t first = ((image->height - height) / 2) * image->width + (image->width - width) / 2;
    float *values = calloc(channels * height, width * sizeof *values);
    float sigma = -1;
    float *value = values;
    for (size_t c = 0; c < channels && values != NULL; c++) {
        for (size_t y = 0; y < height; y++) {
            for (size_t x = 0; x < width; x++) {
                const size_t i = (first + y * image->width + x) * image->channels + c;
                *value++ = (float)image_value(image, i);
            }
        }
    }
    if (values == NULL ||
        cae_estimate_noise(values, 1, channels, height, width, &sigma) != CAE_OK) {
        sigma = -1;
    }
    free(values);
    return 255 * (double)sigma;
}

/* What a camera has processed looks clean to the estimate, and who sees the noise wonders. */
static void note_little_noise(const struct image *image, const struct settings *s)
{
    const double level = estimate_level(image);
    if (level >= 0 && level < 1) {
        note("%s: the noise is estimated at %.2f of 255, and little is removed. Noise that a "
             "camera or JPEG has smeared is not seen: --sigma 5 removes some",
             file_input_name(s->in), level);
    }
}

static int denoise(const cae_model *model, struct image *image, const struct settings *s)
{
    const size_t row = image_row_size(image);
    if (cae_denoise_pixels(model, image->pixels, row, image->pixels, row,
                           image->deep ? CAE_U16 : CAE_U8, image->height, image->width,
                           image->channels, (float)(s->level / 255), (float)s->gain,
                           (float)s->strength, NULL, NULL) != CAE_OK) {
        return fail("%s: %s", file_input_name(s->in), cae_last_error());
    }
    return image_save_as(image, s->out, s->format);
}

static int run(const struct settings *s)
{
    cae_model *model = NULL;
    struct image image = {0};
    size_t shape[3];
    unsigned said = 0;
    int result = FAILED;
    /* A model that cannot be read is told of before an image that cannot. */
    if ((s->model != NULL && load_model(&model, s, 0, shape) != DONE) ||
        image_load_whole(&image, s->in) != DONE) {
        goto done;
    }
    const size_t colours = image.channels - image.alpha;
    image_note_changes(&image, file_input_name(s->in), &said);
    if ((s->model == NULL && load_model(&model, s, colours, shape) != DONE) ||
        (colours < shape[0] && image_repeat_grey(&image, file_input_name(s->in)) != DONE)) {
        goto done;
    }
    if (s->level == 0 && s->gain == 0 && model_takes_noise(model)) {
        note_little_noise(&image, s);
    }
    result = denoise(model, &image, s);
done:
    image_free(&image);
    cae_model_free(model);
    return result;
}

int denoise_main(int argc, char **argv)
{
    struct settings s = {.strength = 1};
    const struct operand operands[] = {
        {"MODEL", &s.model}, {"IN.png", &s.in}, {"OUT.png", &s.out}, {NULL, NULL}};
    const struct option options[] = {
        TEXT_OPTION("sigma", &s.sigma, "SIGMA", "the noise, of 255; auto, the default, estimates"),
        REAL_OPTION("gain", &s.gain, 0, 1, "G",
                    "of a sensor: the variance is (SIGMA/255)^2 + G x at value x of 0 to 1"),
        REAL_OPTION("strength", &s.strength, 0, 10, "F",
                    "how much is removed: 0 nothing, 1 all of the noise, more removes detail too"),
        TEXT_OPTION("format", &s.format, "FORMAT", FORMAT_HELP),
        OPTIONS_END,
    };
    const struct command_line line = {
        .command = "denoise",
        .summary = "Removes noise from an image (PNG, JPEG, PGM, PPM) with a model.",
        .operands = operands,
        .first_optional = true,
        .options = options,
        .details =
            "Without MODEL it is the one that came with the library for the image's channels. 16\n"
            "bits stay 16 bits, and transparency stays. Networks that take no noise level remove\n"
            "what they were trained for.\n\n"
            "A model with one channel treats each channel of a colour image alone; a model with\n"
            "three gets grey images as three equal channels. OUT ends in .png, .pgm, .ppm or\n"
            ".pnm; without an ending it is a PNG.\n",
    };
    int result = DONE;
    if (!options_parse(&line, argc, argv, &result) ||
        (result = image_check_format(line.command, s.format)) != DONE ||
        (result = set_level(&s)) != DONE) {
        return result;
    }
    return image_check_name(s.out, s.format) == DONE ? run(&s) : FAILED;
}
