// SPDX-License-Identifier: GPL-2.0-only
/* svm/nested.c: nested paging, which a CPU may lack. */
#include "../guest.h"
#include "../suites.h"

START_TEST(no_nested_paging)
{
	machine_of(0);
	cpuid_set(0x8000000A, 0, 1, 16, 0, 8);
	start_and_launch();
	ck_assert_uint_eq(vmcb()->np_control, 0);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_ctls1, SVM_NP_ENABLE), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(0, MK1_AMD_ctls1), 0);
	/* PAT is the CPU's own then */
	msr_set(cpu, MSR_PAT, 0x0706);
	guest_exit(SVM_EXIT_CPUID);
	SYS(vs_promote, HANDLE, 0);
	ck_assert_uint_eq(ended.sp->cpu.pat, 0x0706);
}
END_TEST

TCase *svm_nested_tests(void)
{
	TCase *tc = tcase_create("svm_nested");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, no_nested_paging);
	return tc;
}
