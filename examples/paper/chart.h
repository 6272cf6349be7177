/*
 * A chart as SVG: lines over two logarithmic axes. Colours and fonts come from the page around it: a
 * line is drawn in the CSS variable that it names, all else in the colour of the text.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_PAPER_CHART_H
#define CAE_PAPER_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct chart_line {
    const char *name;   /* in the legend */
    const char *colour; /* a CSS variable: "--cae" */
    bool dashed;
    const double *x, *y; /* positive; points where y is NaN are left out */
    size_t len;
};

struct chart {
    const char *title; /* for readers who do not see it */
    const char *x_label, *y_label;
    const struct chart_line *lines;
    size_t line_len;
    const char *level_name; /* a value drawn across; NULL: none */
    double level;
};

/* Writes the SVG and its legend. Charts without a point come out as a sentence that says so. */
void chart_write(const struct chart *chart, FILE *file);

#endif
