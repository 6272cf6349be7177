/*
 * libcae - train and run small autoencoders on images.
 *
 * Copyright 2026 the libcae authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * This header is the whole interface and its manual. It is meant to be read from top to bottom.
 *
 *     cae_model *model;
 *     if (cae_model_new(&model, "cae-compress", 1))           // a preset, seed 1
 *         fprintf(stderr, "%s\n", cae_last_error());
 *     for (int step = 0; step < 600; step++)
 *         cae_train_step(model, faces, faces, 32, 64, 64, &loss);
 *     cae_fit_code(model, faces, 32, 64, 64);                 // before compressing
 *     cae_model_save(model, "faces.safetensors", CAE_SAVE_TRAINING);
 *     cae_model_free(model);
 *
 * Link with `pkg-config --cflags --libs libcae`. C99 and C++ may include this file.
 *
 * WORDS
 *   image    float, planar and contiguous: count x channels x height x width, nominally in [0,1].
 *            Values outside that range, such as noise makes, are not clipped. A call works on
 *            `count` images of one size.
 *   code     the network's values at the line `code` of its architecture; float, planar: count x
 *            the shape that cae_code_shape gives.
 *   pixels   8 bit, channels interleaved, rows `stride` bytes apart; cae_denoise_pixels takes other
 *            formats, too.
 *   unit     the product of the strides before `code` (8 for the convolutional presets). An image
 *            whose height or width is not a multiple of it is extended at the bottom and at the
 *            right by repeating its last row and column; the result is cropped to the image's size.
 *
 * STATUS
 *   Every function that can fail returns CAE_OK (0) or one of the negative values below and stores
 *   a message for cae_last_error(). On failure `*out` is NULL, inputs are untouched, the model is
 *   as it was before the call, and the contents of output buffers are unspecified.
 *
 * BAD INPUT gets a status, never a crash:
 *   CAE_E_ARGUMENT   NULL where a pointer is needed; a size of 0, or sizes whose product overflows;
 *                    unknown names and keys; settings out of range; an unknown value in CAE_CPU
 *   CAE_E_SHAPE      an image size that the network cannot take (one with a dense layer takes its
 *                    training size only), a buffer length that does not match
 *   CAE_E_NONFINITE  NaN or infinity in images, targets, codes, weights or gradients; a result that
 *                    overflowed. Finite values outside [0,1] are allowed.
 *   CAE_E_LIMIT      work that would need more scratch memory than the setting `memory_limit`
 *
 * OWNERSHIP
 *   The caller owns every buffer; the library keeps no pointer to one after the call. Only models
 *   are allocated for the caller; free them with cae_model_free. A returned string is valid as
 *   long as the model, or as long as the library where no model is involved. A note is valid until
 *   it changes.
 *
 * THREADS
 *   A function that takes `const cae_model *` may run in any number of threads at once on one
 *   model; the calls run in parallel. While a function that takes `cae_model *` runs, no other
 *   call may use that model. Different models are independent. A call may start threads of its own
 *   (setting `threads`); results do not depend on how many. These threads block all signals and
 *   end before the call returns, so fork() between calls is safe. cae_last_error() is per thread.
 *
 * NUMBERS
 *   Arithmetic is float32 in a documented order, the same on every processor: see docs/numerics.md.
 *   The result for one image depends on the image and the model alone, bit for bit. It does not
 *   depend on the other images of the call, on threads, tiles or the memory limit. The caller's
 *   rounding mode and flush-to-zero flags have no effect and are not changed. The environment
 *   variable CAE_CPU = c | sse2 | avx2 | fma | avx512 can lower the instruction set in use; it is
 *   read once. (AMD's Zen 4 has avx512 and is faster with fma, which is used there unless asked.)
 */
#ifndef CAE_H
#define CAE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(CAE_BUILD) && defined(__GNUC__)
#define CAE_API __attribute__((visibility("default")))
#else
#define CAE_API
#endif

/* ---- Version, status, errors ----------------------------------------------------------------- */

/* The version of this header. */
#define CAE_VERSION_MAJOR 0
#define CAE_VERSION_MINOR 1
#define CAE_VERSION_PATCH 0

/* Status values. Their meaning never changes; new ones may be added below the last. */
#define CAE_OK            0     /* done */
#define CAE_E_ARGUMENT    (-1)  /* an argument is wrong; the message says which and why */
#define CAE_E_NOMEM       (-2)  /* out of memory */
#define CAE_E_IO          (-3)  /* the system refused to read or write a file */
#define CAE_E_FORMAT      (-4)  /* a file or a buffer is damaged or of another format */
#define CAE_E_VERSION     (-5)  /* in a newer format than this library reads */
#define CAE_E_MODEL       (-6)  /* a compressed image made with another model */
#define CAE_E_SHAPE       (-7)  /* sizes that do not fit the model or each other */
#define CAE_E_NONFINITE   (-8)  /* NaN or infinity */
#define CAE_E_LIMIT       (-9)  /* over a limit, the setting memory_limit or a cap of the format */
#define CAE_E_BUFFER      (-10) /* the output buffer is too small */
#define CAE_E_UNSUPPORTED (-11) /* not possible for this model or on this machine */
#define CAE_E_CANCELLED   (-12) /* the caller's progress function asked to stop */
#define CAE_E_SYNTAX      (-13) /* an architecture text is wrong; the message says where */

/* The version of the library in use, "0.1.0". Any thread. Since 0.1. */
CAE_API const char *cae_version_string(void);

/* The same as a number, 0xMMmmpp: 0x000100 for 0.1.0. Any thread. Since 0.1. */
CAE_API uint32_t cae_version(void);

/* A short text for a status; "unknown status" for any other int. Never NULL. Any thread.
 * Since 0.1. */
CAE_API const char *cae_strerror(int status);

/* The message of this thread's last failure: which argument, line, field, offset or limit, in at
 * most 255 bytes. A success does not change it; it is "" before the first failure. Valid until
 * this thread's next failing call. Since 0.1. */
CAE_API const char *cae_last_error(void);

/* ---- Presets --------------------------------------------------------------------------------- */

/* The name of preset `index`: "sae-compress", "sae-denoise", "cae-compress", "cae-denoise" (the
 * four networks of Zhang, "A Better Autoencoder for Image"), "vae" (a variational one);
 * "unet-denoise-fast", "unet-denoise", "unet-denoise-best" (de-noisers for any noise level, of 3.4,
 * 9.6 and 28.6 thousand multiply-adds for a pixel) and, for RGB, "unet-denoise-rgb" and
 * "unet-denoise-best-rgb"; NULL past the end. Since 0.1. */
CAE_API const char *cae_preset_name(size_t index);

/* The architecture text of a preset; NULL when the name is unknown or NULL. Since 0.1. */
CAE_API const char *cae_preset_text(const char *name);

/* ---- Models ---------------------------------------------------------------------------------- */

/* A network, its weights, its settings and, once it has been trained, the state of the
 * optimizer. */
typedef struct cae_model cae_model;

/* Makes a model with initial weights.
 *   out           receives the model; free it with cae_model_free
 *   architecture  a preset's name, or an architecture text (docs/architecture-text.md),
 *                 NUL-terminated
 *   seed          any value; equal seeds give equal weights on every machine. Weights and biases
 *                 are uniform in +-1/sqrt(fan_in).
 * Returns CAE_OK; CAE_E_ARGUMENT (NULL, unknown value in CAE_CPU), _SYNTAX (the line and column),
 * _SHAPE (the line whose sizes do not fit), _LIMIT (over a cap of the text), _NOMEM. Since 0.1. */
CAE_API int cae_model_new(cae_model **out, const char *architecture, uint64_t seed);

/* Loads a model that cae_model_save wrote, with its training state if the file has one. For weights
 * that another program wrote use cae_model_load_weights; the message says so too. `path` is a
 * regular file's name. The file is untrusted input: everything is checked before it is used, and at
 * most twice the file's size plus 1 MiB is allocated; of a file with weights as F16 four times.
 * Returns CAE_OK; CAE_E_ARGUMENT, _IO, _FORMAT, _VERSION (made by a newer libcae), _SHAPE,
 * _NONFINITE, _LIMIT, _UNSUPPORTED, _NOMEM. Since 0.1. */
CAE_API int cae_model_load(cae_model **out, const char *path);

/* The same from `size` bytes at `data`, which may be freed afterwards. Since 0.1. */
CAE_API int cae_model_load_memory(cae_model **out, const void *data, size_t size);

/* Loads a model that came with the library: NAME.safetensors from the first folder that has it, of
 * the folders in the environment variable CAE_MODEL_PATH, separated by colons, and then the one
 * where such models were installed (`pkg-config --variable=modelsdir libcae`). A program that
 * brings its own copies can set the variable, or load them by cae_model_load. The variable is read
 * by each call, as getenv does, and ignored in processes with raised rights (set-uid).
 *   out   receives the model; free it with cae_model_free
 *   name  "denoise", "denoise-rgb", ...: 1 to 64 letters, digits and '-', no path
 * A file that is there but cannot be loaded is an error, and no other is tried. The licence of the
 * weights is in the note "license" (cae_model_note).
 * Returns as cae_model_load; CAE_E_ARGUMENT for what cannot be a name; CAE_E_IO when no folder has
 * the file: the message names the folders. Since 0.1. */
CAE_API int cae_model_load_shipped(cae_model **out, const char *name);

/* Replaces the weights of `m` by those of a plain safetensors file, such as PyTorch's
 * safetensors.torch.save_file(net.state_dict(), path) writes for the nn.Sequential of the same
 * layers. The file must have every tensor of the model, with its name and shape, and no other
 * tensor. F32, F16 and BF16 are taken exactly, F64 is rounded to the nearest float. The optimizer's
 * moments and the step return to 0; settings stay. Compressing images needs cae_fit_code or
 * training afterwards. The file may also be a model of libcae; if its architecture is the model's,
 * its ranges of the code are taken as well.
 * Returns as cae_model_load; CAE_E_MODEL when names or shapes differ (the message names those of
 * the file); CAE_E_UNSUPPORTED for weights of other dtypes. Since 0.1. */
CAE_API int cae_model_load_weights(cae_model *m, const char *path);

/* Flag: remove the prefixes "module." and "_orig_mod." from the file's names, as many as there are.
 * PyTorch's DataParallel and torch.compile put them before all names. */
#define CAE_IMPORT_STRIP 1u

/* Flag: skip tensors without dimensions that the model does not have, such as the
 * num_batches_tracked of other layers: floats of 16, 32 or 64 bits, integers or BOOL. */
#define CAE_IMPORT_SKIP 2u

/* The same as cae_model_load_weights, with flags that accept more files.
 *   m      the model
 *   path   the file's name
 *   flags  0, CAE_IMPORT_STRIP, CAE_IMPORT_SKIP or both
 * Returns as cae_model_load_weights; CAE_E_MODEL also when two names are equal without their
 * prefixes. Since 0.1. */
CAE_API int cae_model_import_weights(cae_model *m, const char *path, uint32_t flags);

/* Flag: include the optimizer's moments and step, the seed, the epoch and the settings except
 * threads and memory_limit, which depend on the machine. */
#define CAE_SAVE_TRAINING 1u

/* Flag of cae_model_save alone, to find out before long work whether saving will work: do and check
 * everything as in a save (a file is written and flushed beside the target), then remove that file
 * and replace nothing. */
#define CAE_SAVE_TRY 2u

/* Flag, not with CAE_SAVE_TRAINING: store the weights as F16, in half the bytes, each rounded to
 * the nearest (ties to even), for a model that is only to be used: loading gives floats of exactly
 * these values, so results change a little; the ranges of the code stay as they are. */
#define CAE_SAVE_F16 4u

/* Saves a model as a safetensors file (docs/file-formats.md), atomically: the file is written
 * beside `path`, flushed to the disk and renamed, and the folder is flushed. If anything fails, an
 * old file at `path` stays as it was. The only exception is a failed flush of the folder
 * (CAE_E_IO): then the new file is in place, complete. A symbolic link stays: the regular file that
 * it leads to is replaced, or made where there is none. Any other target is refused. The
 * permissions of an old file are kept.
 *   m       the model
 *   path    the file's name
 *   flags   0, or CAE_SAVE_TRAINING, CAE_SAVE_TRY, CAE_SAVE_F16 combined; the first and the last
 *           exclude each other
 * Returns CAE_OK; CAE_E_ARGUMENT, _IO, _LIMIT (names and notes over 1 MiB), _NONFINITE (a weight
 * too large for F16, from 65520 on), _NOMEM. Since 0.1. */
CAE_API int cae_model_save(const cae_model *m, const char *path, uint32_t flags);

/* The same into memory. With `data` NULL and `capacity` 0 it only sets `*size` and returns CAE_OK.
 * CAE_E_BUFFER when capacity is too small; `*size` is set then too. Since 0.1. */
CAE_API int cae_model_save_memory(const cae_model *m, void *data, size_t capacity, size_t *size,
                                  uint32_t flags);

/* Copies a model, for example to use one while the other trains. Settings are copied. With
 * CAE_SAVE_TRAINING the optimizer's state is copied too; without it the copy's optimizer is at step
 * 0. A pending gradient is not copied. Returns CAE_OK; CAE_E_ARGUMENT, _NOMEM. Since 0.1. */
CAE_API int cae_model_copy(cae_model **out, const cae_model *m, uint32_t flags);

/* Frees a model; NULL is fine. No other thread may be using it. Since 0.1. */
CAE_API void cae_model_free(cae_model *m);

/* The model's architecture as canonical text: one line for each layer, without defaults. The string
 * belongs to the model; NULL when m is NULL. Since 0.1. */
CAE_API const char *cae_model_architecture(const cae_model *m);

/* shape = channels, height, width of the training size, the line `input`. Since 0.1. */
CAE_API int cae_model_shape(const cae_model *m, size_t shape[3]);

/* shape = channels, height, width of the code of one height x width image.
 * CAE_E_SHAPE when the network cannot take that size; CAE_E_UNSUPPORTED when a skip crosses `code`,
 * so that the code alone does not describe the image. Since 0.1. */
CAE_API int cae_code_shape(const cae_model *m, size_t height, size_t width, size_t shape[3]);

/* ---- Settings -------------------------------------------------------------------------------- */

/* Sets or reads a number by its name. Settings, their initial values and ranges:
 *   learning_rate  1e-3   [0, 1e6]    Adam's step size (Kingma & Ba 2015, Algorithm 1: alpha)
 *   beta1          0.9    [0, 1)      decay of the first moment
 *   beta2          0.999  [0, 1)      decay of the second moment
 *   epsilon        1e-8   [1e-30, 1]  added to the root of the second moment
 *   weight_decay   0      [0, 1e6]    decoupled (Loshchilov & Hutter 2019): each step also
 *                                     subtracts learning_rate * weight_decay * w from every
 *                                     weight w
 *   threads        1      [0, 1024]   of one call; 0 = the processors this process may use: those
 *                                     of its affinity mask, but no more than the CPU quota of its
 *                                     control groups, rounded up. The quota is read when
 *                                     this is set
 *   reproducible   0      0 or 1      1: the same seed and data give the same weights, to the last
 *                                     bit, on every processor (no fused multiply-add)
 *   memory_limit   2^30   [2^16, 2^53]
 *                                     bytes of scratch memory for one call. Inference that needs
 *                                     more is done in tiles, if there is no dense layer. Anything
 *                                     else is refused with CAE_E_LIMIT before that memory is
 *                                     allocated. The stacks of a call's threads, 256 KiB each,
 *                                     do not count
 *   epoch          0      [0, 2^53]   the caller's own count, saved with the training state; a
 *                                     change ends an epoch for the ranges of the code (below)
 *   kl_weight      0.3    [0, 1e6]    of a sampled code's divergence in the loss (below); other
 *                                     networks ignore it
 * Read-only, for cae_model_get alone: "parameters" (how many), "step" (updates so far).
 * Returns CAE_OK; CAE_E_ARGUMENT for an unknown key, a value out of range, a fraction where a whole
 * number is needed, or a read-only key; CAE_E_UNSUPPORTED for reproducible 1 where the compiler
 * computes float with excess precision. Since 0.1. */
CAE_API int cae_model_set(cae_model *m, const char *key, double value);
CAE_API int cae_model_get(const cae_model *m, const char *key, double *value);

/* Lists the settings: name, range (both ends allowed) and initial value of number `index`. Any of
 * the pointers may be NULL. CAE_E_ARGUMENT past the end. Since 0.1. */
CAE_API int cae_setting_info(size_t index, const char **key, double *min, double *max,
                             double *initial);

/* The instruction set in use by this model: "c", "sse2", "avx2", "fma" or "avx512", and with
 * `reproducible` 1 "avx512-exact" in place of the last; NULL when m is NULL. Since 0.1. */
CAE_API const char *cae_model_kernels(const cae_model *m);

/* ---- Notes ----------------------------------------------------------------------------------- */
/*
 * Notes are text that is saved, loaded and copied with a model. The library does not use them. The
 * command `cae` stores in them what a training depended on, under keys that begin with "cae.";
 * other programs may choose any prefix except "libcae.". Entries that other programs wrote into the
 * metadata of a model's file become notes too, if they are within the limits of notes.
 */

/* Adds a note, or replaces the one with that key.
 *   m      the model
 *   key    1 to 64 bytes of A-Z a-z 0-9 . _ -, not beginning with "libcae."
 *   value  valid UTF-8, at most 4096 bytes, NUL-terminated; NULL removes the note, if there is one
 * Returns CAE_OK; CAE_E_ARGUMENT (NULL, an invalid key, a value that is no valid UTF-8), _LIMIT (a
 * longer value, more than 32 notes), _NOMEM. Since 0.1. */
CAE_API int cae_model_note_set(cae_model *m, const char *key, const char *value);

/* The value of a note; NULL when there is none with that key, or m or key is NULL. Valid until the
 * note changes or the model is freed. Since 0.1. */
CAE_API const char *cae_model_note(const cae_model *m, const char *key);

/* Lists the notes, sorted by key: key and value of number `index`, valid as cae_model_note's are.
 * Any of the pointers may be NULL. CAE_E_ARGUMENT past the end. Since 0.1. */
CAE_API int cae_model_note_info(const cae_model *m, size_t index, const char **key,
                                const char **value);

/* ---- Weights --------------------------------------------------------------------------------- */

/* The number of weight tensors; 0 when m is NULL. They are numbered in file order: names sorted by
 * byte value ("0.bias", "0.weight", "11.bias", ...). Since 0.1. */
CAE_API size_t cae_tensor_count(const cae_model *m);

/* Name, shape and rank of tensor `index`; any of the pointers may be NULL. Unused entries of shape
 * are 1. Layouts are PyTorch's: convolution [out,in,kh,kw], transposed convolution [in,out,kh,kw],
 * dense [out,in], bias [out]. The name belongs to the model. Since 0.1. */
CAE_API int cae_tensor_info(const cae_model *m, size_t index, const char **name, size_t shape[4],
                            size_t *rank);

/* Copies a tensor out of the model or into it. len must be the number of its elements, which are in
 * row-major order, else CAE_E_SHAPE. Setting refuses NaN and infinity and does not change the
 * optimizer's state. If any value changes, the ranges of the code are no longer known: compressing
 * images needs cae_fit_code or training afterwards. Since 0.1. */
CAE_API int cae_tensor_get(const cae_model *m, size_t index, float *values, size_t len);
CAE_API int cae_tensor_set(cae_model *m, size_t index, const float *values, size_t len);

/* ---- Training -------------------------------------------------------------------------------- */
/*
 * input, target: count x channels x height x width, of any size that the network takes, not only
 * its training size; the same buffer may be passed for both. loss (may be NULL) receives the mean
 * of (output - target)^2 over all count x channels x height x width values, before the update.
 * Each returns CAE_OK; CAE_E_ARGUMENT, _SHAPE, _NONFINITE, _LIMIT, _NOMEM.
 *
 * A variational autoencoder (Kingma & Welling 2014) has the line `code sampled`: the layer before
 * it gives the code's means and log variances. Training then draws each code, z = mean +
 * exp(log variance / 2) eps with normal eps. Encoding, de-noising, compressing and cae_evaluate
 * use the means instead. The loss of all functions here is
 *     mean squared error + kl_weight * divergence / (channels x height x width),
 * divergence = 1/2 sum(mean^2 + exp(log variance) - log variance - 1) over an image's code, in
 * nats, mean over images. For pixels with independent errors of variance s^2 around the output and
 * kl_weight = 2 s^2, this is the negative of the paper's lower bound, up to a constant and a
 * factor. The errors of a face's pixels are not independent but come in patches, so the initial
 * value is larger: at 0.01 the network memorises hundreds of faces and its new images are not
 * faces; at 0.3 they are. A step in which exp(log variance) overflows a float is refused with
 * CAE_E_NONFINITE. cae_decode of normal numbers (cae_add_noise on zeros, sigma 1) gives new images.
 * eps is a function of the model's seed, its "step" and the value's place in the batch. Machines
 * that average gradients of models with one seed therefore draw the same numbers for their own
 * images: the mean is still right, but noisier than necessary. To avoid this, give each machine's
 * model its own seed and copy the first one's weights into all, by cae_tensor_set.
 */

/* One step: computes the gradient of the loss, then updates the weights by Adam. A step that would
 * make any weight or moment non-finite is refused with CAE_E_NONFINITE and changes nothing. A step
 * that succeeds discards a pending gradient of cae_train_gradient or cae_gradient_set without
 * applying it; a step that fails keeps it. Since 0.1. */
CAE_API int cae_train_step(cae_model *m, const float *input, const float *target, size_t count,
                           size_t height, size_t width, float *loss);

/* The first half of a step: computes the gradient and stores it in the model, in place of an
 * earlier one. It also stores the range of each code channel over these images, which the update
 * adds to the model's ranges. Weights do not change. Since 0.1. */
CAE_API int cae_train_gradient(cae_model *m, const float *input, const float *target, size_t count,
                               size_t height, size_t width, float *loss);

/* Reads or replaces the pending gradient: all tensors concatenated in file order, the mean over the
 * batch. len must be cae_model_get "parameters", else CAE_E_SHAPE. Between gradient and apply it
 * can be averaged over machines, by MPI or otherwise. Getting is CAE_E_ARGUMENT when there is none;
 * setting makes one. Since 0.1. */
CAE_API int cae_gradient_get(const cae_model *m, float *values, size_t len);
CAE_API int cae_gradient_set(cae_model *m, const float *values, size_t len);

/* The second half: updates the weights from the pending gradient, which is no longer pending
 * afterwards. Both halves together equal one cae_train_step bit for bit. CAE_E_ARGUMENT when there
 * is no gradient. Since 0.1. */
CAE_API int cae_train_apply(cae_model *m);

/* The loss of the whole network without training; a sampled code is replaced by its means.
 * Since 0.1. */
CAE_API int cae_evaluate(const cae_model *m, const float *input, const float *target, size_t count,
                         size_t height, size_t width, float *loss);

/* Training, gradient and loss of a network whose input line says `noise`. Such a network is told
 * each image's noise level: it sees (v - 1/2) / sigma in place of a value v, and its output o
 * stands for o * sigma + 1/2, so that one set of weights serves every level.
 *   m                     a model whose network takes a noise level
 *   input, target         as above: usually images with noise, and the same images without
 *   sigma                 count noise levels, the standard deviation of the noise in each image on
 *                         the scale [0,1], finite and > 0
 *   count, height, width  how many images, and their size
 *   loss                  may be NULL; receives the loss
 * The loss is the mean over images of the mean of (result - target)^2 / sigma, where the result is
 * what cae_denoise gives for that level, but for its mirrored edges. The squared error of a good
 * de-noiser grows about as sigma does (by a power of 1.04 from 15/255 to 50/255), so every level
 * weighs about alike in decibels if the logarithms of the levels are drawn evenly. With one level
 * for all images, loss * sigma is the mean squared error.
 * Each returns as its namesake; CAE_E_ARGUMENT also for a level that is not allowed, and when the
 * network takes none: then the namesake is to be called, which refuses networks that take one.
 * Since 0.1. */
CAE_API int cae_train_step_sigma(cae_model *m, const float *input, const float *target,
                                 const float *sigma, size_t count, size_t height, size_t width,
                                 float *loss);
CAE_API int cae_train_gradient_sigma(cae_model *m, const float *input, const float *target,
                                     const float *sigma, size_t count, size_t height, size_t width,
                                     float *loss);
CAE_API int cae_evaluate_sigma(const cae_model *m, const float *input, const float *target,
                               const float *sigma, size_t count, size_t height, size_t width,
                               float *loss);

/* ---- Using a model --------------------------------------------------------------------------- */
/*
 * An output buffer must not overlap any other buffer. height and width are those of the images, for
 * cae_decode too. Memory is bounded for any count. Each returns CAE_OK; CAE_E_ARGUMENT, _SHAPE,
 * _NONFINITE, _LIMIT, _NOMEM; encoding and decoding also _UNSUPPORTED when a skip crosses `code`.
 */

/* images: count x channels x height x width -> codes: count x the shape that cae_code_shape gives.
 * For a sampled code these are the means. Since 0.1. */
CAE_API int cae_encode(const cae_model *m, const float *images, size_t count, size_t height,
                       size_t width, float *codes);

/* codes -> images. cae_decode(cae_encode(x)) equals cae_denoise(x) bit for bit. Since 0.1. */
CAE_API int cae_decode(const cae_model *m, const float *codes, size_t count, size_t height,
                       size_t width, float *images);

/* Runs the whole network of any model.
 *   m                      the model
 *   noisy, clean           the images and the results: count x channels x height x width
 *   count, height, width   how many images, and their size
 *   sigma                  the noise's standard deviation on the scale [0,1], finite and >= 0; 0 =
 *                          not known: estimated for each image, as cae_estimate_noise does, but
 *                          at least 0.5/255: below it there is nothing to remove.
 *                          Networks whose input line says `noise` use it; others ignore it
 * For networks with `noise` that take any size, each image is extended by a mirror image of some
 * pixels (8, rounded up to the unit) at its four sides, and the result is cropped: convolutions
 * would pad with mid-grey.
 * Since 0.1. */
CAE_API int cae_denoise(const cae_model *m, const float *noisy, size_t count, size_t height,
                        size_t width, float sigma, float *clean);

/* Adds Gaussian noise in place to len values: value i gets sigma * normal(seed, i), the same
 * numbers on every machine. The sums are not clipped. sigma must be finite and >= 0; it is on the
 * scale of the values (25/255 for the usual 25). Needs no model; any thread. Since 0.1. */
CAE_API int cae_add_noise(float *images, size_t len, float sigma, uint64_t seed);

/* Estimates the noise of each image: white Gaussian noise, alike in all channels.
 * Values that a file has clipped to 0 or 1 are known as such and left aside.
 *   images          count x channels x height x width finite values
 *   count           how many images
 *   channels        their channels; of more than 4 the first 4 are looked at
 *   height, width   their size, any; with a side below 8 the estimate is rough, of one pixel 0
 *   sigma           receives count standard deviations on the scale of the values, >= 0
 * The same bits on every machine. Takes no memory. Returns CAE_OK, CAE_E_ARGUMENT,
 * CAE_E_NONFINITE. Needs no model; any thread. Since 0.1. */
CAE_API int cae_estimate_noise(const float *images, size_t count, size_t channels, size_t height,
                               size_t width, float *sigma);

/* ---- Pixels ---------------------------------------------------------------------------------- */

/* Formats of pixel values. */
#define CAE_U8  1u /* 0 .. 255, for v/255 */
#define CAE_U16 2u /* 0 .. 65535 in the machine's byte order, for v/65535 */
#define CAE_F32 4u /* float, as it is: nominally in [0,1] and not clipped */

/* De-noises pixels as applications have them: interleaved, at any alignment, in place or not.
 *   m               any model. A network whose input line says `noise` is told the noise; others do
 *                   what they were trained for, and sigma and gain are ignored
 *   in, out         height rows of width pixels. Bytes between rows are not read or written. Both
 *                   may be the same rows: in == out with the same stride. They must not overlap
 *                   otherwise
 *   in_stride, out_stride   bytes from one row to the next, at least those of a row
 *   format          CAE_U8, CAE_U16 or CAE_F32, of both
 *   height, width   the image's size
 *   channels        values of a pixel: the model's channels; or one more, alpha, which comes last
 *                   and is copied bit for bit. A model of one channel takes any number and runs
 *                   each as an image of its own; 2 and 4 mean that the last one is alpha
 *   sigma, gain     noise at value x of [0,1] has the variance sigma^2 + gain * x. gain 0: the same
 *                   noise everywhere, with that standard deviation. gain > 0: the noise of a sensor
 *                   whose values are linear in the light. It is made equal everywhere by the
 *                   generalised Anscombe transform before the network, and the closed form of the
 *                   exact unbiased inverse follows. Both 0: estimated. Finite and >= 0
 *   strength        0 to 10. 1: as much noise is removed as there is. Below 1: so much of the way
 *                   from the image to that result, value by value; 0 gives the image back bit for
 *                   bit. Above 1: the network is told so many times the noise, and removes more,
 *                   detail too; for networks without `noise` this is the same as 1
 *   progress        NULL; or called by the calling thread alone with what is done: 0 before
 *                   anything is written, then now and then, at last 1. Another answer than 0 stops
 *                   the call. It must return, and may use this model as `const cae_model *` allows
 *   user            what progress is called with
 * Results are rounded to the nearest integer and clipped; floats are neither. They are the same in
 * place and not; those of CAE_F32, gain 0 and strength 1 are those of cae_denoise. The call takes
 * memory as cae_denoise does; in place, with several threads or a very wide image, also for copies
 * of some rows and columns. The setting memory_limit bounds all of it.
 * Returns CAE_OK; CAE_E_ARGUMENT, _LIMIT, _NOMEM; CAE_E_SHAPE for channels or a size that the model
 * does not take; CAE_E_NONFINITE for a float, naming it (alpha may be anything), and for a result
 * that overflowed; CAE_E_CANCELLED. After that and an overflow, pixels of `out` may be written,
 * also in place; after other failures none is. Since 0.1. */
CAE_API int cae_denoise_pixels(const cae_model *m, const void *in, size_t in_stride, void *out,
                               size_t out_stride, uint32_t format, size_t height, size_t width,
                               size_t channels, float sigma, float gain, float strength,
                               int (*progress)(void *user, double done), void *user);

/* ---- Compressed images ----------------------------------------------------------------------- */
/*
 * A compressed image is a small container (docs/file-formats.md) with the entropy-coded code of the
 * image, each channel quantised within its range. The image has the model's channels; pixel value v
 * stands for v/255. A file gives the same picture on every machine, because these functions always
 * run the kernels that are equal everywhere.
 *
 * Values outside a channel's range are clipped, and a range that is too wide wastes precision, so
 * the quality of the pictures depends on the ranges. They are part of the model and of its files:
 *   a new model           has [0,1] in every channel
 *   training              gathers them: the first update replaces them by the ranges of its batch,
 *                         each later one extends them by its own. Weights change, so when the
 *                         setting `epoch` gets another value, the ranges become those of the
 *                         updates since its last change. So they cover all batches of at least one
 *                         whole epoch, or of all updates if the caller never sets it. A resumed run
 *                         gathers the same
 *   cae_fit_code          gathers them from images with the present weights. This is best: call it
 *                         when training ends, and before each save that may be the last
 *   weights from outside  (cae_tensor_set, cae_model_load_weights, or training by gradients of
 *                         cae_gradient_set alone) remove them: cae_compress and cae_decompress
 *                         return CAE_E_UNSUPPORTED until training or cae_fit_code has gathered some
 */

/* Replaces the ranges of the code by those of these images with the present weights: the smallest
 * and the largest value of each channel of their code, as cae_compress computes it (for a sampled
 * code, of the means). Use the training images, or some hundreds of images like those to be
 * compressed: count x channels x height x width, all of one size that the network takes. Memory is
 * bounded, as for cae_encode. The result is the same for any order of the images, any number of
 * threads, any memory limit and on every machine. No weight, moment, step, pending gradient or
 * setting changes. Images that were compressed before need the model as it was before
 * (CAE_E_MODEL), unless the ranges come out the same.
 * Returns CAE_OK; CAE_E_ARGUMENT, _SHAPE, _NONFINITE, _LIMIT, _NOMEM; CAE_E_UNSUPPORTED when a skip
 * crosses `code`. Since 0.1. */
CAE_API int cae_fit_code(cae_model *m, const float *images, size_t count, size_t height,
                         size_t width);

/* A capacity that is enough for cae_compress of any height x width image; 0 on error. Needs no
 * ranges. Since 0.1. */
CAE_API size_t cae_compress_bound(const cae_model *m, size_t height, size_t width);

/* Compresses an image.
 *   m                      the model; it decides the number of channels
 *   pixels                 height rows of width x channels bytes
 *   height, width          the image's size
 *   stride                 bytes from one row to the next, at least width x channels
 *   quality                1 (smallest) .. 100 (best); 0 = the default, 50
 *   data, capacity, size   as in cae_model_save_memory; a size query runs the whole compression
 * Returns CAE_OK; CAE_E_ARGUMENT, _SHAPE, _LIMIT, _BUFFER, _UNSUPPORTED (no ranges; a skip across
 * `code`), _NONFINITE, _NOMEM. Since 0.1. */
CAE_API int cae_compress(const cae_model *m, const uint8_t *pixels, size_t height, size_t width,
                         size_t stride, uint32_t quality, void *data, size_t capacity,
                         size_t *size);

/* Restores an image whose size is known, from cae_compressed_info. Bytes of a row beyond width x
 * channels are not written. The data is untrusted input.
 * Returns CAE_OK; CAE_E_FORMAT (damaged), _VERSION, _MODEL (made with another model), _SHAPE
 * (height or width are not the file's), _ARGUMENT, _LIMIT, _UNSUPPORTED, _NONFINITE, _NOMEM.
 * Since 0.1. */
CAE_API int cae_decompress(const cae_model *m, const void *data, size_t size, uint8_t *pixels,
                           size_t height, size_t width, size_t stride);

/* shape = channels, height, width as the header states them. Only the header is read: no model is
 * needed, and the payload may be missing. Returns CAE_OK; CAE_E_ARGUMENT, _FORMAT, _VERSION.
 * Since 0.1. */
CAE_API int cae_compressed_info(const void *data, size_t size, size_t shape[3]);

#ifdef __cplusplus
}
#endif

#endif
