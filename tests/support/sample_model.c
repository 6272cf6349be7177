/*
 * The sample model; see sample_model.h. The values are those of tests/golden/make_golden.py.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "sample_model.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "files.h"
#include "limited_memory.h"

static float bias0[2] = {0.5f, -0.25f}, weight0[18], bias3[1] = {0.125f}, weight3[8];
static float moments_m[18], moments_v[18];
static const float codec_max[2] = {2.0f, 1.5f}, codec_min[2] = {0.0f, 0.0f};
static const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, learning_rate = 1e-3, decay = 0.0,
                    reproducible = 1.0;
static const int64_t epoch = 3, seed = -1, step = 7;

static const cae_file_tensor tensors[SAMPLE_ALL] = {
    {"codec.min", CAE_DTYPE_F32, 1, {2}, codec_min},
    {"3.weight", CAE_DTYPE_F32, 4, {2, 1, 2, 2}, weight3},
    {"0.weight", CAE_DTYPE_F32, 4, {2, 1, 3, 3}, weight0},
    {"codec.max", CAE_DTYPE_F32, 1, {2}, codec_max},
    {"3.bias", CAE_DTYPE_F32, 1, {1}, bias3},
    {"0.bias", CAE_DTYPE_F32, 1, {2}, bias0},
    {"train.weight_decay", CAE_DTYPE_F64, 1, {1}, &decay},
    {"train.v.3.weight", CAE_DTYPE_F32, 4, {2, 1, 2, 2}, moments_v},
    {"train.m.3.weight", CAE_DTYPE_F32, 4, {2, 1, 2, 2}, moments_m},
    {"train.v.3.bias", CAE_DTYPE_F32, 1, {1}, moments_v},
    {"train.m.3.bias", CAE_DTYPE_F32, 1, {1}, moments_m},
    {"train.v.0.weight", CAE_DTYPE_F32, 4, {2, 1, 3, 3}, moments_v},
    {"train.m.0.weight", CAE_DTYPE_F32, 4, {2, 1, 3, 3}, moments_m},
    {"train.v.0.bias", CAE_DTYPE_F32, 1, {2}, moments_v},
    {"train.m.0.bias", CAE_DTYPE_F32, 1, {2}, moments_m},
    {"train.step", CAE_DTYPE_I64, 1, {1}, &step},
    {"train.reproducible", CAE_DTYPE_F64, 1, {1}, &reproducible},
    {"train.seed", CAE_DTYPE_I64, 1, {1}, &seed},
    {"train.learning_rate", CAE_DTYPE_F64, 1, {1}, &learning_rate},
    {"train.epsilon", CAE_DTYPE_F64, 1, {1}, &epsilon},
    {"train.epoch", CAE_DTYPE_I64, 1, {1}, &epoch},
    {"train.beta2", CAE_DTYPE_F64, 1, {1}, &beta2},
    {"train.beta1", CAE_DTYPE_F64, 1, {1}, &beta1},
};

const cae_file_model *sample_model(size_t len)
{
    static cae_file_model model = {"input 1 8 8\n"
                                   "conv 2 kernel 3 pad 1 relu\n"
                                   "maxpool 2\n"
                                   "code\n"
                                   "tconv 1 kernel 2 stride 2 sigmoid\n",
                                   tensors, 0, NULL, 1};
    for (int i = 0; i < 18; i++) {
        weight0[i] = -0.5f + 0.0625f * (float)i;
        moments_m[i] = (float)i / 1024.0f;
        moments_v[i] = (float)i / 1048576.0f;
    }
    for (int i = 0; i < 8; i++) {
        weight3[i] = 1.0f - 0.25f * (float)i;
    }
    model.len = len;
    return &model;
}

int model_open_status(const void *data, size_t size, cae_file_profile profile)
{
    limited_memory memory;
    cae_model_file *f;
    limited_memory_start(&memory, 0);
    const int status = cae_model_file_open_memory(&f, &memory.memory, data, size, profile);
    ck_assert((f != NULL) == (status == CAE_OK));
    cae_model_file_close(f);
    ck_assert_uint_eq(memory.blocks, 0);
    return status;
}

int sample_save(size_t len, const char *path)
{
    return cae_model_file_write_path(cae_memory_default(), sample_model(len), path, false);
}

static bool is_golden(const uint8_t *data, size_t size, const char *name)
{
    size_t golden_size;
    uint8_t *golden = file_golden(name, &golden_size);
    const bool same = size == golden_size && memcmp(data, golden, size) == 0;
    free(golden);
    return same;
}

char sample_which(const char *path)
{
    size_t size;
    uint8_t *data = file_read(path, &size);
    const char found = data == NULL                                    ? '-'
                       : is_golden(data, size, "weights.safetensors")  ? 'o'
                       : is_golden(data, size, "training.safetensors") ? 'n'
                                                                       : '?';
    free(data);
    return found;
}
