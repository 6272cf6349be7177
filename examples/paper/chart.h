/*
 * A chart as SVG: lines over two logarithmic axes. It stands by itself as a file, and within a page
 * it follows the page: a line has the colour of the CSS variable that it names, text that of the
 * page.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_PAPER_CHART_H
#define CAE_PAPER_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct chart_line {
    const char *name; /* in the legend */
    const char *variable,
        *colour; /* a CSS variable and what stands in for it: "--cae", "#1f5fbf" */
    bool dashed;
    const double *x, *y; /* positive; points where y is NaN are left out */
    size_t len;
};

struct chart {
    const char *title; /* for readers who do not see it */
    const char *x_label, *y_label;
    const struct chart_line *lines;
    size_t line_len;
    bool alone;             /* not within a page: on white, whatever looks at it */
    const char *level_name; /* a value drawn across; NULL: none */
    double level;
};

/* Writes the SVG. False, and nothing written, when the chart has no point. */
bool chart_write(const struct chart *chart, FILE *file);

#endif
