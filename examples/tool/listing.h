/*
 * The names of the images in a folder: its own or, as the data set LFW has them, those in one
 * folder for each person. What the folder holds besides is said and not read.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_LISTING_H
#define CAE_TOOL_LISTING_H

#include <stdbool.h>
#include <stddef.h>

/* The endings of the images that are read, as text for messages. */
#define IMAGE_ENDINGS ".png, .jpg, .jpeg, .jpe, .jfif, .pgm, .ppm or .pnm"

/* Whether a name has one of them, in either case; and whether it is one of a JPEG. */
bool is_image_name(const char *name);
bool is_jpeg_name(const char *name);

struct listing {
    char **names; /* NAME, or PERSON/NAME; in byte order */
    size_t len;
    size_t left_out; /* of files and folders that were named, */
    size_t odd;      /* and those of them that are no files to be read: pipes, devices */
};

/* Finds all files with these endings whose names do not begin with a dot. Follows symbolic links to
 * files.
 *
 * A folder with pictures both of its own and in folders is a failure, because it is not clear which
 * are meant; so is a folder without pictures. Pipes and devices with the names of images, and a
 * person's folder that cannot be listed, are named and skipped. Notes give the number of files with
 * other endings and of pictures that lie deeper. */
int listing_make(struct listing *listing, const char *folder);
void listing_free(struct listing *listing);

#endif
