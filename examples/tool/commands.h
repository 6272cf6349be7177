/*
 * The subcommands of the tool. Each takes the arguments after its own name and returns the exit
 * code of the program; main.c holds the table. SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TOOL_COMMANDS_H
#define CAE_TOOL_COMMANDS_H

int train_main(int argc, char **argv);
int eval_main(int argc, char **argv);
int compress_main(int argc, char **argv);
int decompress_main(int argc, char **argv);
int denoise_main(int argc, char **argv);
int noise_main(int argc, char **argv);
int info_main(int argc, char **argv);
int synth_main(int argc, char **argv);
int sample_main(int argc, char **argv);
int interpolate_main(int argc, char **argv);

#endif
