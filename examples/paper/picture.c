/*
 * A grid of faces, PNG and base64: see picture.h. SPDX-License-Identifier: BSD-2-Clause
 */
#include "picture.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images.h"
#include "message.h"
#include "pngio.h"
#include "study.h"

enum { COLUMNS = 4, GAP = 2 };

/* Base64 (RFC 4648, section 4). */
static void write_base64(const uint8_t *data, size_t size, FILE *file)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        const size_t left = size - i;
        const uint32_t bits = (uint32_t)data[i] << 16 |
                              (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                              (left > 2 ? data[i + 2] : 0);
        fputc(digits[bits >> 18], file);
        fputc(digits[bits >> 12 & 63], file);
        fputc(left > 1 ? digits[bits >> 6 & 63] : '=', file);
        fputc(left > 2 ? digits[bits & 63] : '=', file);
    }
}

/* Copies a face to its place in the grid; `face` is room for its pixels. */
static void place_face(struct image *grid, size_t number, const float *values, struct image *face)
{
    image_from_floats(face, values);
    const size_t top = number / COLUMNS * (SIDE + GAP), left = number % COLUMNS * (SIDE + GAP);
    for (size_t y = 0; y < SIDE; y++) {
        memcpy(grid->pixels + (top + y) * grid->width + left, face->pixels + y * SIDE, SIDE);
    }
}

static int write_png(const struct image *grid, FILE *file)
{
    char *data = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&data, &size);
    int result = memory != NULL ? pngio_write(grid, memory, "report.html", PNGIO_COMPRESSED)
                                : fail("report.html: out of memory");
    if (memory != NULL && fclose(memory) != 0) {
        result = fail("report.html: out of memory");
    }
    if (result == DONE) {
        write_base64((const uint8_t *)data, size, file);
    }
    free(data);
    return result;
}

int picture_write(const float *faces, size_t len, const char *words, FILE *file)
{
    struct image grid = {0}, face = {0};
    const size_t columns = len < COLUMNS ? len : COLUMNS, rows = (len - 1) / COLUMNS + 1;
    int result = FAILED;
    if (image_new(&grid, 1, rows * (SIDE + GAP) - GAP, columns * (SIDE + GAP) - GAP,
                  "report.html") != DONE ||
        image_new(&face, 1, SIDE, SIDE, "report.html") != DONE) {
        goto done;
    }
    memset(grid.pixels, 255, image_len(&grid));
    for (size_t i = 0; i < len; i++) {
        place_face(&grid, i, faces + i * PIXELS, &face);
    }
    fprintf(file, "<img alt=\"%s\" width=\"%zu\" height=\"%zu\" src=\"data:image/png;base64,",
            words, grid.width, grid.height);
    result = write_png(&grid, file);
    fputs("\">", file);
done:
    image_free(&grid);
    image_free(&face);
    return result;
}
