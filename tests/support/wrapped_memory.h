/*
 * The library's allocations, counted and made to fail. The program is linked with
 * --wrap=posix_memalign and --wrap=free against the library's objects, so that this also works
 * under sanitizers and valgrind; that the library allocates in no other way is a rule with a test
 * of its own. Other blocks pass through untouched.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TESTS_SUPPORT_WRAPPED_MEMORY_H
#define CAE_TESTS_SUPPORT_WRAPPED_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* The allocation number `at` from now (counted from 1) fails, and with `on` all later ones too.
 * 0: none fails. Sets the count and the peak anew. */
void memory_fail(size_t at, bool on);

size_t memory_calls(void);  /* since memory_fail */
size_t memory_blocks(void); /* alive */
size_t memory_size(void);   /* their bytes */
size_t
memory_peak(void); /* the most bytes alive at once since memory_fail, above those alive then */

#endif
