/*
 * The caller's surroundings neither matter nor change: rounding mode and flush-to-zero, errno,
 * standard output, signals, locale.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fenv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "comma_locale.h"
#include "contract.h"

/* ---- A program that uses everything -----------------------------------------------------------
 */

enum { H = 9, W = 14, C = 2, LEN = 2 * C * H * W };

/* Called after each step of the program, to look around. */
static void (*look)(const char *step);

static void at(const char *step)
{
    if (look != NULL) {
        look(step);
    }
}

static uint64_t train(cae_model *m)
{
    double parameters = 0;
    float loss = 0;
    float *input = noise(LEN, 1);
    float *target = noise(LEN, 2);
    /* Small values on purpose: denormals appear within. */
    OK(cae_add_noise(input, LEN, 1e-20f, 3));
    at("add_noise");
    OK(cae_model_set(m, "threads", 3));
    for (int i = 0; i < 3; i++) {
        OK(cae_train_step(m, input, target, 2, H, W, &loss));
        at("train_step");
    }
    OK(cae_train_gradient(m, input, target, 2, H, W, &loss));
    at("train_gradient");
    OK(cae_model_get(m, "parameters", &parameters));
    float *gradient = need((size_t)parameters, sizeof(*gradient));
    OK(cae_gradient_get(m, gradient, (size_t)parameters));
    for (size_t i = 0; i < (size_t)parameters; i++) {
        gradient[i] = gradient[i] > 0 ? 1e-38f : gradient[i];
    }
    OK(cae_gradient_set(m, gradient, (size_t)parameters));
    at("gradient_set");
    OK(cae_train_apply(m));
    at("train_apply");
    OK(cae_evaluate(m, input, target, 2, H, W, &loss));
    at("evaluate");
    const uint64_t hash = hash_bytes(&loss, sizeof(loss)) ^ hash_bytes(input, LEN * sizeof(*input));
    free(gradient);
    free(input);
    free(target);
    return hash;
}

static uint64_t use(cae_model *m)
{
    size_t shape[3];
    OK(cae_code_shape(m, H, W, shape));
    const size_t code_len = 2 * shape[0] * shape[1] * shape[2];
    float *images = noise(LEN, 4);
    float *codes = need(code_len, sizeof(*codes));
    OK(cae_encode(m, images, 2, H, W, codes));
    at("encode");
    const uint64_t hash = hash_bytes(codes, code_len * sizeof(*codes));
    OK(cae_decode(m, codes, 2, H, W, images));
    at("decode");
    OK(cae_denoise(m, images, 1, H, W, 0, images + LEN / 2));
    at("denoise");
    const uint64_t both = hash * 31 + hash_bytes(images, LEN * sizeof(*images));
    free(images);
    free(codes);
    return both;
}

static uint64_t compress(cae_model *m)
{
    uint8_t pixels[H * W * C];
    uint8_t data[4096];
    size_t size = 0;
    for (size_t i = 0; i < sizeof(pixels); i++) {
        pixels[i] = (uint8_t)(i * 7);
    }
    OK(cae_compress(m, pixels, H, W, W * C, 70, data, sizeof(data), &size));
    at("compress");
    OK(cae_decompress(m, data, size, pixels, H, W, W * C));
    at("decompress");
    return hash_bytes(data, size) * 31 + hash_bytes(pixels, sizeof(pixels));
}

/* A hash of all that it computed. */
static uint64_t program(void)
{
    cae_model *m = new_model(small_net, 7);
    at("model_new");
    uint64_t hash = train(m);
    hash = hash * 31 + use(m);
    hash = hash * 31 + compress(m);
    struct bytes file = save_bytes(m, CAE_SAVE_TRAINING);
    at("model_save_memory");
    hash = hash * 31 + hash_bytes(file.data, file.size);
    cae_model *loaded = NULL;
    OK(cae_model_load_memory(&loaded, file.data, file.size));
    at("model_load_memory");
    EXPECT(cae_train_step(loaded, NULL, NULL, 0, 0, 0, NULL) == CAE_E_ARGUMENT);
    at("a failure");
    EXPECT(same_models(m, loaded));
    cae_model_free(loaded);
    cae_model_free(m);
    at("model_free");
    free_bytes(&file);
    return hash;
}

/* ---- Floating point ---------------------------------------------------------------------------
 */

static unsigned wanted_state;

static unsigned state_now(void)
{
#if defined(__SSE__)
    return _mm_getcsr();
#else
    return (unsigned)fegetround();
#endif
}

static void look_at_state(const char *step)
{
    const unsigned now = state_now();
    EXPECT_SAID(now == wanted_state && fegetround() == FE_UPWARD,
                "after %s the floating-point state is %#x, before it %#x", step, now, wanted_state);
}

static void rounding_and_flushing_neither_matter_nor_change(void)
{
    look = NULL;
    const uint64_t expected = program();
    fenv_t before;
    fegetenv(&before);
    fesetround(FE_UPWARD);
#if defined(__SSE__)
    _mm_setcsr((_mm_getcsr() | 0x8040) & ~0x3fu); /* FTZ, DAZ, no flags raised */
#endif
    wanted_state = state_now();
    look = look_at_state;
    cae_model *m = new_model(small_net, 7);
    look_at_state("model_new");
    cae_model_free(m);
    look = NULL; /* the test's own sums raise flags in between */
    const uint64_t got = program();
    const unsigned after = state_now();
    fesetenv(&before);
    EXPECT(got == expected);
    EXPECT_SAID((after & ~0x3fu) == (wanted_state & ~0x3fu), "afterwards %#x, before %#x", after,
                wanted_state);
}

/* Not even a flag is raised: of calls that compute, one by one. */
static void no_flag_is_raised(void)
{
    float *images = noise(LEN, 4);
    cae_model *m = new_model(small_net, 7);
    fenv_t before;
    fegetenv(&before);
    fesetround(FE_UPWARD);
#if defined(__SSE__)
    _mm_setcsr((_mm_getcsr() | 0x8040) & ~0x3fu);
#endif
    wanted_state = state_now();
    const int status = cae_train_step(m, images, images, 2, H, W, NULL);
    look_at_state("train_step");
    const int other = cae_denoise(m, images, 1, H, W, 0, images + LEN / 2);
    look_at_state("denoise");
    fesetenv(&before);
    EXPECT(status == CAE_OK && other == CAE_OK);
    free(images);
    cae_model_free(m);
}

/* ---- The rest ---------------------------------------------------------------------------------
 */

static void look_at_errno(const char *step)
{
    EXPECT_SAID(errno == 1234, "%s set errno to %d", step, errno);
    errno = 1234;
}

static void errno_is_the_callers(void)
{
    look = look_at_errno;
    errno = 1234;
    (void)program();
    look = NULL;
}

static void nothing_is_printed(void)
{
    fflush(NULL);
    FILE *file = tmpfile();
    const int out = dup(1);
    const int err = dup(2);
    EXPECT(file != NULL && out >= 0 && err >= 0);
    dup2(fileno(file), 1);
    dup2(fileno(file), 2);
    cae_model *m = NULL;
    const int status = cae_model_new(&m, "input 1 2 3\nnonsense\n", 1);
    const int missing = cae_model_load(&m, "/no such file");
    (void)program();
    fflush(NULL);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    EXPECT(status == CAE_E_SYNTAX && missing == CAE_E_IO);
    EXPECT(fseek(file, 0, SEEK_END) == 0 && ftell(file) == 0);
    fclose(file);
}

static void the_signal_mask_stays(void)
{
    sigset_t mask, after;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    (void)program();
    sigprocmask(SIG_SETMASK, NULL, &after);
    for (int s = 1; s < 32; s++) {
        EXPECT(sigismember(&after, s) == (s == SIGUSR1));
    }
    sigemptyset(&mask);
    sigprocmask(SIG_SETMASK, &mask, NULL);
}

static void the_locale_does_not_matter(void)
{
    const uint64_t expected = program();
    if (comma_locale_enter("the whole program in another locale")) {
        const uint64_t got = program();
        double value;
        cae_model *m = new_model(small_net, 1);
        FAILS(cae_model_set(m, "beta1", 1.5), CAE_E_ARGUMENT, "1.5");
        OK(cae_model_get(m, "beta1", &value));
        cae_model_free(m);
        comma_locale_leave();
        EXPECT(got == expected);
    }
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(rounding_and_flushing_neither_matter_nor_change),
        TEST(no_flag_is_raised),
        TEST(errno_is_the_callers),
        TEST(nothing_is_printed),
        TEST(the_signal_mask_stays),
        TEST(the_locale_does_not_matter),
    };
    return RUN_TESTS(argc, argv, tests);
}
