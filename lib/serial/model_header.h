/*
 * The header of a model file, parsed. Every rule of docs/file-formats.md, sections 1.2 to 1.4, that
 * does not need the data is validated. Allocates in proportion to the header.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_MODEL_HEADER_H
#define CAE_SERIAL_MODEL_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "serial/json.h"
#include "serial/model_file.h"

enum { CAE_FILE_LENGTH_SIZE = 8 /* the length field before the header */, CAE_FILE_CRC_DIGITS = 8 };

#define CAE_FILE_KEY_METADATA     "__metadata__"
#define CAE_FILE_KEY_ARCHITECTURE "libcae.architecture"
#define CAE_FILE_KEY_CRC          "libcae.crc32"
#define CAE_FILE_KEY_VERSION      "libcae.version"

typedef struct cae_model_header {
    const cae_memory *memory;
    cae_file_profile profile;
    uint64_t data_size;
    cae_file_entry *entries; /* in the header's order */
    const void **by_name;    /* the same entries, sorted */
    size_t len, capacity;
    char *architecture; /* NULL in a plain file */
    bool ours;          /* the metadata that was read has keys of libcae */
    struct {
        cae_json_string key, value; /* spans of the text */
    } notes[CAE_NOTES];
    size_t note_len;
    size_t crc_at; /* position of the CRC's digits in the header */
    uint32_t crc;
} cae_model_header;

/* text: the header, `size` bytes, at most CAE_FILE_HEADER; data_size: the bytes of the file behind
 * it. The names of the entries are spans of text without a final NUL. Call clear in every case. */
int cae_model_header_parse(cae_model_header *h, const cae_memory *memory, const char *text,
                           size_t size, uint64_t data_size, cae_file_profile profile);

/* Replaces the quotes behind the names by NUL, when the text is no longer needed as JSON. */
void cae_model_header_end_names(const cae_model_header *h, char *text);

void cae_model_header_clear(cae_model_header *h);

#endif
