/*
 * Lines on logarithmic axes: see chart.h. A long line is thinned out to means over equal parts of
 * the x axis, as many as can be seen. The legend stands below, two lines in a row.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "chart.h"

#include <math.h>

enum {
    WIDTH = 480,
    HEIGHT = 374,
    LEFT = 72,
    RIGHT = 18,
    TOP = 14,
    BOTTOM = 92, /* with the legend's two rows */
    PARTS = 200  /* of one drawn line */
};

/* What the page's style sheet may say otherwise. */
#define AXIS "fill=\"none\" stroke=\"currentColor\""
#define RULE "class=\"rule\" stroke=\"#d9dee4\""

struct scale {
    double low, high;       /* values at the ends */
    double at_low, at_high; /* places of the ends */
};

static double place(const struct scale *s, double value)
{
    return s->at_low + log(value / s->low) / log(s->high / s->low) * (s->at_high - s->at_low);
}

/* ---- Range ----------------------------------------------------------------------------------- */

static void widen(struct scale *s, double value)
{
    s->low = fmin(s->low, value);
    s->high = fmax(s->high, value);
}

static bool has_point(const struct chart_line *line, size_t i)
{
    return line->x[i] > 0 && line->y[i] > 0 && isfinite(line->y[i]);
}

static bool find_range(const struct chart *chart, struct scale *x, struct scale *y)
{
    *x = (struct scale){INFINITY, 0, LEFT, WIDTH - RIGHT};
    *y = (struct scale){INFINITY, 0, HEIGHT - BOTTOM, TOP};
    for (size_t l = 0; l < chart->line_len; l++) {
        const struct chart_line *line = &chart->lines[l];
        for (size_t i = 0; i < line->len; i++) {
            if (has_point(line, i)) {
                widen(x, line->x[i]);
                widen(y, line->y[i]);
            }
        }
    }
    if (x->high <= 0) {
        return false;
    }
    if (chart->level_name != NULL) {
        widen(y, chart->level);
    }
    /* A single point gets some room around it, too. */
    x->high = fmax(x->high, 1.1 * x->low);
    y->low *= 0.9;
    y->high *= 1.1;
    return true;
}

/* ---- Axes ------------------------------------------------------------------------------------ */

/* Calls `draw` with round numbers within the scale: the fewer powers of ten, the more of each. */
static void for_ticks(const struct scale *s, FILE *file,
                      void (*draw)(const struct scale *s, double value, FILE *file))
{
    static const double digits[] = {1, 2, 5, 1.5, 3, 4, 6, 8};
    const double range = s->high / s->low;
    const size_t digit_len = range < 12 ? 8 : range < 300 ? 3 : 1;
    for (double power = floor(log10(s->low)); power <= ceil(log10(s->high)); power++) {
        for (size_t d = 0; d < digit_len; d++) {
            const double value = digits[d] * pow(10, power);
            if (value >= s->low && value <= s->high) {
                draw(s, value, file);
            }
        }
    }
}

static void draw_x_tick(const struct scale *s, double value, FILE *file)
{
    if (s->high >= 3 && value != floor(value)) {
        return; /* there are no halves of epochs */
    }
    const double x = place(s, value);
    fprintf(file, "<path " AXIS " d=\"M%.1f %dv5\"/>", x, HEIGHT - BOTTOM);
    fprintf(file, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.7g</text>", x,
            HEIGHT - BOTTOM + 19, value);
}

static void draw_y_tick(const struct scale *s, double value, FILE *file)
{
    const double y = place(s, value);
    fprintf(file, "<path " RULE " d=\"M%d %.1fH%d\"/>", LEFT, y, WIDTH - RIGHT);
    fprintf(file, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>", LEFT - 6, y + 4,
            value);
}

static void draw_axes(const struct chart *chart, const struct scale *x, const struct scale *y,
                      FILE *file)
{
    for_ticks(y, file, draw_y_tick);
    for_ticks(x, file, draw_x_tick);
    fprintf(file, "<path " AXIS " d=\"M%d %dV%dH%d\"/>", LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT);
    fprintf(file, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>",
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 40, chart->x_label);
    fprintf(file,
            "<text transform=\"translate(14 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>",
            (TOP + HEIGHT - BOTTOM) / 2, chart->y_label);
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static void begin_line(const struct chart_line *line, const char *class, FILE *file)
{
    fprintf(file,
            "<path class=\"%s\" style=\"fill:none;stroke-width:2;stroke-linejoin:round;"
            "stroke:var(%s,%s)%s\" d=\"",
            class, line->variable, line->colour, line->dashed ? ";stroke-dasharray:6 4" : "");
}

/* Which of the PARTS the point is in, counted from the line's end: so the last one is a whole part, and
 * the line does not end in a single epoch. */
static double part_of(const struct chart_line *line, const struct scale *x, size_t i)
{
    const double width = (x->at_high - x->at_low) / PARTS;
    return floor((place(x, line->x[line->len - 1]) - place(x, line->x[i])) / width);
}

static void draw_line(const struct chart_line *line, const struct scale *x, const struct scale *y,
                      FILE *file)
{
    size_t drawn = 0;
    begin_line(line, "line", file);
    for (size_t i = 0; i < line->len;) {
        /* The points of one part of the axis; means of logarithms, as they are drawn. */
        double at = 0, height = 0, count = 0;
        const double part = part_of(line, x, i);
        do {
            if (has_point(line, i)) {
                at += place(x, line->x[i]);
                height += place(y, line->y[i]);
                count++;
            }
            i++;
        } while (i < line->len && part_of(line, x, i) == part);
        if (count > 0) {
            fprintf(file, "%s%.1f %.1f", drawn++ > 0 ? "L" : "M", at / count, height / count);
        }
    }
    fputs(drawn == 1 ? "m-3 0h6" : "", file); /* a line of one point, too, can be seen */
    fputs("\"/>", file);
}

static void draw_level(const struct chart *chart, const struct scale *y, FILE *file)
{
    const double at = place(y, chart->level);
    fprintf(file, "<path " AXIS " stroke-dasharray=\"2 4\" d=\"M%d %.1fH%d\"/>", LEFT, at,
            WIDTH - RIGHT);
    fprintf(file, "<text x=\"%d\" y=\"%.1f\">%s</text>", LEFT + 6, at - 5, chart->level_name);
}

static void draw_legend(const struct chart *chart, FILE *file)
{
    enum { ROW = 18, SAMPLE = 26, COLUMN = (WIDTH - LEFT) / 2 };
    for (size_t l = 0; l < chart->line_len; l++) {
        const int left = LEFT + COLUMN * (int)(l % 2);
        const int y = HEIGHT - 2 * ROW + ROW * (int)(l / 2) + 4;
        begin_line(&chart->lines[l], "key", file);
        fprintf(file, "M%d %dh%d\"/>", left, y, SAMPLE);
        fprintf(file, "<text x=\"%d\" y=\"%d\">%s</text>", left + SAMPLE + 8, y + 4,
                chart->lines[l].name);
    }
}

bool chart_write(const struct chart *chart, FILE *file)
{
    struct scale x, y;
    if (!find_range(chart, &x, &y)) {
        return false;
    }
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"curves\" viewBox=\"0 0 %d %d\"%s "
            "font-family=\"sans-serif\" font-size=\"13\" role=\"img\" aria-label=\"%s\">\n",
            WIDTH, HEIGHT, chart->alone ? " style=\"background:#fff;color:#000\"" : "",
            chart->title);
    draw_axes(chart, &x, &y, file);
    if (chart->level_name != NULL) {
        draw_level(chart, &y, file);
    }
    for (size_t l = 0; l < chart->line_len; l++) {
        draw_line(&chart->lines[l], &x, &y, file);
    }
    draw_legend(chart, file);
    fputs("</svg>\n", file);
    return true;
}
