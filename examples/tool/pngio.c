/*
 * PNG through libpng's classic interface: see pngio.h. libpng reports errors by longjmp; each jump
 * starts and ends inside one call of `guarded` below, and everything that must outlive it is kept
 * in a struct job outside that call. Limits are set before the first byte of the untrusted
 * file is read.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "pngio.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "exif.h"
#include "message.h"

struct job {
    png_structp png;
    png_infop info;
    jmp_buf on_error;
    char message[160]; /* libpng's words for the error */
    char flaw[160];    /* and for the first that was none */
    const char *path;
    png_bytepp rows;

    struct image *image; /* reading: to be filled */
    bool whole;          /* with 16 bits and alpha */
    const uint8_t *data;
    size_t size, position;

    const struct image *source; /* writing */
    FILE *file;
    enum pngio_method method;
};

static _Noreturn void on_error(png_structp png, png_const_charp message)
{
    struct job *job = png_get_error_ptr(png);
    snprintf(job->message, sizeof job->message, "%s", message);
    longjmp(job->on_error, 1);
}

static void keep_flaw(struct job *job, const char *message)
{
    if (job->flaw[0] == '\0') {
        snprintf(job->flaw, sizeof job->flaw, "%s", message);
    }
}

/* What libpng can read in spite of a flaw is read. */
static void on_warning(png_structp png, png_const_charp message)
{
    keep_flaw(png_get_error_ptr(png), message);
}

/* Runs a step of the work; false when libpng jumped out of it. The only setjmp: it has no locals
 * that a jump could spoil. */
static bool guarded(struct job *job, void (*step)(struct job *))
{
    if (setjmp(job->on_error) != 0) {
        return false;
    }
    step(job);
    return true;
}

/* The row pointers that libpng wants, into an image's pixels. */
static void point_to_rows(struct job *job, const struct image *image)
{
    const size_t row_size = image_row_size(image);
    job->rows = malloc(image->height * sizeof *job->rows);
    if (job->rows == NULL) {
        png_error(job->png, "out of memory");
    }
    for (size_t y = 0; y < image->height; y++) {
        job->rows[y] = image->pixels + y * row_size;
    }
}

/* ---- Reading --------------------------------------------------------------------------------- */

bool pngio_recognise(const uint8_t *data, size_t size)
{
    return size >= 4 && memcmp(data, "\x89PNG", 4) == 0;
}

static void read_bytes(png_structp png, png_bytep bytes, size_t size)
{
    struct job *job = png_get_io_ptr(png);
    if (size > job->size - job->position) {
        png_error(png, "the file ends too early");
    }
    memcpy(bytes, job->data + job->position, size);
    job->position += size;
}

static const png_byte exif_chunk[] = "eXIf";

static void limit_reader(png_structp png)
{
    png_set_user_limits(png, 1 << 24, 1 << 24); /* image_new limits the product */
    png_set_chunk_cache_max(png, 128);
    png_set_chunk_malloc_max(png, 1 << 20);
    /* Chunks without which an image can be drawn are not even parsed. */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_ALWAYS, exif_chunk, 1);
}

/* The orientation of the first chunk eXIf, which may be behind the pixels. */
static unsigned find_orientation(const struct job *job)
{
    png_unknown_chunkp chunks = NULL;
    const int len = png_get_unknown_chunks(job->png, job->info, &chunks);
    for (int i = 0; i < len; i++) {
        if (memcmp(chunks[i].name, exif_chunk, 4) == 0) {
            return exif_orientation(chunks[i].data, chunks[i].size);
        }
    }
    return 0;
}

static bool has_alpha(const struct job *job)
{
    return (png_get_color_type(job->png, job->info) & PNG_COLOR_MASK_ALPHA) != 0 ||
           png_get_valid(job->png, job->info, PNG_INFO_tRNS) != 0;
}

static bool is_deep(const struct job *job)
{
    return png_get_bit_depth(job->png, job->info) == 16;
}

/* libpng has 16-bit values with the higher byte first. */
static void order_bytes(png_structp png)
{
    const uint16_t one = 1;
    if (*(const uint8_t *)&one == 1) {
        png_set_swap(png);
    }
}

/* Asks libpng for grey or RGB, of 8 bits unless the image is whole, and notes what is lost on the
 * way. */
static void set_transformations(struct job *job)
{
    png_set_expand(job->png);
    if (!job->whole) {
        job->image->changes |= has_alpha(job) ? IMAGE_LOST_ALPHA : 0;
        job->image->changes |= is_deep(job) ? IMAGE_WAS_16_BIT : 0;
        png_set_scale_16(job->png);
        png_set_strip_alpha(job->png);
    } else if (is_deep(job)) {
        order_bytes(job->png);
    }
    png_set_interlace_handling(job->png);
    png_read_update_info(job->png, job->info);
}

static void read_png(struct job *job)
{
    png_structp png = job->png;
    struct image *image = job->image;
    job->info = png_create_info_struct(png);
    if (job->info == NULL) {
        png_error(png, "out of memory");
    }
    limit_reader(png);
    png_set_read_fn(png, job, read_bytes);
    png_read_info(png, job->info);

    const bool colour = (png_get_color_type(png, job->info) & PNG_COLOR_MASK_COLOR) != 0;
    const bool alpha = job->whole && has_alpha(job);
    if (image_new_whole(image, (colour ? 3 : 1) + (size_t)alpha, alpha, job->whole && is_deep(job),
                        png_get_image_height(png, job->info), png_get_image_width(png, job->info),
                        job->path) != DONE) {
        png_error(png, ""); /* already said */
    }
    set_transformations(job);
    if (png_get_rowbytes(png, job->info) != image_row_size(image)) {
        png_error(png, "rows of an unexpected size");
    }
    point_to_rows(job, image);
    png_read_image(png, job->rows); /* with the checksums of the pixels */
}

static void read_rest(struct job *job)
{
    png_read_end(job->png, job->info);
}

int pngio_read(struct image *image, const uint8_t *data, size_t size, const char *path, bool whole)
{
    struct job job = {.image = image, .data = data, .size = size, .path = path, .whole = whole};
    job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    if (job.png == NULL) {
        return fail("%s: out of memory", path);
    }
    const bool ok = guarded(&job, read_png);
    if (!ok && job.message[0] != '\0') {
        fail("%s: damaged PNG: %s", path, job.message);
    }
    if (ok && !guarded(&job, read_rest)) {
        keep_flaw(&job, job.message); /* the pixels are all there */
    }
    if (ok) {
        image->orientation = find_orientation(&job);
        snprintf(image->flaw, sizeof image->flaw, "%.*s", (int)sizeof image->flaw - 1, job.flaw);
    }
    png_destroy_read_struct(&job.png, &job.info, NULL);
    free(job.rows);
    return ok ? DONE : FAILED;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void set_header(struct job *job)
{
    const struct image *image = job->source;
    job->info = png_create_info_struct(job->png);
    if (job->info == NULL) {
        png_error(job->png, "out of memory");
    }
    png_init_io(job->png, job->file);
    png_set_IHDR(job->png, job->info, (png_uint_32)image->width, (png_uint_32)image->height,
                 image->deep ? 16 : 8,
                 (image->channels - image->alpha == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB) |
                     (image->alpha ? PNG_COLOR_MASK_ALPHA : 0),
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
}

static void write_png(struct job *job)
{
    set_header(job);
    png_write_info(job->png, job->info);
    if (job->source->deep) {
        order_bytes(job->png);
    }
    point_to_rows(job, job->source);
    png_write_image(job->png, job->rows);
    png_write_end(job->png, NULL);
}

/* One block of a zlib stream: its bytes, and Adler-32 carried on over them (RFC 1950). */
struct stored_block {
    size_t size;
    uint8_t *bytes;
    uint32_t a, b;
};

static void put(struct stored_block *block, const uint8_t *bytes, size_t size)
{
    memcpy(block->bytes + block->size, bytes, size);
    block->size += size;
    for (size_t i = 0; i < size; i++) {
        block->a = (block->a + bytes[i]) % 65521;
        block->b = (block->b + block->a) % 65521;
    }
}

/* One IDAT chunk per row, each holding one stored block (RFC 1951, 3.2.4): header, length, its
 * complement, then the filter type 0 and the row. Widths up to 21844 fit the 16-bit length. */
static void write_stored_row(struct job *job, struct stored_block *block, size_t y)
{
    const struct image *image = job->source;
    const size_t row_size = image->width * image->channels;
    const bool first = y == 0, last = y == image->height - 1;
    const uint8_t low = (uint8_t)((row_size + 1) & 255), high = (uint8_t)((row_size + 1) >> 8);
    const uint8_t zlib_header[2] = {0x78, 0x01};
    const uint8_t header[5] = {last, low, high, (uint8_t)~low, (uint8_t)~high};
    uint8_t *bytes = block->bytes;
    block->size = 0;
    if (first) {
        memcpy(bytes, zlib_header, 2);
        block->size = 2;
    }
    memcpy(bytes + block->size, header, 5);
    block->size += 5;
    put(block, (const uint8_t[]){0}, 1);
    put(block, image->pixels + y * row_size, row_size);
    if (last) {
        const uint8_t sum[4] = {(uint8_t)(block->b >> 8), (uint8_t)block->b,
                                (uint8_t)(block->a >> 8), (uint8_t)block->a};
        memcpy(bytes + block->size, sum, 4);
        block->size += 4;
    }
    png_write_chunk(job->png, (png_const_bytep) "IDAT", bytes, block->size);
}

static void write_stored_png(struct job *job)
{
    const struct image *image = job->source;
    set_header(job);
    png_write_info(job->png, job->info);
    struct stored_block block = {.a = 1};
    block.bytes = png_malloc(job->png, image->width * image->channels + 12);
    for (size_t y = 0; y < image->height; y++) {
        write_stored_row(job, &block, y);
    }
    png_write_chunk(job->png, (png_const_bytep) "IEND", NULL, 0);
    png_free(job->png, block.bytes);
}

int pngio_write(const struct image *image, FILE *file, const char *path, enum pngio_method method)
{
    struct job job = {.source = image, .file = file, .path = path, .method = method};
    job.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    if (job.png == NULL) {
        return fail("%s: out of memory", path);
    }
    const bool ok = guarded(&job, method == PNGIO_STORED ? write_stored_png : write_png);
    if (!ok) {
        fail("%s: cannot write: %s", path, job.message);
    }
    png_destroy_write_struct(&job.png, &job.info);
    free(job.rows);
    return ok ? DONE : FAILED;
}
