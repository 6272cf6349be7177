/*
 * `cae synth`: writes parametric faces into a folder. The drawing is face.c's; here are the names,
 * the folder and the files, whose bytes depend on seed, number and size alone.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "commands.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <stdlib.h>

#include "face.h"
#include "file.h"
#include "images.h"
#include "message.h"
#include "options.h"
#include "output.h"
#include "pngio.h"

struct synth_options {
    size_t count, size;
    uint64_t seed;
    const char *out;
};

static bool parse(struct synth_options *o, int argc, char **argv, int *exit_code)
{
    const struct operand operands[] = {{NULL, NULL}};
    const struct option options[] = {
        REQUIRED_COUNT_OPTION("count", &o->count, 1, 999999, "N", "how many faces"),
        SEED_OPTION("seed", &o->seed, "S", "which faces"),
        COUNT_OPTION("size", &o->size, 16, 1024, "PIXELS", "height and width of a face"),
        REQUIRED_TEXT_OPTION("out", &o->out, "DIR", "the folder, made if it is not there"),
        OPTIONS_END,
    };
    const struct command_line line = {
        .command = "synth",
        .summary = "Draws parametric grey faces into face-000001.png and so on.",
        .operands = operands,
        .options = options,
        .details =
            "Face n depends on the seed and n alone and is the same file on every machine: the\n"
            "PNGs are stored without compression. More faces later continue the same series.\n",
    };
    return options_parse(&line, argc, argv, exit_code);
}

static int write_face(const char *folder, size_t number, const struct image *image)
{
    char name[32];
    snprintf(name, sizeof name, "face-%06zu.png", number);
    char *path = file_join(folder, name);
    if (path == NULL) {
        return fail("%s: out of memory", folder);
    }
    struct output output;
    int result = output_open(&output, path);
    if (result == DONE) {
        result = output_end(&output, pngio_write(image, output.file, path, PNGIO_STORED));
    }
    free(path);
    return result;
}

static int write_faces(const struct synth_options *o)
{
    struct image image;
    int result = image_new(&image, 1, o->size, o->size, o->out);
    for (size_t number = 1; number <= o->count && result == DONE; number++) {
        face_draw(o->seed, number, o->size, image.pixels);
        result = write_face(o->out, number, &image);
        if (progress_is_due()) {
            progress("%zu of %zu faces", number, o->count);
        }
    }
    progress_end();
    image_free(&image);
    return result;
}

int synth_main(int argc, char **argv)
{
    struct synth_options o = {.seed = 1, .size = 64};
    int exit_code = DONE;
    if (!parse(&o, argc, argv, &exit_code)) {
        return exit_code;
    }
    if (strcmp(o.out, "-") == 0) {
        return usage_error("synth", "--out is a folder, not standard output; ./- is the folder of "
                                    "that name");
    }
    if (!face_is_exact()) {
        return fail(
            "synth: this program was compiled with excess precision (x87) and could not draw "
            "the same faces as others");
    }
    if (mkdir(o.out, 0777) != 0 && errno != EEXIST) {
        return fail("%s: %s", o.out, strerror(errno));
    }
    return write_faces(&o);
}
