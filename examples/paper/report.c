/*
 * The page from page.html, whose words `$name` are replaced by what the table below writes for
 * them; see report.h. Prose stands in page.html, figures come from here.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cae/cae.h>

#include "charts.h"
#include "message.h"
#include "output.h"
#include "page_text.h" /* made from page.html and the style sheet */
#include "pca.h"
#include "picture.h"
#include "table.h"
#include "verdict.h"

struct page {
    const struct results *results;
    const char *command;
    FILE *file;
    int result; /* FAILED once something could not be written */
};

/* A word of page.html. `what` is a network, a filter or whatever the function takes it for. */
struct field {
    const char *name;
    void (*write)(struct page *page, const struct field *field);
    size_t what;
    enum side side;
};

/* ---- Words ----------------------------------------------------------------------------------- */

static void write_escaped(FILE *file, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", file);
            break;
        case '<':
            fputs("&lt;", file);
            break;
        case '>':
            fputs("&gt;", file);
            break;
        default:
            fputc(*text, file);
        }
    }
}

enum setting { EPOCHS, TRAIN_LEN, TEST_LEN, BATCH, SIGMA, RAW };

static void write_setting(struct page *page, const struct field *field)
{
    const struct study *s = page->results->study;
    const double values[] = {
        [EPOCHS] = (double)s->epochs,
        [TRAIN_LEN] = (double)s->train_len,
        [TEST_LEN] = (double)s->test_len,
        [BATCH] = (double)s->batch,
        [SIGMA] = s->sigma,
        [RAW] = PIXELS,
    };
    fprintf(page->file, "%.15g", values[field->what]);
}

/* A double would round it. */
static void write_seed(struct page *page, const struct field *field)
{
    (void)field;
    fprintf(page->file, "%" PRIu64, page->results->study->seed);
}

static void write_style(struct page *page, const struct field *field)
{
    (void)field;
    fputs(style_text, page->file);
}

static void write_command(struct page *page, const struct field *field)
{
    (void)field;
    write_escaped(page->file, page->command);
}

static void write_machine(struct page *page, const struct field *field)
{
    const struct network_result *n = page->results->networks;
    const char *kernels = "";
    struct utsname name;
    (void)field;
    for (size_t i = 0; i < NETWORKS; i++) {
        kernels = n[i].have ? n[i].kernels : kernels;
    }
    fprintf(page->file, "libcae %s", cae_version_string());
    if (kernels[0] != '\0') {
        fprintf(page->file, ", kernels <code>%s</code>", kernels);
    }
    if (uname(&name) == 0) {
        fprintf(page->file, ", %s %s, %ld processors", name.sysname, name.machine,
                sysconf(_SC_NPROCESSORS_ONLN));
    }
}

static void write_pca_words(struct page *page, const struct field *field)
{
    const struct pca_result *p = page->results->pca;
    (void)field;
    if (!pca_available()) {
        fputs("This build has no LAPACK, so principal component analysis (PCA) is left out.",
              page->file);
        return;
    }
    const bool exact = p[FIT_TRAIN].outcome[TRAIN].mse < 1e-8; /* but for rounding */
    fprintf(page->file,
            "PCA is the best linear code for the faces that it is fitted to, and never has more "
            "components than faces less one: %zu from the %zu training faces%s, %zu from all %zu "
            "faces that might have been trained on.",
            p[FIT_TRAIN].components, p[FIT_TRAIN].faces,
            exact ? ", which restore those without loss" : "", p[FIT_ALL].components,
            p[FIT_ALL].faces);
}

static void write_vae_words(struct page *page, const struct field *field)
{
    (void)field;
    if (!page->results->networks[VAE].have) {
        return;
    }
    fprintf(
        page->file,
        "This one has a code of %.0f numbers and a KL weight of %g, which stands for a decoder of "
        "standard deviation %.3f.",
        page->results->networks[VAE].code_len, page->results->vae.kl_weight,
        sqrt(page->results->vae.kl_weight / 2));
}

/* ---- Pictures -------------------------------------------------------------------------------- */

static void write_picture(struct page *page, const float *faces, size_t len, const char *words)
{
    if (picture_write(faces, len, words, page->file) != DONE) {
        page->result = FAILED;
    }
}

static void write_faces(struct page *page, const struct field *field)
{
    const struct study *study = page->results->study;
    const struct image_set *set = results_faces(study, field->side);
    float *faces = outcome_input(set, 0, study->seed);
    if (faces == NULL) {
        page->result = FAILED;
        return;
    }
    write_picture(page, faces, set->len < SHOWN ? set->len : SHOWN, "original faces");
    free(faces);
}

static void write_outcome(struct page *page, const struct outcome *outcome, const char *words)
{
    if (outcome->have) {
        write_picture(page, outcome->shown, outcome->shown_len, words);
    } else {
        fputs("<p class=\"quiet\">Not trained yet.</p>", page->file);
    }
}

static void write_db(struct page *page, const struct outcome *outcome)
{
    if (outcome->have && isinf(outcome->psnr)) {
        fputs("not a pixel differs", page->file);
    } else if (outcome->have) {
        fprintf(page->file, "%.2f dB", outcome->psnr);
    } else {
        fputs("no figure yet", page->file);
    }
}

static void write_network(struct page *page, const struct field *field)
{
    char words[64];
    snprintf(words, sizeof words, "faces as %s restores them", networks[field->what].name);
    write_outcome(page, &page->results->networks[field->what].outcome[field->side], words);
}

static void write_network_db(struct page *page, const struct field *field)
{
    write_db(page, &page->results->networks[field->what].outcome[field->side]);
}

static void write_filter(struct page *page, const struct field *field)
{
    const struct baseline_result *f = &page->results->baselines[field->what];
    write_outcome(page, &f->outcome[field->side], f->name);
}

static void write_filter_db(struct page *page, const struct field *field)
{
    write_db(page, &page->results->baselines[field->what].outcome[field->side]);
}

static void write_filter_name(struct page *page, const struct field *field)
{
    const char *name = page->results->baselines[field->what].name;
    fprintf(page->file, "%c%s", name[0] >= 'a' && name[0] <= 'z' ? name[0] - 'a' + 'A' : name[0],
            name + 1);
}

static void write_samples(struct page *page, const struct field *field)
{
    (void)field;
    if (page->results->networks[VAE].have) {
        write_picture(page, page->results->vae.samples, SHOWN, "faces from codes drawn at random");
    } else {
        fputs("<p class=\"quiet\">Not trained yet.</p>", page->file);
    }
}

/* ---- Curves ---------------------------------------------------------------------------------- */

static void write_chart(struct page *page, const struct field *field)
{
    if (charts_write(page->results, (enum charts)field->what, page->file) != DONE) {
        page->result = FAILED;
    }
}

/* ---- Tables ---------------------------------------------------------------------------------- */

static void write_verdicts(struct page *page, const struct field *field)
{
    struct verdict verdicts[VERDICTS];
    (void)field;
    verdicts_find(page->results, verdicts);
    fputs("<div class=\"wide\"><table class=\"verdicts\"><tbody>\n", page->file);
    for (size_t i = 0; i < VERDICTS; i++) {
        fprintf(page->file,
                "<tr><th scope=\"row\">%s</th><td><span class=\"ruling\">%s.</span> %s</td></tr>\n",
                verdicts[i].claim, verdict_word(verdicts[i].ruling), verdicts[i].evidence);
    }
    fputs("</tbody></table></div>\n", page->file);
}

static void write_compress_table(struct page *page, const struct field *field)
{
    (void)field;
    table_compress(page->results, page->file);
}

static void write_denoise_table(struct page *page, const struct field *field)
{
    (void)field;
    table_denoise(page->results, page->file);
}

static void write_vae_table(struct page *page, const struct field *field)
{
    (void)field;
    table_vae(page->results, page->file);
}

/* ---- The page -------------------------------------------------------------------------------- */

#define NETWORK_FIELDS(name, number)                         \
    {name "_train", write_network, number, TRAIN},           \
        {name "_unseen", write_network, number, UNSEEN},     \
        {name "_train_db", write_network_db, number, TRAIN}, \
    {                                                        \
        name "_unseen_db", write_network_db, number, UNSEEN  \
    }

#define FILTER_FIELDS(name, number)                                                               \
    {name "_train", write_filter, number, TRAIN}, {name "_unseen", write_filter, number, UNSEEN}, \
        {name "_train_db", write_filter_db, number, TRAIN},                                       \
        {name "_unseen_db", write_filter_db, number, UNSEEN},                                     \
    {                                                                                             \
        name "_name", write_filter_name, number, UNSEEN                                           \
    }

static const struct field fields[] = {
    {"style", write_style, 0, TRAIN},
    {"epochs", write_setting, EPOCHS, TRAIN},
    {"train_len", write_setting, TRAIN_LEN, TRAIN},
    {"test_len", write_setting, TEST_LEN, TRAIN},
    {"batch", write_setting, BATCH, TRAIN},
    {"seed", write_seed, 0, TRAIN},
    {"sigma", write_setting, SIGMA, TRAIN},
    {"pixels", write_setting, RAW, TRAIN},
    {"verdicts", write_verdicts, 0, TRAIN},
    {"faces_train", write_faces, 0, TRAIN},
    {"faces_unseen", write_faces, 0, UNSEEN},
    NETWORK_FIELDS("sae_compress", SAE_COMPRESS),
    NETWORK_FIELDS("cae_compress", CAE_COMPRESS),
    NETWORK_FIELDS("sae_denoise", SAE_DENOISE),
    NETWORK_FIELDS("cae_denoise", CAE_DENOISE),
    NETWORK_FIELDS("vae", VAE),
    FILTER_FIELDS("noisy", NOISY),
    FILTER_FIELDS("blur", BLUR),
    FILTER_FIELDS("nlm", NON_LOCAL),
    {"compress_by_epoch", write_chart, COMPRESS_BY_EPOCH, TRAIN},
    {"compress_by_second", write_chart, COMPRESS_BY_SECOND, TRAIN},
    {"denoise_by_epoch", write_chart, DENOISE_BY_EPOCH, TRAIN},
    {"denoise_by_second", write_chart, DENOISE_BY_SECOND, TRAIN},
    {"vae_by_epoch", write_chart, VAE_BY_EPOCH, TRAIN},
    {"compress_table", write_compress_table, 0, TRAIN},
    {"denoise_table", write_denoise_table, 0, TRAIN},
    {"vae_table", write_vae_table, 0, TRAIN},
    {"pca_words", write_pca_words, 0, TRAIN},
    {"vae_words", write_vae_words, 0, TRAIN},
    {"vae_samples", write_samples, 0, TRAIN},
    {"machine", write_machine, 0, TRAIN},
    {"command", write_command, 0, TRAIN},
};

static void write_field(struct page *page, const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strlen(fields[i].name) == len && memcmp(fields[i].name, name, len) == 0) {
            fields[i].write(page, &fields[i]);
            return;
        }
    }
    page->result = fail("page.html: $%.*s is no field", (int)len, name);
}

static void write_page(struct page *page)
{
    for (const char *text = page_text; *text != '\0';) {
        const size_t plain = strcspn(text, "$");
        fwrite(text, 1, plain, page->file);
        text += plain;
        if (*text == '$') {
            const size_t len = strspn(++text, "abcdefghijklmnopqrstuvwxyz_");
            write_field(page, text, len);
            text += len;
        }
    }
}

int report_save(const struct results *results, const char *command)
{
    struct output output;
    char *path = study_path(results->study, "report", ".html");
    int result = path != NULL ? output_open(&output, path) : fail("report.html: out of memory");
    if (result == DONE) {
        struct page page = {results, command, output.file, DONE};
        write_page(&page);
        result = output_end(&output, page.result);
    }
    free(path);
    return result;
}
