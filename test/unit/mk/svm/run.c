// SPDX-License-Identifier: GPL-2.0-only
/* svm/run.c: into the guest. */
#include "svm.h"
#include "../suites.h"

START_TEST(rax_goes_with_the_guest)
{
	running();
	vmcb()->rax = 0x1234;
	vmcb()->clean = 0;
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(abi_gprs()[BF_RAX], 0x1234);
	ck_assert_uint_eq(vmcb()->clean, SVM_CLEAN_ALL);
	abi_gprs()[BF_RAX] = 0x5678;
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(vmcb()->rax, 0x5678);
	ck_assert_uint_eq(ended.spa, host_pp->vs->block_spa);
}
END_TEST

TCase *svm_run_tests(void)
{
	TCase *tc = tcase_create("svm_run");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, rax_goes_with_the_guest);
	return tc;
}
