/*
 * Kinds of files: see kind.h. SPDX-License-Identifier: BSD-2-Clause
 */
#include "kind.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    size_t at, size;
    const char *bytes, *name;
} kinds[] = {
    {0, 4, "\x89PNG", "a PNG image"},
    {0, 2, "\xff\xd8", "a JPEG image"},
    {0, 4, "GIF8", "a GIF image"},
    {8, 4, "WEBP", "a WebP image"},
    {0, 4, "II*\0", "a TIFF image"},
    {0, 4, "MM\0*", "a TIFF image"},
    {0, 3, "P2\n", "a PGM image"},
    {0, 3, "P3\n", "a PPM image"},
    {0, 3, "P5\n", "a PGM image"},
    {0, 3, "P6\n", "a PPM image"},
    {0, 3, "P5 ", "a PGM image"},
    {0, 3, "P6 ", "a PPM image"},
    {0, 3, "\xca\xe0\x0a", "a compressed image"},
    {8, 2, "{\"", "a model"},
    {0, 4, "PK\3\4", "a ZIP archive (as torch.save writes, which cae does not read)"},
    {0, 2, "\x80\2", "a Python pickle"},
    {0, 2, "\x1f\x8b", "gzip data"},
    {0, 6, "input ", "an architecture text"},
    {0, 25, "epoch,step,loss,val_mse,s", "a log of `cae train`"},
};

const char *kind_of_bytes(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (size >= kinds[i].at + kinds[i].size &&
            memcmp(data + kinds[i].at, kinds[i].bytes, kinds[i].size) == 0) {
            return kinds[i].name;
        }
    }
    return NULL;
}

const char *kind_of_file(const char *path)
{
    struct stat status;
    uint8_t head[64];
    if (stat(path, &status) != 0) {
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) {
        return S_ISDIR(status.st_mode) ? "a folder" : NULL;
    }
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const ssize_t size = file < 0 ? -1 : pread(file, head, sizeof head, 0);
    if (file >= 0) {
        close(file);
    }
    return size <= 0 ? NULL : kind_of_bytes(head, (size_t)size);
}
