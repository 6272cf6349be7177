/*
 * Reading whole files, and parts of names: see file.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"

/* ---- Names ----------------------------------------------------------------------------------- */

char *file_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return strdup(".");
    }
    const size_t len = slash == path ? 1 : (size_t)(slash - path);
    return strndup(path, len);
}

char *file_join(const char *folder, const char *name)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    const char *separator = folder[strlen(folder) - 1] == '/' ? "" : "/";
    char *path = malloc(size);
    if (path != NULL) {
        snprintf(path, size, "%s%s%s", folder, separator, name);
    }
    return path;
}

bool file_is_stream(const char *path)
{
    struct stat status;
    return strcmp(path, "-") == 0 || (stat(path, &status) == 0 && S_ISFIFO(status.st_mode));
}

const char *file_input_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Makes room for one more byte than `size`, up to limit + 1 bytes in all. */
static int grow(uint8_t **data, size_t *capacity, size_t size, size_t limit)
{
    if (size < *capacity) {
        return DONE;
    }
    size_t wanted = *capacity == 0 ? 65536 : 2 * *capacity;
    if (wanted > limit + 1) {
        wanted = limit + 1;
    }
    uint8_t *more = realloc(*data, wanted + 1); /* and the zero byte */
    if (more == NULL) {
        return FAILED;
    }
    *data = more;
    *capacity = wanted;
    return DONE;
}

static int read_all(FILE *file, size_t limit, uint8_t **data, size_t *size)
{
    size_t capacity = 0;
    while (*size <= limit) {
        if (grow(data, &capacity, *size, limit) != DONE) {
            errno = ENOMEM;
            return FAILED;
        }
        const size_t got = fread(*data + *size, 1, capacity - *size, file);
        *size += got;
        if (got == 0) {
            return ferror(file) ? FAILED : DONE;
        }
    }
    return DONE; /* over the limit */
}

int file_read(const char *path, size_t limit, enum file_excess excess, uint8_t **data, size_t *size)
{
    int result = FAILED;
    *data = NULL;
    *size = 0;
    FILE *file = fopen(path, "rb");
    if (file == NULL || read_all(file, limit, data, size) != DONE) {
        fail("%s: %s", path, strerror(errno));
        goto done;
    }
    if (*size > limit && excess == FILE_REFUSE_MORE) {
        fail("%s: larger than %zu bytes", path, limit);
        goto done;
    }
    *size = *size > limit ? limit : *size;
    (*data)[*size] = 0;
    result = DONE;
done:
    if (file != NULL) {
        fclose(file);
    }
    if (result != DONE) {
        free(*data);
        *data = NULL;
    }
    return result;
}
