/*
 * Training one network of a study, with a curve of its losses and checkpoints: killed at any time
 * and resumed, it ends with the same model and the same losses, byte for byte.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_PAPER_LEARN_H
#define CAE_PAPER_LEARN_H

#include "study.h"

/* Trains network `n`, which the run has claimed, to the end and leaves out/NAME.safetensors and
 * out/NAME.csv; trains nothing when they are there and the run is resumed. FAILED after an error or
 * an interruption, which has been said; interrupt_came() tells the two apart. */
int learn(const struct study *study, size_t n);

/* What would keep learn() from writing its files, or from starting afresh; said before anything is
 * trained. */
int learn_check(const struct study *study, size_t n);

#endif
