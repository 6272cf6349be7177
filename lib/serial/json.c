/*
 * The header's JSON subset. Strings are validated to the last byte when they are read, so
 * unescaping them later cannot fail.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "serial/json.h"

#include <string.h>

#include "base/assert.h"
#include "base/status.h"

static const uint64_t LARGEST_NUMBER = 9007199254740991u; /* 2^53 - 1: exact in every JSON reader */

int cae_json_fail(const cae_json *j, const char *problem)
{
    return cae_fail(CAE_E_FORMAT, "model file, header, byte %zu: %s", j->offset + j->at, problem);
}

static void skip_space(cae_json *j)
{
    while (j->at < j->size && j->text[j->at] != '\0' && strchr(" \t\n\r", j->text[j->at]) != NULL) {
        j->at++;
    }
}

bool cae_json_accept(cae_json *j, char c)
{
    CAE_ASSERT(j->at <= j->size);
    skip_space(j);
    if (j->at < j->size && j->text[j->at] == c) {
        j->at++;
        return true;
    }
    return false;
}

int cae_json_expect(cae_json *j, char c)
{
    char problem[] = "expected ?";
    if (cae_json_accept(j, c)) {
        return CAE_OK;
    }
    problem[sizeof(problem) - 2] = c;
    return cae_json_fail(j, problem);
}

/* The size of the UTF-8 sequence at p (RFC 3629, section 4), or 0 when it is not valid. */
static size_t utf8_size(const uint8_t *p, size_t left)
{
    const size_t size = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (size == 0 || size > left || p[0] > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    /* The second byte shows overlong forms, surrogates, and values above U+10FFFF. */
    const bool bad = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
                     (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f);
    return bad ? 0 : size;
}

bool cae_json_utf8_valid(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        const size_t step = utf8_size((const uint8_t *)text + at, size - at);
        if (step == 0) {
            return false;
        }
        at += step;
    }
    return true;
}

static bool read_hex4(const char *text, size_t left, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < 4; i++) {
        const char c = i < left ? text[i] : '?';
        const bool digit = c >= '0' && c <= '9';
        const bool letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (!digit && !letter) {
            return false;
        }
        *out = *out << 4 | (uint32_t)(digit ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return true;
}

/* Reads the escape at `text`, which begins with a backslash. Returns its size, 0 if it is invalid.
 */
static size_t read_escape(const char *text, size_t left, uint32_t *code)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char *found = left < 2 || text[1] == '\0' ? NULL : strchr(letters, text[1]);
    if (found != NULL) {
        *code = (uint8_t)meanings[found - letters];
        return 2;
    }
    if (left < 2 || text[1] != 'u' || !read_hex4(text + 2, left - 2, code) || *code == 0) {
        return 0;
    }
    if (*code < 0xd800 || *code > 0xdfff) {
        return 6;
    }
    uint32_t low = 0;
    if (*code > 0xdbff || left < 12 || text[6] != '\\' || text[7] != 'u' ||
        !read_hex4(text + 8, 4, &low) || low < 0xdc00 || low > 0xdfff) {
        return 0;
    }
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return 12;
}

static size_t put_utf8(char *out, uint32_t code)
{
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    const size_t size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)(lead[size] | code);
    return size;
}

int cae_json_read_string(cae_json *j, cae_json_string *out)
{
    if (!cae_json_accept(j, '"')) {
        return cae_json_fail(j, "expected a string");
    }
    *out = (cae_json_string){j->text + j->at, 0, 0};
    while (j->at < j->size && j->text[j->at] != '"') {
        const char *text = j->text + j->at;
        const size_t left = j->size - j->at;
        char utf8[4];
        uint32_t code = 0;
        size_t size = 0;
        if (*text == '\\') {
            size = read_escape(text, left, &code);
            out->size += size > 0 ? put_utf8(utf8, code) : 0;
        } else if ((uint8_t)*text >= 0x20) {
            size = utf8_size((const uint8_t *)text, left);
            out->size += size;
        }
        if (size == 0) {
            return cae_json_fail(j, "a byte or an escape that a string cannot hold");
        }
        out->raw_size += size;
        j->at += size;
    }
    return j->at < j->size ? cae_json_expect(j, '"') : cae_json_fail(j, "a string does not end");
}

int cae_json_read_key(cae_json *j, cae_json_string *out)
{
    CAE_TRY(cae_json_read_string(j, out));
    if (out->raw_size != out->size) {
        return cae_json_fail(j, "a key with a backslash");
    }
    return cae_json_expect(j, ':');
}

static int read_number(cae_json *j, uint64_t *out)
{
    skip_space(j);
    const size_t start = j->at;
    *out = 0;
    while (j->at < j->size && j->text[j->at] >= '0' && j->text[j->at] <= '9') {
        *out = *out * 10 + (uint64_t)(j->text[j->at] - '0');
        j->at++;
        /* No wrap: before the last digit the value was at most 2^53 - 1. */
        if (*out > LARGEST_NUMBER) {
            return cae_json_fail(j, "a number above 2^53 - 1");
        }
    }
    if (j->at == start || (j->text[start] == '0' && j->at > start + 1)) {
        return cae_json_fail(j, "expected a whole number");
    }
    return CAE_OK;
}

int cae_json_read_numbers(cae_json *j, uint64_t *values, size_t capacity, size_t *len)
{
    *len = 0;
    CAE_TRY(cae_json_expect(j, '['));
    if (cae_json_accept(j, ']')) {
        return CAE_OK;
    }
    do {
        uint64_t value;
        CAE_TRY(read_number(j, &value));
        *len += 1;
        if (*len > capacity) {
            return CAE_OK;
        }
        values[*len - 1] = value;
    } while (cae_json_accept(j, ','));
    return cae_json_expect(j, ']');
}

int cae_json_finish(cae_json *j)
{
    while (j->at < j->size && j->text[j->at] == ' ') {
        j->at++;
    }
    return j->at == j->size ? CAE_OK : cae_json_fail(j, "only spaces may follow the last brace");
}

bool cae_json_equals(const cae_json_string *s, const char *text)
{
    return s->raw_size == strlen(text) && memcmp(s->raw, text, s->raw_size) == 0;
}

void cae_json_unescape(const cae_json_string *s, char *out)
{
    size_t at = 0;
    while (at < s->raw_size) {
        uint32_t code = 0;
        const size_t size =
            s->raw[at] == '\\' ? read_escape(s->raw + at, s->raw_size - at, &code) : 0;
        if (size > 0) {
            out += put_utf8(out, code);
            at += size;
        } else {
            *out++ = s->raw[at++];
        }
    }
    *out = '\0';
}

void cae_json_write_string(cae_writer *w, const char *text)
{
    static const char specials[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    static const char hex[] = "0123456789abcdef";
    cae_write_u8(w, '"');
    for (; *text != '\0'; text++) {
        const char *found = strchr(specials, *text);
        const uint8_t byte = (uint8_t)*text;
        if (found != NULL) {
            cae_write_u8(w, '\\');
            cae_write_u8(w, (uint8_t)letters[found - specials]);
        } else if (byte < 0x20) {
            cae_write_span(w, "\\u00", 4);
            cae_write_u8(w, (uint8_t)hex[byte >> 4]);
            cae_write_u8(w, (uint8_t)hex[byte & 15]);
        } else {
            cae_write_u8(w, byte);
        }
    }
    cae_write_u8(w, '"');
}
