/*
 * report.html: the page that a study ends with, in one file that needs no other and no network.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_PAPER_REPORT_H
#define CAE_PAPER_REPORT_H

#include "results.h"

/* `command` is the line that was typed, for the page. */
int report_save(const struct results *results, const char *command);

#endif
