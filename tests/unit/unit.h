/*
 * What the unit tests share: Check, and the one way to run a suite. Each test runs in a process of
 * its own unless CK_FORK=no says otherwise.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TESTS_UNIT_UNIT_H
#define CAE_TESTS_UNIT_UNIT_H

#include <check.h>

/* Runs the tests of the list, which ends with NULL, each between setup and teardown; the exit
 * status of main. */
static inline int unit_run_with(const char *name, const TTest *const *tests, SFun setup,
                                SFun teardown)
{
    Suite *suite = suite_create(name);
    TCase *cases = tcase_create(name);
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    for (; *tests != NULL; tests++) {
        tcase_add_test(cases, *tests);
    }
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

static inline int unit_run(const char *name, const TTest *const *tests)
{
    return unit_run_with(name, tests, NULL, NULL);
}

#endif
