/*
 * Files for tests: whole contents to and from memory, and a folder of the test's own.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TESTS_SUPPORT_FILES_H
#define CAE_TESTS_SUPPORT_FILES_H

#include <stddef.h>
#include <stdint.h>

/* The contents, to be freed; NULL when the file cannot be read. */
uint8_t *file_read(const char *path, size_t *size);

/* Ends the program when the file cannot be written. */
void file_write(const char *path, const void *data, size_t size);

/* A file of tests/golden, whose place CAE_GOLDEN names; ends the program when it cannot be read. */
uint8_t *file_golden(const char *name, size_t *size);

/* Makes an empty folder below TMPDIR or /tmp and works in it from now on. */
void folder_enter(void);

/* Leaves and removes it with the files in it. */
void folder_leave(void);

/* How many entries the working folder has. */
size_t folder_count(void);

#endif
