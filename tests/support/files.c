/*
 * Files for tests; see files.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define _DEFAULT_SOURCE /* mkdtemp */

#include "files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[4096];

static void give_up(const char *what, const char *name)
{
    fprintf(stderr, "cannot %s %s\n", what, name);
    exit(99);
}

uint8_t *file_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    *size = 0;
    if (file == NULL) {
        return NULL;
    }
    for (size_t got = 1; got > 0; *size += got) {
        uint8_t *more = realloc(data, *size + 65536);
        if (more == NULL) {
            give_up("hold", path);
            break;
        }
        data = more;
        got = fread(data + *size, 1, 65536, file);
    }
    fclose(file);
    return data;
}

void file_write(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        give_up("write", path);
    }
}

uint8_t *file_golden(const char *name, size_t *size)
{
    const char *place = getenv("CAE_GOLDEN");
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", place != NULL ? place : "CAE_GOLDEN is not set:", name);
    uint8_t *data = file_read(path, size);
    if (data == NULL) {
        give_up("read", path);
    }
    return data;
}

void folder_enter(void)
{
    const char *place = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%s/cae-test-XXXXXX", place != NULL ? place : "/tmp");
    if (mkdtemp(folder) == NULL || chdir(folder) != 0) {
        give_up("enter", folder);
    }
}

size_t folder_count(void)
{
    DIR *dir = opendir(".");
    size_t count = 0;
    for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL;
         entry = readdir(dir)) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return count;
}

void folder_leave(void)
{
    DIR *dir = opendir(".");
    for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL;
         entry = readdir(dir)) {
        if (unlink(entry->d_name) != 0) {
            (void)rmdir(entry->d_name);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    if (chdir("/") != 0 || rmdir(folder) != 0) {
        give_up("remove", folder);
    }
}
