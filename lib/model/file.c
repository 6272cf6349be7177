/*
 * Between a model and a list of named tensors, the content of a model file: weights by their names,
 * the codec's ranges as codec.*, the training state as train.*.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "model/file.h"

#include <string.h>

#include "base/bytes.h"
#include "base/status.h"

/* Tensors that are neither weights nor moments nor settings, the counters first. The recent ranges
 * are what the updates since the last change of the epoch have gathered; files without are older,
 * or of a model without such updates. */
enum { STEP, SEED, EPOCH, MAX, MIN, RECENT_MAX, RECENT_MIN, NAMES };

_Static_assert((int)MAX == (int)CAE_COUNTERS, "a list has room for all counters");

static const char *const names[NAMES] = {
    "train.step", "train.seed",      "train.epoch",     "codec.max",
    "codec.min",  "train.codec.max", "train.codec.min",
};

static const uint64_t largest_counter = (uint64_t)1 << 53;

/* ---- Writing --------------------------------------------------------------------------------- */

static cae_file_tensor *add(cae_model_list *l, const char *name, cae_dtype dtype, const void *data)
{
    cae_file_tensor *t = &l->tensors[l->file.len++];
    *t = (cae_file_tensor){.name = name, .dtype = dtype, .rank = 1, .shape = {1}, .data = data};
    return t;
}

/* A tensor of the shape of weight w. */
static void add_weight(cae_model_list *l, const char *prefix, const cae_weight *w, cae_dtype dtype,
                       const float *data)
{
    char *name = l->names[l->name_len++];
    cae_format(name, CAE_LIST_NAME, "%s%s", prefix, w->name);
    cae_file_tensor *t = add(l, name, dtype, data + w->offset);
    t->rank = w->parameter.rank;
    memcpy(t->shape, w->parameter.shape, sizeof(t->shape));
}

/* A setting that version 1 does not know is left out as long as it has its initial value, which a
 * reader takes for granted: the file stays one of those that older libraries read. */
static void add_settings(cae_model_list *l, const cae_model *m)
{
    cae_settings settings = m->settings;
    for (size_t i = 0; cae_setting_at(i) != NULL; i++) {
        const cae_setting *s = cae_setting_at(i);
        const double value = *cae_setting_value(&settings, s);
        if (cae_setting_saved(s, m->net) && (s->version == 1 || value != s->initial)) {
            char *name = l->names[l->name_len++];
            l->values[l->value_len] = value;
            l->file.version = s->version > l->file.version ? s->version : l->file.version;
            cae_format(name, CAE_LIST_NAME, "train.%s", s->key);
            add(l, name, CAE_DTYPE_F64, &l->values[l->value_len++]);
        }
    }
}

static void add_training(cae_model_list *l, const cae_model *m, const cae_adam_state *state)
{
    const uint64_t counters[CAE_COUNTERS] = {state->step, m->seed, (uint64_t)m->settings.epoch};
    for (size_t i = 0; i < CAE_COUNTERS; i++) {
        memcpy(&l->counters[i], &counters[i], sizeof(counters[i]));
        add(l, names[i], CAE_DTYPE_I64, &l->counters[i]);
    }
    add_settings(l, m);
    if (!cae_ranges_empty(&m->recent)) {
        add(l, names[RECENT_MAX], CAE_DTYPE_F32, m->recent.hi)->shape[0] = m->recent.channels;
        add(l, names[RECENT_MIN], CAE_DTYPE_F32, m->recent.lo)->shape[0] = m->recent.channels;
    }
    for (size_t i = 0; i < m->net->weight_len; i++) {
        add_weight(l, "train.m.", &m->net->weights[i], CAE_DTYPE_F32, state->m);
        add_weight(l, "train.v.", &m->net->weights[i], CAE_DTYPE_F32, state->v);
    }
}

/* `dtype`: of the weights. `training`: the optimizer's state, or NULL to leave it out. */
static void add_all(cae_model_list *l, const cae_model *m, cae_dtype dtype,
                    const cae_adam_state *training)
{
    for (size_t i = 0; i < m->net->weight_len; i++) {
        add_weight(l, "", &m->net->weights[i], dtype, m->weights);
    }
    add(l, names[MAX], CAE_DTYPE_F32, m->ranges.hi)->shape[0] = m->ranges.channels;
    add(l, names[MIN], CAE_DTYPE_F32, m->ranges.lo)->shape[0] = m->ranges.channels;
    if (training != NULL) {
        add_training(l, m, training);
    }
}

int cae_model_list_make(cae_model_list *l, const cae_model *m, uint32_t flags)
{
    /* Weights and two moments each, ranges, counters and settings. */
    const size_t most = 3 * m->net->weight_len + 4 + CAE_COUNTERS + CAE_SETTINGS_MOST;
    const bool training = (flags & CAE_SAVE_TRAINING) != 0;
    cae_adam_state state = m->optimizer;
    *l = (cae_model_list){.memory = m->memory,
                          .tensors = cae_alloc(m->memory, most, sizeof(l->tensors[0])),
                          .names = cae_alloc(m->memory, most, sizeof(l->names[0]))};
    if (l->tensors == NULL || l->names == NULL) {
        return CAE_E_NOMEM;
    }
    if (training && (state.m == NULL || state.v == NULL)) {
        l->zeros = cae_alloc_zeroed(m->memory, m->net->parameters, sizeof(float));
        if (l->zeros == NULL) {
            return CAE_E_NOMEM;
        }
        state.m = l->zeros;
        state.v = l->zeros;
    }
    l->file = (cae_file_model){m->net->text, l->tensors, 0, &m->notes, 1};
    add_all(l, m, (flags & CAE_SAVE_F16) != 0 ? CAE_DTYPE_F16 : CAE_DTYPE_F32,
            training ? &state : NULL);
    return CAE_OK;
}

void cae_model_list_free(cae_model_list *l)
{
    cae_release(l->memory, l->zeros);
    cae_release(l->memory, l->names);
    cae_release(l->memory, l->tensors);
}

static int make_id(const cae_model *m, uint32_t *value)
{
    cae_model_list list;
    int status = cae_model_list_make(&list, m, 0);
    if (status == CAE_OK) {
        status = cae_model_file_id(m->memory, &list.file, value);
    }
    cae_model_list_free(&list);
    return status;
}

int cae_model_id(const cae_model *m, uint8_t id[CAE_IMAGE_ID])
{
    uint32_t value;
    if (atomic_load_explicit(&m->id->known, memory_order_acquire)) {
        value = atomic_load_explicit(&m->id->value, memory_order_relaxed);
    } else {
        CAE_TRY(make_id(m, &value));
        atomic_store_explicit(&m->id->value, value, memory_order_relaxed);
        atomic_store_explicit(&m->id->known, true, memory_order_release);
    }
    cae_store_u32(id, value);
    return CAE_OK;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* The tensor of that name, dtype and shape. */
static int find(const cae_model_file *f, const char *name, cae_dtype dtype, size_t rank,
                const size_t shape[4], const cae_file_entry **out)
{
    const cae_file_entry *e = cae_model_file_find(f, name);
    if (e == NULL) {
        return cae_fail(CAE_E_FORMAT, "tensor '%s' is missing", name);
    }
    if (e->dtype != dtype) {
        return cae_fail(CAE_E_FORMAT, "tensor '%s' is %s, not %s", name, cae_dtype_name(e->dtype),
                        cae_dtype_name(dtype));
    }
    if (e->rank != rank || memcmp(e->shape, shape, sizeof(e->shape)) != 0) {
        return cae_fail(CAE_E_FORMAT,
                        "tensor '%s' has the shape [%zu,%zu,%zu,%zu] of rank %zu, not "
                        "[%zu,%zu,%zu,%zu] of rank %zu",
                        name, e->shape[0], e->shape[1], e->shape[2], e->shape[3], e->rank, shape[0],
                        shape[1], shape[2], shape[3], rank);
    }
    *out = e;
    return CAE_OK;
}

static int read_values(const cae_model_file *f, const char *name, cae_dtype dtype, size_t len,
                       void *values)
{
    const size_t shape[4] = {len, 1, 1, 1};
    const cae_file_entry *e = NULL;
    CAE_TRY(find(f, name, dtype, 1, shape, &e));
    return cae_model_file_read(f, e, values);
}

/* A file has training state when it has the first counter; then it must have all of it. */
static bool has_training(const cae_model_file *f)
{
    return cae_model_file_find(f, names[STEP]) != NULL;
}

/* Which dtype such a tensor must have. Where no training can go on, weights may be F16. */
static cae_dtype weight_dtype(const cae_model_file *f, const char *name, bool moment)
{
    const cae_file_entry *e = cae_model_file_find(f, name);
    return !moment && e != NULL && e->dtype == CAE_DTYPE_F16 && !has_training(f) ? CAE_DTYPE_F16
                                                                                 : CAE_DTYPE_F32;
}

/* All weights, or moments of them, by the names prefix + name; `values` NULL only looks. */
static int read_weights(const cae_net *net, cae_model_file *f, const char *prefix, float *values)
{
    for (size_t i = 0; i < net->weight_len; i++) {
        const cae_weight *w = &net->weights[i];
        const cae_file_entry *e = NULL;
        char name[CAE_LIST_NAME];
        cae_format(name, sizeof(name), "%s%s", prefix, w->name);
        const cae_dtype dtype = weight_dtype(f, name, *prefix != '\0');
        CAE_TRY(find(f, name, dtype, w->parameter.rank, w->parameter.shape, &e));
        if (values != NULL) {
            CAE_TRY(cae_model_file_read_floats(f, e, values + w->offset));
        }
    }
    return CAE_OK;
}

static bool has_recent(const cae_model_file *f)
{
    return cae_model_file_find(f, names[RECENT_MAX]) != NULL;
}

/* The setting's tensor, or NULL: a file that is older than the setting does not have it. */
static const cae_file_entry *find_setting(const cae_net *net, const cae_model_file *f,
                                          const cae_setting *s)
{
    char name[CAE_LIST_NAME];
    cae_format(name, sizeof(name), "train.%s", s->key);
    return cae_setting_saved(s, net) ? cae_model_file_find(f, name) : NULL;
}

/* Whether any model of this network has such a tensor. */
static bool is_known(const cae_net *net, const char *name)
{
    const bool moments = strncmp(name, "train.m.", 8) == 0 || strncmp(name, "train.v.", 8) == 0;
    const char *of = moments ? name + 8 : name;
    for (size_t i = 0; i < NAMES; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < net->weight_len; i++) {
        if (strcmp(of, net->weights[i].name) == 0) {
            return true;
        }
    }
    const cae_setting *s = strncmp(name, "train.", 6) == 0 ? cae_setting_find(name + 6) : NULL;
    return s != NULL && cae_setting_saved(s, net);
}

/* There are more tensors than were looked for: says which. */
static int fail_unknown(const cae_net *net, const cae_model_file *f)
{
    for (size_t i = 0; i < cae_model_file_len(f); i++) {
        const char *name = cae_model_file_entry(f, i)->name;
        if (!is_known(net, name)) {
            return cae_fail(CAE_E_VERSION,
                            "model file: made by a newer libcae, or not by libcae: no model of its "
                            "architecture has a tensor '%s' here",
                            name);
        }
    }
    return cae_fail(CAE_E_FORMAT, "tensor '%s' is missing; there is other training state",
                    has_training(f) ? names[RECENT_MAX] : names[STEP]);
}

/* Whether the file has just the tensors of this network, in shape. */
static int check_tensors(const cae_net *net, cae_model_file *f)
{
    size_t known = net->weight_len + 2;
    if (strcmp(net->text, cae_model_file_architecture(f)) != 0) {
        return cae_fail(CAE_E_FORMAT, "libcae.architecture is not in canonical form");
    }
    const size_t channels[4] = {net->shapes[net->code].c, 1, 1, 1};
    const size_t one[4] = {1, 1, 1, 1};
    const cae_file_entry *e = NULL;
    CAE_TRY(find(f, names[MAX], CAE_DTYPE_F32, 1, channels, &e));
    CAE_TRY(find(f, names[MIN], CAE_DTYPE_F32, 1, channels, &e));
    CAE_TRY(read_weights(net, f, "", NULL));
    if (has_training(f)) {
        for (size_t i = 0; i < CAE_COUNTERS; i++) {
            CAE_TRY(find(f, names[i], CAE_DTYPE_I64, 1, one, &e));
        }
        CAE_TRY(read_weights(net, f, "train.m.", NULL));
        CAE_TRY(read_weights(net, f, "train.v.", NULL));
        known += CAE_COUNTERS + 2 * net->weight_len;
        if (has_recent(f)) {
            CAE_TRY(find(f, names[RECENT_MAX], CAE_DTYPE_F32, 1, channels, &e));
            CAE_TRY(find(f, names[RECENT_MIN], CAE_DTYPE_F32, 1, channels, &e));
            known += 2;
        }
        for (size_t i = 0; cae_setting_at(i) != NULL; i++) {
            known += find_setting(net, f, cae_setting_at(i)) != NULL ? 1 : 0;
        }
    }
    return cae_model_file_len(f) == known ? CAE_OK : fail_unknown(net, f);
}

static int read_counters(cae_model *m, const cae_model_file *f)
{
    uint64_t counters[CAE_COUNTERS];
    for (size_t i = 0; i < CAE_COUNTERS; i++) {
        int64_t value = 0;
        CAE_TRY(read_values(f, names[i], CAE_DTYPE_I64, 1, &value));
        memcpy(&counters[i], &value, sizeof(value));
        if (i != SEED && counters[i] > largest_counter) {
            return cae_fail(CAE_E_FORMAT, "tensor '%s': %lld is not between 0 and 2^53", names[i],
                            (long long)value);
        }
    }
    m->optimizer.step = counters[STEP];
    m->seed = counters[SEED];
    m->settings.epoch = (double)counters[EPOCH];
    return CAE_OK;
}

static int read_settings(cae_model *m, const cae_model_file *f)
{
    for (size_t i = 0; cae_setting_at(i) != NULL; i++) {
        const cae_setting *s = cae_setting_at(i);
        char name[CAE_LIST_NAME];
        double value = 0;
        if (find_setting(m->net, f, s) == NULL) {
            continue; /* it has its initial value */
        }
        cae_format(name, sizeof(name), "train.%s", s->key);
        CAE_TRY(read_values(f, name, CAE_DTYPE_F64, 1, &value));
        const int status = cae_setting_check(s, value);
        if (status != CAE_OK) {
            return cae_fail(status == CAE_E_UNSUPPORTED ? status : CAE_E_FORMAT, "tensor '%s': %s",
                            name, cae_message());
        }
        *cae_setting_value(&m->settings, s) = value;
    }
    if (m->settings.reproducible != 0) {
        m->kernels = m->exact;
    }
    return CAE_OK;
}

static int read_training(cae_model *m, cae_model_file *f)
{
    CAE_TRY(read_counters(m, f));
    CAE_TRY(read_settings(m, f));
    if (has_recent(f)) {
        CAE_TRY(read_values(f, names[RECENT_MIN], CAE_DTYPE_F32, m->recent.channels, m->recent.lo));
        CAE_TRY(read_values(f, names[RECENT_MAX], CAE_DTYPE_F32, m->recent.channels, m->recent.hi));
    }
    CAE_TRY(cae_model_need_moments(m));
    CAE_TRY(read_weights(m->net, f, "train.m.", m->optimizer.m));
    return read_weights(m->net, f, "train.v.", m->optimizer.v);
}

static int read_all(cae_model *m, cae_model_file *f)
{
    CAE_TRY(read_values(f, names[MIN], CAE_DTYPE_F32, m->ranges.channels, m->ranges.lo));
    CAE_TRY(read_values(f, names[MAX], CAE_DTYPE_F32, m->ranges.channels, m->ranges.hi));
    CAE_TRY(read_weights(m->net, f, "", m->weights));
    if (has_training(f)) {
        CAE_TRY(read_training(m, f));
    }
    CAE_TRY(cae_model_file_read_notes(f, m->memory, &m->notes));
    cae_model_weights_changed(m);
    return CAE_OK;
}

/* The network of the file's architecture, whose tensors the file has. */
static int make_net(cae_net **out, const cae_memory *memory, cae_model_file *f)
{
    cae_net *net = NULL;
    int status = cae_net_new(&net, memory, cae_model_file_architecture(f));
    if (status == CAE_E_SYNTAX) {
        return cae_fail(
            CAE_E_VERSION,
            "model file: made by a newer libcae, or not by libcae: its architecture, %s",
            cae_message());
    }
    CAE_TRY(status);
    status = check_tensors(net, f);
    if (status != CAE_OK) {
        cae_net_free(net);
        return status;
    }
    *out = net;
    return CAE_OK;
}

int cae_model_read(cae_model **out, const cae_memory *memory, cae_model_file *f)
{
    cae_model *m = NULL;
    cae_net *net = NULL;
    CAE_TRY(make_net(&net, memory, f));
    CAE_TRY(cae_model_make(&m, net));
    const int status = read_all(m, f);
    if (status != CAE_OK) {
        cae_model_destroy(m);
        return status;
    }
    *out = m;
    return CAE_OK;
}
