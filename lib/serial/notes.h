/*
 * Notes: text that is saved, loaded and copied with a model, as entries of its file's metadata that
 * libcae does not use. A sorted list of keys and values, each within the caps of
 * docs/file-formats.md, section 1.3.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_NOTES_H
#define CAE_SERIAL_NOTES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"

enum {
    CAE_NOTES = 32,
    CAE_NOTE_KEY = 64,    /* bytes */
    CAE_NOTE_VALUE = 4096 /* bytes */
};

#define CAE_NOTE_RESERVED "libcae." /* keys with this prefix are the format's own */

typedef struct cae_note {
    char *key;         /* owns one block: the key, and the value behind it */
    const char *value; /* valid UTF-8 */
} cae_note;

typedef struct cae_notes {
    cae_note items[CAE_NOTES]; /* by key, byte for byte */
    size_t len;
} cae_notes;

/* 1 to `most` of A-Z a-z 0-9 . _ -, as the keys of notes and the names of tensors are. */
bool cae_name_valid(const char *name, size_t size, size_t most);

/* A name of at most CAE_NOTE_KEY that does not begin with CAE_NOTE_RESERVED. */
bool cae_note_key_valid(const char *key, size_t size);

/* The value of that key, or NULL. */
const char *cae_notes_find(const cae_notes *notes, const char *key);

/* Adds or replaces one; a value of NULL removes it. CAE_E_ARGUMENT for an invalid key or value,
 * CAE_E_LIMIT for a value that is too long or a note too many. A failure changes nothing. */
int cae_notes_set(cae_notes *notes, const cae_memory *memory, const char *key, const char *value);

/* `to` must be empty; it is empty after a failure. */
int cae_notes_copy(cae_notes *to, const cae_memory *memory, const cae_notes *from);

void cae_notes_clear(cae_notes *notes, const cae_memory *memory);

#endif
