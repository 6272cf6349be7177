/*
 * A locale with a decimal comma; see comma_locale.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _POSIX_C_SOURCE 200809L

#include "comma_locale.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[] = "/tmp/cae-locale-XXXXXX";
static bool made;

static bool try_locale(const char *name)
{
    return setlocale(LC_ALL, name) != NULL && strcmp(localeconv()->decimal_point, ",") == 0;
}

static bool try_installed(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (try_locale(names[i])) {
            return true;
        }
    }
    return false;
}

/* The smallest source that differs from "C" in the decimal sign alone. */
static const char source[] = "LC_NUMERIC\n"
                             "decimal_point \",\"\n"
                             "thousands_sep \".\"\n"
                             "grouping 3\n"
                             "END LC_NUMERIC\n";

static bool try_made(void)
{
    char command[200];
    char path[100];
    made = mkdtemp(folder) != NULL;
    snprintf(path, sizeof(path), "%s/source", folder);
    FILE *file = made ? fopen(path, "w") : NULL;
    if (file == NULL || fputs(source, file) < 0 || fclose(file) != 0) {
        return false;
    }
    /* localedef warns of what is missing, and -c makes it go on; whether it worked is tried out. */
    snprintf(command, sizeof(command),
             "localedef -c -i %s -f ANSI_X3.4-1968 %s/comma >/dev/null 2>&1", path, folder);
    (void)!system(command);
    return setenv("LOCPATH", folder, 1) == 0 && try_locale("comma");
}

bool comma_locale_enter(const char *left_out)
{
    if (try_installed() || try_made()) {
        return true;
    }
    comma_locale_leave();
    printf("SKIPPED, no locale with a decimal comma and no localedef: %s\n", left_out);
    return false;
}

void comma_locale_leave(void)
{
    char command[100];
    setlocale(LC_ALL, "C");
    unsetenv("LOCPATH");
    if (made) {
        snprintf(command, sizeof(command), "rm -rf %s", folder);
        (void)!system(command);
        made = false;
    }
}
