// SPDX-License-Identifier: GPL-2.0-only
/* svm/event.c: NMIs that are owed to Linux. See vendor/event.c for more. */
#include "svm.h"
#include "../suites.h"

/* By another NMI, which waits until the guest can take it. */
START_TEST(a_pending_nmi_goes_in)
{
	in_vmexit();
	ck_assert(cpu->gif);
	host_pp->nmi_pending = true;
	SYS(vs_run_current, HANDLE);
	ck_assert(!cpu->gif);
	ck_assert(!host_pp->nmi_pending);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0x100ULL << 32 | 0x4400);
}
END_TEST

/* Linux's NMIs make other VSs exit; an extension that asks sees what they are. */
START_TEST(nmi_exits)
{
	uint64_t before;

	in_vmexit();
	before = vmcb()->instruction1;
	ck_assert_uint_eq(before & SVM_INSTR1_NMI, 0);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(1, MK1_AMD_intercept_instruction1), 0);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_intercept_instruction1, 1), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(1, MK1_AMD_intercept_instruction1), 1);
	ck_assert_uint_eq(SYS(vs_run, HANDLE, 0, 0, 1), NOT_RETURNED);
	ck_assert_uint_eq(vmcb()->instruction1, 1 | SVM_INSTR1_NMI);
	host_pp->nmi_pending = true; /* behind STGI */
	guest_exit(SVM_EXIT_NMI);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_INTR);
	ck_assert(host_pp->nmi_pending);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_intercept_instruction1, SVM_INSTR1_NMI),
			  MK1_SUCCESS);
	host_pp->nmi_pending = false;
	SYS(vs_run_current, HANDLE);
	host_pp->nmi_pending = true;
	guest_exit(SVM_EXIT_NMI);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_NMI);
	ck_assert(host_pp->nmi_pending);
	/* gone by now: somebody else's */
	ck_assert_uint_eq(reg_write(1, MK1_AMD_intercept_instruction1, 0), MK1_SUCCESS);
	host_pp->nmi_pending = false;
	guest_exit(SVM_EXIT_NMI);
	ck_assert_int_eq(ended.end, END_GUEST);
	guest_exit(SVM_EXIT_CPUID);
	/* Linux's own: this is how it is delivered */
	ck_assert_uint_eq(reg_write(0, MK1_AMD_intercept_instruction1, before | SVM_INSTR1_NMI),
			  MK1_SUCCESS);
	host_pp->nmi_pending = false;
	ck_assert_uint_eq(SYS(vs_run, HANDLE, 0, 0, 0), NOT_RETURNED);
	host_pp->nmi_pending = true;
	guest_exit(SVM_EXIT_NMI);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert(!host_pp->nmi_pending);
	ck_assert_uint_eq(reg_read(0, MK1_AMD_intercept_instruction1), before | SVM_INSTR1_NMI);
}
END_TEST

/* The APIC is off: it comes with the next exit. */
START_TEST(an_nmi_that_cannot_be_sent)
{
	with_guest(0);
	msr_set(cpu, MSR_APIC_BASE, 0xFEE00000);
	vmcb()->eventinj = EVENT(0, 0x40);
	host_pp->nmi_pending = true;
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(host_pp->nmi_pending);
}
END_TEST

TCase *svm_event_tests(void)
{
	TCase *tc = tcase_create("svm_event");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, a_pending_nmi_goes_in);
	tcase_add_test(tc, nmi_exits);
	tcase_add_test(tc, an_nmi_that_cannot_be_sent);
	return tc;
}
