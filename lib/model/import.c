/*
 * Weights from a file that another program wrote, or from a model of libcae: the file's names,
 * without the prefixes that wrappers put before them, are matched with the network's. All is
 * checked and read before the model changes. The message about what the file lacks, or has too
 * much, names what is there: who renames layers needs to see both.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "model/file.h"

#include <string.h>

#include "base/status.h"
#include "serial/sort.h"

/* ---- The file's names ------------------------------------------------------------------------ */

struct item {
    const char *name; /* as it is matched: the end of the entry's */
    const cae_file_entry *entry;
    bool wanted; /* the network has such a weight */
};

struct import {
    const cae_net *net;
    cae_model_file *file;
    uint32_t flags;
    struct item *items;
    const void **by_name; /* the same, sorted */
    size_t len;
    const cae_file_entry **entries; /* of each weight of the network; NULL: the file has none */
};

static bool begins(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* DataParallel and DistributedDataParallel put the one before all names, torch.compile the
 * other. */
static const char *strip(const char *name)
{
    static const char *const prefixes[] = {"module.", "_orig_mod."};
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]);) {
        const bool there = begins(name, prefixes[i]);
        name += there ? strlen(prefixes[i]) : 0;
        i = there ? 0 : i + 1;
    }
    return name;
}

static int compare_items(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->name, ((const struct item *)b)->name);
}

/* The index of the weight of this name, weight_len for none. The weights are sorted by name. */
static size_t find_weight(const cae_net *net, const char *name)
{
    size_t low = 0;
    size_t high = net->weight_len;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(name, net->weights[middle].name);
        if (order == 0) {
            return middle;
        }
        low = order < 0 ? low : middle + 1;
        high = order < 0 ? middle : high;
    }
    return net->weight_len;
}

static bool is_left_out(const struct import *in, const struct item *item)
{
    return (in->flags & CAE_IMPORT_SKIP) != 0 && item->entry->rank == 0 && !item->wanted;
}

static int take_names(struct import *in)
{
    const size_t most = cae_model_file_len(in->file);
    const cae_memory *memory = in->net->memory;
    const bool ours = cae_model_file_architecture(in->file) != NULL;
    in->items = cae_alloc(memory, most, sizeof(in->items[0]));
    in->by_name = cae_alloc(memory, most, sizeof(in->by_name[0]));
    in->entries = cae_alloc_zeroed(memory, in->net->weight_len, sizeof(in->entries[0]));
    if (in->items == NULL || in->by_name == NULL || in->entries == NULL) {
        return CAE_E_NOMEM;
    }
    for (size_t i = 0; i < most; i++) {
        const cae_file_entry *e = cae_model_file_entry(in->file, i);
        /* What a model of libcae has beside its weights is passed over. */
        if (!ours || (!begins(e->name, "codec.") && !begins(e->name, "train."))) {
            const char *name = (in->flags & CAE_IMPORT_STRIP) != 0 ? strip(e->name) : e->name;
            const size_t weight = find_weight(in->net, name);
            const bool wanted = weight < in->net->weight_len;
            if (wanted) {
                in->entries[weight] = e;
            }
            in->items[in->len] = (struct item){name, e, wanted};
            in->by_name[in->len] = &in->items[in->len];
            in->len++;
        }
    }
    cae_sort(in->by_name, in->len, compare_items);
    for (size_t i = 1; i < in->len; i++) {
        const struct item *a = in->by_name[i - 1];
        const struct item *b = in->by_name[i];
        if (strcmp(a->name, b->name) == 0 && !(is_left_out(in, a) && is_left_out(in, b))) {
            return cae_fail(CAE_E_MODEL, "without their prefixes, '%s' and '%s' are one name",
                            a->entry->name, b->entry->name);
        }
    }
    return CAE_OK;
}

/* ---- Messages -------------------------------------------------------------------------------- */

/* A list of names that ends with " ..." where not all fit. */
struct names {
    char text[CAE_MESSAGE_SIZE];
    size_t at, room;
    size_t left; /* names that did not fit */
};

static void add_name(struct names *n, const char *name)
{
    const size_t size = strlen(name) + (n->at > 0 ? 2 : 0);
    if (n->left > 0 || size + n->at + sizeof(", ...") > n->room) {
        n->left++;
        return;
    }
    cae_format(n->text + n->at, sizeof(n->text) - n->at, "%s%s", n->at > 0 ? ", " : "", name);
    n->at += size;
}

/* The file's names: those that the network does not have, then the others or nothing. */
static void list_names(const struct import *in, bool all, size_t room, struct names *n)
{
    *n = (struct names){.room = room < sizeof(n->text) ? room : sizeof(n->text)};
    for (int wanted = 0; wanted <= (all ? 1 : 0); wanted++) {
        for (size_t i = 0; i < in->len; i++) {
            const struct item *item = in->by_name[i];
            if (item->wanted == (wanted == 1) && !is_left_out(in, item)) {
                add_name(n, item->entry->name);
            }
        }
    }
    if (n->left > 0) {
        cae_format(n->text + n->at, sizeof(n->text) - n->at, "%s...", n->at > 0 ? ", " : "");
    }
}

static int fail_missing(const struct import *in, const char *name)
{
    char words[CAE_MESSAGE_SIZE];
    struct names names;
    bool prefixed = false;
    for (size_t i = 0; i < in->len; i++) {
        const struct item *item = in->by_name[i];
        prefixed = prefixed || strip(item->name) != item->name;
    }
    cae_format(words, sizeof(words), "tensor '%s' is missing%s; the file has ", name,
               prefixed ? " (CAE_IMPORT_STRIP takes prefixes off)" : "");
    list_names(in, true, sizeof(words) - strlen(words), &names);
    return cae_fail(CAE_E_MODEL, "%s%s", words, in->len > 0 ? names.text : "none");
}

static int fail_extra(const struct import *in, size_t extra, bool no_dimension)
{
    char words[CAE_MESSAGE_SIZE];
    struct names names;
    cae_format(words, sizeof(words),
               "the file has %zu tensors, the model %zu; the model does not have%s ", in->len,
               in->len - extra, no_dimension ? " (CAE_IMPORT_SKIP leaves them out)" : "");
    list_names(in, false, sizeof(words) - strlen(words), &names);
    return cae_fail(CAE_E_MODEL, "%s%s", words, names.text);
}

/* "[4,1,3,3]" */
static void write_shape(char *text, size_t size, const size_t shape[4], size_t rank)
{
    size_t at = 0;
    cae_format(text, size, "[");
    for (size_t i = 0; i < rank; i++) {
        at = strlen(text);
        cae_format(text + at, size - at, "%s%zu", i > 0 ? "," : "", shape[i]);
    }
    at = strlen(text);
    cae_format(text + at, size - at, "]");
}

/* ---- The weights ----------------------------------------------------------------------------- */

static int check_weight(const cae_weight *w, const cae_file_entry *e)
{
    if (e->rank != w->parameter.rank ||
        memcmp(e->shape, w->parameter.shape, sizeof(e->shape)) != 0) {
        char has[96];
        char wanted[96];
        write_shape(has, sizeof(has), e->shape, e->rank);
        write_shape(wanted, sizeof(wanted), w->parameter.shape, w->parameter.rank);
        return cae_fail(CAE_E_MODEL, "tensor '%s' has the shape %s in the file, the model's is %s",
                        w->name, has, wanted);
    }
    return CAE_OK;
}

/* Everything but the values. */
static int check_items(const struct import *in)
{
    size_t extra = 0;
    bool no_dimension = true;
    for (size_t i = 0; i < in->net->weight_len; i++) {
        const cae_weight *w = &in->net->weights[i];
        if (in->entries[i] == NULL) {
            return fail_missing(in, w->name);
        }
        CAE_TRY(check_weight(w, in->entries[i]));
    }
    for (size_t i = 0; i < in->len; i++) {
        const struct item *item = in->by_name[i];
        if (!item->wanted && !is_left_out(in, item)) {
            extra++;
            no_dimension = no_dimension && item->entry->rank == 0;
        }
    }
    return extra == 0 ? CAE_OK : fail_extra(in, extra, no_dimension);
}

static int read_items(const struct import *in, float *values)
{
    for (size_t i = 0; i < in->net->weight_len; i++) {
        const cae_weight *w = &in->net->weights[i];
        CAE_TRY(cae_model_file_read_floats(in->file, in->entries[i], values + w->offset));
    }
    return CAE_OK;
}

/* Of a model of the same text: its ranges are those of the weights that are taken. */
static int read_ranges(const struct import *in, const cae_ranges *ranges, bool *known)
{
    const cae_file_entry *low = cae_model_file_find(in->file, "codec.min");
    const cae_file_entry *high = cae_model_file_find(in->file, "codec.max");
    const char *text = cae_model_file_architecture(in->file);
    *known = text != NULL && strcmp(text, in->net->text) == 0 && low != NULL && high != NULL &&
             low->dtype == CAE_DTYPE_F32 && high->dtype == CAE_DTYPE_F32 &&
             low->len == ranges->channels && high->len == ranges->channels;
    if (*known) {
        CAE_TRY(cae_model_file_read(in->file, low, ranges->lo));
        CAE_TRY(cae_model_file_read(in->file, high, ranges->hi));
    }
    return CAE_OK;
}

static int import(cae_model *m, struct import *in, float *values, const cae_ranges *ranges)
{
    bool known = false;
    CAE_TRY(take_names(in));
    CAE_TRY(check_items(in));
    CAE_TRY(read_items(in, values));
    CAE_TRY(read_ranges(in, ranges, &known));
    memcpy(m->weights, values, in->net->parameters * sizeof(float));
    cae_model_reset_optimizer(m);
    cae_model_weights_replaced(m);
    if (known) {
        cae_ranges_copy(&m->ranges, ranges);
    }
    return CAE_OK;
}

int cae_model_import(cae_model *m, cae_model_file *file, uint32_t flags)
{
    struct import in = {.net = m->net, .file = file, .flags = flags};
    const size_t channels = m->ranges.channels;
    float *values = cae_alloc(m->memory, m->net->parameters, sizeof(float));
    float *bounds = cae_alloc(m->memory, 2 * channels, sizeof(float));
    int status = CAE_E_NOMEM;
    if (values != NULL && bounds != NULL) {
        const cae_ranges ranges = {bounds, bounds + channels, channels};
        status = import(m, &in, values, &ranges);
    }
    cae_release(m->memory, in.entries);
    cae_release(m->memory, in.by_name);
    cae_release(m->memory, in.items);
    cae_release(m->memory, bounds);
    cae_release(m->memory, values);
    return status;
}
