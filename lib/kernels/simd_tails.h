/*
 * Tail masks for tiers without masked loads; included by their simd_*.h, behind v_load and
 * v_store.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
/* The first n lanes, 1 <= n <= LANES; the others are 0 and are not stored. */
typedef size_t v_mask;

static inline v_mask v_mask_of(size_t n)
{
    return n;
}

static inline vec v_load_masked_u32(const uint32_t *p, const v_mask *n)
{
    uint32_t lanes[LANES] = {0};
    for (size_t i = 0; i < *n; i++) {
        lanes[i] = p[i];
    }
    return v_load_u32(lanes);
}

static inline void v_store_masked(float *p, vec v, const v_mask *n)
{
    float lanes[LANES];
    v_store(lanes, v);
    for (size_t i = 0; i < *n; i++) {
        p[i] = lanes[i];
    }
}
