/*
 * clean.c - cleans a picture: a binary PGM or PPM of 8 bits from standard input to standard output.
 *
 *     cc -o clean clean.c $(pkg-config --cflags --libs libcae)
 *     ./clean MODEL SIGMA <noisy.ppm >clean.ppm
 *
 * SIGMA is the noise's standard deviation on the scale of 0 to 255, 0 if it is not known. Pixels are
 * cleaned in place, one row after the other, as any program has them.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <cae/cae.h>

#include <stdio.h>
#include <stdlib.h>

static int fail(const char *why)
{
    fprintf(stderr, "clean: %s\n", why);
    return 1;
}

int main(int argc, char **argv)
{
    char kind = 0;
    unsigned width = 0, height = 0;
    cae_model *model = NULL;

    if (argc != 3)
        return fail("usage: clean MODEL SIGMA <IN.ppm >OUT.ppm");
    if (scanf("P%c %u %u 255%*c", &kind, &width, &height) != 3 || (kind != '5' && kind != '6') ||
        width > 65535 || height > 65535)
        return fail("not a binary PGM or PPM of 8 bits");
    const size_t channels = kind == '5' ? 1 : 3, row = width * channels;
    unsigned char *pixels = malloc(row * height + 1);
    if (pixels == NULL || fread(pixels, 1, row * height, stdin) != row * height)
        return fail("the pixels cannot be read");
    if (cae_model_load(&model, argv[1]) != CAE_OK || cae_model_set(model, "threads", 0) != CAE_OK ||
        cae_denoise_pixels(model, pixels, row, pixels, row, CAE_U8, height, width, channels,
                           (float)(atof(argv[2]) / 255), 0, 1, NULL, NULL) != CAE_OK)
        return fail(cae_last_error());
    printf("P%c\n%u %u\n255\n", kind, width, height);
    fwrite(pixels, 1, row * height, stdout);
    cae_model_free(model);
    free(pixels);
    return fflush(stdout) == 0 ? 0 : fail("the picture cannot be written");
}
