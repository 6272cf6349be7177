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
#include "options.h"
#include "score.h"

struct eval_options {
    const char *model, *folder, *crop, *size;
    struct preparation preparation;
    size_t limit, quality; /* quality 0: the network without a file */
    double sigma;
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
        REAL_OPTION("noise", &o->sigma, 0, 255, "SIGMA", "noise on the input, of 255"),
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
            "given; where the model does not say, 25 for the presets *-denoise, 0 for others.\n"
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
    printf("}\n");
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

int eval_main(int argc, char **argv)
{
    struct eval_options o = {.limit = 0, .sigma = -1, .seed = 1};
    int exit_code = DONE;
    if (!parse(&o, argc, argv, &exit_code)) {
        return exit_code;
    }

    cae_model *model = NULL;
    struct image_set set = {0};
    struct scores scores;
    size_t shape[3];
    int result = FAILED;
    if (model_load(&model, o.model) != DONE || model_shape(model, o.model, shape) != DONE ||
        image_set_load(&set, o.folder, o.limit, shape[0], &o.preparation) != DONE ||
        score_keep_sizes(model, &set) != DONE) {
        goto done;
    }
    if (o.sigma < 0) {
        bool known;
        o.sigma = model_trained_sigma(model, &known);
        if (known && o.sigma > 0) {
            note("%s: with noise of %g, as in its training; --noise 0 measures without",
                 file_input_name(o.model), o.sigma);
        }
    }
    if ((o.quality > 0 ? score_files(model, &set, o.sigma, o.seed, (uint32_t)o.quality, &scores)
                       : score_images(model, &set, o.sigma, o.seed, SCORE_ALL, &scores)) != DONE) {
        goto done;
    }
    if (o.json) {
        print_json(&scores, o.sigma, o.quality);
    } else {
        print_text(&scores, o.sigma, o.quality);
    }
    result = DONE;
done:
    image_set_free(&set);
    cae_model_free(model);
    return result;
}
