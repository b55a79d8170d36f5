/* SPDX-License-Identifier: GPL-2.0-only */
/* The test cases of test_microkernel.c, one a file of this directory. */
#ifndef TEST_MK_SUITES_H
#define TEST_MK_SUITES_H

#include <check.h>

TCase *start_tests(void);

static TCase *(*const suites[])(void) = {
	start_tests,
};

#endif
