/*
 * `cae eval`: measures a model on a folder of images. The measuring is score.c's; here are the
 * options and the two ways to print.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "commands.h"

#include <math.h>
#include <stdio.h>

#include "file.h"
#include "model.h"
#include "noise.h"
#include "options.h"
#include "score.h"

enum { MOST_LEVELS = 16 };

/* Levels of noise, in the order given; none: that of the training. */
struct levels {
    size_t len;
    double of[MOST_LEVELS];
};

static bool read_levels(void *value, const char *text)
{
    struct levels *levels = value;
    levels->len = 0;
    while (levels->len < MOST_LEVELS) {
        const char *end = noise_read_level(text, &levels->of[levels->len++]);
        if (end == NULL || *end != ',') {
            return end != NULL && *end == '\0';
        }
        text = end + 1;
    }
    return false;
}

static const struct option_reading levels_reading = {
    read_levels,
    "a level from 0 to 255 or up to 16 of them with commas between",
};

struct eval_options {
    const char *model, *folder, *crop, *size;
    struct preparation preparation;
    size_t limit, quality; /* quality 0: the network without a file */
    struct levels noise;
    uint64_t seed;
    bool json;
};

static bool parse(struct eval_options *o, int argc, char **argv, int *exit_code)
{
    const struct operand operands[] = {{"MODEL", &o->model}, {"DIR", &o->folder}, {NULL, NULL}};
    const struct option options[] = {
        COUNT_OPTION("limit", &o->limit, 1, 1e9, "N", "only the first N files by name"),
        TEXT_OPTION("crop", &o->crop, "X,Y,WxH", CROP_HELP),
        TEXT_OPTION("size", &o->size, "WxH", SIZE_HELP),
        READ_OPTION("noise", &o->noise, &levels_reading, "SIGMA[,...]",
                    "noise on the input, of 255, one after the other"),
        SEED_OPTION("seed", &o->seed, "S", "which noise"),
        COUNT_OPTION("quality", &o->quality, 1, 100, "Q", "measure the files of `cae compress`"),
        SWITCH_OPTION("json", &o->json, "print one line of JSON"),
        OPTIONS_END,
    };
    const struct command_line line = {
        .command = "eval",
        .summary = "Measures a model on the images of a folder and prints means over them.",
        .operands = operands,
        .options = options,
        .details =
            "mse is that of the network's own output on [0,1]; psnr and ssim (Wang et al. 2004) are\n"
            "those of its 8-bit pixels, without quantised code; bytes is the size of what\n"
            "`cae compress` would write at default quality. With --quality, all four are those of\n"
            "the file that `cae compress` writes at quality Q, and of what `cae decompress` makes\n"
            "of it; noise is added, and rounded to pixels, before. SIGMA is that of the training unless\n"
            "given; where the model does not say one, 25 for the presets *-denoise and for networks\n"
            "that take a level, which are told it, and 0 for others. With several, as in 15,25,50,\n"
            "there is a row of a table for each, or a list in JSON.\n"
            "Noise is not clipped, and the output is clipped and rounded before it is compared.\n"
            "Each file's noise depends on the seed and the file's name. With noise, input_psnr and\n"
            "input_ssim are those of the noisy input.\n"
            "In JSON, null stands for the PSNR of identical images and for what there is not.\n",
    };
    if (!options_parse(&line, argc, argv, exit_code)) {
        return false;
    }
    *exit_code = preparation_parse(&o->preparation, line.command, o->crop, o->size);
    return *exit_code == DONE;
}

static void print_json_number(const char *name, double value)
{
    if (isfinite(value)) {
        printf(", \"%s\": %.17g", name, value);
    } else {
        printf(", \"%s\": null", name);
    }
}

static void print_json(const struct scores *scores, double sigma, size_t quality)
{
    printf("{\"count\": %zu", scores->count);
    print_json_number("mse", scores->mse);
    print_json_number("psnr", scores->psnr);
    print_json_number("ssim", scores->ssim);
    print_json_number("bytes", scores->bytes);
    if (quality > 0) {
        print_json_number("quality", (double)quality);
    }
    print_json_number("noise", sigma);
    print_json_number("input_psnr", scores->input_psnr);
    print_json_number("input_ssim", scores->input_ssim);
    printf("}");
}

static void print_line(const char *name, double value, int decimals, const char *unit)
{
    if (isnan(value)) {
        printf("%-12s -\n", name);
    } else if (isinf(value)) {
        printf("%-12s identical\n", name);
    } else {
        printf("%-12s %.*f%s\n", name, decimals, value, unit);
    }
}

static void print_text(const struct scores *scores, double sigma, size_t quality)
{
    printf("%-12s %zu\n", "count", scores->count);
    print_line("mse", scores->mse, 9, "");
    print_line("psnr", scores->psnr, 4, " dB");
    print_line("ssim", scores->ssim, 5, "");
    print_line("bytes", scores->bytes, 1, "");
    if (quality > 0) {
        print_line("quality", (double)quality, 0, "");
    }
    if (sigma > 0) {
        print_line("noise", sigma, 3, " of 255");
        print_line("input_psnr", scores->input_psnr, 4, " dB");
        print_line("input_ssim", scores->input_ssim, 5, "");
    }
}

static void print_cell(double value, int decimals)
{
    if (isnan(value)) {
        printf("  %10s", "-");
    } else if (isinf(value)) {
        printf("  %10s", "identical");
    } else {
        printf("  %10.*f", decimals, value);
    }
}

static void print_row(const struct scores *scores, double sigma)
{
    printf("%-8g", sigma);
    print_cell(scores->psnr, 4);
    print_cell(scores->ssim, 5);
    print_cell(scores->mse, 8);
    print_cell(scores->bytes, 1);
    print_cell(scores->input_psnr, 4);
    print_cell(scores->input_ssim, 5);
    printf("\n");
}

/* The noise of the training, where none is given. */
static void find_noise(struct eval_options *o, const cae_model *model)
{
    bool known;
    if (o->noise.len > 0) {
        return;
    }
    o->noise.len = 1;
    o->noise.of[0] = model_trained_sigma(model, &known);
    if (known && o->noise.of[0] > 0) {
        note("%s: with noise of %g, as in its training; --noise 0 measures without",
             file_input_name(o->model), o->noise.of[0]);
    } else if (model_takes_noise(model)) {
        note("%s: with noise of %g; --noise gives others", file_input_name(o->model),
             o->noise.of[0]);
    }
}

static void print(const struct eval_options *o, const struct scores *scores)
{
    const size_t len = o->noise.len;
    if (!o->json && len == 1) {
        print_text(scores, o->noise.of[0], o->quality);
        return;
    }
    if (!o->json) {
        printf("%zu images%s\n%-8s  %10s  %10s  %10s  %10s  %10s  %10s\n", scores->count,
               o->quality > 0 ? ", compressed" : "", "noise", "psnr", "ssim", "mse", "bytes",
               "input_psnr", "input_ssim");
    }
    for (size_t i = 0; i < len; i++) {
        if (!o->json) {
            print_row(&scores[i], o->noise.of[i]);
            continue;
        }
        printf("%s", len == 1 ? "" : i == 0 ? "[" : ", ");
        print_json(&scores[i], o->noise.of[i], o->quality);
    }
    printf("%s", !o->json ? "" : len > 1 ? "]\n" : "\n");
}

int eval_main(int argc, char **argv)
{
    struct eval_options o = {.seed = 1};
    int exit_code = DONE;
    if (!parse(&o, argc, argv, &exit_code)) {
        return exit_code;
    }

    cae_model *model = NULL;
    struct image_set set = {0};
    struct scores scores[MOST_LEVELS];
    size_t shape[3];
    int result = FAILED;
    if (model_load(&model, o.model) != DONE || model_shape(model, o.model, shape) != DONE ||
        image_set_load(&set, o.folder, o.limit, shape[0], &o.preparation) != DONE ||
        score_keep_sizes(model, &set) != DONE) {
        goto done;
    }
    find_noise(&o, model);
    for (size_t i = 0; i < o.noise.len; i++) {
        const double sigma = o.noise.of[i];
        if ((o.quality > 0
                 ? score_files(model, &set, sigma, o.seed, (uint32_t)o.quality, &scores[i])
                 : score_images(model, &set, sigma, o.seed, SCORE_ALL, &scores[i])) != DONE) {
            goto done;
        }
    }
    print(&o, scores);
    result = DONE;
done:
    image_set_free(&set);
    cae_model_free(model);
    return result;
}
