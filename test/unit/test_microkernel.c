/* SPDX-License-Identifier: GPL-2.0-only */
/* sources: microkernel/ microkernel/arch/ microkernel/mem/ microkernel/obj/ microkernel/run/ microkernel/call/ */
/* sources: microkernel/svm/ microkernel/vmx/ test/unit/cpu/ test/unit/mk/ */
/* sources: microkernel/arch/hypercall.S lib/bsl/format.c lib/bsl/paging.c lib/bsl/string.c lib/bsl/x86/mem.c */
/* flags: -include test/unit/cpu/host.h -mno-red-zone -fno-strict-aliasing */
/* flags: -no-pie -Wl,-T,test/unit/cpu/extable.ld */
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
