/*
 * Saturating arithmetic on sizes: the one place where sizes from callers and files are multiplied
 * and added. A sum or product that is more than a size_t holds is SIZE_MAX, which stands for "more
 * than any memory holds": it stays so under further sums and products by more than 0, and is above
 * every limit. Caps come first: a cap turns a product into one that cannot overflow, and gives the
 * better message.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_BASE_SIZE_H
#define CAE_BASE_SIZE_H

#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

static inline size_t cae_size_add(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

static inline size_t cae_size_mul(size_t a, size_t b)
{
    return b != 0 && a > SIZE_MAX / b ? SIZE_MAX : a * b;
}

static inline size_t cae_size_mul4(size_t a, size_t b, size_t c, size_t d)
{
    return cae_size_mul(cae_size_mul(a, b), cae_size_mul(c, d));
}

/* `size` rounded up to a multiple of `unit`, a power of two. */
static inline size_t cae_size_align(size_t size, size_t unit)
{
    return size > SIZE_MAX - (unit - 1) ? SIZE_MAX : (size + unit - 1) & ~(unit - 1);
}

static inline size_t cae_size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t cae_size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

static inline size_t cae_div_up(size_t a, size_t b)
{
    CAE_ASSERT(b != 0);
    return a / b + (a % b != 0);
}

#endif
