/*
 * embed.c - libcae inside a C program: trains a small de-noiser on images that it draws itself,
 * saves and loads it, cleans a noisy image with it, and compresses an image to a few bytes.
 *
 *     cc -o embed embed.c $(pkg-config --cflags --libs libcae) && ./embed
 *
 * Writes embed.safetensors into the current folder. Copy what you need; every call that can fail is
 * checked, and cae_last_error() says what was wrong.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <cae/cae.h>

#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 32, PIXELS = SIDE * SIDE, BATCH = 16, STEPS = 300 };

static const float SIGMA = 25.0f / 255.0f; /* the noise, on the scale [0,1] */

/* One layer a line; see docs/architecture-text.md. "cae-denoise" would do as well. */
static const char ARCHITECTURE[] = "input 1 32 32\n"
                                   "conv 16 kernel 3 pad 1 relu\n"
                                   "maxpool 2\n"
                                   "conv 8 kernel 3 pad 1 relu\n"
                                   "maxpool 2\n"
                                   "code\n"
                                   "tconv 16 kernel 2 stride 2 relu\n"
                                   "tconv 16 kernel 2 stride 2 relu\n"
                                   "conv 1 kernel 3 pad 1 sigmoid\n";

/* A bright disc on a dark ramp; the number decides where. */
static void draw(float *image, unsigned number)
{
    const int cx = 8 + (int)(number * 7 % 17), cy = 8 + (int)(number * 5 % 16);
    const int radius = 4 + (int)(number % 5);

    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            const int dx = x - cx, dy = y - cy;
            const int inside = dx * dx + dy * dy <= radius * radius;
            image[y * SIDE + x] = inside ? 0.9f : 0.1f + 0.4f * (float)x / SIDE;
        }
    }
}

static double mean_squared_error(const float *a, const float *b)
{
    double sum = 0;

    for (int i = 0; i < PIXELS; i++)
        sum += (double)(a[i] - b[i]) * (double)(a[i] - b[i]);
    return sum / PIXELS;
}

/* The noise is new in every step: the network never sees the same noisy image twice. */
static int train(cae_model *model)
{
    static float clean[BATCH * PIXELS], noisy[BATCH * PIXELS];
    float loss = 0;
    int status = CAE_OK;

    for (unsigned step = 0; step < STEPS && status == CAE_OK; step++) {
        for (unsigned i = 0; i < BATCH; i++)
            draw(clean + i * PIXELS, step * BATCH + i);
        for (size_t i = 0; i < BATCH * PIXELS; i++)
            noisy[i] = clean[i];
        status = cae_add_noise(noisy, BATCH * PIXELS, SIGMA, step);
        if (status == CAE_OK)
            status = cae_train_step(model, noisy, clean, BATCH, SIDE, SIDE, &loss);
        if (status == CAE_OK && (step + 1) % 100 == 0)
            printf("step %u: loss %.5f\n", step + 1, (double)loss);
    }
    return status;
}

static int denoise(const cae_model *model)
{
    float clean[PIXELS], noisy[PIXELS], restored[PIXELS];
    int status;

    draw(clean, 123456);
    draw(noisy, 123456);
    status = cae_add_noise(noisy, PIXELS, SIGMA, 99);
    if (status == CAE_OK)
        status = cae_denoise(model, noisy, 1, SIDE, SIDE, SIGMA, restored);
    if (status == CAE_OK)
        printf("mean squared error: noisy %.5f, de-noised %.5f\n", mean_squared_error(noisy, clean),
               mean_squared_error(restored, clean));
    return status;
}

/* Any size will do: 45 x 31 pixels here, one byte each, rows 48 bytes apart. */
static int compress(const cae_model *model)
{
    enum { HEIGHT = 45, WIDTH = 31, STRIDE = 48 };
    uint8_t pixels[HEIGHT * STRIDE] = {0}, restored[HEIGHT * STRIDE] = {0};
    size_t size = 0, shape[3] = {0};
    const size_t capacity = cae_compress_bound(model, HEIGHT, WIDTH);
    unsigned char *data = malloc(capacity ? capacity : 1);
    int status = CAE_E_NOMEM;

    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            pixels[y * STRIDE + x] = (uint8_t)(x > 10 && y > 20 ? 220 : 40 + x);
    if (!data)
        goto done;
    status = cae_compress(model, pixels, HEIGHT, WIDTH, STRIDE, 0, data, capacity, &size);
    if (status != CAE_OK)
        goto done;
    status = cae_compressed_info(data, size, shape);
    if (status != CAE_OK)
        goto done;
    status = cae_decompress(model, data, size, restored, shape[1], shape[2], STRIDE);
    if (status == CAE_OK)
        printf("compressed %zu x %zu pixels to %zu bytes; pixel (5, 5) was %d, is %d\n", shape[1],
               shape[2], size, pixels[5 * STRIDE + 5], restored[5 * STRIDE + 5]);
done:
    free(data);
    return status;
}

int main(void)
{
    const char *const path = "embed.safetensors";
    cae_model *trained = NULL, *model = NULL;
    int status;

    printf("libcae %s\n", cae_version_string());
    status = cae_model_new(&trained, ARCHITECTURE, 1);
    if (status != CAE_OK)
        goto done;
    status = cae_model_set(trained, "threads", 0); /* all processors */
    if (status != CAE_OK)
        goto done;
    status = train(trained);
    if (status != CAE_OK)
        goto done;
    status = cae_model_save(trained, path, 0);
    if (status != CAE_OK)
        goto done;
    status = cae_model_load(&model, path);
    if (status != CAE_OK)
        goto done;
    printf("saved and loaded %s\n", path);
    status = denoise(model);
    if (status == CAE_OK)
        status = compress(model);
done:
    if (status != CAE_OK)
        fprintf(stderr, "embed: %s: %s\n", cae_strerror(status), cae_last_error());
    cae_model_free(model);
    cae_model_free(trained);
    return status == CAE_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
