/*
 * The notes of a training: see train_notes.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "train_notes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "message.h"
#include "model.h"
#include "schedule.h"

/* ---- Images ---------------------------------------------------------------------------------- */

static void put_u32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(value >> 8 * i);
    }
}

static uint32_t crc_of(uint32_t crc, const uint8_t *bytes, size_t len)
{
    return (uint32_t)crc32_z(crc, bytes, len);
}

uint32_t train_pixels(const struct image *image)
{
    uint8_t head[12];
    put_u32(head, (uint32_t)image->channels);
    put_u32(head + 4, (uint32_t)image->height);
    put_u32(head + 8, (uint32_t)image->width);
    return crc_of(crc_of(0, head, sizeof head), image->pixels, image_len(image));
}

uint32_t train_pixels_of_all(uint32_t *each, size_t len)
{
    uint32_t crc = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t bytes[4];
        put_u32(bytes, each[i]);
        crc = crc_of(crc, bytes, sizeof bytes);
    }
    return crc;
}

int train_set_pixels(const struct image_set *set, uint32_t *pixels)
{
    uint32_t *each = calloc(set->len, sizeof *each);
    if (each == NULL) {
        return fail("%s: out of memory", set->folder);
    }
    for (size_t i = 0; i < set->len; i++) {
        each[i] = train_pixels(&set->images[i]);
    }
    *pixels = train_pixels_of_all(each, set->len);
    free(each);
    return DONE;
}

int train_facts_of(struct train_facts *facts, const struct train_data *data, bool reproducible,
                   const char *schedule)
{
    *facts = (struct train_facts){.seed = data->seed,
                                  .batch = data->batch,
                                  .noise = data->noise,
                                  .reproducible = reproducible,
                                  .symmetries = data->symmetries,
                                  .places = data->places,
                                  .schedule = schedule,
                                  .images = data->set.len};
    if (data->self != NULL) {
        facts->images = data->self->set.len;
        facts->pixels = noisy_set_crc(&data->self->set);
        return DONE;
    }
    return train_set_pixels(&data->set, &facts->pixels);
}

/* ---- The notes ------------------------------------------------------------------------------- */

enum { BATCH, DATA, NOISE, PARTS, SCHEDULE, SEED, SELF, SYMMETRIES, TEXTURE, FACTS };

static const struct {
    const char *key, *what;
} kinds[FACTS] = {
    [BATCH] = {"cae.batch", "--batch"},          [DATA] = {"cae.data", "the images"},
    [NOISE] = {MODEL_NOTE_NOISE, "--noise"},     [PARTS] = {"cae.parts", "--parts"},
    [SCHEDULE] = {"cae.schedule", "--schedule"}, [SEED] = {"cae.seed", "--seed"},
    [SELF] = {"cae.self", "--self or --pairs"},  [SYMMETRIES] = {"cae.symmetries", "--symmetries"},
    [TEXTURE] = {"cae.texture", "--texture"},
};

struct texts {
    char of[FACTS][SCHEDULE_TEXT]; /* "": there is no such note */
};

static struct texts write_facts(const struct train_facts *f)
{
    struct texts t;
    snprintf(t.of[BATCH], sizeof t.of[BATCH], "%zu", f->batch);
    snprintf(t.of[DATA], sizeof t.of[DATA], "%zu images, %scrc32 %08" PRIx32, f->images,
             f->self != NULL && f->self[0] != '\0' ? "float32 " : "", f->pixels);
    t.of[PARTS][0] = '\0';
    if (f->parts > 1) {
        snprintf(t.of[PARTS], sizeof t.of[PARTS], "%zu", f->parts);
    }
    snprintf(t.of[SEED], sizeof t.of[SEED], "%" PRIu64, f->seed);
    noise_text(&f->noise, t.of[NOISE]);
    snprintf(t.of[SCHEDULE], sizeof t.of[SCHEDULE], "%s", f->schedule);
    snprintf(t.of[SELF], sizeof t.of[SELF], "%s", f->self != NULL ? f->self : "");
    t.of[TEXTURE][0] = '\0';
    if (f->places > 1) {
        snprintf(t.of[TEXTURE], sizeof t.of[TEXTURE], "%zu", f->places);
    }
    snprintf(t.of[SYMMETRIES], sizeof t.of[SYMMETRIES], "%s", f->symmetries ? "8" : "");
    return t;
}

int train_notes_set(cae_model *model, const struct train_facts *facts)
{
    const struct texts texts = write_facts(facts);
    for (size_t i = 0; i < FACTS; i++) {
        const char *text = texts.of[i][0] != '\0' ? texts.of[i] : NULL;
        if (cae_model_note_set(model, kinds[i].key, text) != CAE_OK) {
            return fail("%s", cae_last_error());
        }
    }
    return DONE;
}

/* ---- Comparing ------------------------------------------------------------------------------- */

struct words {
    char text[1024];
    size_t len;
};

static void add(struct words *w, const char *format, ...) PRINTF_LIKE(2, 3);

/* One thing more that differs; what does not fit is cut. */
static void add(struct words *w, const char *format, ...)
{
    const size_t room = sizeof w->text - w->len;
    va_list values;
    const int gap = snprintf(w->text + w->len, room, "%s", w->len > 0 ? "; " : "");
    va_start(values, format);
    if (gap >= 0 && (size_t)gap < room) {
        vsnprintf(w->text + w->len + gap, room - (size_t)gap, format, values);
    }
    va_end(values);
    w->len = strlen(w->text);
}

/* Whether a run may be without. */
static bool optional(size_t fact)
{
    return fact == PARTS || fact == SCHEDULE || fact == SELF || fact == SYMMETRIES ||
           fact == TEXTURE;
}

/* Adds what differs; the number of facts that were there to compare. */
static size_t compare(const cae_model *model, const struct train_facts *facts, struct words *w)
{
    const struct texts texts = write_facts(facts);
    const bool reproducible = model_get(model, "reproducible") != 0;
    size_t known = 0;
    for (size_t i = 0; i < FACTS; i++) {
        known += cae_model_note(model, kinds[i].key) != NULL;
    }
    for (size_t i = 0; i < FACTS && known > 0; i++) {
        const char *before = cae_model_note(model, kinds[i].key);
        if (strcmp(before != NULL ? before : "", texts.of[i]) != 0) {
            const bool own = i == NOISE && facts->self != NULL && facts->self[0] != '\0';
            add(w, "%s: %.200s before, %s now", own ? "--sigma" : kinds[i].what,
                before != NULL ? before
                : optional(i)  ? "none"
                               : "unknown",
                texts.of[i][0] != '\0' ? texts.of[i] : "none");
        }
    }
    if (reproducible != facts->reproducible) {
        add(w, "--reproducible: %s before, %s now", reproducible ? "given" : "not given",
            facts->reproducible ? "given" : "not");
    }
    return known;
}

int train_notes_check(const cae_model *model, const char *path, const struct train_facts *facts,
                      bool force)
{
    struct words words = {.len = 0};
    const size_t known = compare(model, facts, &words);
    if (known == 0) {
        note("%s does not say what it was trained with, so that it cannot be checked whether seed, "
             "batch, noise and images are the same",
             path);
    }
    if (words.len == 0) {
        return DONE;
    }
    if (force) {
        note("%s: goes on as another run: %s", path, words.text);
        return DONE;
    }
    return fail("%s: cannot resume: %s (give the same again, or --force to go on all the same)",
                path, words.text);
}

/* ---- Learning to copy ------------------------------------------------------------------------ */

/* Whether the code has as many values as the image, or is not all that the decoder sees. */
static bool can_copy(const cae_model *model)
{
    size_t image[3], code[3];
    return cae_model_shape(model, image) == CAE_OK && !model_is_sampled(model) &&
           (cae_code_shape(model, image[1], image[2], code) != CAE_OK ||
            code[0] * code[1] * code[2] >= image[0] * image[1] * image[2]);
}

void train_note_copying(const cae_model *model, const char *name, double sigma, bool given)
{
    if (sigma > 0) {
        return;
    }
    if (can_copy(model)) {
        note(
            "%s: the code holds as much as the image, and there is no noise to remove: the network "
            "learns to copy; a de-noiser needs --noise",
            name);
    } else if (!given && strstr(name, "denois") != NULL) {
        note("%s: trained without noise, which only the presets *-denoise have without --noise",
             name);
    }
}
