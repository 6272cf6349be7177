/*
 * The model file, a strict profile of safetensors (docs/file-formats.md, section 1): a list of
 * named tensors with an architecture text, to and from bytes. Opening a file checks it from the
 * first byte to the last, before anything of the data's size is allocated. So reading a tensor can
 * only fail if the disk fails or the file was changed meanwhile. The caller decides which tensors a
 * model needs.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_SERIAL_MODEL_FILE_H
#define CAE_SERIAL_MODEL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "serial/notes.h"

enum {
    CAE_FILE_RANK = 4,
    CAE_FILE_NAME = 128, /* bytes of a tensor's name */
    CAE_FILE_TENSORS = 8192,
    CAE_FILE_METADATA = 64,        /* entries */
    CAE_FILE_HEADER = 1 << 20,     /* bytes */
    CAE_FILE_ARCHITECTURE = 65536, /* bytes */
    CAE_FILE_ALIGN = 64,
    CAE_FILE_VERSION = 1 /* the newest version of the format that is read here */
};

/* First those of model files, then others of plain files: BF16, and those that no weight can
 * have. */
typedef enum cae_dtype {
    CAE_DTYPE_F32,
    CAE_DTYPE_F64,
    CAE_DTYPE_I64,
    CAE_DTYPE_F16,
    CAE_DTYPE_BF16,
    CAE_DTYPE_I32,
    CAE_DTYPE_I16,
    CAE_DTYPE_I8,
    CAE_DTYPE_U64,
    CAE_DTYPE_U32,
    CAE_DTYPE_U16,
    CAE_DTYPE_U8,
    CAE_DTYPE_BOOL
} cae_dtype;

enum { CAE_MODEL_DTYPES = CAE_DTYPE_F16 + 1 };

size_t cae_dtype_size(cae_dtype dtype);
const char *cae_dtype_name(cae_dtype dtype);

/* ---- Writing ---- */

typedef struct cae_file_tensor {
    const char *name;
    cae_dtype dtype;
    size_t rank;
    size_t shape[CAE_FILE_RANK]; /* the first `rank` count */
    const void *data;            /* in the machine's order; of F16 floats, rounded on the way */
} cae_file_tensor;

typedef struct cae_file_model {
    const char *architecture;
    const cae_file_tensor *tensors; /* in any order */
    size_t len;
    const cae_notes *notes; /* NULL: none */
    unsigned version;       /* the lowest that knows all of it, at least 1 */
} cae_file_model;

/* As cae_model_save_memory: with data NULL and capacity 0 it only sets the size. */
int cae_model_file_write_memory(const cae_memory *memory, const cae_file_model *model, void *data,
                                size_t capacity, size_t *size);

/* Atomically; see atomic.h. Allocates in proportion to the header, not to the data. With only_try
 * everything is done except replacing the target. */
int cae_model_file_write_path(const cae_memory *memory, const cae_file_model *model,
                              const char *path, bool only_try);

/* The id in compressed images, a CRC32: over the architecture and all tensors except `train.*`, of
 * which none may be F16. */
int cae_model_file_id(const cae_memory *memory, const cae_file_model *model, uint32_t *id);

/* ---- Reading ---- */

typedef enum cae_file_profile {
    CAE_FILE_MODEL, /* libcae's own, with checksum */
    CAE_FILE_PLAIN, /* any safetensors file of the dtypes above; no architecture */
    CAE_FILE_ANY    /* libcae's own if its metadata has keys of libcae, else plain */
} cae_file_profile;

typedef struct cae_file_entry {
    const char *name; /* belongs to the open file, as the entry does */
    cae_dtype dtype;
    size_t rank;
    size_t shape[CAE_FILE_RANK]; /* unused ones 1; all of them, in a plain file, for rank 0 */
    size_t len;                  /* elements */
    uint64_t begin;              /* of its bytes in the data */
    uint32_t crc_before, crc;    /* of the file up to its bytes, and up to their end */
} cae_file_entry;

typedef struct cae_model_file cae_model_file;

/* Opens and checks; the message names byte, tensor and index. `data` must be valid until closing.
 * It allocates less than the header's size + 1 MiB. */
int cae_model_file_open_path(cae_model_file **out, const cae_memory *memory, const char *path,
                             cae_file_profile profile);
int cae_model_file_open_memory(cae_model_file **out, const cae_memory *memory, const void *data,
                               size_t size, cae_file_profile profile);
void cae_model_file_close(cae_model_file *f); /* NULL is fine */

const char *cae_model_file_architecture(const cae_model_file *f); /* NULL for a plain file */

/* Adds the notes of the file to an empty list; a plain file has none. After a failure the list is
 * empty. */
int cae_model_file_read_notes(const cae_model_file *f, const cae_memory *memory, cae_notes *notes);

size_t cae_model_file_len(const cae_model_file *f);
const cae_file_entry *cae_model_file_entry(const cae_model_file *f, size_t index);    /* by name */
const cae_file_entry *cae_model_file_find(const cae_model_file *f, const char *name); /* or NULL */

/* Reads all of a tensor, entry->len elements in the machine's order. */
int cae_model_file_read(const cae_model_file *f, const cae_file_entry *entry, void *values);

/* The same of F32, of F16 and BF16, which floats hold exactly, or of F64, rounded to nearest;
 * CAE_E_NONFINITE when one is too large for a float, CAE_E_UNSUPPORTED for other dtypes. */
int cae_model_file_read_floats(cae_model_file *f, const cae_file_entry *entry, float *values);

#endif
