/*
 * Shows what `cae train` and `cae eval` make of an image, which they do not write:
 *
 *     prepare_image IN CROP SIZE CHANNELS OUT        CROP and SIZE may be - for none
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdlib.h>
#include <string.h>

#include "images.h"
#include "message.h"
#include "prepare.h"

static const char *given(const char *argument)
{
    return strcmp(argument, "-") == 0 ? NULL : argument;
}

int main(int argc, char **argv)
{
    struct preparation preparation;
    struct image image = {0};
    if (argc != 6) {
        return USAGE;
    }
    message_set_program("prepare_image");
    int result = preparation_parse(&preparation, NULL, given(argv[2]), given(argv[3]));
    if (result == DONE) {
        result = image_load(&image, argv[1]);
    }
    if (result == DONE) {
        result = image_prepare(&image, &preparation, (size_t)atoi(argv[4]), argv[1]);
    }
    if (result == DONE) {
        result = image_save(&image, argv[5]);
    }
    image_free(&image);
    return result;
}
