/*
 * Ctrl-C and its like for commands that run for hours: the first signal asks for a good end, a second
 * one ends the program; and the command line that goes on where the good end was.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_INTERRUPT_H
#define CAE_TOOL_INTERRUPT_H

#include <stdbool.h>

/* Catches the first SIGINT, SIGTERM or SIGHUP that is not ignored already. */
void interrupt_catch(void);
bool interrupt_came(void);

/* Prints the arguments, quoted for a shell where need be, behind `command`, and `further`. */
void interrupt_say_command(const char *command, int argc, char **argv, const char *further);

#endif
