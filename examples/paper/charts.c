/*
 * From curves to charts: see charts.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "charts.h"

#include <stdlib.h>

#include "chart.h"
#include "message.h"
#include "output.h"

static const struct {
    const char *name;   /* of the file */
    size_t first, last; /* networks */
    bool by_second;
} kinds[CHARTS] = {
    [COMPRESS_BY_EPOCH] = {"compress-by-epoch", SAE_COMPRESS, CAE_COMPRESS, false},
    [COMPRESS_BY_SECOND] = {"compress-by-second", SAE_COMPRESS, CAE_COMPRESS, true},
    [DENOISE_BY_EPOCH] = {"denoise-by-epoch", SAE_DENOISE, CAE_DENOISE, false},
    [DENOISE_BY_SECOND] = {"denoise-by-second", SAE_DENOISE, CAE_DENOISE, true},
    [VAE_BY_EPOCH] = {"vae-by-epoch", VAE, VAE, false},
};

static const struct {
    const char *names[2]; /* on training faces, on unseen ones */
    const char *variable, *colour;
} looks[NETWORKS] = {
    [SAE_COMPRESS] = {{"SAE, training faces", "SAE, unseen people"}, "--sae", "#b84c00"},
    [CAE_COMPRESS] = {{"CAE, training faces", "CAE, unseen people"}, "--cae", "#1f5fbf"},
    [SAE_DENOISE] = {{"SAE, training faces", "SAE, unseen people"}, "--sae", "#b84c00"},
    [CAE_DENOISE] = {{"CAE, training faces", "CAE, unseen people"}, "--cae", "#1f5fbf"},
    [VAE] = {{"VAE, training faces", "VAE, unseen people"}, "--vae", "#7a3fb0"},
};

/* The coordinates of a curve's points: epochs or seconds, training and test losses, in one piece;
 * NULL without memory. */
static double *spread(const struct curve *curve, bool by_second)
{
    double *values = malloc((3 * curve->len + 1) * sizeof *values);
    for (size_t i = 0; values != NULL && i < curve->len; i++) {
        values[i] = by_second ? curve->points[i].cpu_seconds : (double)i + 1;
        values[curve->len + i] = curve->points[i].train;
        values[2 * curve->len + i] = curve->points[i].test;
    }
    return values;
}

/* Draws a chart if it has a point: *drawn. */
static int draw(const struct results *results, enum charts which, bool alone, FILE *file,
                bool *drawn)
{
    struct chart_line lines[4];
    double *values[2] = {NULL, NULL};
    int result = DONE;
    const size_t first = kinds[which].first, count = kinds[which].last - first + 1;
    for (size_t i = 0; i < count; i++) {
        const struct curve *curve = &results->networks[first + i].curve;
        values[i] = spread(curve, kinds[which].by_second);
        if (values[i] == NULL) {
            result = fail("curves: out of memory");
            goto done;
        }
        for (size_t side = 0; side < 2; side++) {
            lines[2 * i + side] = (struct chart_line){.name = looks[first + i].names[side],
                                                      .variable = looks[first + i].variable,
                                                      .colour = looks[first + i].colour,
                                                      .dashed = side == 1,
                                                      .x = values[i],
                                                      .y = values[i] + (1 + side) * curve->len,
                                                      .len = curve->len};
        }
    }
    const double sigma = results->study->sigma / 255;
    const struct chart chart = {
        .title = "losses of the training",
        .x_label = kinds[which].by_second ? "seconds of the processor" : "epochs",
        .y_label = first == VAE ? "loss" : "mean squared error",
        .lines = lines,
        .line_len = 2 * count,
        .alone = alone,
        .level_name = networks[first].denoises ? "noisy input" : NULL,
        .level = sigma * sigma,
    };
    *drawn = chart_write(&chart, file);
done:
    free(values[0]);
    free(values[1]);
    return result;
}

int charts_write(const struct results *results, enum charts which, FILE *file)
{
    bool drawn = false;
    const int result = draw(results, which, false, file, &drawn);
    if (result == DONE && !drawn) {
        fputs("<p class=\"quiet\">Not trained yet.</p>", file);
    }
    return result;
}

static int save(const struct results *results, enum charts which)
{
    bool drawn = false;
    struct output output;
    char *path = study_path(results->study, kinds[which].name, ".svg");
    int result = path != NULL ? output_open(&output, path) : fail("curves: out of memory");
    free(path);
    if (result != DONE) {
        return result;
    }
    result = draw(results, which, true, output.file, &drawn);
    if (result == DONE && drawn) {
        return output_commit(&output);
    }
    output_discard(&output);
    return result;
}

int charts_save(const struct results *results)
{
    int result = DONE;
    for (enum charts which = COMPRESS_BY_EPOCH; which < CHARTS && result == DONE; which++) {
        result = save(results, which);
    }
    return result;
}
