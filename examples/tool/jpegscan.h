/*
 * What stands behind the last block of a JPEG's scan: more blocks, which the picture has lost, or
 * bytes that were never part of it. libjpeg does not tell the two apart.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_JPEGSCAN_H
#define CAE_TOOL_JPEGSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For a JPEG of which a decoder had `surplus` bytes left before the marker at `end`, behind a scan:
 * whether they are no blocks. They are none if all are equal, as padding is. Of a scan that is the
 * only one and sequential it can be told otherwise: its blocks, from the last restart on, end with
 * ones up to the next byte, and what follows, read as blocks, does not end with a whole block
 * before the marker. Where blocks were damaged and some are left over, one of the two is mostly not
 * so: Huffman codes fall into step again. */
bool jpegscan_surplus_is_foreign(const uint8_t *data, size_t end, size_t surplus);

#endif
