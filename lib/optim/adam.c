/*
 * Adam's update over blocks of the weights; see adam.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "optim/adam.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>

#include "base/floats.h"
#include "base/size.h"
#include "base/status.h"

enum {
    BLOCK = 1 << 14,     /* even the smallest preset's weights are several */
    WORKER_LEN = 1 << 18 /* fewer parameters are updated before a thread has started */
};

/* x^n by repeated squaring: multiplications alone, the same everywhere. */
static double power(double x, uint64_t n)
{
    double result = 1;
    for (; n > 0; n >>= 1) {
        if (n & 1) {
            result *= x;
        }
        x *= x;
    }
    return result;
}

static cae_adam_step scalars(const cae_adam *a, uint64_t t)
{
    return (cae_adam_step){
        .beta1 = (float)a->beta1,
        .one_minus_beta1 = (float)(1 - a->beta1),
        .beta2 = (float)a->beta2,
        .one_minus_beta2 = (float)(1 - a->beta2),
        .step = (float)(a->learning_rate / (1 - power(a->beta1, t))),
        .v_scale = (float)(1 / sqrt(1 - power(a->beta2, t))),
        .epsilon = (float)a->epsilon,
        .decay = (float)(1 - a->learning_rate * a->weight_decay),
    };
}

struct update {
    cae_adam_step *scalars;
    cae_adam_state *state;
    const float *gradient;
    const cae_kernels *kernels;
    bool write;
    atomic_bool overflowed;
};

static void update_block(void *arg, size_t block, size_t worker)
{
    struct update *u = arg;
    const size_t at = block * BLOCK;
    const size_t len = cae_size_min(BLOCK, u->state->len - at);
    (void)worker;
    if (!u->kernels->adam(u->scalars, u->state->weights + at, u->state->m + at, u->state->v + at,
                          u->gradient + at, len, u->write)) {
        atomic_store_explicit(&u->overflowed, true, memory_order_relaxed);
    }
}

size_t cae_adam_workers(size_t len, size_t threads)
{
    return cae_size_max(1, cae_size_min(threads, len / WORKER_LEN));
}

/* ---- Updates that need no dry run ------------------------------------------------------------ */

static cae_adam_bounds scan(const cae_adam_state *a)
{
    bool negative = false;
    for (size_t i = 0; i < a->len; i++) {
        negative |= a->v[i] < 0;
    }
    return (cae_adam_bounds){.w = (double)cae_largest(a->weights, a->len),
                             .m = (double)cae_largest(a->m, a->len),
                             .v = negative ? (double)INFINITY : (double)cae_largest(a->v, a->len),
                             .known = true};
}

/*
 * The update of kernels.h on magnitudes. Every float operation there is off by at most one part in
 * 2^24 or, below FLT_MIN, by less than FLT_MIN, so `up` bounds what a chain of three of them gives.
 * sqrt(v') >= 0 makes the divisor at least epsilon. A divisor that is infinite does no harm.
 */
static double up(double x)
{
    return x * (1 + 0x1p-20) + (double)FLT_MIN;
}

static cae_adam_bounds after(const cae_adam_step *s, const cae_adam_bounds *b, double g)
{
    const double m = up((double)s->beta1 * b->m + (double)s->one_minus_beta1 * g);
    const double v = up((double)s->beta2 * b->v + (double)s->one_minus_beta2 * g * g);
    const double change = up((double)s->step * up(m / (double)s->epsilon));
    const double w = up(fabs((double)s->decay) * b->w + change);
    return (cae_adam_bounds){.w = w, .m = m, .v = v, .known = true};
}

/* Whether all that the update computes on the way is finite; NaN says no. */
static bool all_fit(const cae_adam_step *s, const cae_adam_bounds *b, double g)
{
    const double most = (double)FLT_MAX / 2;
    return g < most && b->v < most && b->m / (double)s->epsilon < most / 2 && b->w < most;
}

bool cae_adam_begin(const cae_adam *adam, cae_adam_state *state, double largest,
                    cae_adam_step *scalars_out)
{
    const cae_adam_step s = scalars(adam, state->step + 1);
    const double g = up(largest);
    cae_adam_bounds next = after(&s, &state->bounds, g);
    if (!state->bounds.known || !all_fit(&s, &next, g)) {
        state->bounds = scan(state);
        next = after(&s, &state->bounds, g);
    }
    if (!all_fit(&s, &next, g)) {
        return false;
    }
    state->bounds = next;
    state->step++;
    *scalars_out = s;
    return true;
}

void cae_adam_update(const cae_adam_step *s, cae_adam_state *state, size_t at,
                     const float *gradient, size_t len, const cae_kernels *kernels)
{
    (void)kernels->adam(s, state->weights + at, state->m + at, state->v + at, gradient, len, true);
}

/* ---- A whole update -------------------------------------------------------------------------- */

/* Whether the next step is known to end in finite numbers: by a bound, or by a dry run. */
static int begin(const cae_adam *adam, struct update *u, float largest, size_t blocks,
                 cae_team *team)
{
    cae_adam_state *state = u->state;
    if (cae_adam_begin(adam, state, (double)largest, u->scalars)) {
        return CAE_OK;
    }
    *u->scalars = scalars(adam, state->step + 1);
    cae_team_run(team, blocks, update_block, u);
    if (atomic_load(&u->overflowed)) {
        return cae_fail(CAE_E_NONFINITE, "step %llu would make a weight or a moment overflow",
                        (unsigned long long)(state->step + 1));
    }
    state->step++;
    state->bounds.known = false;
    return CAE_OK;
}

int cae_adam_apply(const cae_adam *adam, cae_adam_state *state, const float *gradient,
                   float largest, const cae_kernels *kernels, cae_team *team)
{
    cae_adam_step s;
    struct update u = {.scalars = &s, .state = state, .gradient = gradient, .kernels = kernels};
    const size_t blocks = cae_div_up(state->len, BLOCK);
    atomic_init(&u.overflowed, false);
    CAE_TRY(begin(adam, &u, largest, blocks, team));
    u.write = true;
    cae_team_run(team, blocks, update_block, &u);
    return CAE_OK;
}
