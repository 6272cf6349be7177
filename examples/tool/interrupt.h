/*
 * Interruption: Ctrl-C and similar signals set a flag that loops check, and the command that
 * continues is printed so that a shell can read it.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_INTERRUPT_H
#define CAE_TOOL_INTERRUPT_H

#include <stdbool.h>
#include <stdio.h>

/* From here on the first SIGINT, SIGTERM or SIGHUP sets the flag; a second one ends the program. A
 * pipe without a reader is a write error and no signal. */
void interrupt_catch(void);
bool interrupt_came(void);

/* From here on signals end the program as they do by default. */
void interrupt_release(void);

/* Prints the arguments of a command line, each after a blank and quoted for a shell if needed. */
void interrupt_print_arguments(FILE *file, int argc, char **argv);

#endif
