/*
 * CAE_ASSERT states an internal contract: a condition that holds whatever a caller passes or a file
 * contains. Bad input gets a status and never reaches an assertion that fails. Builds with the
 * option `assertions` check each one and trap where it fails; in all others the condition is
 * compiled, not evaluated, and leaves nothing behind. The condition has no side effects.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_BASE_ASSERT_H
#define CAE_BASE_ASSERT_H

#if defined(CAE_ASSERTIONS)
#define CAE_ASSERT(condition) ((condition) ? (void)0 : __builtin_trap())
#else
#define CAE_ASSERT(condition) ((void)sizeof((condition) ? 1 : 0))
#endif

#endif
