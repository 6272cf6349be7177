/*
 * JPEG through libjpeg: see jpegio.h. libjpeg would report an error on standard error and end the
 * program; here it jumps back into `guarded`, and everything that must outlive the jump is kept in
 * a struct job outside that call. Memory and scans are limited before a coefficient is read.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "jpegio.h"

#include <limits.h>
#include <string.h>

#include "message.h"

bool jpegio_recognise(const uint8_t *data, size_t size)
{
    return size >= 2 && memcmp(data, "\xff\xd8", 2) == 0; /* bytes before a marker are a flaw */
}

#ifndef HAVE_LIBJPEG

bool jpegio_available(void)
{
    return false;
}

int jpegio_read(struct image *image, const uint8_t *data, size_t size, const char *path)
{
    (void)data;
    (void)size;
    *image = (struct image){0};
    return fail("%s: a JPEG: " JPEGIO_MISSING, path);
}

#else

#include <setjmp.h>
#include <stdio.h> /* jpeglib.h wants it first */

#include <jpeglib.h>

#include <jerror.h> /* what each warning is, after jpeglib.h */

#include "exif.h"
#include "jpegscan.h"

/* A progressive file may visit every block again with a few bytes: what is drawn in practice comes
 * in about ten scans. */
enum { MOST_SCANS = 100 };

struct job {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf on_error;
    char message[JMSG_LENGTH_MAX]; /* empty when the error has been said */
    char flaw[JMSG_LENGTH_MAX];    /* the first that costs no pixel */
    bool disordered;               /* a scan came before the one that it builds on */
    bool ended;                    /* the data are at their end, an end marker made up */
    struct image *image;
    const uint8_t *data;
    size_t size;
    const char *path;
};

static struct job *job_of(j_common_ptr jpeg)
{
    return jpeg->client_data;
}

static _Noreturn void give_up(j_common_ptr jpeg)
{
    struct job *job = job_of(jpeg);
    jpeg->err->format_message(jpeg, job->message);
    longjmp(job->on_error, 1);
}

static _Noreturn void give_up_saying(struct job *job, const char *words)
{
    snprintf(job->message, sizeof job->message, "%s", words);
    longjmp(job->on_error, 1);
}

/* Whether bytes that libjpeg passed over before a marker are no part of the picture. Before the
 * scans they cannot be; in one, they must have been before a restart, and may have been before what
 * is neither the end nor the start of another scan. */
static bool is_foreign(const struct job *job, int surplus, int marker)
{
    const struct jpeg_decompress_struct *jpeg = &job->jpeg;
    if (job->ended) {
        return false; /* the source is no longer in the data */
    }
    const size_t end = (size_t)(jpeg->src->next_input_byte - job->data);
    return jpeg->input_scan_number == 0 ||
           ((marker == 0xc4 || marker == 0xd9 || marker == 0xda) &&
            jpegscan_surplus_is_foreign(job->data, end, (size_t)surplus));
}

/* Whether data that end in or behind this scan hold the whole picture, unless libjpeg says of a
 * block that it is missing: it does of Huffman codes, but not of scans that would follow. */
static bool is_only_scan(const struct jpeg_decompress_struct *jpeg)
{
    return jpeg->input_scan_number == 1 && !jpeg->progressive_mode && !jpeg->arith_code &&
           jpeg->comps_in_scan == jpeg->num_components;
}

/* Whether what libjpeg warns of costs no pixel, so that the image is all there. Everything else is
 * data that is missing or damaged, for which libjpeg makes something up. */
static bool costs_nothing(struct job *job)
{
    const struct jpeg_decompress_struct *jpeg = &job->jpeg;
    const int *values = job->errors.msg_parm.i;
    switch (job->errors.msg_code) {
    case JWRN_ADOBE_XFORM:    /* how to take the colours: as usual */
    case JWRN_JFIF_MAJOR:     /* the number of a version */
    case JWRN_NOT_SEQUENTIAL: /* coefficients that a baseline scan need not name: it has all */
        return true;
    case JWRN_JPEG_EOF:
        job->ended = true;
        return is_only_scan(jpeg);
    case JWRN_EXTRANEOUS_DATA:
        return is_foreign(job, values[0], values[1]);
    case JWRN_BOGUS_PROGRESSION:
        /* The first scan of a coefficient says all of its high bits, be it before the mean's or
         * once more. One that adds bits (Ah) must find those that it adds to. */
        job->disordered = true;
        return jpeg->Ah == 0;
    default:
        return false;
    }
}

/* Levels below zero are warnings. */
static void on_message(j_common_ptr jpeg, int level)
{
    struct job *job = job_of(jpeg);
    if (level >= 0) {
        return;
    }
    if (!costs_nothing(job)) {
        give_up(jpeg);
    }
    if (job->flaw[0] == '\0') {
        jpeg->err->format_message(jpeg, job->flaw);
    }
}

/* After scans in disorder each component must have got its mean. */
static void check_order(struct job *job)
{
    const struct jpeg_decompress_struct *jpeg = &job->jpeg;
    for (int i = 0; job->disordered && i < jpeg->num_components; i++) {
        if (jpeg->coef_bits == NULL || jpeg->coef_bits[i][0] < 0) {
            give_up_saying(job, "a component has no mean values");
        }
    }
}

static void count_scans(j_common_ptr jpeg)
{
    struct job *job = job_of(jpeg);
    if (job->jpeg.input_scan_number > MOST_SCANS) {
        give_up_saying(job, "too many scans");
    }
}

/* Runs the work; false when libjpeg jumped out of it. The only setjmp: it has no locals that a jump
 * could spoil. */
static bool guarded(struct job *job, void (*work)(struct job *))
{
    if (setjmp(job->on_error) != 0) {
        return false;
    }
    work(job);
    return true;
}

/* Chooses grey or RGB by the header. */
static void choose_colour(struct job *job)
{
    struct jpeg_decompress_struct *jpeg = &job->jpeg;
    switch (jpeg->jpeg_color_space) {
    case JCS_GRAYSCALE:
        jpeg->out_color_space = JCS_GRAYSCALE;
        break;
    case JCS_YCbCr:
    case JCS_RGB:
        jpeg->out_color_space = JCS_RGB;
        break;
    case JCS_CMYK:
    case JCS_YCCK:
        give_up_saying(job, "CMYK is not read; convert it to RGB");
    default:
        give_up_saying(job, "neither grey nor RGB");
    }
}

static void read_jpeg(struct job *job)
{
    struct jpeg_decompress_struct *jpeg = &job->jpeg;
    struct image *image = job->image;
    jpeg_create_decompress(jpeg);
    jpeg->client_data = job;
    jpeg->progress = &job->progress;
    jpeg_mem_src(jpeg, job->data, (unsigned long)job->size);
    jpeg_read_header(jpeg, TRUE);
    choose_colour(job);
    const size_t channels = jpeg->out_color_space == JCS_RGB ? 3 : 1;
    if (image_new(image, channels, jpeg->image_height, jpeg->image_width, job->path) != DONE) {
        give_up_saying(job, ""); /* already said */
    }
    /* The coefficients of a progressive image are 16 bits for each of at most three components;
     * the rest is for rows, tables, and edges that are filled up to whole blocks. */
    const uint64_t most = 8 * (uint64_t)image->height * image->width + (16u << 20);
    jpeg->mem->max_memory_to_use = most < LONG_MAX ? (long)most : LONG_MAX;
    jpeg->dct_method = JDCT_ISLOW; /* the same on every processor */
    jpeg_start_decompress(jpeg);
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = image->pixels + jpeg->output_scanline * image->width * channels;
        jpeg_read_scanlines(jpeg, &row, 1);
    }
    check_order(job);
    jpeg_finish_decompress(jpeg); /* reads up to the end marker */
}

bool jpegio_available(void)
{
    return true;
}

int jpegio_read(struct image *image, const uint8_t *data, size_t size, const char *path)
{
    struct job job = {.image = image, .data = data, .size = size, .path = path};
    *image = (struct image){0};
    job.jpeg.err = jpeg_std_error(&job.errors);
    job.jpeg.client_data = &job; /* creation may fail */
    job.errors.error_exit = give_up;
    job.errors.emit_message = on_message;
    job.progress.progress_monitor = count_scans;
    const bool ok = guarded(&job, read_jpeg);
    if (!ok && job.message[0] != '\0') {
        fail("%s: cannot read this JPEG: %s", path, job.message);
    }
    if (ok) {
        image->orientation = exif_orientation_of_jpeg(data, size);
        snprintf(image->flaw, sizeof image->flaw, "%.*s", (int)sizeof image->flaw - 1, job.flaw);
    }
    jpeg_destroy_decompress(&job.jpeg);
    return ok ? DONE : FAILED;
}

#endif
