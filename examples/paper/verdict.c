/*
 * Claims and evidence: see verdict.h. A claim about quality is judged by the mean squared error,
 * the paper's own measure, on the training faces and on unseen people; the evidence gives the rest.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "verdict.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ADD(v, ...)                                                                              \
    snprintf((v)->evidence + strlen((v)->evidence), sizeof(v)->evidence - strlen((v)->evidence), \
             __VA_ARGS__)

const char *verdict_word(enum ruling ruling)
{
    static const char *const words[] = {"not judged", "held", "held only on the training faces",
                                        "held only on unseen people", "not held"};
    return words[ruling];
}

static enum ruling rule(bool on_train, bool on_unseen)
{
    if (on_unseen) {
        return on_train ? HELD : HELD_ON_UNSEEN;
    }
    return on_train ? HELD_ON_TRAINING : NOT_HELD;
}

static bool have(const struct results *r, size_t a, size_t b)
{
    return r->networks[a].have && r->networks[b].have;
}

/* The network `cae` restores better than the network `sae`. */
static void judge_quality(const struct results *r, size_t sae, size_t cae, struct verdict *v)
{
    const struct outcome *s = r->networks[sae].outcome, *c = r->networks[cae].outcome;
    static const char *const where[SIDES] = {"Training faces", "unseen people"};
    if (!have(r, sae, cae)) {
        return;
    }
    v->ruling = rule(c[TRAIN].mse < s[TRAIN].mse, c[UNSEEN].mse < s[UNSEEN].mse);
    for (enum side side = TRAIN; side < SIDES; side++) {
        ADD(v, "%s%s: MSE %.5f against %.5f, %.2f against %.2f dB, better on %zu of %zu faces",
            side == TRAIN ? "" : "; ", where[side], c[side].mse, s[side].mse, c[side].psnr,
            s[side].psnr, outcome_wins(&c[side], &s[side]), c[side].len);
    }
    ADD(v, ".");
}

static void judge_parameters(const struct results *r, struct verdict *v)
{
    if (!have(r, SAE_COMPRESS, CAE_COMPRESS)) {
        return;
    }
    const double s = r->networks[SAE_COMPRESS].parameters, c = r->networks[CAE_COMPRESS].parameters;
    v->ruling = c < s ? HELD : NOT_HELD;
    ADD(v, "%.0f parameters against %.0f: %.0f times fewer.", c, s, s / c);
}

/* Adds when the curve `c` reaches what `s` ends with; true when it took less time than `s` did to
 * be there first, which may be long before its end. */
static bool add_reach(struct verdict *v, const struct curve *c, const struct curve *s, bool test)
{
    const double goal = results_last(s, test), all = s->points[s->len - 1].cpu_seconds;
    const size_t epoch = results_reach(c, test, goal);
    ADD(v, "%s %.5f: ", test ? " On unseen faces, loss" : "Loss", goal);
    if (epoch == 0) {
        ADD(v, "the SAE's after %.1f s, the CAE's never.", all);
        return false;
    }
    const size_t first = results_reach(s, test, goal);
    const double seconds = c->points[epoch - 1].cpu_seconds;
    ADD(v, "the CAE's in epoch %zu after %.1f s, the SAE's first in epoch %zu after %.1f s.", epoch,
        seconds, first, s->points[first - 1].cpu_seconds);
    return seconds < s->points[first - 1].cpu_seconds;
}

/* The CAE is sooner at the loss that the SAE ends with. */
static void judge_time(const struct results *r, size_t sae, size_t cae, struct verdict *v)
{
    if (!have(r, sae, cae)) {
        return;
    }
    const struct curve *s = &r->networks[sae].curve, *c = &r->networks[cae].curve;
    const bool on_train = add_reach(v, c, s, false);
    v->ruling = rule(on_train, add_reach(v, c, s, true));
}

/* What the paper does not ask: whether the network does better than a filter without training. */
static void judge_filters(const struct results *r, struct verdict *v)
{
    const struct outcome *c = r->networks[CAE_DENOISE].outcome;
    if (!r->networks[CAE_DENOISE].have) {
        return;
    }
    bool beats[SIDES] = {true, true};
    for (enum side side = TRAIN; side < SIDES; side++) {
        for (enum baseline f = BLUR; f < BASELINES; f++) {
            beats[side] = beats[side] && c[side].mse < r->baselines[f].outcome[side].mse;
        }
    }
    v->ruling = rule(beats[TRAIN], beats[UNSEEN]);
    ADD(v, "On unseen people: CAE %.2f dB", c[UNSEEN].psnr);
    if (r->networks[SAE_DENOISE].have) {
        ADD(v, "; SAE %.2f dB", r->networks[SAE_DENOISE].outcome[UNSEEN].psnr);
    }
    for (enum baseline f = NOISY; f < BASELINES; f++) {
        ADD(v, "; %s %.2f dB", r->baselines[f].name, r->baselines[f].outcome[UNSEEN].psnr);
    }
    const bool blur = r->baselines[BLUR].outcome[UNSEEN].mse < c[UNSEEN].mse;
    ADD(v, ". %s",
        blur ? "A plain Gaussian blur beats the network on people it has not seen."
             : "The network beats a plain Gaussian blur.");
}

void verdicts_find(const struct results *results, struct verdict verdicts[VERDICTS])
{
    static const char *const claims[VERDICTS] = {
        "Compression: the CAE restores faces better than the SAE, at the same code size",
        "De-noising: the CAE restores faces better than the SAE",
        "The CAE has far fewer parameters",
        "Compression: the CAE takes less time to the loss that the SAE ends with",
        "De-noising: the CAE takes less time to the loss that the SAE ends with",
        "Not in the paper: the de-noising CAE beats filters that need no training",
        "Not in the paper: the compressed file is smaller than the raw picture",
    };
    for (size_t i = 0; i < VERDICTS; i++) {
        verdicts[i] = (struct verdict){.claim = claims[i]};
    }
    judge_quality(results, SAE_COMPRESS, CAE_COMPRESS, &verdicts[0]);
    judge_quality(results, SAE_DENOISE, CAE_DENOISE, &verdicts[1]);
    judge_parameters(results, &verdicts[2]);
    judge_time(results, SAE_COMPRESS, CAE_COMPRESS, &verdicts[3]);
    judge_time(results, SAE_DENOISE, CAE_DENOISE, &verdicts[4]);
    judge_filters(results, &verdicts[5]);
    if (results->networks[CAE_COMPRESS].have) {
        const struct network_result *c = &results->networks[CAE_COMPRESS];
        verdicts[6].ruling = c->bytes[UNSEEN] < PIXELS ? HELD : NOT_HELD;
        ADD(&verdicts[6],
            "As the paper has it, no: %.0f floats are %.0f bytes, the raw picture %d. Quantised and "
            "deflated the CAE's code takes %.0f bytes on unseen people.",
            c->code_len, 4 * c->code_len, PIXELS, c->bytes[UNSEEN]);
    }
}
