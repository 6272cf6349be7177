/*
 * Parsing the header of a model file. The functions are in the order of the format's description.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "serial/model_header.h"

#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "serial/json.h"
#include "serial/sort.h"

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [CAE_DTYPE_F32] = {"F32", 4},   [CAE_DTYPE_F64] = {"F64", 8},   [CAE_DTYPE_I64] = {"I64", 8},
    [CAE_DTYPE_F16] = {"F16", 2},   [CAE_DTYPE_BF16] = {"BF16", 2}, [CAE_DTYPE_I32] = {"I32", 4},
    [CAE_DTYPE_I16] = {"I16", 2},   [CAE_DTYPE_I8] = {"I8", 1},     [CAE_DTYPE_U64] = {"U64", 8},
    [CAE_DTYPE_U32] = {"U32", 4},   [CAE_DTYPE_U16] = {"U16", 2},   [CAE_DTYPE_U8] = {"U8", 1},
    [CAE_DTYPE_BOOL] = {"BOOL", 1},
};

enum { DTYPES = sizeof(dtypes) / sizeof(dtypes[0]) };

size_t cae_dtype_size(cae_dtype dtype)
{
    return dtypes[dtype].size;
}

const char *cae_dtype_name(cae_dtype dtype)
{
    return dtypes[dtype].name;
}

/* ---- Names that end with the quote behind them ----------------------------------------------- */

static size_t name_size(const char *name)
{
    return (size_t)(strchr(name, '"') - name);
}

static int compare_names(const void *a, const void *b)
{
    const char *x = ((const cae_file_entry *)a)->name;
    const char *y = ((const cae_file_entry *)b)->name;
    while (*x == *y && *x != '"') {
        x++;
        y++;
    }
    /* The quote ends a name, so it must compare less than all characters of names. */
    const int cx = *x == '"' ? 0 : (unsigned char)*x;
    const int cy = *y == '"' ? 0 : (unsigned char)*y;
    return (cx > cy) - (cx < cy);
}

static int fail_tensor(int status, const cae_file_entry *e, const char *problem)
{
    char name[CAE_FILE_NAME + 1];
    const size_t size = name_size(e->name);
    memcpy(name, e->name, size);
    name[size] = '\0';
    return cae_fail(status, "model file, tensor '%s': %s", name, problem);
}

/* ---- Metadata -------------------------------------------------------------------------------- */

struct metadata {
    cae_json_string version, architecture, crc; /* raw NULL: not there */
    bool ours;
};

/* An entry that can be a note becomes one, whatever program wrote it; any other entry is skipped.
 */
static void take_note(cae_model_header *h, const cae_json_string *key, const cae_json_string *value)
{
    if (h->profile == CAE_FILE_MODEL && h->note_len < CAE_NOTES &&
        cae_note_key_valid(key->raw, key->raw_size) && value->size <= CAE_NOTE_VALUE) {
        h->notes[h->note_len].key = *key;
        h->notes[h->note_len].value = *value;
        h->note_len++;
    }
}

static int read_metadata_entry(cae_model_header *h, cae_json *j, struct metadata *m,
                               const cae_json_string *key)
{
    cae_json_string value;
    CAE_TRY(cae_json_read_string(j, &value));
    if (key->raw_size > strlen(CAE_NOTE_RESERVED) &&
        memcmp(key->raw, CAE_NOTE_RESERVED, strlen(CAE_NOTE_RESERVED)) == 0) {
        m->ours = true;
    }
    if (cae_json_equals(key, CAE_FILE_KEY_VERSION)) {
        m->version = value;
    } else if (cae_json_equals(key, CAE_FILE_KEY_ARCHITECTURE)) {
        m->architecture = value;
    } else if (cae_json_equals(key, CAE_FILE_KEY_CRC)) {
        m->crc = value;
    } else {
        take_note(h, key, &value);
    }
    return CAE_OK;
}

static bool is_repeated(const cae_json_string *keys, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        if (keys[i].raw_size == keys[len - 1].raw_size &&
            memcmp(keys[i].raw, keys[len - 1].raw, keys[i].raw_size) == 0) {
            return true;
        }
    }
    return false;
}

static int read_metadata(cae_model_header *h, cae_json *j, struct metadata *m)
{
    cae_json_string keys[CAE_FILE_METADATA];
    size_t len = 0;
    CAE_TRY(cae_json_expect(j, '{'));
    if (cae_json_accept(j, '}')) {
        return CAE_OK;
    }
    do {
        if (len == CAE_FILE_METADATA && h->profile == CAE_FILE_PLAIN) {
            len--; /* a plain file's further keys are not compared */
        }
        if (len == CAE_FILE_METADATA) {
            return cae_fail(CAE_E_LIMIT, "model file: more than %d entries of metadata", (int)len);
        }
        CAE_TRY(cae_json_read_key(j, &keys[len]));
        len++;
        if (is_repeated(keys, len)) {
            return cae_json_fail(j, "a key appears twice in the metadata");
        }
        CAE_TRY(read_metadata_entry(h, j, m, &keys[len - 1]));
    } while (cae_json_accept(j, ','));
    return cae_json_expect(j, '}');
}

static int validate_version(const cae_json_string *version)
{
    if (version->raw == NULL) {
        return cae_fail(CAE_E_FORMAT, "not a model file of libcae: no %s in its metadata",
                        CAE_FILE_KEY_VERSION);
    }
    bool number = version->raw_size >= 1 && version->raw_size <= 9 && version->raw[0] != '0';
    uint32_t value = 0;
    if (number) {
        for (size_t i = 0; i < version->raw_size; i++) {
            const char c = version->raw[i];
            number = number && c >= '0' && c <= '9';
            value = 10 * value + (uint32_t)(c - '0');
        }
    }
    if (!number) {
        return cae_fail(CAE_E_FORMAT, "model file: %s is no number", CAE_FILE_KEY_VERSION);
    }
    return value <= CAE_FILE_VERSION
               ? CAE_OK
               : cae_fail(CAE_E_VERSION,
                          "model file: made by a newer libcae: its format is version %u, this "
                          "library reads up to %d",
                          (unsigned)value, (int)CAE_FILE_VERSION);
}

static int validate_crc(cae_model_header *h, const cae_json_string *crc, const char *text)
{
    bool good = crc->raw != NULL && crc->raw_size == CAE_FILE_CRC_DIGITS;
    h->crc = 0;
    if (good) {
        for (size_t i = 0; i < CAE_FILE_CRC_DIGITS; i++) {
            const char c = crc->raw[i];
            const bool digit = c >= '0' && c <= '9';
            good = good && (digit || (c >= 'a' && c <= 'f'));
            h->crc = h->crc << 4 | (uint32_t)(digit ? c - '0' : c - 'a' + 10);
        }
    }
    if (!good) {
        return cae_fail(CAE_E_FORMAT, "model file: %s must be 8 digits 0-9 a-f", CAE_FILE_KEY_CRC);
    }
    h->crc_at = (size_t)(crc->raw - text);
    return CAE_OK;
}

static int validate_metadata(cae_model_header *h, const struct metadata *m, const char *text)
{
    CAE_TRY(validate_version(&m->version));
    if (m->architecture.raw == NULL || m->architecture.size == 0) {
        return cae_fail(CAE_E_FORMAT, "model file: no %s in its metadata",
                        CAE_FILE_KEY_ARCHITECTURE);
    }
    if (m->architecture.size > CAE_FILE_ARCHITECTURE) {
        return cae_fail(CAE_E_LIMIT, "model file: an architecture of %zu bytes, more than %d",
                        m->architecture.size, (int)CAE_FILE_ARCHITECTURE);
    }
    CAE_TRY(validate_crc(h, &m->crc, text));
    h->architecture = cae_alloc(h->memory, m->architecture.size + 1, 1);
    if (h->architecture == NULL) {
        return CAE_E_NOMEM;
    }
    cae_json_unescape(&m->architecture, h->architecture);
    return CAE_OK;
}

/* ---- Tensors --------------------------------------------------------------------------------- */

static int read_dtype(const cae_model_header *h, cae_json *j, cae_file_entry *e)
{
    cae_json_string value;
    CAE_TRY(cae_json_read_string(j, &value));
    for (size_t i = 0; i < (h->profile == CAE_FILE_MODEL ? CAE_MODEL_DTYPES : DTYPES); i++) {
        if (cae_json_equals(&value, dtypes[i].name)) {
            e->dtype = (cae_dtype)i;
            return CAE_OK;
        }
    }
    return fail_tensor(CAE_E_UNSUPPORTED, e,
                       h->profile == CAE_FILE_MODEL
                           ? "its dtype is none of F32, F64, I64, F16"
                           : "its dtype is not known; weights are F32, F16, BF16 or F64");
}

static int read_shape(const cae_model_header *h, cae_json *j, cae_file_entry *e)
{
    uint64_t shape[CAE_FILE_RANK];
    CAE_TRY(cae_json_read_numbers(j, shape, CAE_FILE_RANK, &e->rank));
    if (e->rank > CAE_FILE_RANK || (e->rank < 1 && h->profile == CAE_FILE_MODEL)) {
        return fail_tensor(CAE_E_UNSUPPORTED, e,
                           h->profile == CAE_FILE_MODEL ? "it has not 1 to 4 dimensions"
                                                        : "it has more than 4 dimensions");
    }
    e->len = 1;
    for (size_t i = 0; i < CAE_FILE_RANK; i++) {
        const uint64_t side = i < e->rank ? shape[i] : 1;
        if (side == 0) {
            return fail_tensor(CAE_E_FORMAT, e, "a dimension is 0");
        }
        e->shape[i] = (size_t)side;
        e->len = cae_size_mul(e->len, (size_t)side);
        if (side > SIZE_MAX || e->len == SIZE_MAX) {
            return fail_tensor(CAE_E_FORMAT, e, "the product of its dimensions is too large");
        }
    }
    return CAE_OK;
}

/* `end` receives the end of its span, which is validated when dtype and shape are known too. */
static int read_offsets(cae_json *j, cae_file_entry *e, uint64_t *end)
{
    uint64_t span[2];
    size_t len;
    CAE_TRY(cae_json_read_numbers(j, span, 2, &len));
    if (len != 2 || span[0] > span[1]) {
        return fail_tensor(CAE_E_FORMAT, e, "data_offsets must be a beginning and an end");
    }
    e->begin = span[0];
    *end = span[1];
    return CAE_OK;
}

static int read_tensor(const cae_model_header *h, cae_json *j, cae_file_entry *e)
{
    enum { DTYPE = 1, SHAPE = 2, OFFSETS = 4, ALL = 7 };
    unsigned seen = 0;
    uint64_t end = 0;
    CAE_TRY(cae_json_expect(j, '{'));
    do {
        cae_json_string key;
        CAE_TRY(cae_json_read_key(j, &key));
        const unsigned field = cae_json_equals(&key, "dtype")          ? DTYPE
                               : cae_json_equals(&key, "shape")        ? SHAPE
                               : cae_json_equals(&key, "data_offsets") ? OFFSETS
                                                                       : 0;
        if (field == 0 || (seen & field) != 0) {
            return fail_tensor(CAE_E_FORMAT, e, "it needs dtype, shape, data_offsets, and no more");
        }
        seen |= field;
        CAE_TRY(field == DTYPE   ? read_dtype(h, j, e)
                : field == SHAPE ? read_shape(h, j, e)
                                 : read_offsets(j, e, &end));
    } while (cae_json_accept(j, ','));
    CAE_TRY(cae_json_expect(j, '}'));
    if (seen != ALL) {
        return fail_tensor(CAE_E_FORMAT, e, "dtype, shape or data_offsets is missing");
    }
    if (cae_size_mul(e->len, cae_dtype_size(e->dtype)) != end - e->begin) {
        return fail_tensor(CAE_E_FORMAT, e, "its data_offsets do not fit its shape");
    }
    return end <= h->data_size ? CAE_OK
                               : fail_tensor(CAE_E_FORMAT, e, "its data lies outside the file");
}

static int add_tensor(cae_model_header *h, cae_json *j, const cae_json_string *name)
{
    if (h->len == CAE_FILE_TENSORS) {
        return cae_fail(CAE_E_LIMIT, "model file: more than %d tensors", (int)CAE_FILE_TENSORS);
    }
    if (!cae_name_valid(name->raw, name->raw_size, CAE_FILE_NAME)) {
        return cae_json_fail(j, "a tensor's name must be 1 to 128 of A-Z a-z 0-9 . _ -");
    }
    /* A header with more tensors than the estimated capacity has one that is too short to be valid;
     * this check stops before it. */
    if (h->len == h->capacity) {
        return cae_json_fail(j, "expected a tensor");
    }
    cae_file_entry *e = &h->entries[h->len];
    e->name = name->raw;
    CAE_TRY(read_tensor(h, j, e));
    h->by_name[h->len] = e;
    h->len++;
    if (h->profile == CAE_FILE_MODEL && h->len > 1 && compare_names(e - 1, e) >= 0) {
        return fail_tensor(CAE_E_FORMAT, e, "names must be sorted, and none may appear twice");
    }
    return CAE_OK;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static int compare_begins(const void *a, const void *b)
{
    const uint64_t x = ((const cae_file_entry *)a)->begin;
    const uint64_t y = ((const cae_file_entry *)b)->begin;
    return (x > y) - (x < y);
}

/* In the order of h->by_name each tensor's data begins where the one before's ends, to the end. */
static int validate_cover(const cae_model_header *h)
{
    uint64_t at = 0;
    for (size_t i = 0; i < h->len; i++) {
        const cae_file_entry *e = h->by_name[i];
        if (e->begin != at) {
            return fail_tensor(CAE_E_FORMAT, e, "its data overlaps another's, or leaves a gap");
        }
        at += e->len * cae_dtype_size(e->dtype);
    }
    return at == h->data_size
               ? CAE_OK
               : cae_fail(CAE_E_FORMAT, "model file: %llu bytes follow the last tensor's data",
                          (unsigned long long)(h->data_size - at));
}

static int validate_tensors(cae_model_header *h)
{
    if (h->profile == CAE_FILE_MODEL) {
        return validate_cover(h);
    }
    cae_sort(h->by_name, h->len, compare_begins);
    CAE_TRY(validate_cover(h));
    cae_sort(h->by_name, h->len, compare_names);
    for (size_t i = 1; i < h->len; i++) {
        if (compare_names(h->by_name[i - 1], h->by_name[i]) == 0) {
            return fail_tensor(CAE_E_FORMAT, h->by_name[i], "its name appears twice");
        }
    }
    return CAE_OK;
}

/* One key of the outer object and its value. */
static int read_pair(cae_model_header *h, cae_json *j, bool *have_metadata)
{
    cae_json_string key;
    CAE_TRY(cae_json_read_key(j, &key));
    if (!cae_json_equals(&key, CAE_FILE_KEY_METADATA)) {
        if (h->profile == CAE_FILE_MODEL && !*have_metadata) {
            return cae_json_fail(j, "not a model file of libcae: __metadata__ must come first");
        }
        return add_tensor(h, j, &key);
    }
    if (*have_metadata) {
        return cae_json_fail(j, "__metadata__ appears twice");
    }
    *have_metadata = true;
    struct metadata m = {0};
    CAE_TRY(read_metadata(h, j, &m));
    h->ours = m.ours;
    return h->profile == CAE_FILE_MODEL ? validate_metadata(h, &m, j->text) : CAE_OK;
}

static int read_outer(cae_model_header *h, cae_json *j)
{
    bool have_metadata = false;
    if (j->size == 0 || j->text[0] != '{') {
        return cae_json_fail(j, "not a model file: a header begins with a brace");
    }
    CAE_TRY(cae_json_expect(j, '{'));
    if (!cae_json_accept(j, '}')) {
        do {
            CAE_TRY(read_pair(h, j, &have_metadata));
        } while (cae_json_accept(j, ','));
        CAE_TRY(cae_json_expect(j, '}'));
    }
    if (h->profile == CAE_FILE_MODEL && !have_metadata) {
        return cae_json_fail(j, "not a model file of libcae: there is no __metadata__");
    }
    return cae_json_finish(j);
}

int cae_model_header_parse(cae_model_header *h, const cae_memory *memory, const char *text,
                           size_t size, uint64_t data_size, cae_file_profile profile)
{
    cae_json j = {text, size, 0, CAE_FILE_LENGTH_SIZE};
    /* "a":{"dtype":"I8","shape":[],"data_offsets":[0,1]} is the shortest tensor there can be. */
    enum { SHORTEST = 48 };
    *h = (cae_model_header){.memory = memory, .profile = profile, .data_size = data_size};
    h->capacity = cae_size_min(size / SHORTEST, CAE_FILE_TENSORS);
    h->entries = cae_alloc_zeroed(memory, h->capacity, sizeof(*h->entries));
    h->by_name = cae_alloc_zeroed(memory, h->capacity, sizeof(*h->by_name));
    if (h->entries == NULL || h->by_name == NULL) {
        return CAE_E_NOMEM;
    }
    CAE_TRY(read_outer(h, &j));
    return validate_tensors(h);
}

void cae_model_header_end_names(const cae_model_header *h, char *text)
{
    for (size_t i = 0; i < h->len; i++) {
        const char *name = h->entries[i].name;
        text[(size_t)(name - text) + name_size(name)] = '\0';
    }
}

void cae_model_header_clear(cae_model_header *h)
{
    cae_release(h->memory, h->entries);
    cae_release(h->memory, h->by_name);
    cae_release(h->memory, h->architecture);
    *h = (cae_model_header){.memory = h->memory};
}
