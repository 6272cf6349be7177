/*
 * How a fuzz target fails: loudly, and in the way that libFuzzer notices.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

unsigned long fuzz_accepted;

void fuzz_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: not true: %s\n", file, line, condition);
    abort();
}
