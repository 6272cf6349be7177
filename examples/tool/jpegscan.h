/*
 * Decides what the bytes behind the last block of a JPEG's scan are: more blocks, which the picture
 * has lost, or bytes that were never part of it. libjpeg does not distinguish the two.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_JPEGSCAN_H
#define CAE_TOOL_JPEGSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For a JPEG of which a decoder had `surplus` bytes left before the marker at `end`, behind a scan:
 * whether they are no blocks. This can be decided for a scan that is the only one and sequential:
 * its blocks, from the last restart on, end with ones up to the next byte, and what follows is
 * padding, four equal bytes or more, or no blocks that start somewhat before it, and few in it, go
 * on to the marker and end there with a whole unit. Of any other scan only padding is foreign. */
bool jpegscan_surplus_is_foreign(const uint8_t *data, size_t end, size_t surplus);

#endif
