/*
 * Folders of images: see image_set.h. First the names are listed and sorted, then the files are
 * read in that order, so that nothing depends on the order in which the system lists a folder.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "image_set.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "jpegio.h"
#include "message.h"

/* ---- Names ----------------------------------------------------------------------------------- */

struct name_list {
    char **names;
    size_t len;
};

static void free_names(struct name_list *list)
{
    for (size_t i = 0; i < list->len; i++) {
        free(list->names[i]);
    }
    free(list->names);
    *list = (struct name_list){0};
}

/* Takes over `name`, which may be NULL when memory ran out; the array grows by doubling at powers
 * of two. */
static int add_name(struct name_list *list, char *name)
{
    if (name != NULL && (list->len & (list->len - 1)) == 0) {
        const size_t capacity = list->len == 0 ? 1 : 2 * list->len;
        char **names = realloc(list->names, capacity * sizeof *names);
        if (names == NULL) {
            free(name);
            return FAILED;
        }
        list->names = names;
    }
    if (name == NULL) {
        return FAILED;
    }
    list->names[list->len++] = name;
    return DONE;
}

static bool is_jpeg_name(const char *name)
{
    return image_name_ends(name, ".jpg") || image_name_ends(name, ".jpeg");
}

static bool is_image_name(const char *name)
{
    return is_jpeg_name(name) || image_name_ends(name, ".png") || image_name_ends(name, ".pgm") ||
           image_name_ends(name, ".ppm") || image_name_ends(name, ".pnm");
}

static bool is_folder(const char *folder, const char *name)
{
    struct stat status;
    char *path = file_join(folder, name);
    const bool is = path != NULL && stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    free(path);
    return is;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* ---- Listing --------------------------------------------------------------------------------- */

/* Puts one entry of the folder `path` where it belongs, with `below` in front of its name. */
static int sort_in(const char *path, const char *below, const char *name, struct name_list *images,
                   struct name_list *folders)
{
    if (name[0] == '.') {
        return DONE;
    }
    if (is_image_name(name)) {
        return add_name(images, below == NULL ? strdup(name) : file_join(below, name));
    }
    if (folders != NULL && is_folder(path, name)) {
        return add_name(folders, strdup(name));
    }
    return DONE;
}

/* Lists the images of a folder or of the one `below` it; and, when they are asked for, folders. */
static int list_folder(const char *folder, const char *below, struct name_list *images,
                       struct name_list *folders)
{
    int result = DONE;
    DIR *directory = NULL;
    char *path = below == NULL ? strdup(folder) : file_join(folder, below);
    if (path == NULL || (directory = opendir(path)) == NULL) {
        result = fail("%s: %s", path != NULL ? path : folder, strerror(errno));
        goto done;
    }
    errno = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL; errno = 0) {
        if (sort_in(path, below, entry->d_name, images, folders) != DONE) {
            result = fail("%s: out of memory", path);
            goto done;
        }
    }
    if (errno != 0) {
        result = fail("%s: %s", path, strerror(errno));
    }
done:
    if (directory != NULL) {
        closedir(directory);
    }
    free(path);
    return result;
}

static int list_all(const char *folder, struct name_list *images)
{
    struct name_list folders = {0};
    int result = list_folder(folder, NULL, images, &folders);
    if (result == DONE && images->len > 0 && folders.len > 0) {
        note("%s: holds images itself; its folders are not looked into", folder);
    }
    if (result == DONE && images->len == 0) {
        for (size_t i = 0; i < folders.len && result == DONE; i++) {
            result = list_folder(folder, folders.names[i], images, NULL);
        }
    }
    if (result == DONE && images->len == 0) {
        result = fail("%s: no .png, .jpg, .jpeg, .pgm, .ppm or .pnm files in this folder, nor in "
                      "the folders in it",
                      folder);
    }
    free_names(&folders);
    return result;
}

/* A build that reads no JPEG says so once, not for each of thousands. */
static int drop_unreadable_kinds(const char *folder, struct name_list *images, size_t *left_out)
{
    size_t kept = 0;
    const size_t len = jpegio_available() ? 0 : images->len;
    for (size_t i = 0; i < len; i++) {
        if (is_jpeg_name(images->names[i])) {
            free(images->names[i]);
        } else {
            images->names[kept++] = images->names[i];
        }
    }
    if (kept == len) {
        return DONE;
    }
    images->len = kept;
    *left_out = len - kept;
    if (kept == 0) {
        return fail("%s: %zu JPEG files: " JPEGIO_MISSING, folder, *left_out);
    }
    note("%s: %zu JPEG files are left out: " JPEGIO_MISSING, folder, *left_out);
    return DONE;
}

/* ---- Loading --------------------------------------------------------------------------------- */

static int load_one(const struct image_set *set, const char *name, size_t channels,
                    const struct preparation *preparation, struct image *image, unsigned *said)
{
    char *path = file_join(set->folder, name);
    if (path == NULL) {
        return fail("%s: out of memory", set->folder);
    }
    int result = image_load(image, path);
    if (result == DONE) {
        result = image_prepare(image, preparation, channels, path);
    }
    if (result == DONE) {
        image_note_changes(image, path, said);
    } else {
        image_free(image);
    }
    free(path);
    return result;
}

int image_set_list(struct image_set *set, const char *folder, size_t limit)
{
    *set = (struct image_set){0};
    struct name_list list = {0};
    int result = list_all(folder, &list);
    if (result == DONE) {
        result = drop_unreadable_kinds(folder, &list, &set->left_out);
    }
    if (result != DONE) {
        goto done;
    }
    qsort(list.names, list.len, sizeof *list.names, by_bytes);
    while (limit != 0 && list.len > limit) {
        free(list.names[--list.len]);
    }
    set->folder = strdup(folder);
    set->images = calloc(list.len, sizeof *set->images);
    if (set->folder == NULL || set->images == NULL) {
        result = fail("%s: out of memory", folder);
        goto done;
    }
    set->names = list.names;
    set->len = list.len;
    list = (struct name_list){0};
done:
    free_names(&list);
    if (result != DONE) {
        image_set_free(set);
    }
    return result;
}

/* Closes the gaps that files leave which cannot be read. */
int image_set_read(struct image_set *set, size_t channels, const struct preparation *preparation)
{
    const size_t wanted = set->len;
    unsigned said = 0;
    set->len = 0;
    for (size_t i = 0; i < wanted; i++) {
        char *name = set->names[i];
        if (load_one(set, name, channels, preparation, &set->images[set->len], &said) == DONE) {
            set->names[set->len++] = name;
        } else {
            free(name);
        }
        if (progress_is_due()) {
            progress("%s: %zu of %zu images read", set->folder, i + 1, wanted);
        }
    }
    progress_end();
    set->left_out += wanted - set->len;
    if (set->len == 0) {
        return fail("%s: not one of %zu images can be taken", set->folder, wanted);
    }
    if (set->len < wanted) {
        note("%s: %zu of %zu images are left out", set->folder, wanted - set->len, wanted);
    }
    return DONE;
}

int image_set_load(struct image_set *set, const char *folder, size_t limit, size_t channels,
                   const struct preparation *preparation)
{
    int result = image_set_list(set, folder, limit);
    if (result == DONE) {
        result = image_set_read(set, channels, preparation);
    }
    if (result != DONE) {
        image_set_free(set);
    }
    return result;
}

void image_set_free(struct image_set *set)
{
    for (size_t i = 0; i < set->len; i++) {
        free(set->names[i]);
        image_free(&set->images[i]);
    }
    free(set->names);
    free(set->images);
    free(set->folder);
    *set = (struct image_set){0};
}

static int copy_image(struct image *image, const struct image *from, const char *path)
{
    if (image_new(image, from->channels, from->height, from->width, path) != DONE) {
        return FAILED;
    }
    memcpy(image->pixels, from->pixels, image_len(from));
    image->changes = from->changes;
    return DONE;
}

int image_set_pick(struct image_set *set, const struct image_set *from, const size_t *numbers,
                   size_t len)
{
    *set = (struct image_set){.folder = strdup(from->folder),
                              .names = calloc(len, sizeof *set->names),
                              .images = calloc(len, sizeof *set->images)};
    int result = set->folder != NULL && set->names != NULL && set->images != NULL
                     ? DONE
                     : fail("%s: out of memory", from->folder);
    for (size_t i = 0; i < len && result == DONE; i++) {
        const size_t number = numbers != NULL ? numbers[i] : i;
        set->names[i] = strdup(from->names[number]);
        set->len = i + 1;
        result = set->names[i] != NULL
                     ? copy_image(&set->images[i], &from->images[number], set->names[i])
                     : fail("%s: out of memory", from->folder);
    }
    if (result != DONE) {
        image_set_free(set);
    }
    return result;
}

int image_set_part(struct image_set *set, const bool *moves, struct image_set *part)
{
    *part = (struct image_set){
        .images = calloc(set->len, sizeof *set->images),
        .names = calloc(set->len, sizeof *set->names),
        .folder = strdup(set->folder),
    };
    if (part->images == NULL || part->names == NULL || part->folder == NULL) {
        image_set_free(part);
        return fail("%s: out of memory", set->folder);
    }
    const size_t len = set->len;
    set->len = 0;
    for (size_t i = 0; i < len; i++) {
        struct image_set *to = moves[i] ? part : set;
        to->images[to->len] = set->images[i];
        to->names[to->len++] = set->names[i];
    }
    return DONE;
}
