/*
 * Status and message: how failures are reported. A function that can fail returns int, CAE_OK or a
 * negative status. The function that detects a fault stores the message with cae_fail; callers pass
 * the status on with CAE_TRY or `goto done` and do not change the message.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_BASE_STATUS_H
#define CAE_BASE_STATUS_H

#include <stddef.h>

#include "base/exact.h"
#include "cae/cae.h"

enum { CAE_MESSAGE_SIZE = 256 };

/* Stores the message for this thread's cae_last_error and returns `status`. The format has %s, %d,
 * %u, %zu, %lld, %llu, %g and %%, independent of the locale; longer text is cut. */
int cae_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The stored message; never NULL. */
const char *cae_message(void);

/* Writes at most `size` bytes with the final NUL; the same formats. Returns text. */
char *cae_format(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define CAE_TRY(call)                  \
    do {                               \
        const int try_status = (call); \
        if (try_status != CAE_OK) {    \
            return try_status;         \
        }                              \
    } while (0)

#endif
