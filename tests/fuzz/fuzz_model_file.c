/*
 * Fuzz target: opening model files, in each profile, and reading every tensor of what was accepted,
 * as it is and as floats.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/floats.h"
#include "base/status.h"
#include "fuzz.h"
#include "limited_memory.h"
#include "mutate.h"
#include "serial/model_convert.h"
#include "serial/model_file.h"

enum { SLACK = 1 << 20 };

/* Reads a tensor into a block of its size; returns the size. */
static size_t read_entry(cae_model_file *f, const cae_file_entry *e)
{
    const size_t size = e->len * cae_dtype_size(e->dtype);
    size_t product = 1;
    for (size_t i = 0; i < CAE_FILE_RANK; i++) {
        product *= e->shape[i];
    }
    const bool plain = cae_model_file_architecture(f) == NULL;
    fuzz_check(product == e->len && e->len > 0 && e->rank <= CAE_FILE_RANK);
    fuzz_check(plain || (e->rank >= 1 && (int)e->dtype < CAE_MODEL_DTYPES));
    void *values = malloc(size);
    float *floats = malloc(e->len * sizeof(*floats));
    fuzz_check(values != NULL && cae_model_file_read(f, e, values) == CAE_OK);
    fuzz_check(e->rank == 0 || cae_model_first_nonfinite(values, e->dtype, e->len) == e->len);
    fuzz_check(floats != NULL);
    const int status = cae_model_file_read_floats(f, e, floats);
    fuzz_check(status == CAE_OK || status == CAE_E_UNSUPPORTED || status == CAE_E_NONFINITE);
    fuzz_check(status != CAE_OK || e->rank == 0 || cae_all_finite(floats, e->len, NULL));
    free(floats);
    free(values);
    return size;
}

static void read_all(cae_model_file *f, size_t file_size)
{
    const char *before = "";
    size_t sum = 0;
    for (size_t i = 0; i < cae_model_file_len(f); i++) {
        const cae_file_entry *e = cae_model_file_entry(f, i);
        fuzz_check(strcmp(before, e->name) < 0 && strlen(e->name) <= CAE_FILE_NAME);
        fuzz_check(cae_model_file_find(f, e->name) == e);
        sum += read_entry(f, e);
        before = e->name;
    }
    fuzz_check(sum < file_size);
}

/* Notes are sorted, within their caps, and any note can be set again. */
static void read_notes(const cae_model_file *f)
{
    limited_memory memory;
    cae_notes notes = {.len = 0};
    const char *before = "";
    limited_memory_start(&memory, 0);
    fuzz_check(cae_model_file_read_notes(f, &memory.memory, &notes) == CAE_OK);
    fuzz_check(notes.len <= CAE_NOTES);
    for (size_t i = 0; i < notes.len; i++) {
        const cae_note *note = &notes.items[i];
        fuzz_check(strcmp(before, note->key) < 0 && strlen(note->value) <= CAE_NOTE_VALUE);
        fuzz_check(cae_notes_set(&notes, &memory.memory, note->key, note->value) == CAE_OK);
        before = notes.items[i].key;
    }
    cae_notes_clear(&notes, &memory.memory);
    fuzz_check(memory.blocks == 0);
}

static void open_one(const uint8_t *data, size_t size, cae_file_profile profile)
{
    limited_memory memory;
    cae_model_file *f = NULL;
    limited_memory_start(&memory, 0);
    const int status = cae_model_file_open_memory(&f, &memory.memory, data, size, profile);
    fuzz_check(memory.peak <= size + SLACK);
    fuzz_check((status == CAE_OK) == (f != NULL));
    if (status == CAE_OK) {
        fuzz_check(profile == CAE_FILE_ANY ||
                   (cae_model_file_architecture(f) != NULL) == (profile == CAE_FILE_MODEL));
        read_all(f, size);
        read_notes(f);
        cae_model_file_close(f);
    } else {
        fuzz_check(*cae_message() != '\0');
    }
    fuzz_check(memory.blocks == 0);
    fuzz_accepted += status == CAE_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const unsigned long accepted = fuzz_accepted;
    open_one(data, size, CAE_FILE_MODEL);
    open_one(data, size, CAE_FILE_PLAIN);
    open_one(data, size, CAE_FILE_ANY);
    fuzz_accepted = accepted + (fuzz_accepted > accepted);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    uint64_t state = seed;
    return fuzz_mutate_model(data, size, capacity, &state);
}
