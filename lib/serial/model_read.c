/*
 * Reading a model file: frame, header, checksum, finiteness, then tensors one by one. When the file
 * is opened, the data is read once through a small buffer, and the CRC before and behind each
 * tensor is stored. If a tensor that is read later leads to another CRC, the file was changed in
 * between.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <string.h>

#include "base/bytes.h"
#include "base/floats.h"
#include "base/size.h"
#include "base/status.h"
#include "serial/crc32.h"
#include "serial/model_convert.h"
#include "serial/model_header.h"
#include "serial/system.h"

enum { CHUNK = 16384 /* bytes that are read at once */ };

struct cae_model_file {
    const cae_memory *memory;
    cae_file_source source;
    char *text; /* the header; after opening only the names in it are used */
    size_t text_size;
    cae_model_header header;
    union { /* whole elements of every dtype */
        uint8_t bytes[CHUNK];
        float f32[CHUNK / sizeof(float)];
        uint64_t u64[CHUNK / sizeof(uint64_t)];
    } chunk;
};

static uint64_t data_begin(const cae_model_file *f)
{
    return CAE_FILE_LENGTH_SIZE + (uint64_t)f->text_size;
}

/* ---- Opening ---- */

/* The kind of another file, by its first 8 bytes, or NULL. Without it the message would be about a
 * header of a meaningless length. */
static const char *other_kind(const uint8_t *head)
{
    static const struct {
        size_t size;
        const char *bytes, *kind;
    } kinds[] = {
        {4, "\x89PNG", "a PNG image"},
        {3, "\xff\xd8\xff", "a JPEG image"},
        {3, "\xca\xe0\x0a", "a compressed image of libcae"},
        {4, "PK\3\4", "a ZIP archive, such as torch.save writes"},
        {6, "input ", "an architecture text"},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (memcmp(head, kinds[i].bytes, kinds[i].size) == 0) {
            return kinds[i].kind;
        }
    }
    return NULL;
}

static int read_text(cae_model_file *f)
{
    uint8_t field[CAE_FILE_LENGTH_SIZE];
    if (f->source.size < sizeof(field)) {
        return cae_fail(CAE_E_FORMAT, "not a model file: only %llu bytes",
                        (unsigned long long)f->source.size);
    }
    CAE_TRY(cae_file_source_read(&f->source, 0, field, sizeof(field)));
    const uint64_t size = cae_load_u64(field);
    if (other_kind(field) != NULL && size > CAE_FILE_HEADER) {
        return cae_fail(CAE_E_FORMAT, "not a model file, but %s", other_kind(field));
    }
    if (size > f->source.size - sizeof(field)) {
        return cae_fail(CAE_E_FORMAT,
                        "not a model file, or cut short: a header of %llu bytes in a file of %llu",
                        (unsigned long long)size, (unsigned long long)f->source.size);
    }
    if (size > CAE_FILE_HEADER) {
        return cae_fail(CAE_E_LIMIT, "model file: a header of %llu bytes, more than %d",
                        (unsigned long long)size, (int)CAE_FILE_HEADER);
    }
    f->text_size = (size_t)size;
    f->text = cae_alloc(f->memory, f->text_size, 1);
    return f->text == NULL ? CAE_E_NOMEM
                           : cae_file_source_read(&f->source, sizeof(field), f->text, f->text_size);
}

static uint32_t crc_of_text(const cae_model_file *f)
{
    uint8_t field[CAE_FILE_LENGTH_SIZE];
    cae_store_u64(field, f->text_size);
    const size_t at = f->header.crc_at;
    const size_t after = at + CAE_FILE_CRC_DIGITS;
    uint32_t crc = cae_crc32(0, field, sizeof(field));
    crc = cae_crc32(crc, f->text, at);
    crc = cae_crc32(crc, "00000000", CAE_FILE_CRC_DIGITS);
    return cae_crc32(crc, f->text + after, f->text_size - after);
}

/* Elements `at` to `at` + len of a tensor, in the machine's order; their bytes continue *crc. */
static int read_elements(const cae_model_file *f, const cae_file_entry *e, size_t at, size_t len,
                         void *values, uint32_t *crc)
{
    const size_t size = cae_dtype_size(e->dtype);
    CAE_TRY(
        cae_file_source_read(&f->source, data_begin(f) + e->begin + at * size, values, len * size));
    *crc = cae_crc32(*crc, values, len * size);
    cae_reorder(values, values, size, len);
    return CAE_OK;
}

/* Reads a tensor's bytes, which continue the file's CRC. *nonfinite receives the index of
 * the first value that is not finite; it is no error yet, because the CRC is checked first. */
static int scan_tensor(cae_model_file *f, cae_file_entry *e, uint32_t *crc, size_t *nonfinite)
{
    const size_t step = CHUNK / cae_dtype_size(e->dtype);
    *nonfinite = e->len;
    e->crc_before = *crc;
    for (size_t at = 0; at < e->len; at += step) {
        const size_t len = cae_size_min(step, e->len - at);
        CAE_TRY(read_elements(f, e, at, len, &f->chunk, crc));
        const size_t bad = cae_model_first_nonfinite(&f->chunk, e->dtype, len);
        /* A tensor without a dimension is not a weight and is not used. */
        if (bad < len && *nonfinite == e->len && e->rank > 0) {
            *nonfinite = at + bad;
        }
    }
    e->crc = *crc;
    return CAE_OK;
}

static int scan_data(cae_model_file *f, cae_file_profile profile)
{
    const cae_file_entry *bad = NULL;
    size_t bad_index = 0;
    uint32_t crc = profile == CAE_FILE_MODEL ? crc_of_text(f) : 0;
    for (size_t i = 0; i < f->header.len; i++) {
        cae_file_entry *e = &f->header.entries[i];
        size_t nonfinite;
        CAE_TRY(scan_tensor(f, e, &crc, &nonfinite));
        if (nonfinite < e->len && bad == NULL) {
            bad = e;
            bad_index = nonfinite;
        }
    }
    if (profile == CAE_FILE_MODEL && crc != f->header.crc) {
        return cae_fail(CAE_E_FORMAT, "model file: damaged (its checksum does not fit)");
    }
    cae_model_header_end_names(&f->header, f->text);
    return bad == NULL ? CAE_OK
                       : cae_fail(CAE_E_NONFINITE,
                                  "model file, tensor '%s': element %zu is NaN or infinite",
                                  bad->name, bad_index);
}

static int parse_header(cae_model_file *f, cae_file_profile profile)
{
    if (profile == CAE_FILE_MODEL && data_begin(f) % CAE_FILE_ALIGN != 0) {
        return cae_fail(CAE_E_FORMAT,
                        "not a model file of libcae (its data begins at byte %llu); weights that "
                        "another program saved as safetensors are for cae_model_load_weights (the "
                        "command: cae train --from)",
                        (unsigned long long)data_begin(f));
    }
    return cae_model_header_parse(&f->header, f->memory, f->text, f->text_size,
                                  f->source.size - data_begin(f), profile);
}

/* The header is not one of libcae's: a better message where another program's weights are loaded as
 * a model. */
static int fail_plain(cae_model_file *f)
{
    char message[CAE_MESSAGE_SIZE];
    cae_format(message, sizeof(message), "%s", cae_message());
    cae_model_header_clear(&f->header);
    if (parse_header(f, CAE_FILE_PLAIN) == CAE_OK && !f->header.ours) {
        return cae_fail(CAE_E_FORMAT,
                        "not a model file of libcae, but a plain safetensors file: weights without "
                        "an architecture. cae_model_load_weights takes them into a model that has "
                        "one (the command: cae train --from)");
    }
    return cae_fail(CAE_E_FORMAT, "%s", message);
}

static int read_header(cae_model_file *f, cae_file_profile *profile)
{
    int status = CAE_OK;
    if (*profile == CAE_FILE_ANY) {
        status = parse_header(f, CAE_FILE_PLAIN);
        *profile = f->header.ours ? CAE_FILE_MODEL : CAE_FILE_PLAIN;
        if (*profile == CAE_FILE_PLAIN) {
            return status;
        }
        cae_model_header_clear(&f->header);
    }
    status = parse_header(f, *profile);
    return status == CAE_E_FORMAT && *profile == CAE_FILE_MODEL ? fail_plain(f) : status;
}

static int open_source(cae_model_file **out, const cae_memory *memory, cae_file_source source,
                       cae_file_profile profile)
{
    int status = CAE_E_NOMEM;
    cae_model_file *f = cae_alloc_zeroed(memory, 1, sizeof(*f));
    *out = NULL;
    if (f == NULL) {
        cae_file_source_close(&source);
        return status;
    }
    f->memory = memory;
    f->source = source;
    f->header.memory = memory;
    if ((status = read_text(f)) != CAE_OK || (status = read_header(f, &profile)) != CAE_OK ||
        (status = scan_data(f, profile)) != CAE_OK) {
        cae_model_file_close(f);
        return status;
    }
    *out = f;
    return CAE_OK;
}

int cae_model_file_open_path(cae_model_file **out, const cae_memory *memory, const char *path,
                             cae_file_profile profile)
{
    cae_file_source source;
    *out = NULL;
    CAE_TRY(cae_file_source_open(&source, path));
    return open_source(out, memory, source, profile);
}

int cae_model_file_open_memory(cae_model_file **out, const cae_memory *memory, const void *data,
                               size_t size, cae_file_profile profile)
{
    return open_source(out, memory, cae_file_source_make(data, size), profile);
}

void cae_model_file_close(cae_model_file *f)
{
    if (f != NULL) {
        cae_file_source_close(&f->source);
        cae_model_header_clear(&f->header);
        cae_release(f->memory, f->text);
        cae_release(f->memory, f);
    }
}

/* ---- The plan ---- */

const char *cae_model_file_architecture(const cae_model_file *f)
{
    return f->header.architecture;
}

/* Unescapes a key and a value of the header into one block, one behind the other. */
static int read_note(const cae_model_file *f, size_t index, const cae_memory *memory,
                     cae_notes *notes)
{
    const cae_json_string *key = &f->header.notes[index].key;
    const cae_json_string *value = &f->header.notes[index].value;
    char *text = cae_alloc(memory, key->size + value->size + 2, 1);
    if (text == NULL) {
        return CAE_E_NOMEM;
    }
    cae_json_unescape(key, text);
    cae_json_unescape(value, text + key->size + 1);
    const int status = cae_notes_set(notes, memory, text, text + key->size + 1);
    cae_release(memory, text);
    return status;
}

int cae_model_file_read_notes(const cae_model_file *f, const cae_memory *memory, cae_notes *notes)
{
    for (size_t i = 0; i < f->header.note_len; i++) {
        const int status = read_note(f, i, memory, notes);
        if (status != CAE_OK) {
            cae_notes_clear(notes, memory);
            return status;
        }
    }
    return CAE_OK;
}

size_t cae_model_file_len(const cae_model_file *f)
{
    return f->header.len;
}

const cae_file_entry *cae_model_file_entry(const cae_model_file *f, size_t index)
{
    return index < f->header.len ? f->header.by_name[index] : NULL;
}

const cae_file_entry *cae_model_file_find(const cae_model_file *f, const char *name)
{
    size_t low = 0, high = f->header.len;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const cae_file_entry *e = f->header.by_name[middle];
        const int order = strcmp(name, e->name);
        if (order == 0) {
            return e;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

static int fail_changed(const cae_file_entry *entry)
{
    return cae_fail(CAE_E_IO, "the model file changed while it was read: tensor '%s'", entry->name);
}

int cae_model_file_read(const cae_model_file *f, const cae_file_entry *entry, void *values)
{
    uint32_t crc = entry->crc_before;
    CAE_TRY(read_elements(f, entry, 0, entry->len, values, &crc));
    return crc == entry->crc ? CAE_OK : fail_changed(entry);
}

int cae_model_file_read_floats(cae_model_file *f, const cae_file_entry *entry, float *values)
{
    const size_t step = CHUNK / cae_dtype_size(entry->dtype);
    uint32_t crc = entry->crc_before;
    size_t bad = 0;
    if (entry->dtype == CAE_DTYPE_F32) {
        return cae_model_file_read(f, entry, values);
    }
    if (entry->dtype != CAE_DTYPE_F16 && entry->dtype != CAE_DTYPE_BF16 &&
        entry->dtype != CAE_DTYPE_F64) {
        return cae_fail(CAE_E_UNSUPPORTED,
                        "tensor '%s' is %s; weights can be F32, F16, BF16 or F64", entry->name,
                        cae_dtype_name(entry->dtype));
    }
    for (size_t at = 0; at < entry->len; at += step) {
        const size_t len = cae_size_min(step, entry->len - at);
        CAE_TRY(read_elements(f, entry, at, len, &f->chunk, &crc));
        cae_model_to_floats(values + at, &f->chunk, entry->dtype, len);
    }
    if (crc != entry->crc) {
        return fail_changed(entry);
    }
    return cae_all_finite(values, entry->len, &bad)
               ? CAE_OK
               : cae_fail(CAE_E_NONFINITE, "tensor '%s': element %zu is too large for a float",
                          entry->name, bad);
}
