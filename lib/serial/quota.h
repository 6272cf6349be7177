/*
 * How many processors the control groups of this process leave it: containers are given a share of
 * a machine by a quota of processor time, which an affinity mask does not show. Linux, cgroup v2,
 * v1 and both at once; elsewhere, and where files are missing or odd, there is no quota.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_QUOTA_H
#define CAE_SERIAL_QUOTA_H

#include <stddef.h>

/* The smallest quota of the process's group and all groups above it that can be seen, in
 * processors, rounded up: at least 1, SIZE_MAX for none. Below the folder `root` stand proc and
 * what it names: "" for the system's own. Leaves errno alone. */
size_t cae_quota_processors(const char *root);

#endif
