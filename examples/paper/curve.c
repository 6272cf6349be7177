/*
 * Rows of numbers in a text file: see curve.h. A killed run may leave half a row, and more rows
 * than its last checkpoint knows; both are cut off when the file is opened again.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "curve.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "message.h"
#include "output.h"

static const char header[] = "epoch,train_loss,test_loss,seconds,cpu_seconds\n";

/* Reads one row; false when it is none, or not that of `epoch`. */
static bool parse_row(const char *row, size_t epoch, struct point *point)
{
    char *end = NULL;
    if (strtoull(row, &end, 10) != epoch || *end != ',') {
        return false;
    }
    point->train = strtod(end + 1, &end);
    if (*end != ',') {
        return false;
    }
    point->test = end[1] == ',' ? (double)NAN : strtod(end + 1, &end);
    end += *end == ',' && end[1] == ',';
    if (*end != ',') {
        return false;
    }
    point->seconds = strtod(end + 1, &end);
    if (*end != ',') {
        return false;
    }
    point->cpu_seconds = strtod(end + 1, &end);
    return *end == '\n';
}

/* Appends a point; the array doubles at powers of two. */
static int append(struct curve *curve, const struct point *point)
{
    if ((curve->len & (curve->len - 1)) == 0) {
        struct point *points =
            realloc(curve->points, (curve->len == 0 ? 1 : 2 * curve->len) * sizeof *points);
        if (points == NULL) {
            return FAILED;
        }
        curve->points = points;
    }
    curve->points[curve->len++] = *point;
    return DONE;
}

int curve_read(struct curve *curve, const char *path)
{
    *curve = (struct curve){0};
    uint8_t *text = NULL;
    size_t size = 0;
    if (access(path, F_OK) != 0) {
        return DONE;
    }
    if (file_read(path, (size_t)1 << 30, FILE_REFUSE_MORE, &text, &size) != DONE) {
        return FAILED;
    }
    int result = DONE;
    const char *row = (const char *)text;
    if (strncmp(row, header, strlen(header)) != 0) {
        result = fail("%s: not a curve of cae-paper: its first line is not %.*s", path,
                      (int)strlen(header) - 1, header);
        goto done;
    }
    struct point point;
    for (row += strlen(header); parse_row(row, curve->len + 1, &point);
         row = strchr(row, '\n') + 1) {
        if (append(curve, &point) != DONE) {
            result = fail("%s: out of memory", path);
            goto done;
        }
    }
done:
    free(text);
    return result;
}

void curve_free(struct curve *curve)
{
    free(curve->points);
    *curve = (struct curve){0};
}

FILE *curve_open(const char *path, const struct curve *curve, size_t len)
{
    struct output output;
    if (output_open(&output, path) != DONE) {
        return NULL;
    }
    fputs(header, output.file);
    for (size_t i = 0; i < len; i++) {
        curve_write(output.file, i + 1, &curve->points[i]);
    }
    if (output_commit(&output) != DONE) {
        return NULL;
    }
    FILE *file = fopen(path, "ab");
    if (file == NULL) {
        fail("%s: cannot write: %s", path, strerror(errno));
    }
    return file;
}

void curve_write(FILE *file, size_t epoch, const struct point *point)
{
    fprintf(file, "%zu,%.9g,", epoch, point->train);
    if (!isnan(point->test)) {
        fprintf(file, "%.9g", point->test);
    }
    fprintf(file, ",%.3f,%.3f\n", point->seconds, point->cpu_seconds);
}

int curve_flush(FILE *file, const char *path)
{
    errno = 0;
    if (fflush(file) != 0 || ferror(file) || fsync(fileno(file)) != 0) {
        return fail("%s: cannot write: %s", path,
                    errno != 0 ? strerror(errno) : "write error; the disk may be full");
    }
    return DONE;
}
