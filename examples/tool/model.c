/*
 * Making, loading and recognising models: see model.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "kind.h"
#include "message.h"
#include "nearest.h"
#include "options.h"
#include "output.h"

enum { MAX_TEXT_SIZE = 65536 /* the library's limit of an architecture text */, PATH_SIZE = 4096 };
static const size_t max_model_size = (size_t)0x7fffffff; /* of one that comes through a pipe */

static int say_unknown(const char *name)
{
    char presets[256] = "";
    for (size_t i = 0; cae_preset_name(i) != NULL; i++) {
        const size_t used = strlen(presets);
        snprintf(presets + used, sizeof presets - used, " %s", cae_preset_name(i));
    }
    struct nearest nearest = nearest_start(name, strlen(name));
    for (size_t i = 0; cae_preset_name(i) != NULL; i++) {
        nearest_offer(&nearest, cae_preset_name(i));
    }
    const char *found = nearest_found(&nearest);
    return fail("%s: no such file, and no preset: those are%s%s%s%s", name, presets,
                found != NULL ? "; did you mean " : "", found != NULL ? found : "",
                found != NULL ? "?" : "");
}

/* A file that is known to be something else is no architecture text. */
static int check_text(const char *name, const char *kind)
{
    if (kind == NULL || strcmp(kind, "an architecture text") == 0) {
        return DONE;
    }
    return fail("%s: this is %s, not an architecture text%s", name, kind,
                strcmp(kind, "a model") == 0 ? "; --from begins with its weights" : "");
}

static int make_from_file(cae_model **model, const char *path, uint64_t seed)
{
    uint8_t *text = NULL;
    size_t size = 0;
    const bool named = strcmp(path, "-") != 0;
    if (named && access(path, F_OK) != 0) {
        return say_unknown(path);
    }
    if (named && check_text(path, kind_of_file(path)) != DONE) {
        return FAILED;
    }
    const struct file_reading how = {.limit = MAX_TEXT_SIZE, .streams = true};
    const char *input = file_input_name(path);
    int result = file_read_as(&how, path, &text, &size);
    if (result == DONE) {
        result = check_text(input, kind_of_bytes(text, size));
    }
    if (result == DONE && memchr(text, 0, size) != NULL) {
        result = fail("%s: not an architecture text (it contains a zero byte)", input);
    }
    if (result == DONE && cae_model_new(model, (const char *)text, seed) != CAE_OK) {
        result = fail("%s: %s", input, cae_last_error());
    }
    free(text);
    return result;
}

int model_make(cae_model **model, const char *name, uint64_t seed)
{
    if (cae_preset_text(name) == NULL) {
        return make_from_file(model, name, seed);
    }
    return cae_model_new(model, name, seed) == CAE_OK ? DONE
                                                      : fail("%s: %s", name, cae_last_error());
}

/* A file that is something else is mostly one in the wrong place. */
static int say_not_a_model(const char *path, const char *kind, const char *error)
{
    if (kind == NULL || strcmp(kind, "a model") == 0) {
        return fail("%s: %s", path, error);
    }
    return *options_order() == '\0'
               ? fail("%s: this is %s, not a model", path, kind)
               : fail("%s: this is %s, not a model; the order is %s", path, kind, options_order());
}

bool model_is_shipped(const char *path)
{
    struct stat status;
    const size_t len =
        strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    return strcmp(path, "-") != 0 && len > 0 && path[len] == '\0' && lstat(path, &status) != 0 &&
           errno == ENOENT;
}

int model_load_shipped(cae_model **model, const char *name)
{
    if (cae_model_load_shipped(model, name) == CAE_OK) {
        return DONE;
    }
    return cae_preset_text(name) != NULL
               ? fail("%s: this is a preset, for `cae train --model`; no such file, and %s", name,
                      cae_last_error())
               : fail("%s: no such file, and %s", name, cae_last_error());
}

/* A regular file is the library's to read; what comes through a pipe is read first. */
static int load_from(cae_model **model, const char *path)
{
    if (model_is_shipped(path)) {
        return model_load_shipped(model, path);
    }
    if (!file_is_stream(path)) {
        return cae_model_load(model, path) == CAE_OK
                   ? DONE
                   : say_not_a_model(path, kind_of_file(path), cae_last_error());
    }
    uint8_t *data = NULL;
    size_t size = 0;
    const struct file_reading how = {.limit = max_model_size, .streams = true};
    int result = file_read_as(&how, path, &data, &size);
    if (result == DONE && cae_model_load_memory(model, data, size) != CAE_OK) {
        result =
            say_not_a_model(file_input_name(path), kind_of_bytes(data, size), cae_last_error());
    }
    free(data);
    return result;
}

/* A file for what comes through a pipe, where the library wants a path. It has no name where the
 * system has one for its descriptor, so that nothing is left behind whatever happens. */
struct kept {
    char path[PATH_SIZE], *temporary; /* temporary: to be removed */
    int descriptor;
};

static void kept_remove(struct kept *kept)
{
    if (kept->temporary != NULL) {
        unlink(kept->temporary);
    }
    if (kept->descriptor >= 0) {
        close(kept->descriptor);
    }
    free(kept->temporary);
}

/* Makes it of the bytes; false with errno. */
static bool kept_make(struct kept *kept, const void *data, size_t size)
{
    const char *folder = getenv("TMPDIR");
    *kept = (struct kept){.descriptor = -1};
    char *path = file_join(folder != NULL && *folder != '\0' ? folder : "/tmp", "cae-XXXXXX");
    if (path == NULL) {
        errno = ENOMEM;
        return false;
    }
    kept->descriptor = mkstemp(path); /* for the user alone */
    if (kept->descriptor < 0) {
        free(path);
        return false;
    }
    kept->temporary = path;
    snprintf(kept->path, sizeof kept->path, "/proc/self/fd/%d", kept->descriptor);
    if (access(kept->path, R_OK) == 0 && unlink(path) == 0) {
        free(kept->temporary);
        kept->temporary = NULL;
    } else if (strlen(path) < sizeof kept->path) {
        memcpy(kept->path, path, strlen(path) + 1);
    } else {
        errno = ENAMETOOLONG;
        return false;
    }
    return output_write(kept->descriptor, data, size);
}

static int keep_data(struct kept *kept, const char *name, const void *data, size_t size)
{
    if (kept_make(kept, data, size)) {
        return DONE;
    }
    fail("%s: cannot be kept in a temporary file: %s", name, strerror(errno));
    kept_remove(kept);
    return FAILED;
}

/* Reads a pipe into such a file. */
static int keep_stream(struct kept *kept, const char *path)
{
    uint8_t *data = NULL;
    size_t size = 0;
    const struct file_reading how = {.limit = max_model_size, .streams = true};
    *kept = (struct kept){.descriptor = -1};
    if (file_read_as(&how, path, &data, &size) != DONE) {
        return FAILED;
    }
    const int result = keep_data(kept, file_input_name(path), data, size);
    free(data);
    return result;
}

/* The file of a shipped model, whose path only the library knows. */
static int keep_shipped(struct kept *kept, const char *name)
{
    cae_model *model = NULL;
    void *data = NULL;
    size_t size = 0;
    int result = FAILED;
    *kept = (struct kept){.descriptor = -1};
    if (model_load_shipped(&model, name) != DONE) {
        return FAILED;
    }
    if (cae_model_save_memory(model, NULL, 0, &size, 0) != CAE_OK) {
        fail("%s: %s", name, cae_last_error());
    } else if ((data = malloc(size)) == NULL) {
        fail("%s: out of memory", name);
    } else if (cae_model_save_memory(model, data, size, &size, 0) != CAE_OK) {
        fail("%s: %s", name, cae_last_error());
    } else {
        result = keep_data(kept, name, data, size);
    }
    free(data);
    cae_model_free(model);
    return result;
}

static int copy_notes(cae_model *to, const cae_model *from)
{
    const char *key = NULL, *value = NULL;
    for (size_t i = 0; cae_model_note_info(from, i, &key, &value) == CAE_OK; i++) {
        const bool of_a_run = strncmp(key, "cae.", 4) == 0 && strcmp(key, MODEL_NOTE_NOISE) != 0;
        if (!of_a_run && cae_model_note_set(to, key, value) != CAE_OK) {
            return FAILED;
        }
    }
    return DONE;
}

/* A fresh model like the one in the file `from`. */
static int make_like(cae_model **model, const cae_model *source, const char *from, uint64_t seed)
{
    if (cae_model_new(model, cae_model_architecture(source), seed) != CAE_OK ||
        copy_notes(*model, source) != DONE) {
        return fail("%s: %s", from, cae_last_error());
    }
    return DONE;
}

/* model_make_from of the file at `path`, which messages call `from`. */
static int make_from_path(cae_model **model, const char *name, const char *path, const char *from,
                          uint64_t seed)
{
    cae_model *source = NULL;
    int result = DONE;
    if (name != NULL) {
        result = model_make(model, name, seed);
    } else if (cae_model_load(&source, path) == CAE_OK) {
        result = make_like(model, source, from, seed);
    } else if (strstr(cae_last_error(), "plain safetensors") != NULL) {
        result = fail("%s: a plain safetensors file: weights without an architecture; --model "
                      "gives them one",
                      from);
    } else {
        result = fail("%s: %s", from, cae_last_error());
    }
    cae_model_free(source);
    if (result == DONE &&
        cae_model_import_weights(*model, path, CAE_IMPORT_STRIP | CAE_IMPORT_SKIP) != CAE_OK) {
        result = fail("%s: %s", from, cae_last_error());
    }
    return result;
}

int model_make_from(cae_model **model, const char *name, const char *from, uint64_t seed)
{
    struct kept kept;
    const bool shipped = model_is_shipped(from);
    if (!shipped && !file_is_stream(from)) {
        return make_from_path(model, name, from, from, seed);
    }
    if ((shipped ? keep_shipped(&kept, from) : keep_stream(&kept, from)) != DONE) {
        return FAILED;
    }
    const int result = make_from_path(model, name, kept.path, file_input_name(from), seed);
    kept_remove(&kept);
    return result;
}

int model_load(cae_model **model, const char *path)
{
    if (load_from(model, path) != DONE) {
        return FAILED;
    }
    return model_set(*model, "threads", 0);
}

int model_check_target(const cae_model *model, const char *path)
{
    cae_model *small = NULL;
    int status = CAE_OK;
    if (model == NULL) {
        status = cae_model_new(&small, "input 1 1 1\nconv 1 kernel 1\ncode\nconv 1 kernel 1\n", 1);
        model = small;
    }
    if (status == CAE_OK) {
        status = cae_model_save(model, path, CAE_SAVE_TRAINING | CAE_SAVE_TRY);
    }
    cae_model_free(small);
    return status == CAE_OK ? DONE : fail("%s: %s", path, cae_last_error());
}

/* Saves to the first of FOLDER/NAME.1 to .99 that is not there; false when that fails. */
static bool keep_in(const cae_model *model, const char *folder, const char *name, const char *path)
{
    for (int number = 1; number < 100; number++) {
        struct stat status;
        char numbered[256];
        snprintf(numbered, sizeof numbered, "%.200s.%d", name, number);
        char *kept = strcmp(folder, ".") == 0 ? strdup(numbered) : file_join(folder, numbered);
        const bool free_name = kept != NULL && lstat(kept, &status) != 0 && errno == ENOENT;
        const bool saved = free_name && cae_model_save(model, kept, CAE_SAVE_TRAINING) == CAE_OK;
        if (saved) {
            fail("%s could not be written; the model is kept in %s", output_name(path), kept);
        }
        free(kept);
        if (free_name) {
            return saved;
        }
    }
    return false;
}

bool model_keep(const cae_model *model, const char *path)
{
    struct stat status;
    const char *slash = strrchr(path, '/'), *temporary = getenv("TMPDIR");
    const char *name = slash != NULL ? slash + 1 : path;
    char *folder = file_folder(path);
    /* Beside a device or a pipe is no place, and their names say nothing. */
    const bool is_file =
        strcmp(path, "-") != 0 && *name != '\0' &&
        (stat(path, &status) != 0 || S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
    if (!is_file) {
        name = "model.safetensors";
    }
    bool kept = is_file && folder != NULL && keep_in(model, folder, name, path);
    kept = kept || keep_in(model, ".", name, path);
    kept = kept || (temporary != NULL && keep_in(model, temporary, name, path));
    kept = kept || keep_in(model, "/tmp", name, path);
    if (!kept) {
        fail("%s: the model is lost, for it cannot be kept elsewhere either: %s", output_name(path),
             cae_last_error());
    }
    free(folder);
    return kept;
}

int model_resume(cae_model **model, const char *path, const char *name)
{
    cae_model *earlier = NULL;
    if (access(path, F_OK) != 0) {
        return fail("%s: nothing to resume: %s; leave --resume out to start", path,
                    strerror(errno));
    }
    if (model_load(&earlier, path) != DONE) {
        return FAILED;
    }
    if (*model != NULL &&
        strcmp(cae_model_architecture(earlier), cae_model_architecture(*model)) != 0) {
        cae_model_free(earlier);
        return fail("%s: cannot resume: this is not a model of --model %s", path, name);
    }
    cae_model_free(*model);
    *model = earlier;
    return DONE;
}

int model_check_epoch(const cae_model *model, const char *path, uint64_t epoch_steps)
{
    const uint64_t step = (uint64_t)model_get(model, "step");
    const double epoch = model_get(model, "epoch");
    return step / epoch_steps == (uint64_t)epoch
               ? DONE
               : fail("%s: cannot resume: it was trained with other --data, --limit or --batch: "
                      "step %llu was in epoch %.0f, and would be in %llu now",
                      path, (unsigned long long)step, epoch + 1,
                      (unsigned long long)(step / epoch_steps + 1));
}

int model_shape(const cae_model *model, const char *name, size_t shape[3])
{
    if (cae_model_shape(model, shape) != CAE_OK) {
        return fail("%s: %s", file_input_name(name), cae_last_error());
    }
    if (shape[0] != 1 && shape[0] != 3) {
        return fail("%s: the model takes %zu channels; this command knows 1 (grey) and 3 (RGB)",
                    file_input_name(name), shape[0]);
    }
    return DONE;
}

int model_set(cae_model *model, const char *key, double value)
{
    return cae_model_set(model, key, value) == CAE_OK ? DONE
                                                      : fail("%s: %s", key, cae_last_error());
}

double model_get(const cae_model *model, const char *key)
{
    double value = 0;
    cae_model_get(model, key, &value);
    return value;
}

void model_tell_fit(void)
{
    if (strstr(cae_last_error(), "cae_fit_code") != NULL) {
        note("cae train --from MODEL --steps 0 --data DIR --out NEW does that");
    }
}

const char *model_preset(const cae_model *model)
{
    for (size_t i = 0; cae_preset_name(i) != NULL; i++) {
        if (strcmp(cae_model_architecture(model), cae_preset_text(cae_preset_name(i))) == 0) {
            return cae_preset_name(i);
        }
    }
    return NULL;
}

bool model_is_sampled(const cae_model *model)
{
    return strstr(cae_model_architecture(model), "\ncode sampled\n") != NULL;
}

bool model_takes_noise(const cae_model *model)
{
    const char *text = cae_model_architecture(model), *end = strchr(text, '\n');
    static const char word[] = " noise";
    const size_t len = strlen(word);
    return (size_t)(end - text) >= len && memcmp(end - len, word, len) == 0;
}

double model_trained_sigma(const cae_model *model, bool *known)
{
    const char *text = cae_model_note(model, MODEL_NOTE_NOISE);
    struct noise noise;
    *known = text != NULL && noise_reading.read(&noise, text);
    return *known ? fmin(fmax(25, noise.low), noise.high) : model_default_sigma(model);
}

double model_default_sigma(const cae_model *model)
{
    const char *preset = model_preset(model);
    return model_takes_noise(model) || (preset != NULL && strstr(preset, "-denoise") != NULL) ? 25
                                                                                              : 0;
}

struct noise model_default_noise(const cae_model *model)
{
    const double sigma = model_default_sigma(model);
    return model_takes_noise(model) ? (struct noise){5, 75} : (struct noise){sigma, sigma};
}
