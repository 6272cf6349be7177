/*
 * The ranges of the code, and the id; see code.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "model/code.h"

#include "base/bytes.h"
#include "base/status.h"
#include "image/fit.h"
#include "model/file.h"

int cae_model_fit_code(cae_model *m, const float *images, size_t count, size_t height, size_t width)
{
    cae_ranges fresh = {0};
    CAE_TRY(cae_ranges_make(&fresh, m->memory, m->ranges.channels));
    const cae_engine engine = cae_model_engine(m, m->exact);
    const int status = cae_image_fit(&engine, images, count, height, width, &fresh);
    if (status == CAE_OK) {
        cae_ranges_copy(&m->ranges, &fresh);
        cae_ranges_copy(&m->recent, &fresh); /* or the next epoch would begin with less */
        cae_model_ranges_changed(m);
    }
    cae_ranges_free(&fresh, m->memory);
    return status;
}

static int write_id(void *to, const cae_memory *memory, const cae_file_model *file)
{
    return cae_model_file_id(memory, file, to);
}

int cae_model_id(const cae_model *m, uint8_t id[CAE_IMAGE_ID])
{
    uint32_t value;
    if (atomic_load_explicit(&m->id->known, memory_order_acquire)) {
        value = atomic_load_explicit(&m->id->value, memory_order_relaxed);
    } else {
        CAE_TRY(cae_model_write(m, 0, write_id, &value));
        atomic_store_explicit(&m->id->value, value, memory_order_relaxed);
        atomic_store_explicit(&m->id->known, true, memory_order_release);
    }
    cae_store_u32(id, value);
    return CAE_OK;
}
