/*
 * The files of tests/golden are kept for ever: every libcae reads them, to the same model and the
 * same pixels. The files are made from docs/file-formats.md alone; the pixels below were computed
 * once and must come out in every tier, on every machine.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <stdlib.h>

#include "contract.h"

enum { HEIGHT = 8, WIDTH = 7, FILE_MOST = 1 << 16 };

static const uint8_t pixels[HEIGHT * WIDTH] = {
    135, 134, 144, 142, 167, 158, 200, 132, 131, 140, 138, 149, 139, 159, 229, 207, 194, 159, 152,
    135, 226, 172, 127, 119, 80,  119, 103, 186, 219, 187, 219, 190, 226, 199, 152, 143, 94,  149,
    102, 157, 106, 98,  194, 179, 229, 208, 200, 165, 167, 161, 143, 174, 131, 123, 82,  124};

static const char *golden(const char *name)
{
    static char path[4096];
    const char *folder = getenv("CAE_GOLDEN");
    EXPECT_SAID(folder != NULL, "CAE_GOLDEN names the folder of the golden files");
    snprintf(path, sizeof(path), "%s/%s", folder != NULL ? folder : ".", name);
    return path;
}

static size_t read_golden(const char *name, uint8_t *data)
{
    FILE *f = fopen(golden(name), "rb");
    const size_t size = f != NULL ? fread(data, 1, FILE_MOST, f) : 0;
    EXPECT_SAID(size > 0, "%s can be read", name);
    if (f != NULL) {
        fclose(f);
    }
    return size;
}

static void check_image(const cae_model *m, const char *name)
{
    uint8_t *data = need(FILE_MOST, 1);
    uint8_t out[HEIGHT * WIDTH] = {0};
    size_t shape[3] = {0};
    const size_t size = read_golden(name, data);
    OK(cae_compressed_info(data, size, shape));
    EXPECT(shape[0] == 1 && shape[1] == HEIGHT && shape[2] == WIDTH);
    OK(cae_decompress(m, data, size, out, HEIGHT, WIDTH, WIDTH));
    EXPECT_SAID(memcmp(out, pixels, sizeof(pixels)) == 0, "%s gives the known pixels", name);
    free(data);
}

static void images_give_the_same_pixels_for_ever(void)
{
    const char *models[] = {"weights.safetensors", "training.safetensors", "halves.safetensors"};
    for (size_t i = 0; i < 3; i++) {
        cae_model *m = NULL;
        OK(cae_model_load(&m, golden(models[i])));
        check_image(m, "image.cae");
        check_image(m, "fields.cae");
        cae_model_free(m);
    }
}

static void a_model_is_saved_as_it_was_loaded(void)
{
    static const struct {
        const char *name;
        uint32_t flags;
        double step;
    } rows[] = {{"training.safetensors", CAE_SAVE_TRAINING, 7},
                {"weights.safetensors", 0, 0},
                {"halves.safetensors", CAE_SAVE_F16, 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t *data = need(FILE_MOST, 1);
        const size_t size = read_golden(rows[i].name, data);
        cae_model *m = NULL;
        double step = -1;
        OK(cae_model_load_memory(&m, data, size));
        OK(cae_model_get(m, "step", &step));
        EXPECT(step == rows[i].step);
        struct bytes saved = save_bytes(m, rows[i].flags);
        EXPECT_SAID(saved.size == size && memcmp(saved.data, data, size) == 0,
                    "%s is saved as it was", rows[i].name);
        free_bytes(&saved);
        cae_model_free(m);
        free(data);
    }
}

/* Trained and saved by libcae 0.1.0, settings and all: read, and written again to the last byte. */
static void trainings_of_the_past_go_on(void)
{
    static const struct {
        const char *name, *setting;
        double value;
    } rows[] = {
        {"trained-0.1.safetensors", "learning_rate", 0.002},
        {"trained-0.1.safetensors", "beta1", 0.8},
        {"trained-0.1.safetensors", "weight_decay", 0.01},
        {"trained-0.1.safetensors", "reproducible", 1},
        {"trained-0.1.safetensors", "epoch", 3},
        {"trained-0.1.safetensors", "kl_weight", 0.3},
        {"sampled-0.1.safetensors", "kl_weight", 0.25},
        {"sampled-0.1.safetensors", "step", 3},
    };
    uint8_t *data = need(FILE_MOST, 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const size_t size = read_golden(rows[i].name, data);
        cae_model *m = NULL;
        double value = -1;
        float images[16] = {0};
        OK(cae_model_load_memory(&m, data, size));
        OK(cae_model_get(m, rows[i].setting, &value));
        EXPECT_SAID(value == rows[i].value, "%s: %s is %g", rows[i].name, rows[i].setting, value);
        struct bytes saved = save_bytes(m, CAE_SAVE_TRAINING);
        EXPECT(saved.size == size && memcmp(saved.data, data, size) == 0);
        OK(cae_train_step(m, images, images, 1, 4, 4, NULL));
        free_bytes(&saved);
        cae_model_free(m);
    }
    free(data);
}

static void plain_weights_are_taken(void)
{
    cae_model *loaded = NULL;
    OK(cae_model_load(&loaded, golden("weights.safetensors")));
    cae_model *fresh = new_model(cae_model_architecture(loaded), 9);
    OK(cae_model_load_weights(fresh, golden("plain.safetensors")));
    for (size_t i = 0; i < cae_tensor_count(loaded); i++) {
        float a[64];
        float b[64];
        size_t shape[4];
        OK(cae_tensor_info(loaded, i, NULL, shape, NULL));
        const size_t len = shape[0] * shape[1] * shape[2] * shape[3];
        OK(cae_tensor_get(loaded, i, a, len));
        OK(cae_tensor_get(fresh, i, b, len));
        EXPECT(memcmp(a, b, len * sizeof(float)) == 0);
    }
    cae_model_free(fresh);
    cae_model_free(loaded);
}

int main(int argc, char **argv)
{
    const struct contract_test tests[] = {
        TEST(images_give_the_same_pixels_for_ever),
        TEST(a_model_is_saved_as_it_was_loaded),
        TEST(trainings_of_the_past_go_on),
        TEST(plain_weights_are_taken),
    };
    return RUN_TESTS(argc, argv, tests);
}
