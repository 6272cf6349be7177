/*
 * The faces of a study and the record of its settings: see study.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "study.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "message.h"
#include "output.h"
#include "people.h"
#include "random.h"

const struct network networks[NETWORKS] = {
    [SAE_COMPRESS] = {"sae-compress", "SAE", false},
    [CAE_COMPRESS] = {"cae-compress", "CAE", false},
    [SAE_DENOISE] = {"sae-denoise", "SAE", true},
    [CAE_DENOISE] = {"cae-denoise", "CAE", true},
    [VAE] = {"vae", "VAE", false},
};

char *study_path(const struct study *study, const char *name, const char *ending)
{
    char *path = NULL;
    char *file = malloc(strlen(name) + strlen(ending) + 1);
    if (file != NULL) {
        strcpy(file, name);
        strcat(file, ending);
        path = file_join(study->out, file);
    }
    free(file);
    return path;
}

/* ---- Faces ----------------------------------------------------------------------------------- */

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* The numbers 0 to len - 1, the first `drawn` of them drawn by the seed; NULL without memory. */
static size_t *draw(uint64_t seed, size_t len, size_t drawn)
{
    size_t *numbers = malloc(len * sizeof *numbers);
    for (size_t i = 0; numbers != NULL && i < len; i++) {
        numbers[i] = i;
    }
    for (size_t i = 0; numbers != NULL && i < drawn; i++) {
        const size_t j = i + (size_t)(random_bits(seed, RANDOM_DRAW, i, 0) % (len - i));
        const size_t other = numbers[j];
        numbers[j] = numbers[i];
        numbers[i] = other;
    }
    return numbers;
}

static int check_sizes(const struct image_set *set)
{
    for (size_t i = 0; i < set->len; i++) {
        const struct image *image = &set->images[i];
        if (image->height != SIDE || image->width != SIDE) {
            return fail("%s/%s: %zu x %zu pixels; the networks take %d x %d: see --crop and --size",
                        set->folder, set->names[i], image->width, image->height, SIDE, SIDE);
        }
    }
    return DONE;
}

static int load(const struct study *study, const char *folder, struct image_set *set)
{
    return image_set_load(set, folder, 0, 1, &study->preparation) == DONE ? check_sizes(set)
                                                                          : FAILED;
}

/* Leaves the first `wanted` images of a set. */
static int keep_first(struct image_set *set, size_t wanted)
{
    struct image_set first;
    if (image_set_pick(&first, set, NULL, wanted) != DONE) {
        return FAILED;
    }
    image_set_free(set);
    *set = first;
    return DONE;
}

/* Sets people aside until there are enough of their faces to measure on, as few as that takes. */
static int set_apart(struct study *study)
{
    struct people_split split = {0};
    const size_t len = study->all.len;
    int result = FAILED;
    for (size_t wanted = study->test_len; wanted < len; wanted++) {
        people_split_free(&split);
        result = people_split(&split, study->all.names, len, (double)wanted / (double)len,
                              study->seed, study->data);
        if (result != DONE || split.images_apart >= study->test_len) {
            break;
        }
    }
    if (result == DONE) {
        result = image_set_part(&study->all, split.apart, &study->test);
    }
    people_split_free(&split);
    return result;
}

static int check_enough(const char *folder, size_t len, size_t wanted, const char *option)
{
    return len >= wanted
               ? DONE
               : fail("%s: %zu usable faces, and %s asks for %zu", folder, len, option, wanted);
}

/* Whether `name` tells a person and one of the set's images is of the same one. */
static bool has_person(const struct image_set *set, const char *name)
{
    const size_t len = people_person_len(name);
    if (name[len] == '.' || name[len] == '\0') {
        return false; /* a name without a number says nothing about people */
    }
    for (size_t i = 0; i < set->len; i++) {
        if (people_person_len(set->names[i]) == len && memcmp(set->names[i], name, len) == 0) {
            return true;
        }
    }
    return false;
}

/* Loads data/train and data/val. Who splits the faces into two folders answers for it, but is told. */
static int load_two(struct study *study, const char *train, const char *test)
{
    size_t known = 0;
    if (load(study, train, &study->all) != DONE || load(study, test, &study->test) != DONE) {
        return FAILED;
    }
    for (size_t i = 0; i < study->test.len; i++) {
        known += has_person(&study->all, study->test.names[i]);
    }
    if (known > 0) {
        note("%s: %zu of %zu faces are of people who are in %s too: those are not unseen", test,
             known, study->test.len, train);
    }
    return DONE;
}

/* Loads everyone's faces and sets some people aside. */
static int load_one(struct study *study)
{
    if (load(study, study->data, &study->all) != DONE ||
        check_enough(study->data, study->all.len, study->train_len + study->test_len,
                     "--train with --test") != DONE) {
        return FAILED;
    }
    return set_apart(study);
}

static int load_both(struct study *study)
{
    char *train = file_join(study->data, "train"), *test = file_join(study->data, "val");
    int result = FAILED;
    if (train == NULL || test == NULL) {
        fail("%s: out of memory", study->data);
    } else if (is_folder(train) && is_folder(test)) {
        result = load_two(study, train, test);
    } else {
        result = load_one(study);
    }
    free(train);
    free(test);
    return result;
}

/* Draws the faces to train on. */
static int pick_train(struct study *study)
{
    size_t *numbers = draw(study->seed, study->all.len, study->train_len);
    const int result = numbers != NULL
                           ? image_set_pick(&study->train, &study->all, numbers, study->train_len)
                           : fail("%s: out of memory", study->data);
    free(numbers);
    return result;
}

int study_load(struct study *study)
{
    if (load_both(study) != DONE ||
        check_enough(study->all.folder, study->all.len, study->train_len, "--train") != DONE ||
        check_enough(study->test.folder, study->test.len, study->test_len, "--test") != DONE ||
        keep_first(&study->test, study->test_len) != DONE) {
        return FAILED;
    }
    return pick_train(study);
}

void study_free(struct study *study)
{
    image_set_free(&study->all);
    image_set_free(&study->train);
    image_set_free(&study->test);
    if (study->record >= 0) {
        close(study->record);
    }
}

/* ---- Settings -------------------------------------------------------------------------------- */

/* FNV-1a over the names and pixels of a set, in order. */
static uint64_t fingerprint(const struct image_set *set)
{
    uint64_t hash = random_from_name("");
    for (size_t i = 0; i < set->len; i++) {
        hash ^= random_from_name(set->names[i]);
        hash = random_from_more(hash, set->images[i].pixels, image_len(&set->images[i]));
    }
    return hash;
}

/* One setting a line, in a fixed order: what the results depend on, and nothing else. */
static void write_settings(const struct study *study, FILE *file)
{
    fprintf(file, "epochs %zu\n", study->epochs);
    fprintf(file, "train %zu\n", study->train_len);
    fprintf(file, "test %zu\n", study->test_len);
    fprintf(file, "batch %zu\n", study->batch);
    fprintf(file, "seed %" PRIu64 "\n", study->seed);
    fprintf(file, "sigma %.17g\n", study->sigma);
    fprintf(file, "reproducible %d\n", study->reproducible);
    fprintf(file, "kl weight %.17g\n", KL_WEIGHT);
    fprintf(file, "training faces %016" PRIx64 "\n", fingerprint(&study->train));
    fprintf(file, "unseen faces %016" PRIx64 "\n", fingerprint(&study->test));
}

/* The settings as a string that the caller frees; NULL when there is no memory. */
static char *settings_text(const struct study *study)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL) {
        return NULL;
    }
    write_settings(study, file);
    if (fclose(file) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* Says where two texts of settings part. */
static int fail_difference(const char *path, const char *old, const char *new)
{
    while (*old != '\0' && strcspn(old, "\n") == strcspn(new, "\n") &&
           strncmp(old, new, strcspn(old, "\n")) == 0) {
        old += strcspn(old, "\n") + (old[strcspn(old, "\n")] == '\n');
        new += strcspn(new, "\n") + (new[strcspn(new, "\n")] == '\n');
    }
    return fail(
        "%s: the study in this folder has \"%.*s\", this run \"%.*s\"; choose another --out", path,
        (int)strcspn(old, "\n"), old, (int)strcspn(new, "\n"), new);
}

static int write_text(const char *path, const char *text)
{
    struct output output;
    if (output_open(&output, path) != DONE) {
        return FAILED;
    }
    fputs(text, output.file);
    return output_commit(&output);
}

static int make_folder(const char *path)
{
    if (mkdir(path, 0777) != 0 && (errno != EEXIST || !is_folder(path))) {
        return fail("%s: cannot make this folder: %s", path, strerror(errno));
    }
    return access(path, W_OK | X_OK) == 0 ? DONE
                                          : fail("%s: cannot write: %s", path, strerror(errno));
}

/* The record as it is, against `text`. */
static int compare(const char *path, const char *text)
{
    uint8_t *old = NULL;
    size_t size = 0;
    if (file_read(path, 65536, FILE_REFUSE_MORE, &old, &size) != DONE) {
        return FAILED;
    }
    const int result = strcmp((const char *)old, text) == 0
                           ? DONE
                           : fail_difference(path, (const char *)old, text);
    free(old);
    return result;
}

int study_settle(struct study *study)
{
    if (make_folder(study->out) != DONE) {
        return FAILED;
    }
    char *path = study_path(study, "settings", ".txt"), *text = settings_text(study);
    int result = FAILED;
    if (path == NULL || text == NULL) {
        fail("%s: out of memory", study->out);
        goto done;
    }
    result = access(path, F_OK) != 0 ? write_text(path, text) : compare(path, text);
    if (result != DONE) {
        goto done;
    }
    study->record = open(path, O_RDWR | O_CLOEXEC);
    if (study->record < 0) {
        result = fail("%s: cannot write: %s", path, strerror(errno));
    }
done:
    free(text);
    free(path);
    return result;
}

/* A lock on byte n of the record, which the system takes back however the program ends. It goes,
 * too, when the program closes the file elsewhere, so nothing else may open it. Where a file system
 * knows no locks there is no claim. */
int study_claim(const struct study *study, size_t n)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)n, .l_len = 1};
    if (fcntl(study->record, F_SETLK, &lock) != 0 && (errno == EACCES || errno == EAGAIN)) {
        return fail("%s: another run is training %s there", study->out, networks[n].name);
    }
    return DONE;
}
