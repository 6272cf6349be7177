/*
 * The thread's message, and a formatter, because the C library's follows the locale and may
 * allocate. The message is one of the library's two mutable globals.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "base/status.h"

#include <stdarg.h>
#include <string.h>

#include "base/assert.h"

static _Thread_local char message[CAE_MESSAGE_SIZE];

struct text {
    char *at;
    char *end; /* where the NUL goes at the latest */
};

static void put(struct text *t, char c)
{
    if (t->at < t->end) {
        *t->at++ = c;
    }
}

static void put_string(struct text *t, const char *s)
{
    for (s = s != NULL ? s : "(null)"; *s != '\0'; s++) {
        /* Names are untrusted input: no control characters in terminals and logs. */
        const unsigned char c = (unsigned char)*s;
        put(t, c < 32 || c == 127 ? '?' : *s);
    }
}

static void put_unsigned(struct text *t, unsigned long long value)
{
    char digits[24];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (n > 0) {
        put(t, digits[--n]);
    }
}

static void put_signed(struct text *t, long long value)
{
    if (value < 0) {
        put(t, '-');
        put_unsigned(t, 0ULL - (unsigned long long)value);
    } else {
        put_unsigned(t, (unsigned long long)value);
    }
}

/* Up to 7 significant digits without trailing zeros; with an exponent outside 1e-5 .. 1e9. For
 * settings and limits in messages, not for data. */
static void put_double(struct text *t, double value)
{
    int exponent = 0;
    if (value != value) {
        put_string(t, "NaN");
        return;
    }
    if (value < 0) {
        put(t, '-');
        value = -value;
    }
    if (value > 1.7976931348623157e308) {
        put_string(t, "infinity");
        return;
    }
    if (value != 0 && (value < 1e-5 || value >= 1e9)) {
        for (; value >= 10; exponent++) {
            value /= 10;
        }
        for (; value < 1; exponent--) {
            value *= 10;
        }
    }
    unsigned long long scale = 1;
    for (double v = value; v < 1e6 && scale < 1000000000000ULL; v *= 10) {
        scale *= 10;
    }
    unsigned long long fixed = (unsigned long long)(value * (double)scale + 0.5);
    put_unsigned(t, fixed / scale);
    fixed %= scale;
    if (fixed != 0) {
        put(t, '.');
    }
    while (fixed != 0) {
        scale /= 10;
        put(t, (char)('0' + fixed / scale));
        fixed %= scale;
    }
    if (exponent != 0) {
        put(t, 'e');
        put_signed(t, exponent);
    }
}

/* One conversion; `f` points behind the per cent sign. Returns its last character. */
static const char *put_conversion(struct text *t, const char *f, va_list *args)
{
    if (f[0] == 'z' && f[1] == 'u') {
        put_unsigned(t, va_arg(*args, size_t));
        return f + 1;
    }
    if (f[0] == 'l' && f[1] == 'l') {
        if (f[2] == 'u') {
            put_unsigned(t, va_arg(*args, unsigned long long));
        } else {
            put_signed(t, va_arg(*args, long long));
        }
        return f + 2;
    }
    switch (*f) {
    case 's':
        put_string(t, va_arg(*args, const char *));
        break;
    case 'd':
        put_signed(t, va_arg(*args, int));
        break;
    case 'u':
        put_unsigned(t, va_arg(*args, unsigned));
        break;
    case 'g':
        put_double(t, va_arg(*args, double));
        break;
    default:
        put(t, *f);
    }
    return f;
}

static void format_list(char *text, size_t size, const char *format, va_list *args)
{
    struct text t = {text, text + size - 1};
    for (const char *f = format; *f != '\0'; f++) {
        if (*f == '%' && f[1] != '\0') {
            f = put_conversion(&t, f + 1, args);
        } else {
            put(&t, *f);
        }
    }
    *t.at = '\0';
}

int cae_fail(int status, const char *format, ...)
{
    /* An argument may point into the old message, so that is replaced when the new one is complete.
     */
    char text[CAE_MESSAGE_SIZE];
    va_list args;
    CAE_ASSERT(status < CAE_OK);
    va_start(args, format);
    format_list(text, sizeof(text), format, &args);
    va_end(args);
    memcpy(message, text, sizeof(text));
    return status;
}

const char *cae_message(void)
{
    return message;
}

char *cae_format(char *text, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    format_list(text, size, format, &args);
    va_end(args);
    return text;
}
