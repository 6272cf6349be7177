/*
 * One model on all ranks: see state.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "model.h"
#include "random.h"

/* ---- The start ------------------------------------------------------------------------------- */

/* On rank 0 alone. */
static int make_or_load(struct state *s, const struct origin *origin)
{
    if (model_make(&s->model, origin->name, origin->seed) != DONE ||
        model_shape(s->model, origin->name, s->shape) != DONE) {
        return FAILED;
    }
    return origin->resume ? model_resume(&s->model, origin->out, origin->name) : DONE;
}

/* The whole state as the bytes of a file, which the caller frees. */
static int to_bytes(const cae_model *model, uint8_t **bytes, size_t *size)
{
    int status = cae_model_save_memory(model, NULL, 0, size, CAE_SAVE_TRAINING);
    *bytes = status == CAE_OK ? malloc(*size) : NULL;
    if (status == CAE_OK && *bytes == NULL) {
        return fail("the model: out of memory for %zu bytes", *size);
    }
    if (status == CAE_OK) {
        status = cae_model_save_memory(model, *bytes, *size, size, CAE_SAVE_TRAINING);
    }
    return status == CAE_OK ? DONE : fail("the model: %s", cae_last_error());
}

/* Rank 0's model to all: a checkpoint need not be readable, nor an architecture text, on others. */
static int hand_out(struct state *s)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    int result = s->ranks.rank == 0 ? to_bytes(s->model, &bytes, &size) : DONE;
    ranks_copy(&size, sizeof size);
    if (s->ranks.rank != 0 && (bytes = malloc(size)) == NULL) {
        result = fail("the model: out of memory for %zu bytes", size);
    }
    result = ranks_agree(result);
    if (result == DONE) {
        ranks_copy(bytes, size);
        if (s->ranks.rank != 0 && cae_model_load_memory(&s->model, bytes, size) != CAE_OK) {
            result = fail("rank 0's model: %s", cae_last_error());
        }
    }
    free(bytes);
    return ranks_agree(result);
}

static int make_sums(struct state *s, size_t own_parts)
{
    size_t levels = 1;
    for (size_t parts = own_parts; parts > 1; parts /= 2) {
        levels++;
    }
    if (levels == 1 && s->ranks.count > 1) {
        levels = 2; /* the second is ranks_sum()'s scratch */
    }
    for (size_t i = 0; i < levels; i++) {
        s->sums[i] = calloc(ranks_room(&s->ranks, s->len), sizeof *s->sums[i]);
        if (s->sums[i] == NULL) {
            return fail("the gradient: out of memory");
        }
    }
    s->gradient = s->sums[0];
    s->scratch = s->sums[1];
    return DONE;
}

int state_start(struct state *s, const struct ranks *ranks, const struct origin *origin,
                size_t own_parts)
{
    s->ranks = *ranks;
    if (ranks_agree(ranks->rank == 0 ? make_or_load(s, origin) : DONE) != DONE ||
        hand_out(s) != DONE) {
        return FAILED;
    }
    ranks_copy(s->shape, sizeof s->shape);
    s->samples = model_is_sampled(s->model);
    s->len = (size_t)model_get(s->model, "parameters") + 1;
    return ranks_agree(make_sums(s, own_parts));
}

void state_free(struct state *s)
{
    cae_model_free(s->model);
    for (size_t i = 0; i < STATE_LEVELS; i++) {
        free(s->sums[i]);
    }
    *s = (struct state){0};
}

/* Hosts with processors of different kinds would round differently, not in the gradient, where it
 * would not matter, but in the update. The kernels that a reproducible model may use are alike. */
static int check_kernels(const struct state *s, bool reproducible)
{
    char words[64];
    snprintf(words, sizeof words, "libcae %s, kernels %s", cae_version_string(),
             reproducible ? "for --reproducible" : cae_model_kernels(s->model));
    char first[sizeof words];
    memcpy(first, words, sizeof words);
    ranks_copy(first, sizeof first);
    return strcmp(first, words) == 0
               ? DONE
               : fail("this is %s, rank 0 has %s: their last bits may differ; --reproducible makes "
                      "processors of all kinds compute alike",
                      words, first);
}

int state_set(struct state *s, double learning_rate, size_t threads, bool reproducible)
{
    int result = DONE;
    if (model_set(s->model, "learning_rate", learning_rate) != DONE ||
        model_set(s->model, "threads", (double)threads) != DONE ||
        model_set(s->model, "reproducible", reproducible) != DONE) {
        result = FAILED;
    }
    const int same = check_kernels(s, reproducible);
    return ranks_agree(result == DONE ? same : result);
}

/* ---- A step ---------------------------------------------------------------------------------- */

static int copy_weights(cae_model *to, const cae_model *from, float *scratch)
{
    int status = CAE_OK;
    for (size_t i = 0; status == CAE_OK && i < cae_tensor_count(from); i++) {
        size_t shape[4];
        status = cae_tensor_info(from, i, NULL, shape, NULL);
        const size_t len = shape[0] * shape[1] * shape[2] * shape[3];
        if (status == CAE_OK) {
            status = cae_tensor_get(from, i, scratch, len);
        }
        if (status == CAE_OK) {
            status = cae_tensor_set(to, i, scratch, len);
        }
    }
    return status;
}

/*
 * A sampled code is drawn by the model's seed, its step and the image's place in the call, so parts
 * that are computed with one seed would draw the same numbers for different images. All but the
 * first are therefore computed with a model that lives for one step: a seed for each part and step,
 * the weights of all. A lasting model with a seed of its own would do until a restart, which loads
 * the one seed of the checkpoint. `scratch` has room for the largest tensor.
 */
static int make_sampler(const struct state *s, uint64_t seed, float *scratch, cae_model **sampler)
{
    int status = cae_model_new(sampler, cae_model_architecture(s->model), seed);
    for (size_t i = 0; status == CAE_OK; i++) {
        const char *key = NULL;
        double value = 0;
        if (cae_setting_info(i, &key, NULL, NULL, NULL) != CAE_OK) {
            break;
        }
        status = cae_model_get(s->model, key, &value);
        if (status == CAE_OK) {
            status = cae_model_set(*sampler, key, value);
        }
    }
    return status == CAE_OK ? copy_weights(*sampler, s->model, scratch) : status;
}

/* A part of the batch at hand: its number, its images among this rank's, its gradient. */
struct part {
    size_t number, count, start;
    float *sum;
};

static int gradient_of(const struct state *s, cae_model *model, const struct share *share,
                       const struct part *part)
{
    const struct train_data *d = &share->data;
    const size_t at = part->start * d->channels * d->height * d->width;
    float *loss = &part->sum[s->len - 1];
    const int status =
        d->takes_noise
            ? cae_train_gradient_sigma(model, d->input + at, d->target + at, d->sigma + part->start,
                                       part->count, d->height, d->width, loss)
            : cae_train_gradient(model, d->input + at, d->target + at, part->count, d->height,
                                 d->width, loss);
    return status == CAE_OK ? cae_gradient_get(model, part->sum, s->len - 1) : status;
}

/* The mean over the part's images, times the weight that these have in the batch. */
static int part_gradient(const struct state *s, const struct share *share, const struct part *part,
                         uint64_t step)
{
    cae_model *sampler = NULL;
    int status = CAE_OK;
    if (s->samples && part->number > 0) {
        const uint64_t seed = random_bits(share->data.seed, RANDOM_PART, part->number, step);
        status = make_sampler(s, seed, part->sum, &sampler);
    }
    if (status == CAE_OK) {
        status = gradient_of(s, sampler != NULL ? sampler : s->model, share, part);
    }
    cae_model_free(sampler);
    if (status != CAE_OK) {
        return fail("step %llu: %s%s", (unsigned long long)step + 1, cae_last_error(),
                    status == CAE_E_NONFINITE ? ": the training diverged; a smaller --lr may help"
                                              : "");
    }
    const float weight = (float)((double)part->count / (double)share->total);
    for (size_t i = 0; i < s->len; i++) {
        part->sum[i] *= weight;
    }
    return DONE;
}

/*
 * Adds up `parts` parts of the batch, a power of two, into s->sums[level]: the first half there,
 * the second in the next level; each uses the levels behind its own. So a tree of 2^k parts needs
 * k + 1 sums and not 2^k.
 */
static int sum_parts(const struct state *s, const struct share *share, size_t first, size_t parts,
                     size_t level, uint64_t step)
{
    float *sum = s->sums[level];
    if (parts > 1) {
        if (sum_parts(s, share, first, parts / 2, level, step) != DONE ||
            sum_parts(s, share, first + parts / 2, parts / 2, level + 1, step) != DONE) {
            return FAILED;
        }
        for (size_t i = 0; i < s->len; i++) {
            sum[i] += s->sums[level + 1][i];
        }
        return DONE;
    }
    const struct part part = {first, share_part_count(share, first), share_part_start(share, first),
                              sum};
    if (part.count == 0) { /* more parts than images in this batch: nothing to add */
        memset(sum, 0, s->len * sizeof *sum);
        return DONE;
    }
    return part_gradient(s, share, &part, step);
}

int state_gradient(struct state *s, const struct share *share, uint64_t step)
{
    return sum_parts(s, share, share->first_part, share->own_parts, 0, step);
}

int state_fit_code(struct state *s, const struct share *share)
{
    float *images = NULL;
    size_t count = 0, shape[3];
    /* Without a code that stands alone there is nothing to compress, and no ranges. */
    if (cae_code_shape(s->model, s->shape[1], s->shape[2], shape) == CAE_E_UNSUPPORTED) {
        return DONE;
    }
    int result = share_gather(share, &images, &count);
    if (result == DONE &&
        cae_fit_code(s->model, images, count, s->shape[1], s->shape[2]) != CAE_OK) {
        result = fail("the code's ranges: %s", cae_last_error());
    }
    free(images);
    return ranks_agree(result);
}

int state_apply(struct state *s, uint64_t step)
{
    int status = cae_gradient_set(s->model, s->gradient, s->len - 1);
    if (status == CAE_OK) {
        status = cae_train_apply(s->model);
    }
    /* All ranks look at the same numbers and refuse them alike: one voice is enough. */
    if (status == CAE_E_NONFINITE && s->ranks.rank == 0) {
        fail("step %llu: the training diverged (%s); a smaller --lr may help",
             (unsigned long long)step + 1, cae_last_error());
    } else if (status != CAE_OK && status != CAE_E_NONFINITE) {
        fail("step %llu: %s", (unsigned long long)step + 1, cae_last_error());
    }
    return ranks_agree(status == CAE_OK ? DONE : FAILED);
}

float state_loss(const struct state *s)
{
    return s->gradient[s->len - 1];
}

/* ---- Checks ---------------------------------------------------------------------------------- */

int state_check_same(const struct state *s)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    int result = ranks_agree(to_bytes(s->model, &bytes, &size));
    if (result == DONE && !ranks_same(random_from_bytes((const char *)bytes, size))) {
        result = fail("step %.0f: the weights here are not those of rank 0: a fault of memory, "
                      "processor or network; nothing is saved",
                      model_get(s->model, "step"));
    }
    free(bytes);
    return ranks_agree(result);
}
