/*
 * How many processors the control groups of this process allow: containers get a share of a machine
 * by a quota of processor time, which an affinity mask does not show. Supported are Linux's cgroup
 * v2, v1 and both at once. On other systems, and where files are missing or malformed, there is no
 * quota.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_QUOTA_H
#define CAE_SERIAL_QUOTA_H

#include <stddef.h>

/* The smallest quota of the process's group and all groups above it that can be seen, in
 * processors, rounded up: at least 1, SIZE_MAX for none. The folder `root` contains proc and what
 * it names: "" for the system's own. Does not change errno. */
size_t cae_quota_processors(const char *root);

#endif
