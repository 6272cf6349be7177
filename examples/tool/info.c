/*
 * `cae info`: recognises a model or a compressed image by its content and describes it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "kind.h"
#include "message.h"
#include "model.h"
#include "options.h"

/* ---- JSON ------------------------------------------------------------------------------------ */

static void print_json_shape(const char *name, const size_t *shape, size_t rank)
{
    printf("\"%s\": [", name);
    for (size_t i = 0; i < rank; i++) {
        printf("%s%zu", i == 0 ? "" : ", ", shape[i]);
    }
    printf("]");
}

/* ---- A compressed image ---------------------------------------------------------------------- */

static void print_image(const char *path, const size_t shape[3], unsigned long long size, bool json)
{
    const double bits = 8.0 * (double)size / ((double)shape[1] * (double)shape[2]);
    if (json) {
        printf("{\"type\": \"image\", \"channels\": %zu, \"height\": %zu, \"width\": %zu, "
               "\"file_size\": %llu, \"bits_per_pixel\": %.17g}\n",
               shape[0], shape[1], shape[2], size, bits);
        return;
    }
    print_safely(stdout, path);
    printf(": compressed image\n");
    printf("%-12s %zu x %zu, %s\n", "size", shape[2], shape[1],
           shape[0] == 1   ? "grey"
           : shape[0] == 3 ? "RGB"
                           : "channels of another kind");
    printf("%-12s %llu bytes, %.3f bits per pixel\n", "file", size, bits);
}

/* ---- A model --------------------------------------------------------------------------------- */

static void print_settings(const cae_model *model, bool json)
{
    const char *key = NULL;
    for (size_t i = 0; cae_setting_info(i, &key, NULL, NULL, NULL) == CAE_OK; i++) {
        if (json) {
            printf("%s\"%s\": %.17g", i == 0 ? "" : ", ", key, model_get(model, key));
        } else {
            printf("  %-14s %.15g\n", key, model_get(model, key));
        }
    }
}

/* Notes are untrusted input: control characters are not printed as they are. */
static void print_note(const char *text)
{
    for (; *text != '\0'; text++) {
        const unsigned char byte = (unsigned char)*text;
        /* The controls from U+0080 to U+009F too. */
        const bool control =
            byte < 0x20 || byte == 0x7f || (byte == 0xc2 && (unsigned char)text[1] < 0xa0);
        putchar(control ? '?' : *text);
        text += byte == 0xc2 && control;
    }
}

static void print_notes(const cae_model *model, bool json)
{
    const char *key = NULL, *value = NULL;
    for (size_t i = 0; cae_model_note_info(model, i, &key, &value) == CAE_OK; i++) {
        if (json) {
            printf("%s", i == 0 ? "" : ", ");
            print_json_string(key);
            printf(": ");
            print_json_string(value);
        } else {
            printf("%s  %-14s ", i == 0 ? "\nnotes\n" : "", key);
            print_note(value);
            printf("\n");
        }
    }
}

static void print_tensors(const cae_model *model, bool json)
{
    const size_t count = cae_tensor_count(model);
    for (size_t i = 0; i < count; i++) {
        const char *name = NULL;
        size_t shape[4], rank = 0;
        if (cae_tensor_info(model, i, &name, shape, &rank) != CAE_OK) {
            continue;
        }
        if (json) {
            printf("%s{\"name\": ", i == 0 ? "" : ", ");
            print_json_string(name);
            printf(", ");
            print_json_shape("shape", shape, rank);
            printf("}");
        } else {
            printf("  %-14s", name);
            for (size_t d = 0; d < rank; d++) {
                printf("%s%zu", d == 0 ? " " : " x ", shape[d]);
            }
            printf("\n");
        }
    }
}

static void print_model_json(const cae_model *model, const size_t shape[3])
{
    const char *preset = model_preset(model);
    size_t code[3];
    printf("{\"type\": \"model\", \"preset\": ");
    if (preset != NULL) {
        print_json_string(preset);
    } else {
        printf("null");
    }
    printf(", \"architecture\": ");
    print_json_string(cae_model_architecture(model));
    printf(", ");
    print_json_shape("input", shape, 3);
    printf(", ");
    if (cae_code_shape(model, shape[1], shape[2], code) == CAE_OK) {
        print_json_shape("code", code, 3);
    } else {
        printf("\"code\": null");
    }
    printf(", \"parameters\": %.0f, \"step\": %.0f", model_get(model, "parameters"),
           model_get(model, "step"));
    printf(", \"kernels\": ");
    print_json_string(cae_model_kernels(model));
    printf(", \"settings\": {");
    print_settings(model, true);
    printf("}, \"notes\": {");
    print_notes(model, true);
    printf("}, \"tensors\": [");
    print_tensors(model, true);
    printf("]}\n");
}

static void print_model_text(const char *path, const cae_model *model, const size_t shape[3])
{
    const char *preset = model_preset(model);
    size_t code[3];
    print_safely(stdout, path);
    printf(": model%s%s%s\n", preset != NULL ? " (" : "", preset != NULL ? preset : "",
           preset != NULL ? ")" : "");
    printf("%-16s %zu x %zu x %zu (channels, height, width)\n", "input", shape[0], shape[1],
           shape[2]);
    if (cae_code_shape(model, shape[1], shape[2], code) == CAE_OK) {
        printf("%-16s %zu x %zu x %zu\n", "code", code[0], code[1], code[2]);
    } else {
        printf("%-16s none: %s\n", "code", cae_last_error());
    }
    printf("%-16s %.0f\n", "parameters", model_get(model, "parameters"));
    printf("%-16s %.0f\n", "step", model_get(model, "step"));
    printf("%-16s %s\n", "kernels", cae_model_kernels(model));
    printf("\narchitecture\n%s", cae_model_architecture(model));
    printf("\nsettings\n");
    print_settings(model, false);
    print_notes(model, false);
    printf("\ntensors\n");
    print_tensors(model, false);
}

/* Prints a model and frees it. */
static int print_and_free(const char *name, cae_model *model, bool json)
{
    size_t shape[3];
    int result = DONE;
    if (cae_model_shape(model, shape) != CAE_OK) {
        result = fail("%s: %s", name, cae_last_error());
    } else if (json) {
        print_model_json(model, shape);
    } else {
        print_model_text(name, model, shape);
    }
    cae_model_free(model);
    return result;
}

/* `data` is the whole file, or NULL where it is still to be read. */
static int print_model(const char *path, const uint8_t *data, size_t size, bool json)
{
    cae_model *model = NULL;
    const int status =
        data != NULL ? cae_model_load_memory(&model, data, size) : cae_model_load(&model, path);
    return status == CAE_OK ? print_and_free(path, model, json)
                            : fail("%s: %s", path, cae_last_error());
}

static int print_shipped(const char *name, bool json)
{
    cae_model *model = NULL;
    return model_load_shipped(&model, name) == DONE ? print_and_free(name, model, json) : FAILED;
}

/* ---- The command ----------------------------------------------------------------------------- */

/* A safetensors file starts with the length of its header in 8 bytes, and then the header's `{`. */
static bool is_safetensors(const uint8_t *head, size_t size)
{
    return size > 8 && head[8] == '{';
}

static int describe(const char *path, bool json)
{
    /* What cannot be read twice is read whole, else more than the header of a compressed image. */
    const bool whole = file_is_stream(path);
    const char *name = file_input_name(path);
    uint8_t *head = NULL;
    size_t size = 0, shape[3];
    const struct file_reading how = {.limit = whole ? (size_t)1 << 30 : 4096,
                                     .excess = whole ? FILE_REFUSE_MORE : FILE_CUT,
                                     .streams = true};
    int result = file_read_as(&how, path, &head, &size);
    if (result != DONE) {
        return result;
    }
    const int status = cae_compressed_info(head, size, shape);
    const char *kind = kind_of_bytes(head, size);
    struct stat file;
    if (status == CAE_OK && !whole && stat(path, &file) != 0) {
        result = fail("%s: %s", path, strerror(errno));
    } else if (status == CAE_OK) {
        print_image(name, shape, whole ? size : (unsigned long long)file.st_size, json);
    } else if (is_safetensors(head, size)) {
        result = print_model(whole ? name : path, whole ? head : NULL, size, json);
    } else if (status == CAE_E_VERSION) {
        result = fail("%s: %s", name, cae_last_error());
    } else if (kind != NULL && strcmp(kind, "a compressed image") != 0) {
        result = fail("%s: neither a model nor a compressed image: this is %s", name, kind);
    } else {
        result = fail("%s: neither a model nor a compressed image: %s", name, cae_last_error());
    }
    free(head);
    return result;
}

int info_main(int argc, char **argv)
{
    const char *path = NULL;
    bool json = false;
    const struct operand operands[] = {{"FILE", &path}, {NULL, NULL}};
    const struct option options[] = {
        SWITCH_OPTION("json", &json, "print one line of JSON"),
        OPTIONS_END,
    };
    const struct command_line line = {
        .command = "info",
        .summary = "Describes a model or a compressed image, recognised by content, or a shipped "
                   "model.",
        .operands = operands,
        .options = options,
    };
    int exit_code = DONE;
    if (!options_parse(&line, argc, argv, &exit_code)) {
        return exit_code;
    }
    return model_is_shipped(path) ? print_shipped(path, json) : describe(path, json);
}
