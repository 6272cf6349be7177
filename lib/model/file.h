/*
 * Models to and from files, and weights alone from files.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_MODEL_FILE_H
#define CAE_MODEL_FILE_H

#include "model/model.h"
#include "serial/image_file.h"
#include "serial/model_file.h"

enum {
    CAE_COUNTERS = 3, /* whole numbers that are neither weights nor settings */
    CAE_LIST_NAME = CAE_NAME_SIZE + 8
};

/* What the file holds is compared with what its architecture asks for before anything of the
 * weights' size is allocated. */
int cae_model_read(cae_model **out, const cae_memory *memory, cae_model_file *file);

/* The model `name`, which is checked, of those that came with the library (shipped.c). */
int cae_model_read_shipped(cae_model **out, const cae_memory *memory, const char *name);

/* A model as `file`, a list of named tensors, and what that points to but the model does not hold
 * in this form. */
typedef struct cae_model_list {
    cae_file_model file;
    const cae_memory *memory;
    cae_file_tensor *tensors;
    size_t name_len, value_len;
    char (*names)[CAE_LIST_NAME];
    int64_t counters[CAE_COUNTERS];
    double values[CAE_SETTINGS_MOST];
    float *zeros; /* the moments of a model that was never trained */
} cae_model_list;

/* The training state if the flags have CAE_SAVE_TRAINING, weights to be stored as F16 if they have
 * CAE_SAVE_F16. The list stays where it is made; it is to be freed in every case. */
int cae_model_list_make(cae_model_list *l, const cae_model *m, uint32_t flags);
void cae_model_list_free(cae_model_list *l);

/* The id, of architecture, weights and ranges, as compressed images carry it. */
int cae_model_id(const cae_model *m, uint8_t id[CAE_IMAGE_ID]);

/* The weights of a file opened as plain or as a model (import.c), flags as for
 * cae_model_import_weights. */
int cae_model_import(cae_model *m, cae_model_file *file, uint32_t flags);

#endif
