// SPDX-License-Identifier: GPL-2.0-only
/* svm/fallback.c: Linux without an extension. */
#include "svm.h"
#include "../suites.h"

START_TEST(alone)
{
	in_vmexit();
	reg_write(0, MK1_AMD_intercept_cr_write, 0xFFFF);
	reg_write(0, MK1_AMD_intercept_instruction1, 0x40000);
	reg_write(0, MK1_AMD_tsc_offset, 5);
	reg_write(0, MK1_AMD_n_cr3, LINUX_RAM);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->cr_write, 0);
	ck_assert_uint_eq(vmcb()->instruction1, 0);
	ck_assert_uint_eq(vmcb()->tsc_offset, 0);
	ck_assert_uint_eq(vmcb()->n_cr3, mk.root_npt);
	ck_assert_uint_eq(vmcb()->exceptions, EXCEPTION_BIT(VECTOR_GP));
	guest_exit(SVM_EXIT_VMRUN);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, VECTOR_UD));
	/* of a module that knows of an extension, and of a process */
	vmcb()->eventinj = 0;
	vmcb()->nrip = vmcb()->rip + 3;
	guest_exit(SVM_EXIT_VMMCALL);
	ck_assert_uint_eq(vmcb()->eventinj, 0);
	ck_assert_uint_eq(vmcb()->rip, vmcb()->nrip);
	ck_assert_uint_eq(vmcb()->rax, MK1_FAILURE_UNSUPPORTED);
	vmcb()->cpl = 3;
	guest_exit(SVM_EXIT_VMMCALL);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, VECTOR_UD));
	vmcb()->cpl = 0;
	gp(0, 0x18, 0);
	ck_assert_uint_eq(vmcb()->eventinj, INJECTED_GP(0x18));
	vmcb()->exitinfo2 = RAM_TOP;
	guest_exit(SVM_EXIT_NPF);
	ck_assert_int_eq(ended.end, END_GUEST);
	/* a panic of Linux's switches SVM off */
	vmcb()->efer &= ~(uint64_t)EFER_SVME;
	vmcb()->exitinfo2 = RAM_TOP;
	guest_exit(SVM_EXIT_NPF);
	ck_assert_uint_eq(vmcb()->efer & EFER_SVME, EFER_SVME);
	/* whatever the extension had exit */
	vmcb()->instruction1 = SVM_INSTR1_SHUTDOWN;
	guest_exit(SVM_EXIT_SHUTDOWN);
	ck_assert_int_eq(ended.end, END_RESET);
}
END_TEST

/* VMMCALL was the extension's: now it is what it is without one. */
START_TEST(alone_after_claiming_calls)
{
	in_vmexit();
	ck_assert_uint_eq(reg_write(0, MK1_AMD_intercept_instruction2, SVM_INSTR2_VMMCALL),
			  MK1_SUCCESS);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	vmcb()->rax = 0x1234;
	vmcb()->cpl = 3;
	vmcb()->nrip = vmcb()->rip + 3;
	guest_exit(SVM_EXIT_VMMCALL);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, VECTOR_UD));
	ck_assert_uint_ne(vmcb()->rip, vmcb()->nrip);
}
END_TEST

/* The event that the exit interrupted goes in, not what the extension made of it. */
START_TEST(alone_after_a_forged_event)
{
	running();
	vmcb()->exitintinfo = EVENT(0, 0x40);
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_exitininfo, EVENT(7, 6)), MK1_SUCCESS);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(0, 0x40));
}
END_TEST

/* A breakpoint that exits has been injected: Linux is behind it. */
START_TEST(alone_behind_a_breakpoint)
{
	running();
	vmcb()->exceptions |= 1u << VECTOR_BP;
	vmcb()->exitintinfo = EVENT(3, VECTOR_BP);
	guest_exit(SVM_EXIT_CPUID);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, VECTOR_BP));
	ck_assert_uint_eq(vmcb()->exceptions, 1u << VECTOR_GP);
}
END_TEST

START_TEST(alone_without_nested_paging)
{
	machine_of(0);
	cpuid_set(0x8000000A, 0, 1, 16, 0, 8);
	start_and_launch();
	guest_exit(SVM_EXIT_CPUID);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->np_control, 0);
}
END_TEST

TCase *svm_fallback_tests(void)
{
	TCase *tc = tcase_create("svm_fallback");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, alone);
	tcase_add_test(tc, alone_after_claiming_calls);
	tcase_add_test(tc, alone_after_a_forged_event);
	tcase_add_test(tc, alone_behind_a_breakpoint);
	tcase_add_test(tc, alone_without_nested_paging);
	return tc;
}
