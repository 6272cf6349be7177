/*
 * A model that came with the library, found by its name: in the folders of CAE_MODEL_PATH first, so
 * that users can put their own in front, then where the build installs models. The first file of
 * that name is the model; if it cannot be read, that is said, and no other is taken in its place.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _GNU_SOURCE /* secure_getenv */

#include "model/file.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "serial/system.h"

static const char ending[] = ".safetensors";

/* Where it is looked for: first `listed`, the text of the environment, then the installed ones. */
struct search {
    const char *listed; /* the rest of it; NULL: done */
    bool last_done;
};

/* A process that runs with another user's rights (set-uid) does not take the caller's word for what
 * it opens with these rights: secure_getenv gives it nothing. */
static struct search begin_search(void)
{
    return (struct search){.listed = secure_getenv("CAE_MODEL_PATH")};
}

/* The next folder, `size` bytes at *folder; false behind the last. Empty parts of the list are
 * skipped, since a stray colon must not mean the current folder. */
static bool next_folder(struct search *s, const char **folder, size_t *size)
{
    while (s->listed != NULL) {
        const char *colon = strchr(s->listed, ':');
        *folder = s->listed;
        *size = colon != NULL ? (size_t)(colon - s->listed) : strlen(s->listed);
        s->listed = colon != NULL ? colon + 1 : NULL;
        if (*size > 0) {
            return true;
        }
    }
    *folder = CAE_MODELS_DIR;
    *size = strlen(*folder);
    const bool more = !s->last_done && *size > 0;
    s->last_done = true;
    return more;
}

static char *join(const cae_memory *memory, const char *folder, size_t size, const char *name)
{
    const size_t name_size = strlen(name);
    char *path = cae_alloc(memory, size + 1 + name_size + sizeof(ending), 1);
    if (path != NULL) {
        memcpy(path, folder, size);
        path[size] = '/';
        memcpy(path + size + 1, name, name_size);
        memcpy(path + size + 1 + name_size, ending, sizeof(ending));
    }
    return path;
}

/* The folders in a message. */
struct folders {
    char text[CAE_MESSAGE_SIZE];
    size_t len, left; /* listed; left out, for there was no room */
};

static void add_folder(struct folders *f, const char *folder, size_t size)
{
    enum { RESERVE = 128 /* for the words around them */ };
    static const char gap[] = ", ";
    const size_t at = strlen(f->text), gap_size = f->len > 0 ? strlen(gap) : 0;
    if (f->left > 0 || size > sizeof(f->text) || at + gap_size + size + RESERVE > sizeof(f->text)) {
        f->left++;
        return;
    }
    memcpy(f->text + at, gap, gap_size);
    memcpy(f->text + at + gap_size, folder, size);
    f->text[at + gap_size + size] = '\0';
    f->len++;
}

static int fail_missing(const char *name)
{
    struct search s = begin_search();
    const char *folder = NULL;
    size_t size = 0;
    struct folders f = {.len = 0};
    while (next_folder(&s, &folder, &size)) {
        add_folder(&f, folder, size);
    }
    if (f.left == 0) {
        return cae_fail(CAE_E_IO, "no model '%s': it is not in %s", name,
                        f.len > 0 ? f.text : "CAE_MODEL_PATH, which names no folder");
    }
    return cae_fail(CAE_E_IO, "no model '%s': it is not in %s%s%zu folders%s", name, f.text,
                    f.len > 0 ? " and " : "", f.left, f.len > 0 ? " more" : " with long names");
}

static int read_path(cae_model **out, const cae_memory *memory, const char *path)
{
    cae_model_file *file = NULL;
    char message[CAE_MESSAGE_SIZE];
    int status = cae_model_file_open_path(&file, memory, path, CAE_FILE_MODEL);
    if (status == CAE_OK) {
        status = cae_model_read(out, memory, file);
        cae_model_file_close(file);
    }
    if (status == CAE_OK || status == CAE_E_NOMEM || status == CAE_E_IO) {
        return status; /* messages about the system have the path */
    }
    /* The caller gave no path, so the message has to; behind, because a long one is cut. */
    cae_format(message, sizeof(message), "%s", cae_message());
    return cae_fail(status, "%s: %s", message, path);
}

int cae_model_read_shipped(cae_model **out, const cae_memory *memory, const char *name)
{
    struct search s = begin_search();
    const char *folder = NULL;
    size_t size = 0;
    while (next_folder(&s, &folder, &size)) {
        char *path = join(memory, folder, size, name);
        if (path == NULL) {
            return CAE_E_NOMEM;
        }
        const bool found = cae_system_exists(path);
        const int status = found ? read_path(out, memory, path) : CAE_OK;
        cae_release(memory, path);
        if (found) {
            return status;
        }
    }
    return fail_missing(name);
}
