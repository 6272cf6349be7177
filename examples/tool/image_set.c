/*
 * Folders of images: see image_set.h. First the names are listed and sorted, then the files are
 * read in that order, so that nothing depends on the order in which the system lists a folder.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "image_set.h"

#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "jpegio.h"
#include "listing.h"
#include "message.h"

/* A build that reads no JPEG says so once, not for each of thousands. */
static int drop_unreadable_kinds(const char *folder, struct listing *images)
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
    images->left_out += len - kept;
    if (kept == 0) {
        return fail("%s: %zu JPEG files: " JPEGIO_MISSING, folder, len - kept);
    }
    note("%s: %zu JPEG files are left out: " JPEGIO_MISSING, folder, len - kept);
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
    struct listing list;
    int result = listing_make(&list, folder);
    if (result == DONE) {
        result = drop_unreadable_kinds(folder, &list);
    }
    if (result != DONE) {
        goto done;
    }
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
    set->left_out = list.left_out;
    set->odd = list.odd;
    list = (struct listing){0};
done:
    listing_free(&list);
    if (result != DONE) {
        image_set_free(set);
    }
    return result;
}

/* Flaws and turns are named file by file up to this number each, and then counted alone. */
enum { MOST_NAMED = 10 };

struct tally {
    size_t flawed, turned;
    unsigned said;
};

static void count_changes(struct tally *tally, const struct image *image)
{
    tally->flawed += image->flaw[0] != '\0';
    tally->turned += (image->changes & IMAGE_TURNED_UPRIGHT) != 0;
    tally->said &= ~(unsigned)(IMAGE_FLAWED | IMAGE_TURNED_UPRIGHT);
    tally->said |= tally->flawed < MOST_NAMED ? 0 : IMAGE_FLAWED;
    tally->said |= tally->turned < MOST_NAMED ? 0 : IMAGE_TURNED_UPRIGHT;
}

/* Says the numbers; `wanted` counts what has the name of an image. */
static void note_tally(const struct image_set *set, const struct tally *tally, size_t wanted)
{
    const size_t left_out = wanted - set->len;
    if (tally->flawed > 0) {
        note("%s: %zu of %zu images have flaws that cost no pixel", set->folder, tally->flawed,
             wanted);
    }
    if (tally->turned > 0) {
        note("%s: %zu of %zu images are turned upright", set->folder, tally->turned, wanted);
    }
    if (left_out > 0) {
        note("%s: %zu of %zu images are left out", set->folder, left_out, wanted);
    }
}

/* Closes the gaps that files leave which cannot be read. */
int image_set_read(struct image_set *set, size_t channels, const struct preparation *preparation)
{
    const size_t wanted = set->len;
    struct tally tally = {.said = 0};
    set->len = 0;
    for (size_t i = 0; i < wanted; i++) {
        char *name = set->names[i];
        struct image *image = &set->images[set->len];
        if (load_one(set, name, channels, preparation, image, &tally.said) == DONE) {
            count_changes(&tally, image);
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
        return fail("%s: not one of %zu images can be taken", set->folder, wanted + set->odd);
    }
    note_tally(set, &tally, wanted + set->odd);
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
    memcpy(image->flaw, from->flaw, sizeof image->flaw);
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
