/*
 * The exported functions that make, read, write, describe and change models: check the arguments,
 * call, return.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <string.h>

#include "api/check.h"
#include "base/floats.h"
#include "base/fpenv.h"
#include "base/status.h"
#include "model/file.h"

/* ---- Making and reading ---------------------------------------------------------------------- */

int cae_model_new(cae_model **out, const char *architecture, uint64_t seed)
{
    CAE_TRY(cae_check_pointer(out, "out"));
    *out = NULL;
    CAE_TRY(cae_check_processor());
    CAE_TRY(cae_check_pointer(architecture, "architecture"));
    cae_net *net = NULL;
    const char *preset = cae_net_preset_text(architecture);
    CAE_TRY(cae_net_new(&net, cae_memory_default(), preset != NULL ? preset : architecture));
    CAE_TRY(cae_model_make(out, net));
    const cae_fpenv saved = cae_fpenv_enter();
    cae_model_draw_weights(*out, seed);
    cae_fpenv_leave(saved);
    return CAE_OK;
}

void cae_model_free(cae_model *m)
{
    cae_model_destroy(m);
}

static int read_and_close(cae_model **out, cae_model_file *file)
{
    const cae_fpenv saved = cae_fpenv_enter();
    const int status = cae_model_read(out, cae_memory_default(), file);
    cae_fpenv_leave(saved);
    cae_model_file_close(file);
    return status;
}

int cae_model_load(cae_model **out, const char *path)
{
    cae_model_file *file = NULL;
    CAE_TRY(cae_check_pointer(out, "out"));
    *out = NULL;
    CAE_TRY(cae_check_processor());
    CAE_TRY(cae_check_pointer(path, "path"));
    CAE_TRY(cae_model_file_open_path(&file, cae_memory_default(), path, CAE_FILE_MODEL));
    return read_and_close(out, file);
}

int cae_model_load_memory(cae_model **out, const void *data, size_t size)
{
    cae_model_file *file = NULL;
    CAE_TRY(cae_check_pointer(out, "out"));
    *out = NULL;
    CAE_TRY(cae_check_processor());
    CAE_TRY(cae_check_pointer(data, "data"));
    CAE_TRY(cae_model_file_open_memory(&file, cae_memory_default(), data, size, CAE_FILE_MODEL));
    return read_and_close(out, file);
}

int cae_model_load_shipped(cae_model **out, const char *name)
{
    CAE_TRY(cae_check_pointer(out, "out"));
    *out = NULL;
    CAE_TRY(cae_check_processor());
    CAE_TRY(cae_check_pointer(name, "name"));
    CAE_TRY(cae_check_shipped(name));
    const cae_fpenv saved = cae_fpenv_enter();
    const int status = cae_model_read_shipped(out, cae_memory_default(), name);
    cae_fpenv_leave(saved);
    return status;
}

int cae_model_import_weights(cae_model *m, const char *path, uint32_t flags)
{
    cae_model_file *file = NULL;
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_pointer(path, "path"));
    CAE_TRY(cae_check_flags(flags, CAE_IMPORT_STRIP | CAE_IMPORT_SKIP));
    CAE_TRY(cae_model_file_open_path(&file, m->memory, path, CAE_FILE_ANY));
    const cae_fpenv saved = cae_fpenv_enter();
    const int status = cae_model_import(m, file, flags);
    cae_fpenv_leave(saved);
    cae_model_file_close(file);
    return status;
}

int cae_model_load_weights(cae_model *m, const char *path)
{
    return cae_model_import_weights(m, path, 0);
}

int cae_model_save(const cae_model *m, const char *path, uint32_t flags)
{
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_pointer(path, "path"));
    CAE_TRY(cae_check_flags(flags, CAE_SAVE_TRAINING | CAE_SAVE_TRY | CAE_SAVE_F16));
    CAE_TRY(cae_check_half(flags));
    cae_model_list list;
    int status = cae_model_list_make(&list, m, flags);
    if (status == CAE_OK) {
        status =
            cae_model_file_write_path(m->memory, &list.file, path, (flags & CAE_SAVE_TRY) != 0);
    }
    cae_model_list_free(&list);
    return status;
}

int cae_model_save_memory(const cae_model *m, void *data, size_t capacity, size_t *size,
                          uint32_t flags)
{
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_output(data, capacity, size));
    CAE_TRY(cae_check_flags(flags, CAE_SAVE_TRAINING | CAE_SAVE_F16));
    CAE_TRY(cae_check_half(flags));
    cae_model_list list;
    int status = cae_model_list_make(&list, m, flags);
    if (status == CAE_OK) {
        status = cae_model_file_write_memory(m->memory, &list.file, data, capacity, size);
    }
    cae_model_list_free(&list);
    return status;
}

int cae_model_copy(cae_model **out, const cae_model *m, uint32_t flags)
{
    CAE_TRY(cae_check_pointer(out, "out"));
    *out = NULL;
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_flags(flags, CAE_SAVE_TRAINING));
    return cae_model_duplicate(out, m, (flags & CAE_SAVE_TRAINING) != 0);
}

/* ---- Describing ------------------------------------------------------------------------------ */

const char *cae_model_architecture(const cae_model *m)
{
    return m != NULL ? m->net->text : NULL;
}

static void put_shape(size_t shape[3], const cae_shape *s)
{
    shape[0] = s->c;
    shape[1] = s->h;
    shape[2] = s->w;
}

int cae_model_shape(const cae_model *m, size_t shape[3])
{
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_pointer(shape, "shape"));
    put_shape(shape, &m->net->input);
    return CAE_OK;
}

int cae_code_shape(const cae_model *m, size_t height, size_t width, size_t shape[3])
{
    cae_shape code;
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_pointer(shape, "shape"));
    CAE_TRY(cae_check_code(m));
    CAE_TRY(cae_check_sides(height, width));
    CAE_TRY(cae_net_code_shape(m->net, height, width, &code));
    put_shape(shape, &code);
    return CAE_OK;
}

const char *cae_model_kernels(const cae_model *m)
{
    return m != NULL ? m->kernels->name : NULL;
}

/* ---- Settings -------------------------------------------------------------------------------- */

int cae_model_set(cae_model *m, const char *key, double value)
{
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_pointer(key, "key"));
    const cae_setting *s = cae_setting_find(key);
    if (s == NULL) {
        const bool fixed = strcmp(key, "parameters") == 0 || strcmp(key, "step") == 0;
        return cae_fail(CAE_E_ARGUMENT,
                        fixed ? "setting %s is read-only" : "no setting is called '%s'", key);
    }
    CAE_TRY(cae_setting_check(s, value));
    return cae_model_change_setting(m, s, value);
}

int cae_model_get(const cae_model *m, const char *key, double *value)
{
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_pointer(key, "key"));
    CAE_TRY(cae_check_pointer(value, "value"));
    const cae_setting *s = cae_setting_find(key);
    if (s != NULL) {
        cae_settings copy = m->settings;
        *value = *cae_setting_value(&copy, s);
    } else if (strcmp(key, "parameters") == 0) {
        *value = (double)m->net->parameters;
    } else if (strcmp(key, "step") == 0) {
        *value = (double)m->optimizer.step;
    } else {
        return cae_fail(CAE_E_ARGUMENT, "no setting is called '%s'", key);
    }
    return CAE_OK;
}

/* ---- Notes ----------------------------------------------------------------------------------- */

int cae_model_note_set(cae_model *m, const char *key, const char *value)
{
    CAE_TRY(cae_check_pointer(m, "m"));
    CAE_TRY(cae_check_pointer(key, "key"));
    return cae_notes_set(&m->notes, m->memory, key, value);
}

const char *cae_model_note(const cae_model *m, const char *key)
{
    return m != NULL && key != NULL ? cae_notes_find(&m->notes, key) : NULL;
}

int cae_model_note_info(const cae_model *m, size_t index, const char **key, const char **value)
{
    CAE_TRY(cae_check_pointer(m, "m"));
    if (index >= m->notes.len) {
        return cae_fail(CAE_E_ARGUMENT, "index %zu: the model has %zu notes", index, m->notes.len);
    }
    if (key != NULL) {
        *key = m->notes.items[index].key;
    }
    if (value != NULL) {
        *value = m->notes.items[index].value;
    }
    return CAE_OK;
}

/* ---- Weights --------------------------------------------------------------------------------- */

size_t cae_tensor_count(const cae_model *m)
{
    return m != NULL ? m->net->weight_len : 0;
}

static int find_tensor(const cae_model *m, size_t index, const cae_weight **out)
{
    CAE_TRY(cae_check_pointer(m, "m"));
    if (index >= m->net->weight_len) {
        return cae_fail(CAE_E_ARGUMENT, "index %zu: the model has %zu tensors", index,
                        m->net->weight_len);
    }
    *out = &m->net->weights[index];
    return CAE_OK;
}

int cae_tensor_info(const cae_model *m, size_t index, const char **name, size_t shape[4],
                    size_t *rank)
{
    const cae_weight *w = NULL;
    CAE_TRY(find_tensor(m, index, &w));
    if (name != NULL) {
        *name = w->name;
    }
    if (shape != NULL) {
        memcpy(shape, w->parameter.shape, sizeof(w->parameter.shape));
    }
    if (rank != NULL) {
        *rank = w->parameter.rank;
    }
    return CAE_OK;
}

int cae_tensor_get(const cae_model *m, size_t index, float *values, size_t len)
{
    const cae_weight *w = NULL;
    CAE_TRY(find_tensor(m, index, &w));
    CAE_TRY(cae_check_pointer(values, "values"));
    CAE_TRY(cae_check_len(len, w->len, w->name));
    memcpy(values, m->weights + w->offset, len * sizeof(float));
    return CAE_OK;
}

int cae_tensor_set(cae_model *m, size_t index, const float *values, size_t len)
{
    const cae_weight *w = NULL;
    CAE_TRY(find_tensor(m, index, &w));
    CAE_TRY(cae_check_pointer(values, "values"));
    CAE_TRY(cae_check_len(len, w->len, w->name));
    CAE_TRY(cae_check_finite(values, len, w->name));
    /* To the bit: weights that are handed from machine to machine again are no others. */
    if (memcmp(m->weights + w->offset, values, len * sizeof(float)) != 0) {
        memcpy(m->weights + w->offset, values, len * sizeof(float));
        cae_model_weights_replaced(m);
    }
    return CAE_OK;
}
