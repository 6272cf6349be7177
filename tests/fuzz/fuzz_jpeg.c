/*
 * Fuzz target: JPEGs as the command reads them. The damage is not repaired: a JPEG has no checksum,
 * and much of it is still a picture. What is promised: an image of the size that was checked, or
 * words that name the file; and that libjpeg does not end the program.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <string.h>

#include "fuzz.h"
#include "jpegio.h"
#include "message.h"
#include "mutate.h"

static unsigned long said;

/* The command's own ways to say things, without printing them. */
int fail(const char *format, ...)
{
    fuzz_check(strncmp(format, "%s", 2) == 0);
    said++;
    return FAILED;
}

void note(const char *format, ...)
{
    (void)format;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image image;
    unsigned long sum = 0;
    said = 0;
    if (!jpegio_recognise(data, size)) {
        return 0;
    }
    const int result = jpegio_read(&image, data, size, "file");
    fuzz_check(result == DONE ? said == 0 : said == 1);
    if (result == DONE) {
        fuzz_check(image.channels == 1 || image.channels == 3);
        for (size_t i = 0; i < image_len(&image); i++) {
            sum += image.pixels[i];
        }
        fuzz_check(sum <= 255 * image_len(&image));
        fuzz_accepted++;
    }
    image_free(&image);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    uint64_t state = seed;
    const size_t edits = 1 + random_below(&state, 3);
    for (size_t i = 0; i < edits; i++) {
        size = fuzz_edit(data, size, capacity, &state);
    }
    return size;
}
