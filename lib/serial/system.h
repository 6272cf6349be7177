/*
 * The few things that source.c and atomic.c share about the operating system: a failed call put
 * into words that depend on no locale.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_SYSTEM_H
#define CAE_SERIAL_SYSTEM_H

/* CAE_E_IO with the words "<meaning of the errno value>: cannot <verb> <path>", in
 * this order because a long path is cut. */
int cae_fail_system(const char *verb, int error, const char *path);

#endif
