/*
 * The images of a folder, in memory and ready for a network. A folder holds its images itself or,
 * as the data set LFW does, in one folder for each person; it is never searched deeper.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_IMAGE_SET_H
#define CAE_TOOL_IMAGE_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "images.h"
#include "prepare.h"

struct image_set {
    struct image *images;
    char **names; /* below the folder: NAME, or PERSON/NAME; in byte order */
    char *folder;
    size_t len;
    size_t left_out; /* files, and people's folders, that could not be taken, */
    size_t odd;      /* and those of them that are no files to be read: pipes, devices */
};

/* Loads the first `limit` files (0: all) that listing.h finds, in byte order of their names below
 * the folder. Each image is prepared as soon as it is read, so that
 * large ones are in memory one at a time. A file that cannot be read or prepared is named and left
 * out; it is a failure when none is left. */
int image_set_load(struct image_set *set, const char *folder, size_t limit, size_t channels,
                   const struct preparation *preparation);
void image_set_free(struct image_set *set);

/* The two halves of it, for who reads only a part of the folder: image_set_list finds the names, of
 * images that are empty; image_set_read reads the files of a set of one or more names. */
int image_set_list(struct image_set *set, const char *folder, size_t limit);
int image_set_read(struct image_set *set, size_t channels, const struct preparation *preparation);

/* A set of its own of the images with these `len` numbers, in this order; NULL: of the first
 * `len`. */
int image_set_pick(struct image_set *set, const struct image_set *from, const size_t *numbers,
                   size_t len);

/* Moves the images whose entry in `moves` is true to a set of their own; both keep their order. */
int image_set_part(struct image_set *set, const bool *moves, struct image_set *part);

#endif
