/*
 * Ranges of the code from images. Several threads hand in rows at once. The smallest and the
 * largest value do not depend on their order, so each channel's are kept in a pair of atomics, and
 * a thread writes only where its row extends them.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "image/compress.h"

#include <float.h>
#include <stdatomic.h>
#include <string.h>

#include "base/status.h"

/* A channel's range so far, as keys. */
struct channel {
    _Atomic uint32_t low, high;
};

static const uint32_t SIGN = 0x80000000u;

/* Whole numbers in the order of the floats they stand for: those below 0 turned round, all others
 * above them (IEEE 754 binary32; no NaN comes here). */
static uint32_t key_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return (bits & SIGN) != 0 ? ~bits : bits | SIGN;
}

static float value_of(uint32_t key)
{
    const uint32_t bits = (key & SIGN) != 0 ? key & ~SIGN : ~key;
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void extend(struct channel *channel, uint32_t low, uint32_t high)
{
    uint32_t known = atomic_load_explicit(&channel->low, memory_order_relaxed);
    while (low < known &&
           !atomic_compare_exchange_weak_explicit(&channel->low, &known, low, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
    known = atomic_load_explicit(&channel->high, memory_order_relaxed);
    while (high > known &&
           !atomic_compare_exchange_weak_explicit(&channel->high, &known, high,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

/* A value that is not finite fails the run, so what becomes of it here does not matter. */
static void gather_range(void *to, size_t n, size_t c, size_t y, size_t x0, size_t x1,
                         const float *row)
{
    struct channel *channels = to;
    float low = FLT_MAX;
    float high = -FLT_MAX;
    (void)n;
    (void)y;
    for (size_t x = 0; x < x1 - x0; x++) {
        /* Adding +0 turns -0 into it, as training does. */
        const float value = row[x] + 0.0f;
        low = value < low ? value : low;
        high = value > high ? value : high;
    }
    extend(&channels[c], key_of(low), key_of(high));
}

int cae_image_fit(const cae_engine *e, const float *images, size_t count, size_t height,
                  size_t width, const cae_ranges *out)
{
    const cae_memory *memory = e->net->memory;
    const cae_planar source = {images, e->net->input.c, height, width};
    struct channel *channels = NULL;
    cae_run *run = NULL;
    int status = cae_run_new(&run, e, CAE_ENCODE, false, count, height, width);
    if (status == CAE_OK) {
        status = cae_planar_check(&source, count, "images");
    }
    if (status == CAE_OK) {
        status = cae_run_fit(run, out->channels * sizeof(*channels));
    }
    if (status != CAE_OK) {
        goto done;
    }
    channels = cae_alloc(memory, out->channels, sizeof(*channels));
    if (channels == NULL) {
        status = CAE_E_NOMEM;
        goto done;
    }
    for (size_t c = 0; c < out->channels; c++) {
        atomic_init(&channels[c].low, key_of(FLT_MAX));
        atomic_init(&channels[c].high, key_of(-FLT_MAX));
    }
    status =
        cae_run_infer(run, cae_source_planar(&source), (cae_sink){gather_range, channels, 0, 0});
    if (status != CAE_OK) {
        goto done;
    }
    for (size_t c = 0; c < out->channels; c++) {
        out->lo[c] = value_of(atomic_load_explicit(&channels[c].low, memory_order_relaxed));
        out->hi[c] = value_of(atomic_load_explicit(&channels[c].high, memory_order_relaxed));
    }

done:
    cae_release(memory, channels);
    cae_run_free(run);
    return status;
}
