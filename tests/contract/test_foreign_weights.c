/*
 * Weights from a plain safetensors file, as PyTorch writes them, written here by hand: every tensor
 * must be there with its name and shape, and no other; a refused file changes nothing.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <unistd.h>

#include "contract.h"
#include "plain_weights.h"

static char path[] = "/tmp/cae-weights-XXXXXX";

static const int expected[PLAIN_FAULTS] = {CAE_OK,          CAE_OK,       CAE_OK,      CAE_E_MODEL,
                                           CAE_E_MODEL,     CAE_E_MODEL,  CAE_E_MODEL, 0,
                                           CAE_E_NONFINITE, CAE_E_FORMAT, CAE_E_FORMAT};

static cae_model *trained(void)
{
    float *images = noise(2 * 8 * 12 * 3, 1);
    cae_model *m = new_model(small_net, 5);
    OK(cae_model_set(m, "learning_rate", 0.5));
    for (int i = 0; i < 3; i++) {
        OK(cae_train_step(m, images, images, 3, 8, 12, NULL));
    }
    free(images);
    return m;
}

static void check_loaded(cae_model *m, const cae_model *source)
{
    double step = -1;
    double rate = 0;
    cae_model *fresh = NULL;
    OK(cae_model_get(m, "step", &step));
    OK(cae_model_get(m, "learning_rate", &rate));
    EXPECT(step == 0 && rate == 0.5);
    /* The weights are the source's, moments 0, ranges empty: a copy of the untrained source in
     * which a weight was changed and changed back. */
    struct bytes got = save_bytes(m, 0);
    OK(cae_model_copy(&fresh, source, 0));
    float bias[5];
    const float others[5] = {0};
    OK(cae_tensor_get(fresh, 0, bias, 5));
    OK(cae_tensor_set(fresh, 0, others, 5));
    OK(cae_tensor_set(fresh, 0, bias, 5));
    struct bytes wanted = save_bytes(fresh, 0);
    EXPECT(same_bytes(got, wanted));
    OK(cae_model_set(fresh, "learning_rate", 0.5));
    float *images = noise(2 * 8 * 12, 2);
    OK(cae_train_step(m, images, images, 1, 8, 12, NULL));
    OK(cae_train_step(fresh, images, images, 1, 8, 12, NULL));
    struct bytes after = save_bytes(m, 0);
    struct bytes wanted_after = save_bytes(fresh, 0);
    EXPECT(same_bytes(after, wanted_after));
    free(images);
    free_bytes(&got);
    free_bytes(&wanted);
    free_bytes(&after);
    free_bytes(&wanted_after);
    cae_model_free(fresh);
}

static void plain_files_give_weights_or_are_refused(void)
{
    cae_model *source = new_model(small_net, 77);
    for (int fault = 0; fault < PLAIN_FAULTS; fault++) {
        cae_model *m = trained();
        cae_model *before = copy_model(m);
        expect_context("fault %d", fault);
        plain_weights_write(source, path, (enum plain_fault)fault);
        const int status = cae_model_load_weights(m, path);
        EXPECT_SAID(status == expected[fault] || (fault == PLAIN_DOUBLES && status != CAE_OK),
                    "status %d (%s), must be %d", status, cae_last_error(), expected[fault]);
        if (status == CAE_OK) {
            check_loaded(m, source);
        } else {
            EXPECT(same_models(m, before));
        }
        cae_model_free(m);
        cae_model_free(before);
    }
    cae_model_free(source);
}

static void the_words_name_the_tensor(void)
{
    cae_model *source = new_model(small_net, 77);
    cae_model *m = new_model(small_net, 1);
    plain_weights_write(source, path, PLAIN_WRONG_NAME);
    FAILS(cae_model_load_weights(m, path), CAE_E_MODEL, "0.bias");
    plain_weights_write(source, path, PLAIN_WRONG_SHAPE);
    FAILS(cae_model_load_weights(m, path), CAE_E_MODEL, "0.bias");
    plain_weights_write(source, path, PLAIN_EXTRA);
    FAILS(cae_model_load_weights(m, path), CAE_E_MODEL, "13 tensors");
    cae_model_free(source);
    cae_model_free(m);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(plain_files_give_weights_or_are_refused),
        TEST(the_words_name_the_tensor),
    };
    const int file = mkstemp(path);
    if (file < 0) {
        return 1;
    }
    close(file);
    const int result = RUN_TESTS(argc, argv, tests);
    unlink(path);
    return result;
}
