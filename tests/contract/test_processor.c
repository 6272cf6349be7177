/*
 * A processor without SSE2, which the library for 32-bit x86 needs: every function that can be
 * called there says so, or does its work; none ends in an instruction that is not there. Run with
 * the argument `lesser` by an emulator of such a processor (tests/run.sh i386); compiled for the
 * baseline. Without it the functions must work.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <cae/cae.h>

#include <stdio.h>
#include <string.h>

static int failures;

static void expect(int good, const char *what)
{
    if (!good) {
        printf("%s: %s\n", what, cae_last_error());
        failures++;
    }
}

/* What takes no model and computes. */
static void refused(int lesser)
{
    static const char text[] = "input 1 8 8\nconv 1 kernel 1\ncode\nconv 1 kernel 1\n";
    const char *key = NULL;
    double least, most, initial;
    float image[4] = {0, 0, 0, 0};
    size_t shape[3] = {0, 0, 0};
    cae_model *model = (cae_model *)(void *)image;
#define REFUSED(call, otherwise)                                                       \
    do {                                                                               \
        const int status = (call);                                                     \
        expect(lesser ? status == CAE_E_UNSUPPORTED &&strstr(cae_last_error(), "SSE2") \
                      : status == (otherwise),                                         \
               #call);                                                                 \
    } while (0)
    REFUSED(cae_setting_info(0, &key, &least, &most, &initial), CAE_OK);
    REFUSED(cae_add_noise(image, 4, 0.5f, 1), CAE_OK);
    REFUSED(cae_estimate_noise(image, 1, 1, 2, 2, image), CAE_OK);
    REFUSED(cae_compressed_info(image, sizeof image, shape), CAE_E_FORMAT);
    REFUSED(cae_model_load(&model, "/nonexistent"), CAE_E_IO);
    expect(model == NULL, "cae_model_load leaves a model");
    REFUSED(cae_model_load_memory(&model, image, sizeof image), CAE_E_FORMAT);
    REFUSED(cae_model_new(&model, text, 1), CAE_OK);
    expect((model == NULL) == lesser, "cae_model_new leaves a model");
    cae_model_free(model);
}

/* Functions that return text, and functions that check for a model before anything else. */
static void works(void)
{
    float image[4] = {0, 0, 0, 0};
    uint8_t bytes[16];
    double value = 0;
    size_t size = 0;
    size_t shape[3] = {0, 0, 0};
    expect(cae_version() != 0 && strlen(cae_version_string()) >= 5, "version");
    expect(strcmp(cae_strerror(CAE_OK), "success") == 0, "cae_strerror");
    expect(cae_preset_name(0) != NULL && cae_preset_text(cae_preset_name(0)) != NULL, "presets");
    expect(cae_model_architecture(NULL) == NULL && cae_model_kernels(NULL) == NULL, "describing");
    expect(cae_tensor_count(NULL) == 0, "cae_tensor_count");
#define MISSES(call) expect((call) == CAE_E_ARGUMENT, #call)
    MISSES(cae_model_copy(&(cae_model *){NULL}, NULL, 0));
    MISSES(cae_model_save(NULL, "/nonexistent", 0));
    MISSES(cae_model_save_memory(NULL, bytes, sizeof bytes, &size, 0));
    MISSES(cae_model_load_weights(NULL, "/nonexistent"));
    MISSES(cae_model_shape(NULL, shape));
    MISSES(cae_code_shape(NULL, 1, 1, shape));
    MISSES(cae_model_set(NULL, "threads", 1));
    MISSES(cae_model_get(NULL, "threads", &value));
    MISSES(cae_tensor_info(NULL, 0, NULL, NULL, NULL));
    MISSES(cae_tensor_get(NULL, 0, image, 1));
    MISSES(cae_tensor_set(NULL, 0, image, 1));
    MISSES(cae_train_step(NULL, image, image, 1, 1, 1, NULL));
    MISSES(cae_train_gradient(NULL, image, image, 1, 1, 1, NULL));
    MISSES(cae_train_apply(NULL));
    MISSES(cae_gradient_get(NULL, image, 1));
    MISSES(cae_gradient_set(NULL, image, 1));
    MISSES(cae_evaluate(NULL, image, image, 1, 1, 1, image));
    MISSES(cae_encode(NULL, image, 1, 1, 1, image));
    MISSES(cae_decode(NULL, image, 1, 1, 1, image));
    MISSES(cae_denoise(NULL, image, 1, 1, 1, 0.5f, image));
    MISSES(cae_compress(NULL, bytes, 1, 1, 1, 0, bytes, sizeof bytes, &size));
    MISSES(cae_decompress(NULL, bytes, sizeof bytes, bytes, 1, 1, 1));
    expect(cae_compress_bound(NULL, 1, 1) == 0, "cae_compress_bound");
    cae_model_free(NULL);
}

int main(int argc, char **argv)
{
    refused(argc > 1 && strcmp(argv[1], "lesser") == 0);
    works();
    return failures != 0;
}
