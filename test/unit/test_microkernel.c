/* SPDX-License-Identifier: GPL-2.0-only */
/* sources: microkernel/ microkernel/svm/ microkernel/vmx/ lib/bsl/format.c lib/bsl/string.c lib/bsl/paging.c test/unit/cpu/ test/unit/mk/ */
/* flags: -include test/unit/cpu/host.h -no-pie -mno-red-zone -fno-strict-aliasing -Wl,-T,test/unit/cpu/extable.ld */
/*
 * The microkernel itself, all of it but its assembly, on fake CPUs: see cpu/cpu.h and mk/machine.h.
 */
#include <check.h>
#include <stdlib.h>

#include "mk/suites.h"

int main(void)
{
	Suite *suite = suite_create("microkernel");
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		suite_add_tcase(suite, suites[i]());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
