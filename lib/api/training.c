/*
 * The exported functions that train a model: check the arguments, call, return.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <string.h>

#include "api/check.h"
#include "base/floats.h"
#include "base/fpenv.h"
#include "base/status.h"
#include "model/training.h"

typedef int (*train_function)(cae_model *m, const cae_pairs *pairs, float *loss);

static int train(train_function run, cae_model *m, const cae_pairs *p, float *loss)
{
    CAE_TRY(cae_check_pairs(m, p));
    const cae_fpenv saved = cae_fpenv_enter();
    const int status = run(m, p, loss);
    cae_fpenv_leave(saved);
    return status;
}

int cae_train_step(cae_model *m, const float *input, const float *target, size_t count,
                   size_t height, size_t width, float *loss)
{
    return train(cae_model_step, m, &(cae_pairs){input, target, NULL, count, height, width}, loss);
}

int cae_train_step_sigma(cae_model *m, const float *input, const float *target, const float *sigma,
                         size_t count, size_t height, size_t width, float *loss)
{
    CAE_TRY(cae_check_pointer(sigma, "sigma"));
    return train(cae_model_step, m, &(cae_pairs){input, target, sigma, count, height, width}, loss);
}

int cae_train_gradient(cae_model *m, const float *input, const float *target, size_t count,
                       size_t height, size_t width, float *loss)
{
    return train(cae_model_gradient, m, &(cae_pairs){input, target, NULL, count, height, width},
                 loss);
}

int cae_train_gradient_sigma(cae_model *m, const float *input, const float *target,
                             const float *sigma, size_t count, size_t height, size_t width,
                             float *loss)
{
    CAE_TRY(cae_check_pointer(sigma, "sigma"));
    return train(cae_model_gradient, m, &(cae_pairs){input, target, sigma, count, height, width},
                 loss);
}

int cae_gradient_get(const cae_model *m, float *values, size_t len)
{
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_pointer(values, "values"));
    CAE_TRY(cae_check_len(len, m->net->parameters, "the gradient"));
    CAE_TRY(cae_check_gradient(m));
    memcpy(values, m->pending.weights, len * sizeof(float));
    return CAE_OK;
}

int cae_gradient_set(cae_model *m, const float *values, size_t len)
{
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_pointer(values, "values"));
    CAE_TRY(cae_check_len(len, m->net->parameters, "the gradient"));
    CAE_TRY(cae_check_finite(values, len, "values"));
    return cae_model_set_gradient(m, values);
}

int cae_train_apply(cae_model *m)
{
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_gradient(m));
    const cae_fpenv saved = cae_fpenv_enter();
    const int status = cae_model_apply(m);
    cae_fpenv_leave(saved);
    return status;
}
