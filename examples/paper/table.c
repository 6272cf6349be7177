/*
 * Tables: a column for each way to restore faces, a row for each measure. See table.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "table.h"

#include <math.h>

struct column {
    const char *name;
    const struct outcome *outcome;               /* [SIDES] */
    const struct network_result *network, *goal; /* NULL: not a network; the SAE of its task */
    double code_len;
};

struct table {
    FILE *file;
    const struct column *columns;
    size_t len;
};

/* ---- Cells ----------------------------------------------------------------------------------- */

/* The value of a row for a column, on one side; NaN where there is none, less than 0 for never. */
typedef double cell(const struct column *column, enum side side);

static double mse(const struct column *c, enum side side)
{
    return c->outcome[side].have ? c->outcome[side].mse : (double)NAN;
}

static double psnr(const struct column *c, enum side side)
{
    return c->outcome[side].have ? c->outcome[side].psnr : (double)NAN;
}

static double ssim(const struct column *c, enum side side)
{
    return c->outcome[side].have ? c->outcome[side].ssim : (double)NAN;
}

static bool is_trained(const struct column *c)
{
    return c->network != NULL && c->network->have;
}

static double bytes(const struct column *c, enum side side)
{
    return is_trained(c) ? c->network->bytes[side] : (double)NAN;
}

/* The processor's seconds to the loss that the SAE ends with. */
static double reach(const struct column *c, enum side side)
{
    const bool test = side == UNSEEN;
    if (!is_trained(c) || !c->goal->have) {
        return NAN;
    }
    const size_t epoch =
        results_reach(&c->network->curve, test, results_last(&c->goal->curve, test));
    return epoch > 0 ? c->network->curve.points[epoch - 1].cpu_seconds : -1;
}

/* Of these the side is not asked for. */
static double parameters(const struct column *c, enum side side)
{
    (void)side;
    return is_trained(c) ? c->network->parameters : (double)NAN;
}

static double code_len(const struct column *c, enum side side)
{
    (void)side;
    return c->code_len;
}

static double epoch_seconds(const struct column *c, enum side side)
{
    const struct curve *curve = is_trained(c) ? &c->network->curve : NULL;
    (void)side;
    return curve != NULL ? curve->points[curve->len - 1].seconds / (double)curve->len : (double)NAN;
}

static double epoch_cpu_seconds(const struct column *c, enum side side)
{
    const struct curve *curve = is_trained(c) ? &c->network->curve : NULL;
    (void)side;
    return curve != NULL ? curve->points[curve->len - 1].cpu_seconds / (double)curve->len
                         : (double)NAN;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static void begin_table(const struct table *t)
{
    fputs("<table><thead><tr><th></th>", t->file);
    for (size_t i = 0; i < t->len; i++) {
        fprintf(t->file, "<th scope=\"col\">%s</th>", t->columns[i].name);
    }
    fputs("</tr></thead><tbody>\n", t->file);
}

/* A number with a blank after each three digits of its whole part, counted from the end. */
static void write_number(FILE *file, double value, int decimals)
{
    char digits[64];
    const int len = snprintf(digits, sizeof digits, "%.*f", decimals, value);
    const int whole = decimals > 0 ? len - decimals - 1 : len;
    fputs("<td>", file);
    for (int i = 0; i < len; i++) {
        if (i > 0 && i < whole && whole > 4 && (whole - i) % 3 == 0) {
            fputs("&#8239;", file);
        }
        fputc(digits[i], file);
    }
    fputs("</td>", file);
}

static void write_cells(const struct table *t, int decimals, cell *value, enum side side)
{
    for (size_t i = 0; i < t->len; i++) {
        const double v = value(&t->columns[i], side);
        if (isnan(v)) {
            fputs("<td></td>", t->file);
        } else if (v < 0) {
            fputs("<td>never</td>", t->file);
        } else if (isinf(v)) {
            fputs("<td>&infin;</td>", t->file);
        } else {
            write_number(t->file, v, decimals);
        }
    }
    fputs("</tr>\n", t->file);
}

static void write_row(const struct table *t, const char *name, int decimals, cell *value)
{
    fprintf(t->file, "<tr><th scope=\"row\">%s</th>", name);
    write_cells(t, decimals, value, TRAIN);
}

/* A row of a measure that differs from side to side. */
static void write_side(const struct table *t, const char *name, enum side side, int decimals,
                       cell *value)
{
    fprintf(t->file, "<tr><th scope=\"row\">%s, %s</th>", name,
            side == TRAIN ? "training faces" : "unseen people");
    write_cells(t, decimals, value, side);
}

static void write_size(const struct table *t)
{
    write_row(t, "Parameters", 0, parameters);
    write_row(t, "Numbers in the code", 0, code_len);
    for (enum side side = TRAIN; side < SIDES; side++) {
        write_side(t, "Bytes of the compressed file", side, 0, bytes);
    }
}

static void write_quality(const struct table *t)
{
    for (enum side side = TRAIN; side < SIDES; side++) {
        write_side(t, "MSE", side, 6, mse);
        write_side(t, "PSNR in dB", side, 2, psnr);
        write_side(t, "SSIM", side, 3, ssim);
    }
}

static void write_time(const struct table *t)
{
    write_row(t, "Seconds per epoch", 3, epoch_seconds);
    write_row(t, "Processor's seconds per epoch", 3, epoch_cpu_seconds);
}

static void write_reach(const struct table *t)
{
    for (enum side side = TRAIN; side < SIDES; side++) {
        write_side(t, "Processor's seconds to the SAE's last loss", side, 1, reach);
    }
}

static void end_table(const struct table *t)
{
    fputs("</tbody></table>\n", t->file);
}

/* ---- Tables ---------------------------------------------------------------------------------- */

static struct column network_column(const struct results *r, const char *name, size_t n,
                                    size_t goal)
{
    const struct network_result *network = &r->networks[n];
    return (struct column){name, network->outcome, network, &r->networks[goal],
                           network->have ? network->code_len : (double)NAN};
}

static struct column pca_column(const char *name, const struct pca_result *pca)
{
    return (struct column){name, pca->outcome, NULL, NULL,
                           pca->outcome[TRAIN].have ? (double)pca->components : (double)NAN};
}

static void write_comparison(const struct table *t)
{
    begin_table(t);
    write_size(t);
    write_quality(t);
    write_time(t);
    write_reach(t);
    end_table(t);
}

void table_compress(const struct results *results, FILE *file)
{
    char names[FITS][64];
    for (enum fit f = FIT_TRAIN; f < FITS; f++) {
        snprintf(names[f], sizeof names[f], "PCA of %zu faces", results->pca[f].faces);
    }
    const struct column columns[] = {
        network_column(results, "CAE", CAE_COMPRESS, SAE_COMPRESS),
        network_column(results, "SAE", SAE_COMPRESS, SAE_COMPRESS),
        pca_column(names[FIT_TRAIN], &results->pca[FIT_TRAIN]),
        pca_column(names[FIT_ALL], &results->pca[FIT_ALL]),
    };
    /* PCA's columns are left out where there is none. */
    const size_t len = results->pca[FIT_TRAIN].outcome[TRAIN].have ? 4 : 2;
    const struct table t = {file, columns, len};
    write_comparison(&t);
}

void table_denoise(const struct results *results, FILE *file)
{
    struct column columns[2 + BASELINES] = {
        network_column(results, "CAE", CAE_DENOISE, SAE_DENOISE),
        network_column(results, "SAE", SAE_DENOISE, SAE_DENOISE),
    };
    for (size_t f = 0; f < BASELINES; f++) {
        columns[2 + f] = (struct column){results->baselines[f].name, results->baselines[f].outcome,
                                         NULL, NULL, NAN};
    }
    const struct table t = {file, columns, 2 + BASELINES};
    write_comparison(&t);
}

void table_vae(const struct results *results, FILE *file)
{
    if (!results->networks[VAE].have) {
        return;
    }
    const struct column column = network_column(results, "VAE", VAE, VAE);
    const struct table t = {file, &column, 1};
    const struct bound *b = results->vae.bound;
    begin_table(&t);
    write_size(&t);
    write_quality(&t);
    write_time(&t);
    end_table(&t);
    fputs("</div>\n<div class=\"wide\"><table><thead><tr><th>Evidence lower bound, nats per "
          "face</th><th scope=\"col\">training faces</th><th scope=\"col\">unseen people</th></tr>"
          "</thead><tbody>\n",
          file);
    fprintf(
        file,
        "<tr><th scope=\"row\">Reconstruction, log p(x|z)</th><td>%.0f</td><td>%.0f</td></tr>\n",
        b[TRAIN].reconstruction, b[UNSEEN].reconstruction);
    fprintf(
        file,
        "<tr><th scope=\"row\">Divergence of the code, KL</th><td>%.1f</td><td>%.1f</td></tr>\n",
        b[TRAIN].divergence, b[UNSEEN].divergence);
    fprintf(file,
            "<tr><th scope=\"row\">Bound: their difference</th><td>%.0f</td><td>%.0f</td></tr>\n",
            b[TRAIN].reconstruction - b[TRAIN].divergence,
            b[UNSEEN].reconstruction - b[UNSEEN].divergence);
    fprintf(file,
            "<tr><th scope=\"row\">MSE with a sampled code</th><td>%.5f</td><td>%.5f</td></tr>\n"
            "</tbody></table>\n",
            b[TRAIN].squared_error, b[UNSEEN].squared_error);
}
