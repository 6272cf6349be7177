/*
 * The claims of the paper, and what a study says of each.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_PAPER_VERDICT_H
#define CAE_PAPER_VERDICT_H

#include "results.h"

enum ruling { UNKNOWN, HELD, HELD_ON_TRAINING, HELD_ON_UNSEEN, NOT_HELD };

struct verdict {
    const char *claim;
    enum ruling ruling;
    char evidence[480];
};

enum { VERDICTS = 7 };

/* Claims whose networks are not trained yet come out as UNKNOWN. */
void verdicts_find(const struct results *results, struct verdict verdicts[VERDICTS]);

/* "held", "held on the training faces only", ... */
const char *verdict_word(enum ruling ruling);

#endif
