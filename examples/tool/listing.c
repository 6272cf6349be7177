/*
 * Listing folders of images: see listing.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "listing.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "images.h"
#include "message.h"

/* ---- Names ----------------------------------------------------------------------------------- */

bool is_jpeg_name(const char *name)
{
    return image_name_ends(name, ".jpg") || image_name_ends(name, ".jpeg") ||
           image_name_ends(name, ".jpe") || image_name_ends(name, ".jfif");
}

bool is_image_name(const char *name)
{
    return is_jpeg_name(name) || image_name_ends(name, ".png") || image_name_ends(name, ".pgm") ||
           image_name_ends(name, ".ppm") || image_name_ends(name, ".pnm");
}

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

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_names(struct name_list *list)
{
    if (list->len > 0) {
        qsort(list->names, list->len, sizeof *list->names, by_bytes);
    }
}

/* ---- Endings that are not read
 * ------------------------------------------------------------------ */

enum { MAX_ENDING = 8, MAX_ENDINGS = 256, SAID_ENDINGS = 8 };

/* How many files have which ending. Files without one, with a long one, or with one that is not
 * made of letters and digits are in `others`, and so are those of a table that is full. */
struct endings {
    struct ending {
        char text[MAX_ENDING + 1];
        size_t count;
    } table[MAX_ENDINGS];
    size_t len, others;
};

/* Copies the ending in small letters; false when it is not one to be counted by itself. */
static bool take_ending(const char *name, char text[MAX_ENDING + 1])
{
    const char *dot = strrchr(name, '.');
    const size_t len = dot == NULL ? 0 : strlen(dot + 1);
    if (len == 0 || len > MAX_ENDING) {
        return false;
    }
    for (size_t i = 0; i <= len; i++) {
        const char c = dot[1 + i];
        const bool upper = c >= 'A' && c <= 'Z';
        if (!upper && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '\0') {
            return false;
        }
        text[i] = (char)(upper ? c - 'A' + 'a' : c);
    }
    return true;
}

static void count_ending(struct endings *endings, const char *name)
{
    char text[MAX_ENDING + 1];
    if (!take_ending(name, text)) {
        endings->others++;
        return;
    }
    for (size_t i = 0; i < endings->len; i++) {
        if (strcmp(endings->table[i].text, text) == 0) {
            endings->table[i].count++;
            return;
        }
    }
    if (endings->len == MAX_ENDINGS) {
        endings->others++;
        return;
    }
    struct ending *added = &endings->table[endings->len++];
    memcpy(added->text, text, sizeof text);
    added->count = 1;
}

/* The most frequent first. */
static int by_count(const void *a, const void *b)
{
    const struct ending *p = a, *q = b;
    return p->count != q->count ? (p->count < q->count) - (p->count > q->count)
                                : strcmp(p->text, q->text);
}

/* "12 .webp, 3 .gif, 1 other", or "" when there are none. */
static void describe_endings(struct endings *endings, char *words, size_t size)
{
    size_t others = endings->others, used = 0;
    words[0] = '\0';
    qsort(endings->table, endings->len, sizeof endings->table[0], by_count);
    for (size_t i = 0; i < endings->len; i++) {
        if (i < SAID_ENDINGS) {
            used += (size_t)snprintf(words + used, size - used, "%s%zu .%s", i == 0 ? "" : ", ",
                                     endings->table[i].count, endings->table[i].text);
        } else {
            others += endings->table[i].count;
        }
    }
    if (others > 0) {
        snprintf(words + used, size - used, "%s%zu other%s", used == 0 ? "" : ", ", others,
                 others == 1 ? "" : "s");
    }
}

/* ---- One folder ------------------------------------------------------------------------------ */

struct finds {
    struct name_list images, folders; /* with the folder in front that they were found below */
    struct endings *endings;          /* of all else; NULL: not counted */
    size_t odd;                       /* pipes and the like, which were named */
    dev_t device;                     /* of the folder that all is about, */
    ino_t inode;                      /* to which links may lead back */
};

static void free_finds(struct finds *finds)
{
    free_names(&finds->images);
    free_names(&finds->folders);
}

/* Puts what is at `path` where it belongs, under the name `name` with `below` in front. */
static int sort_in(const char *path, const char *below, const char *name, struct finds *finds)
{
    struct stat status;
    const bool known = stat(path, &status) == 0, image = is_image_name(name);
    struct name_list *list = NULL;
    if (known && S_ISDIR(status.st_mode)) {
        const bool back = status.st_dev == finds->device && status.st_ino == finds->inode;
        list = back ? NULL : &finds->folders;
    } else if (known && image && !S_ISREG(status.st_mode)) {
        fail("%s: is %s, not a file to be read", path, file_kind(status.st_mode));
        finds->odd++;
    } else if (image) {
        list = &finds->images; /* also a link that leads nowhere: reading says so */
    } else if (!known) {
        note("%s: %s", path, strerror(errno)); /* it may be a file or a folder */
    } else if (S_ISREG(status.st_mode) && finds->endings != NULL) {
        count_ending(finds->endings, name);
    }
    return list == NULL ? DONE
                        : add_name(list, below == NULL ? strdup(name) : file_join(below, name));
}

/* Adds what is in a folder, or in the one `below` it, to the finds. Fails, with errno set and
 * without a word, if it cannot be listed to its end. */
static int look_into(const char *folder, const char *below, struct finds *finds)
{
    char *path = below == NULL ? strdup(folder) : file_join(folder, below);
    DIR *directory = path == NULL ? NULL : opendir(path);
    int error = directory == NULL ? errno : 0;
    while (error == 0) {
        errno = 0;
        struct dirent *entry = readdir(directory);
        if (entry == NULL) {
            error = errno;
            break;
        }
        char *full = entry->d_name[0] == '.' ? NULL : file_join(path, entry->d_name);
        if (entry->d_name[0] != '.' &&
            (full == NULL || sort_in(full, below, entry->d_name, finds) != DONE)) {
            error = ENOMEM;
        }
        free(full);
    }
    if (directory != NULL) {
        closedir(directory);
    }
    free(path);
    errno = error;
    return error == 0 ? DONE : FAILED;
}

/* ---- Deeper ---------------------------------------------------------------------------------- */

enum { MOST_LOOKED_AT = 100000, DEEPEST = 32 };

/* Pictures that lie deeper than is read, counted so that it can be said. */
struct depths {
    size_t pictures, looked_at;
    char *first; /* a folder with some */
};

/* Keeps the folder that is first by name, not the one that the system lists first. */
static void count_picture(struct depths *depths, const char *folder)
{
    if (depths->first == NULL || strcmp(folder, depths->first) < 0) {
        free(depths->first);
        depths->first = strdup(folder);
    }
    depths->pictures += depths->first != NULL;
}

/* Links are not followed: they may lead back. What cannot be listed is passed over. */
static void count_pictures(struct depths *depths, const char *path, int depth)
{
    struct dirent *entry;
    struct stat status;
    DIR *directory = opendir(path);
    while (directory != NULL && depths->looked_at < MOST_LOOKED_AT &&
           (entry = readdir(directory)) != NULL) {
        char *full = entry->d_name[0] == '.' ? NULL : file_join(path, entry->d_name);
        depths->looked_at++;
        if (full != NULL && lstat(full, &status) == 0) {
            if (S_ISDIR(status.st_mode) && depth < DEEPEST) {
                count_pictures(depths, full, depth + 1);
            } else if (!S_ISDIR(status.st_mode) && is_image_name(entry->d_name)) {
                count_picture(depths, path);
            }
        }
        free(full);
    }
    if (directory != NULL) {
        closedir(directory);
    }
}

static void look_deeper(struct depths *depths, const char *folder, const struct name_list *folders)
{
    for (size_t i = 0; i < folders->len; i++) {
        char *path = file_join(folder, folders->names[i]);
        if (path != NULL) {
            count_pictures(depths, path, 0);
        }
        free(path);
    }
}

/* ---- All of it ------------------------------------------------------------------------------- */

struct contents {
    const char *folder;
    struct finds own, people; /* in the folder itself, in the folders in it */
    struct endings endings;
    struct depths depths;
    const char *unlisted; /* one of own.folders that cannot be listed, */
    int error;            /* why, */
    size_t unlisted_len;  /* and how many there are */
};

static int look_at_people(struct contents *c)
{
    for (size_t i = 0; i < c->own.folders.len; i++) {
        const char *below = c->own.folders.names[i];
        if (look_into(c->folder, below, &c->people) == DONE) {
            continue;
        }
        if (errno == ENOMEM) {
            return fail("%s: out of memory", c->folder);
        }
        c->unlisted = below;
        c->error = errno;
        c->unlisted_len++;
        if (c->own.images.len == 0) {
            fail("%s/%s: %s", c->folder, below, strerror(errno));
        }
    }
    return DONE;
}

static int look(struct contents *c)
{
    struct stat status;
    if (stat(c->folder, &status) == 0) {
        c->own.device = c->people.device = status.st_dev;
        c->own.inode = c->people.inode = status.st_ino;
    }
    c->own.endings = &c->endings;
    if (look_into(c->folder, NULL, &c->own) != DONE) {
        return fail("%s: %s", c->folder, strerror(errno));
    }
    sort_names(&c->own.images);
    sort_names(&c->own.folders);
    c->people.endings = c->own.images.len > 0 ? NULL : &c->endings;
    if (look_at_people(c) != DONE) {
        return FAILED;
    }
    sort_names(&c->people.images);
    sort_names(&c->people.folders);
    look_deeper(&c->depths, c->folder, &c->people.folders);
    return DONE;
}

/* Fails when there is a picture beside folders with pictures, or with what cannot be seen: one that
 * strayed there would be all that a network is trained on. */
static int check_strays(const struct contents *c)
{
    const struct name_list *own = &c->own.images;
    char holds[64];
    snprintf(holds, sizeof holds, "%zu picture%s of its own", own->len, own->len == 1 ? "" : "s");
    const char *remedy = "move the pictures elsewhere or into a folder, or the folders elsewhere";
    if (own->len > 0 && (c->people.images.len > 0 || c->depths.pictures > 0)) {
        return fail(
            "%s: has %s (%s) beside folders with pictures (%s), and only one of the two can "
            "be meant: %s",
            c->folder, holds, own->names[0],
            c->people.images.len > 0 ? c->people.images.names[0] : c->depths.first, remedy);
    }
    if (own->len > 0 && c->unlisted_len > 0) {
        return fail("%s: has %s (%s) beside a folder that cannot be listed (%s: %s) and may hold "
                    "those that are meant: %s",
                    c->folder, holds, own->names[0], c->unlisted, strerror(c->error), remedy);
    }
    return DONE;
}

static int say_empty(const struct contents *c, const char *others)
{
    char also[300] = "";
    if (others[0] != '\0') {
        snprintf(also, sizeof also, "; files with other endings: %s", others);
    }
    if (c->depths.pictures > 0) {
        return fail("%s: no " IMAGE_ENDINGS " files in this folder, nor in the folders in it; they "
                    "are deeper, as in %s: name the folder that holds them, or holds the folders "
                    "that do%s",
                    c->folder, c->depths.first, also);
    }
    return fail("%s: no " IMAGE_ENDINGS " files in this folder, nor in the folders in it%s%s",
                c->folder, c->unlisted_len > 0 ? " as far as they can be listed" : "", also);
}

static void note_rest(const struct contents *c, const char *others)
{
    const struct depths *depths = &c->depths;
    if (others[0] != '\0') {
        note("%s: left out for their endings: %s", c->folder, others);
    }
    if (depths->pictures > 0) {
        note("%s: %s%zu picture%s too deep to be read: only the folder and the folders in it are, "
             "not %s",
             c->folder, depths->looked_at < MOST_LOOKED_AT ? "" : "at least ", depths->pictures,
             depths->pictures == 1 ? " is" : "s are", depths->first);
    }
    if (c->unlisted_len > 0) {
        note("%s: %zu of %zu folders are left out", c->folder, c->unlisted_len, c->own.folders.len);
    }
}

/* Chooses between the folder's own images and people's. */
static int choose(struct contents *c, struct listing *listing)
{
    char others[256];
    struct finds *chosen = c->own.images.len > 0 ? &c->own : &c->people;
    describe_endings(&c->endings, others, sizeof others);
    if (check_strays(c) != DONE) {
        return FAILED;
    }
    if (chosen->images.len == 0) {
        return say_empty(c, others);
    }
    note_rest(c, others);
    *listing = (struct listing){.names = chosen->images.names,
                                .len = chosen->images.len,
                                .left_out = c->own.odd + c->people.odd + c->unlisted_len,
                                .odd = c->own.odd + c->people.odd};
    chosen->images = (struct name_list){0};
    return DONE;
}

int listing_make(struct listing *listing, const char *folder)
{
    *listing = (struct listing){0};
    struct contents contents = {.folder = folder};
    int result = look(&contents);
    if (result == DONE) {
        result = choose(&contents, listing);
    }
    free(contents.depths.first);
    free_finds(&contents.own);
    free_finds(&contents.people);
    return result;
}

void listing_free(struct listing *listing)
{
    struct name_list list = {listing->names, listing->len};
    free_names(&list);
    *listing = (struct listing){0};
}
