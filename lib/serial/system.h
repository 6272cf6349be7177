/*
 * What source.c and atomic.c share: the message of a failed system call, independent of the locale.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_SYSTEM_H
#define CAE_SERIAL_SYSTEM_H

/* CAE_E_IO with the message "<meaning of the errno value>: cannot <verb> <path>", in this order
 * because a long path is cut. */
int cae_fail_system(const char *verb, int error, const char *path);

#endif
