/*
 * Failing system calls, for tests of files. A program that links faults.c has its own openat,
 * write, fsync and so on, which the library calls instead of the C library's; they count themselves
 * and, when armed, one of them fails or the process dies there.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef CAE_TESTS_SUPPORT_FAULTS_H
#define CAE_TESTS_SUPPORT_FAULTS_H

#include <stdbool.h>

enum fault {
    FAULT_NONE,
    FAULT_ERROR,       /* the call fails with `error`, without effect */
    FAULT_FROM,        /* it and all later calls of its kind do */
    FAULT_SHORT,       /* a write or a read takes one byte only */
    FAULT_KILL_BEFORE, /* the process dies instead of making the call */
    FAULT_KILL_AFTER   /* or when it has been made */
};

/* From now on calls are counted, and number `at` (from 1) suffers. */
void faults_arm(enum fault kind, int at, int error);

/* The end; returns how many calls there were. */
int faults_disarm(void);

/* The name of the call that suffered; "" when none did. */
const char *faults_victim(void);

/* File descriptors opened and not closed since arming. */
int faults_open_files(void);

#endif
