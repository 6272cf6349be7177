/*
 * Makes the JPEGs of the tests, for none is committed:
 *
 *     write_jpeg WIDTH HEIGHT grey|rgb|sub|cmyk QUALITY [progressive|scans|restarts] < SAMPLES > FILE.jpg
 *
 * Samples are bytes, the channels interleaved: 1, 3, 3 or 4. `sub` halves the colours' resolution
 * both ways, as cameras do; `rgb` keeps it. `scans` gives each coefficient three scans of its own,
 * `restarts` a restart after every third unit.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

static void choose_kind(struct jpeg_compress_struct *jpeg, const char *kind)
{
    const int grey = strcmp(kind, "grey") == 0, cmyk = strcmp(kind, "cmyk") == 0;
    jpeg->input_components = grey ? 1 : cmyk ? 4 : 3;
    jpeg->in_color_space = grey ? JCS_GRAYSCALE : cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_set_defaults(jpeg);
    if (strcmp(kind, "rgb") == 0) {
        jpeg->comp_info[0].h_samp_factor = jpeg->comp_info[0].v_samp_factor = 1;
    }
}

/* For grey alone: 1 + 3 x 63 scans, each good. */
static void choose_many_scans(struct jpeg_compress_struct *jpeg)
{
    static jpeg_scan_info scans[1 + 3 * 63] = {{.comps_in_scan = 1}};
    for (int i = 0; i < 3 * 63; i++) {
        const int at = 1 + i % 63, pass = i / 63;
        scans[1 + i] = (jpeg_scan_info){
            .comps_in_scan = 1, .Ss = at, .Se = at, .Ah = pass == 0 ? 0 : 3 - pass, .Al = 2 - pass};
    }
    jpeg->scan_info = scans;
    jpeg->num_scans = 1 + 3 * 63;
}

static void write_rows(struct jpeg_compress_struct *jpeg)
{
    const size_t row_size = jpeg->image_width * (size_t)jpeg->input_components;
    JSAMPROW row = calloc(row_size, 1);
    for (JDIMENSION y = 0; row != NULL && y < jpeg->image_height; y++) {
        if (fread(row, 1, row_size, stdin) != row_size) {
            fprintf(stderr, "write_jpeg: too few samples\n");
            exit(1);
        }
        jpeg_write_scanlines(jpeg, &row, 1);
    }
    free(row);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        return 2;
    }
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors; /* the default, which ends the program */
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, stdout);
    jpeg.image_width = (JDIMENSION)atoi(argv[1]);
    jpeg.image_height = (JDIMENSION)atoi(argv[2]);
    choose_kind(&jpeg, argv[3]);
    jpeg_set_quality(&jpeg, atoi(argv[4]), TRUE);
    if (argc > 5 && strcmp(argv[5], "scans") == 0) {
        choose_many_scans(&jpeg);
    } else if (argc > 5 && strcmp(argv[5], "restarts") == 0) {
        jpeg.restart_interval = 3;
    } else if (argc > 5) {
        jpeg_simple_progression(&jpeg);
    }
    jpeg_start_compress(&jpeg, TRUE);
    write_rows(&jpeg);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return 0;
}
