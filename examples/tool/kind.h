/*
 * What a file is by its first bytes, for messages about one in the wrong place.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_KIND_H
#define CAE_TOOL_KIND_H

#include <stddef.h>
#include <stdint.h>

/* As text ("a PNG image"), or NULL for an unknown kind. */
const char *kind_of_bytes(const uint8_t *data, size_t size);

/* The same of a path: a folder or a regular file; NULL also for one that cannot be read. */
const char *kind_of_file(const char *path);

#endif
