/* SPDX-License-Identifier: GPL-2.0-only */
/* The test cases of test_microkernel.c, one a file of this directory. */
#ifndef TEST_MK_SUITES_H
#define TEST_MK_SUITES_H

#include <check.h>

TCase *start_tests(void);
TCase *pool_tests(void);
TCase *calls_tests(void);
TCase *memory_tests(void);
TCase *objects_tests(void);
TCase *outer_tests(void);
TCase *fail_tests(void);
TCase *guest_tests(void);
TCase *svm_tests(void);
TCase *fetch_tests(void);
TCase *vmx_tests(void);
TCase *vmx_exit_tests(void);
TCase *vmx_exchange_tests(void);
TCase *vmx_checks_tests(void);

static TCase *(*const suites[])(void) = { start_tests,	      pool_tests,      calls_tests,
					  memory_tests,	      objects_tests,   outer_tests,
					  fail_tests,	      guest_tests,     svm_tests,
					  fetch_tests,	      vmx_tests,       vmx_exit_tests,
					  vmx_exchange_tests, vmx_checks_tests };

#endif
