/*
 * The CSV log of `cae train`: see train_log.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "train_log.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "message.h"
#include "output.h"

static const char header[] = "epoch,step,loss,val_mse,seconds\n";

/* The text that follows the `count`-th comma of a row; NULL when there are fewer. */
static const char *field(const char *row, const char *end, int count)
{
    for (; row < end; row++) {
        if (*row == ',' && --count == 0) {
            return row + 1;
        }
    }
    return NULL;
}

/* The size of the part of a log that belongs to the steps up to `step`: whole rows only, for a run
 * that was killed may have left half of one. *seconds receives the clock of the last of them. */
static size_t kept_size(const char *text, uint64_t step, double *seconds)
{
    const char *row = text + strlen(header);
    for (const char *end; (end = strchr(row, '\n')) != NULL; row = end + 1) {
        const char *step_field = field(row, end, 1), *seconds_field = field(row, end, 4);
        if (seconds_field == NULL || strtoull(step_field, NULL, 10) > step) {
            break;
        }
        *seconds = strtod(seconds_field, NULL);
    }
    return (size_t)(row - text);
}

/* Rewrites the log without the rows beyond `step`. */
static int cut_log(struct train_log *log, uint64_t step)
{
    uint8_t *text = NULL;
    size_t size = 0;
    struct output output;
    if (file_read(log->path, (size_t)1 << 31, FILE_REFUSE_MORE, &text, &size) != DONE) {
        return FAILED;
    }
    int result = FAILED;
    if (strncmp((const char *)text, header, strlen(header)) != 0) {
        fail("%s: not a log of `cae train`: its first line is not %.*s", log->path,
             (int)strlen(header) - 1, header);
    } else if (output_open(&output, log->path) == DONE) {
        fwrite(text, 1, kept_size((const char *)text, step, &log->before), output.file);
        result = output_commit(&output);
    }
    free(text);
    return result;
}

/* A new log replaces an old one, and nothing else. */
static int check_old(const char *path)
{
    uint8_t *text = NULL;
    size_t size = 0;
    if (access(path, F_OK) != 0) {
        return DONE;
    }
    if (file_read(path, strlen(header), FILE_CUT, &text, &size) != DONE) {
        return FAILED;
    }
    const bool is_log = memcmp(text, header, size) == 0;
    free(text);
    return is_log ? DONE
                  : fail("%s: exists and is not a log of `cae train`, so it is not replaced", path);
}

static int train_log_flush(struct train_log *log)
{
    if (log->file != NULL && (fflush(log->file) != 0 || ferror(log->file) != 0)) {
        return fail("%s: cannot write: %s", output_name(log->path),
                    errno != 0 ? strerror(errno) : "write error; the disk may be full");
    }
    return DONE;
}

int train_log_open(struct train_log *log, const char *path, uint64_t step)
{
    *log = (struct train_log){.path = path};
    if (path == NULL) {
        return DONE;
    }
    const int stream = output_open_stream(path);
    const bool is_stream = stream >= 0 || errno != 0;
    const bool continues = step > 0 && (is_stream || access(path, F_OK) == 0);
    if (!is_stream && !continues && check_old(path) != DONE) {
        return FAILED;
    }
    if (!is_stream && continues && cut_log(log, step) != DONE) {
        return FAILED;
    }
    if (is_stream) {
        log->file = stream >= 0 ? fdopen(stream, "wb") : NULL;
    } else {
        log->file = fopen(path, continues ? "ab" : "wb");
    }
    if (log->file == NULL) {
        return output_cannot_open(path, errno);
    }
    if (!continues) {
        fputs(header, log->file);
    }
    return train_log_flush(log);
}

void train_log_write(struct train_log *log, uint64_t epoch, uint64_t step, double loss,
                     double validation, double seconds)
{
    if (log->file == NULL) {
        return;
    }
    errno = 0;
    fprintf(log->file, "%llu,%llu,%.9g,", (unsigned long long)epoch, (unsigned long long)step,
            loss);
    if (!isnan(validation)) {
        fprintf(log->file, "%.17g", validation);
    }
    fprintf(log->file, ",%.3f\n", log->before + seconds);
    if (train_log_flush(log) != DONE) {
        note("the training goes on without its log");
        fclose(log->file); /* which fails, too */
        log->file = NULL;
        log->failed = true;
    }
}

int train_log_close(struct train_log *log)
{
    int result = log->failed ? FAILED : DONE; /* every row is in the file already */
    if (log->file != NULL && fclose(log->file) != 0) {
        result = fail("%s: cannot write: %s", output_name(log->path), strerror(errno));
    }
    log->file = NULL;
    return result;
}
