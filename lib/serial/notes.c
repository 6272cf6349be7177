/*
 * The notes of a model: a sorted list, each note in one block.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "serial/notes.h"

#include <string.h>

#include "base/status.h"
#include "serial/json.h"

bool cae_name_valid(const char *name, size_t size, size_t most)
{
    for (size_t i = 0; i < size; i++) {
        const char c = name[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-')) {
            return false;
        }
    }
    return size >= 1 && size <= most;
}

bool cae_note_key_valid(const char *key, size_t size)
{
    const size_t reserved = strlen(CAE_NOTE_RESERVED);
    return cae_name_valid(key, size, CAE_NOTE_KEY) &&
           (size < reserved || memcmp(key, CAE_NOTE_RESERVED, reserved) != 0);
}

/* The index of the key, or the index that it would have. */
static size_t place_of(const cae_notes *notes, const char *key, bool *found)
{
    size_t at = 0;
    while (at < notes->len && strcmp(notes->items[at].key, key) < 0) {
        at++;
    }
    *found = at < notes->len && strcmp(notes->items[at].key, key) == 0;
    return at;
}

const char *cae_notes_find(const cae_notes *notes, const char *key)
{
    bool found;
    const size_t at = place_of(notes, key, &found);
    return found ? notes->items[at].value : NULL;
}

static int check(const char *key, const char *value)
{
    const size_t size = value != NULL ? strlen(value) : 0;
    if (!cae_note_key_valid(key, strlen(key))) {
        return cae_fail(CAE_E_ARGUMENT,
                        "a note's key is 1 to %d of A-Z a-z 0-9 . _ -, not beginning with "
                        "'" CAE_NOTE_RESERVED "': '%s' is none",
                        (int)CAE_NOTE_KEY, key);
    }
    if (size > CAE_NOTE_VALUE) {
        return cae_fail(CAE_E_LIMIT, "note %s: a value of %zu bytes, more than %d", key, size,
                        (int)CAE_NOTE_VALUE);
    }
    return value == NULL || cae_json_utf8_valid(value, size)
               ? CAE_OK
               : cae_fail(CAE_E_ARGUMENT, "note %s: its value is not valid UTF-8", key);
}

static int make(cae_note *out, const cae_memory *memory, const char *key, const char *value)
{
    const size_t key_size = strlen(key) + 1;
    const size_t value_size = strlen(value) + 1;
    char *block = cae_alloc(memory, key_size + value_size, 1);
    if (block == NULL) {
        return CAE_E_NOMEM;
    }
    memcpy(block, key, key_size);
    memcpy(block + key_size, value, value_size);
    *out = (cae_note){block, block + key_size};
    return CAE_OK;
}

int cae_notes_set(cae_notes *notes, const cae_memory *memory, const char *key, const char *value)
{
    bool found;
    cae_note new_note = {NULL, NULL};
    CAE_TRY(check(key, value));
    const size_t at = place_of(notes, key, &found);
    if (!found && value != NULL && notes->len == CAE_NOTES) {
        return cae_fail(CAE_E_LIMIT, "note %s: a model has at most %d notes", key, (int)CAE_NOTES);
    }
    /* The new one is made before the old one is released: key or value may be the old one's. */
    if (value != NULL) {
        CAE_TRY(make(&new_note, memory, key, value));
    }
    const size_t behind = notes->len - at - found;
    if (found) {
        cae_release(memory, notes->items[at].key);
    }
    memmove(&notes->items[at + (value != NULL)], &notes->items[at + found],
            behind * sizeof(notes->items[0]));
    if (value != NULL) {
        notes->items[at] = new_note;
    }
    notes->len = at + (value != NULL) + behind;
    return CAE_OK;
}

int cae_notes_copy(cae_notes *to, const cae_memory *memory, const cae_notes *from)
{
    for (size_t i = 0; i < from->len; i++) {
        const int status = make(&to->items[i], memory, from->items[i].key, from->items[i].value);
        if (status != CAE_OK) {
            cae_notes_clear(to, memory);
            return status;
        }
        to->len = i + 1;
    }
    return CAE_OK;
}

void cae_notes_clear(cae_notes *notes, const cae_memory *memory)
{
    for (size_t i = 0; i < notes->len; i++) {
        cae_release(memory, notes->items[i].key);
    }
    notes->len = 0;
}
