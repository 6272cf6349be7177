/*
 * results.json: every number of the report for other programs. See results.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "results.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cae/cae.h>

#include "message.h"
#include "output.h"
#include "verdict.h"

/* What is being written: how deep, and whether the next member needs a comma. */
struct json {
    FILE *file;
    int depth;
    bool follows;
};

static void put_name(struct json *j, const char *name)
{
    fprintf(j->file, "%s\n%*s\"%s\": ", j->follows ? "," : "", 2 * j->depth, "", name);
    j->follows = true;
}

static void put_number(struct json *j, const char *name, double value)
{
    put_name(j, name);
    if (isfinite(value)) {
        fprintf(j->file, "%.15g", value);
    } else {
        fputs("null", j->file);
    }
}

/* A double would round it. */
static void put_seed(struct json *j, const char *name, uint64_t seed)
{
    put_name(j, name);
    fprintf(j->file, "%" PRIu64, seed);
}

/* Bytes of the character at `text`; 0 when it is not UTF-8 (RFC 3629, section 4). */
static size_t character_size(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    if (c[0] < 0x80) {
        return 1;
    }
    const size_t size = c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : 2;
    /* Neither longer than need be, nor half of a pair, nor beyond the last character. */
    if (c[0] < 0xc2 || c[0] > 0xf4 || (c[0] == 0xe0 && c[1] < 0xa0) ||
        (c[0] == 0xed && c[1] > 0x9f) || (c[0] == 0xf0 && c[1] < 0x90) ||
        (c[0] == 0xf4 && c[1] > 0x8f)) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if (c[i] >> 6 != 2) {
            return 0;
        }
    }
    return size;
}

/* Names of files may be any bytes; those that are no characters become U+FFFD. */
static void put_string(struct json *j, const char *text)
{
    fputc('"', j->file);
    while (*text != '\0') {
        const size_t size = character_size(text);
        const unsigned char c = (unsigned char)*text;
        if (size == 0) {
            fputs("\\ufffd", j->file);
        } else if (c < 0x20) {
            fprintf(j->file, "\\u%04x", c);
        } else {
            fputs(c == '"' || c == '\\' ? "\\" : "", j->file);
            fwrite(text, 1, size, j->file);
        }
        text += size > 0 ? size : 1;
    }
    fputc('"', j->file);
}

static void put_text(struct json *j, const char *name, const char *text)
{
    put_name(j, name);
    put_string(j, text);
}

static void begin(struct json *j, const char *name)
{
    if (name != NULL) {
        put_name(j, name);
    }
    fputc('{', j->file);
    j->depth++;
    j->follows = false;
}

static void end(struct json *j)
{
    j->depth--;
    if (j->follows) {
        fprintf(j->file, "\n%*s", 2 * j->depth, "");
    }
    fputc('}', j->file);
    j->follows = true;
}

static void put_outcome(struct json *j, const char *name, const struct outcome *o)
{
    begin(j, name);
    put_number(j, "mse", o->mse);
    put_number(j, "psnr", o->psnr);
    put_number(j, "ssim", o->ssim);
    end(j);
}

static void put_outcomes(struct json *j, const struct outcome outcome[SIDES])
{
    if (outcome[TRAIN].have) {
        put_outcome(j, "train", &outcome[TRAIN]);
    }
    if (outcome[UNSEEN].have) {
        put_outcome(j, "unseen", &outcome[UNSEEN]);
    }
}

static void put_curve(struct json *j, const struct curve *curve)
{
    const struct point *last = &curve->points[curve->len - 1];
    put_number(j, "epochs", (double)curve->len);
    put_number(j, "train_loss", results_last(curve, false));
    put_number(j, "unseen_loss", results_last(curve, true));
    put_number(j, "seconds", last->seconds);
    put_number(j, "cpu_seconds", last->cpu_seconds);
}

static void put_bound(struct json *j, const char *name, const struct bound *b)
{
    begin(j, name);
    put_number(j, "mse_of_sampled_code", b->squared_error);
    put_number(j, "reconstruction_nats", b->reconstruction);
    put_number(j, "kl_nats", b->divergence);
    put_number(j, "elbo_nats", b->reconstruction - b->divergence);
    end(j);
}

static void put_network(struct json *j, const struct results *r, size_t n)
{
    const struct network_result *network = &r->networks[n];
    begin(j, networks[n].name);
    put_number(j, "parameters", network->parameters);
    put_number(j, "code_floats", network->code_len);
    put_number(j, "bytes_train", network->bytes[TRAIN]);
    put_number(j, "bytes_unseen", network->bytes[UNSEEN]);
    put_text(j, "kernels", network->kernels);
    put_curve(j, &network->curve);
    put_outcomes(j, network->outcome);
    if (n == VAE) {
        put_number(j, "kl_weight", r->vae.kl_weight);
        put_bound(j, "bound_train", &r->vae.bound[TRAIN]);
        put_bound(j, "bound_unseen", &r->vae.bound[UNSEEN]);
    }
    end(j);
}

static void put_study(struct json *j, const struct study *s)
{
    begin(j, "study");
    put_number(j, "epochs", (double)s->epochs);
    put_number(j, "train", (double)s->train_len);
    put_number(j, "test", (double)s->test_len);
    put_number(j, "batch", (double)s->batch);
    put_seed(j, "seed", s->seed);
    put_number(j, "sigma", s->sigma);
    put_number(j, "reproducible", s->reproducible);
    end(j);
}

/* The names of the faces, for whoever wants to know what was trained on. */
static void put_names(struct json *j, const char *name, const struct image_set *set)
{
    put_name(j, name);
    fputc('[', j->file);
    for (size_t i = 0; i < set->len; i++) {
        fputs(i > 0 ? ", " : "", j->file);
        put_string(j, set->names[i]);
    }
    fputc(']', j->file);
}

static void put_faces(struct json *j, const struct study *s)
{
    begin(j, "faces");
    put_names(j, "train", &s->train);
    put_names(j, "unseen", &s->test);
    end(j);
}

static void put_filters(struct json *j, const struct results *r)
{
    static const char *const names[BASELINES] = {"noisy", "blur", "median", "nlm"};
    begin(j, "filters");
    for (size_t f = 0; f < BASELINES; f++) {
        begin(j, names[f]);
        put_text(j, "name", r->baselines[f].name);
        put_outcomes(j, r->baselines[f].outcome);
        end(j);
    }
    end(j);
}

static void put_pca(struct json *j, const struct results *r)
{
    static const char *const names[FITS] = {"train", "all"};
    begin(j, "pca");
    for (size_t f = 0; f < FITS && r->pca[f].outcome[TRAIN].have; f++) {
        begin(j, names[f]);
        put_number(j, "faces", (double)r->pca[f].faces);
        put_number(j, "components", (double)r->pca[f].components);
        put_outcomes(j, r->pca[f].outcome);
        end(j);
    }
    end(j);
}

static void put_verdicts(struct json *j, const struct results *r)
{
    struct verdict verdicts[VERDICTS];
    verdicts_find(r, verdicts);
    begin(j, "verdicts");
    for (size_t i = 0; i < VERDICTS; i++) {
        put_text(j, verdicts[i].claim, verdict_word(verdicts[i].ruling));
    }
    end(j);
}

static void put_all(struct json *j, const struct results *r, const char *command)
{
    begin(j, NULL);
    put_text(j, "version", cae_version_string());
    put_text(j, "command", command);
    put_study(j, r->study);
    put_faces(j, r->study);
    begin(j, "networks");
    for (size_t n = 0; n < NETWORKS; n++) {
        if (r->networks[n].have) {
            put_network(j, r, n);
        }
    }
    end(j);
    put_filters(j, r);
    put_pca(j, r);
    put_verdicts(j, r);
    end(j);
}

int results_save(const struct results *results, const char *command)
{
    struct output output;
    char *path = study_path(results->study, "results", ".json");
    int result = path != NULL ? output_open(&output, path) : fail("results.json: out of memory");
    if (result == DONE) {
        struct json json = {.file = output.file};
        put_all(&json, results, command);
        fputc('\n', output.file);
        result = output_commit(&output);
    }
    free(path);
    return result;
}
