/*
 * Stopping in good order: Ctrl-C and its kin set a flag that loops look at, and the command to go
 * on with is printed so that a shell can read it. SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_INTERRUPT_H
#define CAE_TOOL_INTERRUPT_H

#include <stdbool.h>
#include <stdio.h>

/* From here on the first SIGINT, SIGTERM or SIGHUP sets the flag; a second one ends the program. A
 * pipe that nobody reads any more is an error of writing and no signal. */
void interrupt_catch(void);
bool interrupt_came(void);

/* From here on signals end the program as they do by default. */
void interrupt_release(void);

/* Prints the words of a command line, each with a blank before it, quoted for a shell where needed.
 */
void interrupt_print_arguments(FILE *file, int argc, char **argv);

#endif
