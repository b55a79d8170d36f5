// SPDX-License-Identifier: GPL-2.0-only
/* The microkernel, all of it but its assembly, on fake CPUs: see cpu/cpu.h and mk/machine.h. */
#include <check.h>
#include <stdlib.h>

#include "mk/suites.h"

/*
 * What AddressSanitizer asks for. The microkernel takes no memory from the C library, and to look
 * for leaks at the end of each test takes longer than all of the tests.
 */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

int main(void)
{
	Suite *suite = suite_create("microkernel");
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		suite_add_tcase(suite, suites[i]());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
