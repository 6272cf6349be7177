/*
 * Gradients of every layer against central differences of a forward pass in double that shares no
 * line with the library: for each tensor, max |g - g'| / max |g'| <= 1e-4. A difference quotient
 * says nothing where a kink (relu at 0, a tie of maxima) lies between its ends, so weights are
 * drawn until the network is away from all kinks, and the step is shortened until none lies within.
 *
 * The table must name every layer that the library knows: this is the one contract test that looks
 * inside, at the table of layers.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "contract.h"
#include "gradient_nets.h"
#include "latent/latent.h"
#include "reference_net.h"

/* One network at work in both writings. */
struct pair {
    const struct gradient_net *row;
    cae_model *model;
    net twin;
    size_t parameters;
    double *weights; /* as in the model, in file order */
    float *gradient;
    float *input, *target;
    size_t image_len;
    double *eps;  /* of a sampled code; NULL: none */
    float *sigma; /* of a network that takes noise levels; NULL: none */
};

static int gradient_of(struct pair *p, float *loss)
{
    const struct gradient_net *row = p->row;
    return p->sigma != NULL ? cae_train_gradient_sigma(p->model, p->input, p->target, p->sigma,
                                                       row->count, row->height, row->width, loss)
                            : cae_train_gradient(p->model, p->input, p->target, row->count,
                                                 row->height, row->width, loss);
}

static int evaluate(struct pair *p, float *loss)
{
    const struct gradient_net *row = p->row;
    return p->sigma != NULL ? cae_evaluate_sigma(p->model, p->input, p->target, p->sigma,
                                                 row->count, row->height, row->width, loss)
                            : cae_evaluate(p->model, p->input, p->target, row->count, row->height,
                                           row->width, loss);
}

static size_t tensor_len(const cae_model *m, size_t index)
{
    size_t shape[4];
    size_t rank;
    OK(cae_tensor_info(m, index, NULL, shape, &rank));
    return shape[0] * shape[1] * shape[2] * shape[3];
}

/* Points the twin's layers at the weights, by the tensors' names. */
static void bind_weights(struct pair *p)
{
    size_t offset = 0;
    for (size_t t = 0; t < cae_tensor_count(p->model); t++) {
        const char *name = NULL;
        OK(cae_tensor_info(p->model, t, &name, NULL, NULL));
        bool found = false;
        for (size_t i = 0; i < p->twin.layer_len; i++) {
            net_layer *l = &p->twin.layers[i];
            char weight[32], bias[32];
            snprintf(weight, sizeof(weight), "%zu.weight", l->module);
            snprintf(bias, sizeof(bias), "%zu.bias", l->module);
            const bool has = l->kind < NET_ADD; /* a number of its own */
            if (has && strcmp(name, weight) == 0) {
                l->weight = p->weights + offset;
                found = true;
            } else if (has && strcmp(name, bias) == 0) {
                l->bias = p->weights + offset;
                found = true;
            }
        }
        EXPECT_SAID(found, "no layer should have a tensor %s", name);
        offset += tensor_len(p->model, t);
    }
    EXPECT(offset == p->parameters);
}

static void fetch_weights(struct pair *p)
{
    float *values = need(p->parameters, sizeof(*values));
    size_t offset = 0;
    for (size_t t = 0; t < cae_tensor_count(p->model); t++) {
        const size_t len = tensor_len(p->model, t);
        OK(cae_tensor_get(p->model, t, values, len));
        for (size_t i = 0; i < len; i++) {
            p->weights[offset + i] = (double)values[i];
        }
        offset += len;
    }
    free(values);
}

static double twin_loss(struct pair *p, net_sides *sides)
{
    return net_loss(&p->twin, p->input, p->target, p->row->count, p->row->height, p->row->width,
                    sides);
}

/* The numbers that docs/numerics.md gives to a step that `step` others came before. */
static void draw_eps(struct pair *p, uint64_t seed, uint64_t step)
{
    const net_size code = p->twin.sizes[p->twin.code];
    const size_t len = p->row->count * code.c * code.h * code.w;
    p->eps = need(len, sizeof(*p->eps));
    for (size_t i = 0; i < len; i++) {
        p->eps[i] = cae_random_normal(seed, (UINT64_C(1) << 32) + step, i);
    }
}

static void open_pair(struct pair *p, const struct gradient_net *row, uint64_t seed)
{
    double parameters = 0;
    *p = (struct pair){.row = row, .model = new_model(row->text, seed)};
    OK(cae_model_get(p->model, "parameters", &parameters));
    p->parameters = (size_t)parameters;
    p->weights = need(p->parameters, sizeof(*p->weights));
    p->gradient = need(p->parameters, sizeof(*p->gradient));
    net_read(&p->twin, row->text);
    net_resize(&p->twin, row->height, row->width);
    p->image_len = p->twin.input.c * row->height * row->width;
    p->input = noise(row->count * p->image_len, seed + 1000);
    p->target = noise(row->count * p->image_len, seed + 2000);
    if (p->twin.noise) {
        p->sigma = need(row->count, sizeof(*p->sigma));
        for (size_t i = 0; i < row->count; i++) {
            p->sigma[i] = 0.4f / (float)(i + 1);
        }
        p->twin.sigma = p->sigma;
    }
    if (strstr(row->text, "code sampled") != NULL) {
        p->twin.kl_weight = 0.3;
        OK(cae_model_set(p->model, "kl_weight", 0.3));
        OK(gradient_of(p, NULL));
        OK(cae_train_apply(p->model));
        draw_eps(p, seed, 1);
        p->twin.eps = p->eps;
    }
    fetch_weights(p);
    bind_weights(p);
}

static void close_pair(struct pair *p)
{
    cae_model_free(p->model);
    net_clear(&p->twin);
    free(p->weights);
    free(p->gradient);
    free(p->input);
    free(p->target);
    free(p->eps);
    free(p->sigma);
}

/* The first seed whose network is so far from every kink that float and double take the same side.
 */
static void open_away_from_kinks(struct pair *p, const struct gradient_net *row)
{
    for (uint64_t seed = 1;; seed++) {
        net_sides sides;
        open_pair(p, row, seed);
        (void)twin_loss(p, &sides);
        if (sides.margin > 3e-6 || seed == 200) {
            EXPECT_SAID(seed < 200, "no seed is away from kinks");
            return;
        }
        close_pair(p);
    }
}

/* d loss / d weight i. */
static double difference(struct pair *p, size_t i, uint64_t side)
{
    const double w = p->weights[i];
    double slope = NAN;
    for (double h = 1e-4; isnan(slope) && h > 1e-8; h /= 4) {
        net_sides above, below;
        p->weights[i] = w + h;
        const double up = twin_loss(p, &above);
        p->weights[i] = w - h;
        const double down = twin_loss(p, &below);
        if (above.hash == side && below.hash == side) {
            slope = (up - down) / (2 * h);
        }
    }
    p->weights[i] = w;
    EXPECT_SAID(!isnan(slope), "weight %zu stands on a kink", i);
    return slope;
}

/* Every weight of a small tensor, an even choice of those of a large one. */
static double worst_error(struct pair *p, size_t offset, size_t len, uint64_t side)
{
    const size_t most = long_run() ? 5000 : 150;
    const size_t step = len > most ? len / most + 1 : 1;
    double worst = 0;
    double largest = 0;
    for (size_t i = offset; i < offset + len; i += step) {
        const double exact = difference(p, i, side);
        worst = fmax(worst, fabs((double)p->gradient[i] - exact));
        largest = fmax(largest, fabs(exact));
    }
    EXPECT_SAID(largest > 1e-7, "a gradient of 0 shows nothing");
    return worst / largest;
}

static void check_gradients(struct pair *p)
{
    net_sides sides;
    (void)twin_loss(p, &sides);
    size_t offset = 0;
    for (size_t t = 0; t < cae_tensor_count(p->model); t++) {
        const size_t len = tensor_len(p->model, t);
        const char *name = NULL;
        OK(cae_tensor_info(p->model, t, &name, NULL, NULL));
        const double error = worst_error(p, offset, len, sides.hash);
        EXPECT_SAID(error <= 1e-4, "the gradient of %s is off by %.2g of its largest", name, error);
        offset += len;
    }
}

/* By how many pixels cae_denoise mirrors the edges of an image. */
static size_t mirrored_by(const struct pair *p)
{
    const size_t unit = p->twin.unit;
    return p->sigma != NULL && strstr(p->row->text, "dense") == NULL ? (7 + unit) / unit * unit : 0;
}

static size_t mirror(size_t i, size_t by, size_t len)
{
    ptrdiff_t at = (ptrdiff_t)i - (ptrdiff_t)by;
    while (at < 0 || at >= (ptrdiff_t)len) {
        at = at < 0 ? -1 - at : 2 * (ptrdiff_t)len - 1 - at;
    }
    return (size_t)at;
}

/* What cae_denoise makes of image k: what the definition makes of it with mirrored edges. */
static void check_output(struct pair *p, size_t k)
{
    const size_t h = p->row->height, w = p->row->width, by = mirrored_by(p);
    const size_t tall = h + 2 * by, wide = w + 2 * by;
    const float *image = p->input + k * p->image_len;
    const float sigma = p->sigma != NULL ? p->sigma[k] : 0;
    float *output = need(p->image_len, sizeof(*output));
    float *extended = need(p->twin.input.c * tall * wide, sizeof(*extended));
    net_sides sides;
    double worst = 0;
    for (size_t i = 0; i < p->twin.input.c * tall * wide; i++) {
        const size_t line = i / (tall * wide) * h + mirror(i / wide % tall, by, h);
        extended[i] = image[line * w + mirror(i % wide, by, w)];
    }
    OK(cae_denoise(p->model, image, 1, h, w, sigma, output));
    net_resize(&p->twin, tall, wide);
    p->twin.level = p->sigma != NULL ? (double)sigma : 1;
    net_forward(&p->twin, extended, tall, wide, &sides);
    const net_size out = p->twin.sizes[p->twin.layer_len];
    for (size_t i = 0; i < p->image_len; i++) {
        const size_t line = i / (h * w) * out.h + i / w % h + by;
        const double exact = p->twin.tensors[p->twin.layer_len][line * out.w + i % w + by];
        worst = fmax(worst, fabs((double)output[i] - exact));
    }
    EXPECT_SAID(worst <= 1e-5, "the output is off by %.2g", worst);
    free(output);
    free(extended);
}

/* The way forward as well: loss and output are those of the definition. */
static void check_forward(struct pair *p, float loss)
{
    const struct gradient_net *row = p->row;
    net_sides sides;
    const double exact = twin_loss(p, &sides);
    EXPECT_SAID(fabs((double)loss - exact) <= 1e-5 * exact, "loss %.9g, exactly %.9g", (double)loss,
                exact);
    /* From here on codes are their means. */
    p->twin.eps = NULL;
    const double still = twin_loss(p, &sides);
    float evaluated = 0;
    OK(evaluate(p, &evaluated));
    EXPECT_SAID(fabs((double)evaluated - still) <= 1e-5 * still, "evaluated %.9g, exactly %.9g",
                (double)evaluated, still);
    EXPECT_SAID(p->eps == NULL || fabs(still - exact) > 1e-4 * exact, "the code was not drawn");
    for (size_t k = 0; k < row->count; k++) {
        check_output(p, k);
    }
    net_resize(&p->twin, row->height, row->width);
    p->twin.eps = p->eps;
}

static void check_row(const struct gradient_net *row, double threads)
{
    struct pair p;
    float loss = 0;
    expect_context("%s, %g threads", row->name, threads);
    open_away_from_kinks(&p, row);
    OK(cae_model_set(p.model, "threads", threads));
    OK(gradient_of(&p, &loss));
    OK(cae_gradient_get(p.model, p.gradient, p.parameters));
    check_forward(&p, loss);
    check_gradients(&p);
    close_pair(&p);
}

static void gradients_are_those_of_the_definition(void)
{
    for (size_t i = 0; i < gradient_net_len; i++) {
        check_row(&gradient_nets[i], i % 3 == 0 ? 3 : 1);
    }
}

/* How many rows have a line that is, or begins with, this. */
static size_t rows_with(const char *line)
{
    char words[2][48];
    size_t rows = 0;
    snprintf(words[0], sizeof(words[0]), "\n%s ", line);
    snprintf(words[1], sizeof(words[1]), "\n%s\n", line);
    for (size_t i = 0; i < gradient_net_len; i++) {
        rows += strstr(gradient_nets[i].text, words[0]) != NULL ||
                strstr(gradient_nets[i].text, words[1]) != NULL;
    }
    return rows;
}

/* A new line of the text needs a row: those of both tables must all be there. */
static void the_table_has_every_layer_and_activation(void)
{
    static const char *const activations[] = {" none", " relu", " leaky", " tanh", " sigmoid"};
    for (const cae_op_type *const *type = cae_op_types; *type != NULL; type++) {
        EXPECT_SAID(rows_with((*type)->word) > 0, "no row has the line %s", (*type)->word);
    }
    for (const cae_latent *const *latent = cae_latents; *latent != NULL; latent++) {
        char line[32];
        snprintf(line, sizeof(line), "code %s", (*latent)->word);
        EXPECT_SAID(rows_with(line) > 0, "no row has the line %s", line);
    }
    for (size_t k = 0; k < 5; k++) {
        size_t rows = 0;
        for (size_t i = 0; i < gradient_net_len; i++) {
            rows += strstr(gradient_nets[i].text, activations[k]) != NULL;
        }
        EXPECT_SAID(rows > 0, "no row has the activation%s", activations[k]);
    }
}

/* That the comparison can fail: one weight of the twin moved by a hundredth. */
static void a_wrong_weight_is_noticed(void)
{
    struct pair p;
    net_sides sides;
    float loss = 0;
    open_away_from_kinks(&p, &gradient_nets[1]);
    OK(gradient_of(&p, &loss));
    OK(cae_gradient_get(p.model, p.gradient, p.parameters));
    (void)twin_loss(&p, &sides);
    const double error = worst_error(&p, 0, p.parameters, sides.hash);
    p.weights[p.parameters / 2] *= 1.01;
    (void)twin_loss(&p, &sides);
    const double wrong = worst_error(&p, 0, p.parameters, sides.hash);
    EXPECT_SAID(error <= 1e-4 && wrong > 1e-4, "%.2g, and with a wrong weight %.2g", error, wrong);
    close_pair(&p);
}

int main(int argc, char **argv)
{
    static const struct contract_test tests[] = {
        TEST(a_wrong_weight_is_noticed),
        TEST(the_table_has_every_layer_and_activation),
        TEST(gradients_are_those_of_the_definition),
    };
    return RUN_TESTS(argc, argv, tests);
}
