/*
 * A locale whose decimal sign is a comma, for tests that nothing of the library follows the locale.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TESTS_SUPPORT_COMMA_LOCALE_H
#define CAE_TESTS_SUPPORT_COMMA_LOCALE_H

#include <stdbool.h>

/* Switches the process to such a locale, an installed one or else one made in a temporary folder
 * with localedef. False, with a line on stdout that names what is left out, when there is none. */
bool comma_locale_enter(const char *left_out);

/* Back to "C"; removes the temporary folder. */
void comma_locale_leave(void);

#endif
