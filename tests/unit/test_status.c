/*
 * Messages of failures: the formatter, the thread's message, and that neither follows the locale.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "unit.h"

#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "comma_locale.h"

#define expect_text(expected, ...)                                             \
    do {                                                                       \
        char got[CAE_MESSAGE_SIZE];                                            \
        ck_assert_str_eq(cae_format(got, sizeof(got), __VA_ARGS__), expected); \
    } while (0)

START_TEST(formats_whole_numbers)
{
    expect_text("0 -1 -2147483648 2147483647", "%d %d %d %d", 0, -1, INT_MIN, INT_MAX);
    expect_text("4294967295", "%u", UINT_MAX);
    expect_text("18446744073709551615", "%llu", ULLONG_MAX);
    expect_text("-9223372036854775808", "%lld", LLONG_MIN);
    expect_text(sizeof(size_t) == 8 ? "18446744073709551615" : "4294967295", "%zu", SIZE_MAX);
}
END_TEST

START_TEST(formats_strings_and_per_cent)
{
    const char *volatile nothing = NULL; /* volatile: the compiler would warn of what is wanted */
    expect_text("a b, 100 %", "%s %s, %d %%", "a", "b", 100);
    expect_text("", "%s", "");
    expect_text("(null)", "%s", nothing);
}
END_TEST

/* Settings and limits as a reader would write them, up to 7 digits. */
START_TEST(formats_settings)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0, "0"},
        {1, "1"},
        {-2.5, "-2.5"},
        {0.9, "0.9"},
        {0.999, "0.999"},
        {1e-3, "0.001"},
        {1e-5, "0.00001"},
        {1e-8, "1e-8"},
        {1e-30, "1e-30"},
        {1e6, "1000000"},
        {123456.7, "123456.7"},
        {65536, "65536"},
        {1e9, "1e9"},
        {1e15, "1e15"},
        {1e22, "1e22"},
        {1e300, "1e300"},
        {9e-300, "9e-300"},
        {1073741824, "1.073742e9"},
        {9007199254740992, "9.007199e15"},
        {99999999, "99999999"},
        {0.1 + 0.2, "0.3"},
        {25.0 / 255, "0.09803922"},
        {INFINITY, "infinity"},
        {-INFINITY, "-infinity"},
        {NAN, "NaN"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_text(rows[i].text, "%g", rows[i].value);
    }
}
END_TEST

/* Whatever the double, the text reads back to within 7 digits. */
START_TEST(formats_any_double)
{
    double x = 1.234567890123e-307;
    for (int i = 0; i < 3000 && x < 1e307; i++, x *= 1.6180339887498949) {
        char text[CAE_MESSAGE_SIZE];
        const double back = strtod(cae_format(text, sizeof(text), "%g", x), NULL);
        ck_assert_msg(fabs(back - x) <= 1e-6 * x, "%.17g became %s", x, text);
        ck_assert_msg(strlen(text) <= 16, "%.17g became %s", x, text);
    }
}
END_TEST

START_TEST(control_characters_become_question_marks)
{
    expect_text("a?b?c?[31m d", "%s", "a\nb\tc\033[31m d");
    expect_text("\xc3\xa4?", "%s", "\xc3\xa4\x7f");
}
END_TEST

START_TEST(text_is_cut_where_it_must)
{
    char text[8];
    memset(text, 'x', sizeof(text));
    cae_format(text, 5, "%s", "abcdefgh");
    ck_assert_str_eq(text, "abcd");
    ck_assert_int_eq(text[5], 'x');
    cae_format(text, 1, "%d", 12345);
    ck_assert_str_eq(text, "");

    char longer[1000];
    memset(longer, 'y', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    cae_fail(CAE_E_IO, "%s", longer);
    ck_assert_uint_eq(strlen(cae_message()), 255);
    ck_assert_int_eq(memcmp(cae_message(), longer, 255), 0);
}
END_TEST

START_TEST(failing_returns_the_status_and_keeps_the_words)
{
    ck_assert_str_eq(cae_message(), "");
    ck_assert_int_eq(cae_fail(CAE_E_SHAPE, "line %d", 3), CAE_E_SHAPE);
    ck_assert_str_eq(cae_message(), "line 3");
    /* The old message may be part of the new one. */
    cae_fail(CAE_E_SHAPE, "%s of %s", cae_message(), "net.txt");
    ck_assert_str_eq(cae_message(), "line 3 of net.txt");
}
END_TEST

static int passes_on(int status)
{
    CAE_TRY(status);
    return 1;
}

START_TEST(try_passes_a_failure_on)
{
    ck_assert_int_eq(passes_on(CAE_OK), 1);
    ck_assert_int_eq(passes_on(CAE_E_NOMEM), CAE_E_NOMEM);
}
END_TEST

static void *fail_elsewhere(void *arg)
{
    (void)arg;
    const bool empty = cae_message()[0] == '\0';
    cae_fail(CAE_E_IO, "elsewhere");
    return (void *)(uintptr_t)(empty && strcmp(cae_message(), "elsewhere") == 0);
}

START_TEST(each_thread_has_its_own_words)
{
    pthread_t thread;
    void *good = NULL;
    cae_fail(CAE_E_IO, "here");
    ck_assert_int_eq(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
    pthread_join(thread, &good);
    ck_assert_ptr_nonnull(good);
    ck_assert_str_eq(cae_message(), "here");
}
END_TEST

START_TEST(words_do_not_follow_the_locale)
{
    if (comma_locale_enter("words in another locale")) {
        char text[32];
        snprintf(text, sizeof(text), "%.1f", 2.5);
        ck_assert_str_eq(text, "2,5"); /* so the test would notice */
        expect_text("2.5 1.073742e9 1000000", "%g %g %d", 2.5, 1073741824.0, 1000000);
        comma_locale_leave();
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        formats_whole_numbers,
        formats_strings_and_per_cent,
        formats_settings,
        formats_any_double,
        control_characters_become_question_marks,
        text_is_cut_where_it_must,
        failing_returns_the_status_and_keeps_the_words,
        try_passes_a_failure_on,
        each_thread_has_its_own_words,
        words_do_not_follow_the_locale,
        NULL,
    };
    return unit_run("status", tests);
}
