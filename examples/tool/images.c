/*
 * Images in files: see images.h. The formats themselves are in pngio.c, jpegio.c and pnmio.c.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "images.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "file.h"
#include "jpegio.h"
#include "kind.h"
#include "message.h"
#include "options.h"
#include "output.h"
#include "pngio.h"
#include "pnmio.h"

static const size_t max_file_size = (size_t)0x7fffffff; /* what PNG allows one chunk, 2 GiB */

static bool recognise(const uint8_t *data, size_t size)
{
    return pngio_recognise(data, size) || jpegio_recognise(data, size) ||
           pnmio_recognise(data, size);
}

/* A file that is something else is mostly one in the wrong place. */
static int say_not_an_image(const char *path, const char *kind, bool named)
{
    if (!named || kind == NULL || *options_order() == '\0') {
        return fail("%s: not a PNG, JPEG, PGM or PPM image", path);
    }
    return fail("%s: this is %s, not a PNG, JPEG, PGM or PPM image; the order is %s", path, kind,
                options_order());
}

static int load(struct image *image, const char *path, bool streams, bool whole)
{
    const struct file_reading how = {
        .limit = max_file_size, .streams = streams, .wanted = recognise};
    *image = (struct image){0};
    uint8_t *data = NULL;
    size_t size = 0;
    int result = file_read_as(&how, path, &data, &size);
    if (result != DONE) {
        return result;
    }
    path = streams ? file_input_name(path) : path;
    if (pngio_recognise(data, size)) {
        result = pngio_read(image, data, size, path, whole);
    } else if (jpegio_recognise(data, size)) {
        result = jpegio_read(image, data, size, path);
    } else if (pnmio_recognise(data, size)) {
        result = pnmio_read(image, data, size, path, whole);
    } else {
        result = say_not_an_image(path, kind_of_bytes(data, size), streams);
    }
    if (result == DONE) {
        result = image_turn_upright(image, path);
    }
    if (result != DONE) {
        image_free(image);
    }
    free(data);
    return result;
}

int image_load(struct image *image, const char *path)
{
    return load(image, path, false, false);
}

int image_load_input(struct image *image, const char *path)
{
    return load(image, path, true, false);
}

int image_load_whole(struct image *image, const char *path)
{
    return load(image, path, true, true);
}

bool image_name_ends(const char *name, const char *ending)
{
    const size_t name_len = strlen(name), ending_len = strlen(ending);
    return name_len > ending_len && strcasecmp(name + name_len - ending_len, ending) == 0;
}

/* What a name ends in, from its last dot; NULL if there is none, but the one of a hidden file. */
static const char *ending_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return dot != NULL && dot > name && dot[1] != '\0' ? dot : NULL;
}

int image_check_name(const char *path, const char *format)
{
    static const char *const written[] = {".png", ".pgm", ".ppm", ".pnm"};
    const char *ending = ending_of(path);
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        if (format != NULL || ending == NULL || strcasecmp(ending, written[i]) == 0) {
            return DONE;
        }
    }
    return fail("%s: cannot write images of this kind (%s); name it .png, .pgm, .ppm or .pnm", path,
                ending);
}

/* Whether an image is to be written so: by the format asked for, else by the name's ending. */
static bool is_format(const char *path, const char *format, const char *ending)
{
    return format != NULL ? strcmp(format, ending + 1) == 0 : image_name_ends(path, ending);
}

static int write_image(const struct image *image, FILE *file, const char *path, const char *format)
{
    const bool pgm = is_format(path, format, ".pgm"), ppm = is_format(path, format, ".ppm");
    const size_t colours = image->channels - image->alpha;
    if (format != NULL && ((pgm && colours != 1) || (ppm && colours != 3))) {
        return fail("%s: --format %s is for %s, and this picture is %s; pnm and png take both",
                    path, format, pgm ? "grey" : "colour", pgm ? "colour" : "grey");
    }
    if (pgm && colours != 1) {
        return fail("%s: a PGM has no colour; name it .ppm or .png", path);
    }
    if (ppm && colours != 3) {
        return fail("%s: a PPM has three channels; name it .pgm or .png", path);
    }
    if (pgm || ppm || is_format(path, format, ".pnm")) {
        return pnmio_write(image, file, path);
    }
    return pngio_write(image, file, path, PNGIO_COMPRESSED);
}

int image_check_format(const char *command, const char *format)
{
    static const char *const formats[] = {"png", "pgm", "ppm", "pnm"};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (format == NULL || strcmp(format, formats[i]) == 0) {
            return DONE;
        }
    }
    return usage_error(command, "--format: \"%s\" is none of png, pgm, ppm and pnm", format);
}

int image_save_as(const struct image *image, const char *path, const char *format)
{
    struct output output;
    if (image_check_name(path, format) != DONE) {
        return FAILED;
    }
    if (output_open(&output, path) != DONE) {
        return FAILED;
    }
    return output_end(&output, write_image(image, output.file, output.name, format));
}

int image_save(const struct image *image, const char *path)
{
    return image_save_as(image, path, NULL);
}
