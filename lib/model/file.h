/*
 * Models to and from files, and weights alone from files.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_MODEL_FILE_H
#define CAE_MODEL_FILE_H

#include "model/model.h"
#include "serial/model_file.h"

/* What the file holds is compared with what its architecture asks for before anything of the
 * weights' size is allocated. */
int cae_model_read(cae_model **out, const cae_memory *memory, const cae_model_file *file);

/* Calls `write` with the model as a list of tensors. */
typedef int (*cae_write_model)(void *to, const cae_memory *memory, const cae_file_model *file);
int cae_model_write(const cae_model *m, uint32_t flags, cae_write_model write, void *to);

/* The weights of a file opened as plain or as a model (import.c), flags as for
 * cae_model_import_weights. */
int cae_model_import(cae_model *m, cae_model_file *file, uint32_t flags);

#endif
