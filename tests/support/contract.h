/*
 * What the contract tests share: expectations that count and print instead of stopping, and small
 * makers of models, images and files. A program is a list of void functions run by contract_run. A
 * plain program without a framework: these tests count allocations, fork, and run threads of their
 * own, where a framework's own would be in the way.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TESTS_SUPPORT_CONTRACT_H
#define CAE_TESTS_SUPPORT_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cae/cae.h"
#include "numbers.h"

/* ---- Expectations ---- */

/* Counts and prints a failure when `good` is false; the format says what was expected. */
void expect_at(const char *file, int line, bool good, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#define EXPECT(condition)      expect_at(__FILE__, __LINE__, (condition), "%s", #condition)
#define EXPECT_SAID(good, ...) expect_at(__FILE__, __LINE__, (good), __VA_ARGS__)

/* A call that must succeed. */
#define OK(call) expect_ok(__FILE__, __LINE__, (call), #call)
void expect_ok(const char *file, int line, int status, const char *call);

/* A call that must fail with `status` and a message that contains `word` ("" for any). The message
 * is erased before the call, so that an old one is not taken for a new one. */
#define FAILS(call, status, word) \
    (forget_message(), expect_failure(__FILE__, __LINE__, (call), (status), (word), #call))
void forget_message(void);
void expect_failure(const char *file, int line, int got, int status, const char *word,
                    const char *call);

/* What a failure is printed with, "" or a few words about the row of a table; kept by copy. */
void expect_context(const char *format, ...) __attribute__((format(printf, 1, 2)));

size_t expect_failures(void);

struct contract_test {
    const char *name;
    void (*run)(void);
};

/* Runs the tests, or only those named on the command line; the exit status of main. */
int contract_run(int argc, char **argv, const struct contract_test *tests, size_t len);

#define TEST(function)      \
    {                       \
#function, function \
    }
#define RUN_TESTS(argc, argv, tests) \
    contract_run(argc, argv, tests, sizeof(tests) / sizeof((tests)[0]))

/* CAE_TEST_LONG=1: more cases. */
bool long_run(void);

/* ---- Makers; they end the program when they cannot ---- */

void *need(size_t count, size_t size);   /* memory, zeroed */
float *noise(size_t len, uint64_t seed); /* uniform in [0,1) */
cae_model *new_model(const char *text, uint64_t seed);
cae_model *copy_model(const cae_model *m); /* with the training state */

/* A model file in memory. */
struct bytes {
    uint8_t *data;
    size_t size;
};
struct bytes save_bytes(const cae_model *m, uint32_t flags);
bool same_bytes(struct bytes a, struct bytes b);
size_t tensor_offset(struct bytes file, const char *name); /* of its data, which must be there */
void free_bytes(struct bytes *b);

/* Whether two models save the same file, training state included. */
bool same_models(const cae_model *a, const cae_model *b);

/* Small networks: one with every kind of layer that takes any size (unit 4, two channels), one with
 * a dense layer, one whose skip crosses `code`. */
extern const char small_net[];
extern const char dense_net[];
extern const char crossed_net[];

#endif
