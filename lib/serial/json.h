/*
 * The JSON of a model file's header: a pull parser for the subset that docs/file-formats.md
 * defines. The caller requests the next token, so the caller's code fixes the depth and there is no
 * recursion. Nothing is allocated or changed, and strings are spans of the text. A failure names
 * the byte of the file. The parser does not know the keys.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_JSON_H
#define CAE_SERIAL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

typedef struct cae_json {
    const char *text;
    size_t size;
    size_t at;
    size_t offset; /* of text within the file, for messages */
} cae_json;

/* A valid string: the text between its quotes. */
typedef struct cae_json_string {
    const char *raw;
    size_t raw_size;
    size_t size; /* unescaped: smaller than raw_size if and only if there are escapes */
} cae_json_string;

/* CAE_E_FORMAT with the message "header, byte N: ...", N being the parser's position. */
int cae_json_fail(const cae_json *j, const char *problem);

/* Skips white space, then `c` if it is next. */
bool cae_json_accept(cae_json *j, char c);

/* The same; anything else than `c` is an error. */
int cae_json_expect(cae_json *j, char c);

/* A string: valid UTF-8, valid escapes, no U+0000. */
int cae_json_read_string(cae_json *j, cae_json_string *out);

/* A string without escapes, and the colon after it. */
int cae_json_read_key(cae_json *j, cae_json_string *out);

/* An array of whole numbers from 0 to 2^53 - 1. With more than `capacity` of them *len becomes
 * capacity + 1, and the parser stops in the middle of the array; the caller must fail then. */
int cae_json_read_numbers(cae_json *j, uint64_t *values, size_t capacity, size_t *len);

/* Only spaces may be left. */
int cae_json_finish(cae_json *j);

/* True when the raw string is this text. */
bool cae_json_equals(const cae_json_string *s, const char *text);

/* Writes s->size bytes and a NUL. */
void cae_json_unescape(const cae_json_string *s, char *out);

/* Whether the bytes are UTF-8 (RFC 3629). */
bool cae_json_utf8_valid(const char *text, size_t size);

/* Writes text between quotes with the escapes it needs. */
void cae_json_write_string(cae_writer *w, const char *text);

#endif
