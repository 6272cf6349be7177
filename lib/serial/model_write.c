/*
 * Writing a model file: the tensors are checked and sorted, and the header is made with zeros for
 * its checksum. Then header and data are streamed twice: into a sink that computes the checksum,
 * and into memory or a file. The model is never copied. Every file that is written can be read.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <string.h>

#include "base/bytes.h"
#include "base/assert.h"
#include "base/size.h"
#include "base/status.h"
#include "serial/atomic.h"
#include "serial/crc32.h"
#include "serial/json.h"
#include "serial/model_convert.h"
#include "serial/model_header.h"
#include "serial/sort.h"

enum { CHUNK = 4096 /* bytes that are converted at once */ };

struct job {
    const cae_memory *memory;
    const cae_file_model *model;
    const void **sorted; /* cae_file_tensor */
    uint8_t *head;       /* length field and header */
    size_t head_size;
    size_t crc_at; /* within head */
    size_t data_size;
    uint8_t chunk[CHUNK];
    uint16_t halves[CHUNK / sizeof(uint16_t)];
};

typedef int sink_fn(void *user, const void *data, size_t size);

/* ---- Checks ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const cae_file_tensor *)a)->name, ((const cae_file_tensor *)b)->name);
}

static size_t tensor_len(const cae_file_tensor *t)
{
    size_t len = 1;
    for (size_t i = 0; i < t->rank; i++) {
        len = cae_size_mul(len, t->shape[i]);
    }
    return len;
}

/* Finite floats must be finite in F16 too. */
static int check_halves(const cae_file_tensor *t, size_t len)
{
    const float *values = t->data;
    for (size_t i = 0; i < len; i++) {
        uint16_t half;
        cae_model_to_halves(&half, values + i, 1);
        if (cae_model_first_nonfinite(&half, CAE_DTYPE_F16, 1) == 0) {
            return cae_fail(CAE_E_NONFINITE,
                            "tensor '%s': element %zu is too large for F16: %g is beyond 65504",
                            t->name, i, (double)values[i]);
        }
    }
    return CAE_OK;
}

static int check_tensor(const cae_file_tensor *t, size_t *size)
{
    const bool good = t->name != NULL && cae_name_valid(t->name, strlen(t->name), CAE_FILE_NAME) &&
                      t->rank >= 1 && t->rank <= CAE_FILE_RANK && t->data != NULL;
    const size_t len = good ? tensor_len(t) : 0;
    *size = cae_size_mul(len, cae_dtype_size(t->dtype));
    if (len == 0 || *size == SIZE_MAX) {
        return cae_fail(CAE_E_ARGUMENT, "tensor '%s' cannot be written: name, shape or data",
                        t->name);
    }
    const cae_dtype in_memory = t->dtype == CAE_DTYPE_F16 ? CAE_DTYPE_F32 : t->dtype;
    const size_t bad = cae_model_first_nonfinite(t->data, in_memory, len);
    if (bad < len) {
        return cae_fail(CAE_E_NONFINITE, "tensor '%s': element %zu is NaN or infinite", t->name,
                        bad);
    }
    return t->dtype == CAE_DTYPE_F16 ? check_halves(t, len) : CAE_OK;
}

static int check_architecture(const char *text)
{
    const size_t size = strlen(text);
    if (size == 0 || size > CAE_FILE_ARCHITECTURE) {
        return cae_fail(CAE_E_LIMIT, "an architecture of %zu bytes; a model file holds 1 to %d",
                        size, (int)CAE_FILE_ARCHITECTURE);
    }
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] >= 0x80) {
            return cae_fail(CAE_E_ARGUMENT, "architecture: byte %zu is not ASCII", i);
        }
    }
    return CAE_OK;
}

static int sort_tensors(struct job *job)
{
    const cae_file_model *model = job->model;
    CAE_TRY(check_architecture(model->architecture));
    if (model->len > CAE_FILE_TENSORS) {
        return cae_fail(CAE_E_LIMIT, "%zu tensors, more than a model file holds (%d)", model->len,
                        (int)CAE_FILE_TENSORS);
    }
    job->sorted = cae_alloc(job->memory, model->len, sizeof(*job->sorted));
    if (job->sorted == NULL) {
        return CAE_E_NOMEM;
    }
    for (size_t i = 0; i < model->len; i++) {
        size_t size;
        CAE_TRY(check_tensor(&model->tensors[i], &size));
        job->sorted[i] = &model->tensors[i];
        job->data_size = cae_size_add(job->data_size, size);
        if (job->data_size == SIZE_MAX) {
            return cae_fail(CAE_E_LIMIT, "the tensors are too large for one file");
        }
    }
    cae_sort(job->sorted, model->len, compare_names);
    for (size_t i = 1; i < model->len; i++) {
        if (compare_names(job->sorted[i - 1], job->sorted[i]) == 0) {
            return cae_fail(CAE_E_ARGUMENT, "two tensors are named '%s'",
                            ((const cae_file_tensor *)job->sorted[i])->name);
        }
    }
    return CAE_OK;
}

/* ---- The header ---- */

static void put_text(cae_writer *w, const char *text)
{
    cae_write_span(w, text, strlen(text));
}

static void put_number(cae_writer *w, size_t value)
{
    char digits[24];
    put_text(w, cae_format(digits, sizeof(digits), "%zu", value));
}

static void put_tensor(cae_writer *w, const cae_file_tensor *t, size_t *at)
{
    put_text(w, ",\"");
    put_text(w, t->name);
    put_text(w, "\":{\"dtype\":\"");
    put_text(w, cae_dtype_name(t->dtype));
    put_text(w, "\",\"shape\":[");
    for (size_t i = 0; i < t->rank; i++) {
        put_text(w, i > 0 ? "," : "");
        put_number(w, t->shape[i]);
    }
    put_text(w, "],\"data_offsets\":[");
    put_number(w, *at);
    put_text(w, ",");
    *at += tensor_len(t) * cae_dtype_size(t->dtype);
    put_number(w, *at);
    put_text(w, "]}");
}

/* The notes whose keys sort before the format's own keys, or after them. */
static void put_notes(cae_writer *w, const cae_notes *notes, bool before)
{
    const size_t len = notes != NULL ? notes->len : 0;
    for (size_t i = 0; i < len; i++) {
        if ((strcmp(notes->items[i].key, CAE_NOTE_RESERVED) < 0) == before) {
            put_text(w, before ? "" : ",");
            cae_json_write_string(w, notes->items[i].key);
            put_text(w, ":");
            cae_json_write_string(w, notes->items[i].value);
            put_text(w, before ? "," : "");
        }
    }
}

/* Returns the position of the checksum's digits. */
static size_t put_header(cae_writer *w, const struct job *job)
{
    size_t data_at = 0;
    put_text(w, "{\"" CAE_FILE_KEY_METADATA "\":{");
    put_notes(w, job->model->notes, true);
    put_text(w, "\"" CAE_FILE_KEY_ARCHITECTURE "\":");
    cae_json_write_string(w, job->model->architecture);
    put_text(w, ",\"" CAE_FILE_KEY_CRC "\":\"");
    const size_t crc_at = w->at;
    put_text(w, "00000000\",\"" CAE_FILE_KEY_VERSION "\":\"");
    put_number(w, job->model->version);
    put_text(w, "\"");
    put_notes(w, job->model->notes, false);
    put_text(w, "}");
    for (size_t i = 0; i < job->model->len; i++) {
        put_tensor(w, job->sorted[i], &data_at);
    }
    put_text(w, "}");
    while (w->at % CAE_FILE_ALIGN != 0) {
        cae_write_u8(w, ' ');
    }
    return crc_at;
}

static int make_head(struct job *job)
{
    cae_writer count = cae_writer_make(NULL, 0);
    cae_write_u64(&count, 0);
    put_header(&count, job);
    job->head_size = count.at;
    const size_t header_size = count.at - CAE_FILE_LENGTH_SIZE;
    if (header_size > CAE_FILE_HEADER || cae_size_add(job->head_size, job->data_size) == SIZE_MAX) {
        return cae_fail(CAE_E_LIMIT, "the model is too large for one file: a header of %zu bytes",
                        header_size);
    }
    job->head = cae_alloc(job->memory, job->head_size, 1);
    if (job->head == NULL) {
        return CAE_E_NOMEM;
    }
    cae_writer w = cae_writer_make(job->head, job->head_size);
    cae_write_u64(&w, header_size);
    job->crc_at = put_header(&w, job);
    CAE_ASSERT(!w.failed && w.at == job->head_size);
    return CAE_OK;
}

/* ---- Streaming ---- */

static int send_tensor(struct job *job, const cae_file_tensor *t, sink_fn *sink, void *user)
{
    const size_t element = cae_dtype_size(t->dtype);
    const size_t step = CHUNK / element;
    const size_t len = tensor_len(t);
    for (size_t at = 0; at < len; at += step) {
        const size_t part = cae_size_min(step, len - at);
        const void *values = (const uint8_t *)t->data + at * element;
        if (t->dtype == CAE_DTYPE_F16) {
            cae_model_to_halves(job->halves, (const float *)t->data + at, part);
            values = job->halves;
        }
        cae_reorder(job->chunk, values, element, part);
        CAE_TRY(sink(user, job->chunk, part * element));
    }
    return CAE_OK;
}

static int send_file(struct job *job, sink_fn *sink, void *user)
{
    CAE_TRY(sink(user, job->head, job->head_size));
    for (size_t i = 0; i < job->model->len; i++) {
        CAE_TRY(send_tensor(job, job->sorted[i], sink, user));
    }
    return CAE_OK;
}

static int sink_crc(void *user, const void *data, size_t size)
{
    uint32_t *crc = user;
    *crc = cae_crc32(*crc, data, size);
    return CAE_OK;
}

static int sink_memory(void *user, const void *data, size_t size)
{
    cae_write_span(user, data, size);
    return CAE_OK;
}

static int sink_path(void *user, const void *data, size_t size)
{
    return cae_atomic_write(user, data, size);
}

static int fill_in_crc(struct job *job)
{
    uint32_t crc = 0;
    CAE_TRY(send_file(job, sink_crc, &crc));
    for (size_t i = 0; i < CAE_FILE_CRC_DIGITS; i++) {
        job->head[job->crc_at + i] = (uint8_t) "0123456789abcdef"[crc >> 28];
        crc <<= 4;
    }
    return CAE_OK;
}

/* ---- Jobs ---- */

static void end_job(struct job *job)
{
    cae_release(job->memory, job->sorted);
    cae_release(job->memory, job->head);
}

/* To be ended in every case. */
static int begin_job(struct job *job, const cae_memory *memory, const cae_file_model *model)
{
    *job = (struct job){.memory = memory, .model = model};
    CAE_TRY(sort_tensors(job));
    return make_head(job);
}

int cae_model_file_write_memory(const cae_memory *memory, const cae_file_model *model, void *data,
                                size_t capacity, size_t *size)
{
    struct job job;
    int status = begin_job(&job, memory, model);
    if (status != CAE_OK) {
        goto done;
    }
    *size = job.head_size + job.data_size;
    if (data == NULL && capacity == 0) {
        goto done;
    }
    if (data == NULL || capacity < *size) {
        status = cae_fail(CAE_E_BUFFER, "the model takes %zu bytes, the buffer has %zu", *size,
                          capacity);
        goto done;
    }
    cae_writer w = cae_writer_make(data, capacity);
    if ((status = fill_in_crc(&job)) == CAE_OK) {
        status = send_file(&job, sink_memory, &w);
        CAE_ASSERT(status == CAE_OK && !w.failed && w.at == *size);
    }
done:
    end_job(&job);
    return status;
}

int cae_model_file_write_path(const cae_memory *memory, const cae_file_model *model,
                              const char *path, bool only_try)
{
    struct job job;
    cae_atomic target;
    int status = begin_job(&job, memory, model);
    if (status != CAE_OK || (status = fill_in_crc(&job)) != CAE_OK ||
        (status = cae_atomic_open(&target, memory, path)) != CAE_OK) {
        goto done;
    }
    if ((status = send_file(&job, sink_path, &target)) == CAE_OK) {
        status = only_try ? cae_atomic_try(&target) : cae_atomic_commit(&target);
    }
    cae_atomic_close(&target);
done:
    end_job(&job);
    return status;
}

int cae_model_file_id(const cae_memory *memory, const cae_file_model *model, uint32_t *id)
{
    struct job job;
    int status = begin_job(&job, memory, model);
    if (status != CAE_OK) {
        goto done;
    }
    *id = cae_crc32(0, model->architecture, strlen(model->architecture) + 1);
    for (size_t i = 0; i < model->len; i++) {
        const cae_file_tensor *t = job.sorted[i];
        if (status == CAE_OK && strncmp(t->name, "train.", strlen("train.")) != 0) {
            status = send_tensor(&job, t, sink_crc, id);
        }
    }
done:
    end_job(&job);
    return status;
}
