/*
 * Files being written, and names that outputs must not have. SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_OUTPUT_H
#define CAE_TOOL_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A file being written. What is printed to `file` is kept in memory, so that printing needs no look
 * at the disk; output_commit writes it and knows why if it cannot. A regular file appears under its
 * name at that time; until then, and for ever when output_discard comes first, the old file stands.
 * `-`, the names of open descriptors (/dev/stdout, /dev/fd/N), pipes and devices are written
 * straight, from where they stand and without cutting anything off. The struct must not move. */
struct output {
    FILE *file;
    char *bytes; /* of `file` */
    size_t size;
    char *name;      /* for messages */
    char *target;    /* behind all links; NULL when written straight */
    char *temporary; /* likewise */
    int descriptor;
};

int output_open(struct output *output, const char *path);
int output_commit(struct output *output);

/* Commits when all went well until here (`result` is DONE), else discards and passes `result`
 * on. */
int output_end(struct output *output, int result);
void output_discard(struct output *output); /* also after a commit, where it does nothing */

/* Opens what is written straight for writing: `-`, a descriptor's name, a pipe, a device. -1 with
 * errno, which is 0 when `path` is no such thing but a regular file or none. For a pipe
 * without a reader it prints a note and waits. */
int output_open_stream(const char *path);

/* Whether it is such a thing, without opening it. */
bool output_is_stream(const char *path);

/* Prints that what is written straight, or a file, cannot be opened, and where a link leads. */
int output_cannot_open(const char *path, int error);

/* What messages call a file that is written. */
const char *output_name(const char *path);

/* Writes all of it; false with errno. */
bool output_write(int descriptor, const void *data, size_t size);

/* The path of the file that a save to `path` replaces or makes: behind all symbolic links, the last
 * of which may lead to nothing. In memory that the caller frees; NULL with errno. */
char *output_resolve(const char *path);

/* A file that a command line names, for the next function. */
struct named_file {
    const char *name; /* as the help calls it */
    const char *path; /* NULL: not given */
    bool is_output;
};

/* Fails when an output is the same file as another of these, under whatever names. */
int output_check_names(const char *command, const struct named_file *files, size_t len);

/* Opens /dev/null in the place of those of the descriptors 0 to 2 that are closed, so that no file
 * gets their number and with it what was meant for them; reading and writing them still fails. The
 * first thing that a program does. */
void output_fill_descriptors(void);

#endif
