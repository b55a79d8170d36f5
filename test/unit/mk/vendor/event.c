// SPDX-License-Identifier: GPL-2.0-only
/* {svm,vmx}/event.c and run.c: what is Linux's ends the run of another VS, on both vendors. */
#include "../guest.h"
#include "../suites.h"

static struct trap_frame machine_check_in_root_mode(void)
{
	return (struct trap_frame){ .vector = VECTOR_MC, .cs = BF_SEL_KERNEL_CS };
}

START_TEST(an_interrupt)
{
	in_guest(_i);
	guest_exit(interrupt_reason());
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, interrupt_reason());
}
END_TEST

/* Again and again, until Linux runs. */
START_TEST(an_nmi)
{
	in_guest(_i);
	if (_i) {
		put_field(VMCS_exit_qualification, 0x77);
		put_field(VMCS_vmexit_interruption_information, EVENT(2, 2));
		guest_exit(VMX_EXIT_EXCEPTION_NMI);
		ck_assert_uint_eq(cpu->count[INSN_IRET], 1);
	} else {
		host_pp->nmi_pending = true; /* behind STGI */
		guest_exit(SVM_EXIT_NMI);
	}
	expect_told(interrupt_reason());
	ck_assert(host_pp->nmi_pending);
	if (_i) {
		ck_assert_uint_eq(reg_read(1, MK1_INTEL_vmexit_interruption_information), 0);
		ck_assert_uint_eq(reg_read(1, MK1_INTEL_exit_qualification), 0);
	}
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t exits = status_of(0)->exits;

		abi_gprs()[BF_RAX] = 0x1234;
		SYS(vs_run_current, HANDLE);
		expect_told(interrupt_reason());
		ck_assert_uint_eq(status_of(0)->exits, exits + 1);
		ck_assert_uint_eq(host_pp->exit_gpr[BF_RAX], 0x1234);
		ck_assert(!host_pp->tlb->in_guest);
	}
	ck_assert(_i || cpu->gif);
	SYS(vs_run, HANDLE, 0, 0, 0);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(_i ? nmi_window() : !host_pp->nmi_pending, 1);
}
END_TEST

/* Mappings that have gone meanwhile are forgotten before the extension runs. */
START_TEST(an_nmi_after_a_shootdown)
{
	with_guest(_i);
	host_pp->nmi_pending = true;
	host_pp->entry_dirty = true;
	host_pp->tlb->seen--;
	SYS(vs_run_current, HANDLE);
	expect_told(interrupt_reason());
	ck_assert(_i || host_pp->tlb->seen == tlb_generation);
}
END_TEST

/* An event of the guest's goes in first. */
START_TEST(an_nmi_behind_an_event)
{
	with_guest(_i);
	put_event_to_inject(EVENT(0, 0x40));
	host_pp->nmi_pending = true;
	host_pp->entry_dirty = true;
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(event_to_inject(), EVENT(0, 0x40));
	if (!_i) {
		ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0x100ULL << 32 | 0x4400);
		ck_assert(!host_pp->nmi_pending); /* until it arrives */
		return;
	}
	ck_assert(nmi_window());
	put_event_to_inject(0);
	guest_exit(VMX_EXIT_NMI_WINDOW);
	expect_told(VMX_EXIT_EXTERNAL_INTERRUPT);
	ck_assert(!nmi_window());
}
END_TEST

/* In the guest, in root mode, and in VM entry itself. */
START_TEST(a_machine_check)
{
	struct trap_frame f = machine_check_in_root_mode();

	in_guest(_i & 1);
	switch (_i >> 1) {
	case 0:
		if (intel())
			put_field(VMCS_vmexit_interruption_information, EVENT(3, VECTOR_MC));
		guest_exit(intel() ? VMX_EXIT_EXCEPTION_NMI : (SVM_EXIT_EXCEPTION + VECTOR_MC));
		break;
	case 1:
		guest_exit(cpuid_reason());
		msr_set(cpu, MSR_MCG_STATUS, 5);
		RUN(trap_dispatch(&f));
		SYS(vs_run_current, HANDLE);
		break;
	default:
		if (!intel())
			return;
		msr_set(cpu, MSR_MCG_STATUS, 5);
		guest_exit(VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_MACHINE_CHECK);
		break;
	}
	expect_told(interrupt_reason());
	SYS(vs_run, HANDLE, 0, 0, 0);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(event_to_inject(), EVENT(3, VECTOR_MC));
	ck_assert(!host_pp->mc_pending);
}
END_TEST

/* It behind an event of the guest's waits for the next exit, or for the window. */
START_TEST(a_machine_check_behind_an_event)
{
	struct trap_frame f = machine_check_in_root_mode();

	with_guest(_i);
	msr_set(cpu, MSR_MCG_STATUS, 5);
	RUN(trap_dispatch(&f));
	put_event_to_inject(EVENT(0, 0x40));
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(host_pp->mc_pending);
	ck_assert_uint_eq(_i ? nmi_window() : msr_get(cpu, MSR_X2APIC_ICR) == 0, 1);
}
END_TEST

/* An extension that has asked for machine checks sees them, and Linux has them all the same. */
START_TEST(a_machine_check_that_the_extension_wants)
{
	uint64_t reason = _i ? VMX_EXIT_EXCEPTION_NMI : (SVM_EXIT_EXCEPTION + VECTOR_MC);

	with_guest(_i);
	reg_write(1, _i ? MK1_INTEL_exception_bitmap : MK1_AMD_intercept_exception, 1 << VECTOR_MC);
	reg_write(0, _i ? MK1_INTEL_exception_bitmap : MK1_AMD_intercept_exception, 1 << VECTOR_MC);
	SYS(vs_run_current, HANDLE);
	if (_i)
		put_field(VMCS_vmexit_interruption_information, EVENT(3, VECTOR_MC));
	guest_exit(reason);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, reason);
	ck_assert(host_pp->mc_pending);
	/* one of Linux's own is the extension's to deliver, as it wanted */
	host_pp->mc_pending = false;
	SYS(vs_run, HANDLE, 0, 0, 0);
	if (_i)
		put_field(VMCS_vmexit_interruption_information, EVENT(3, VECTOR_MC));
	guest_exit(reason);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert(!host_pp->mc_pending);
}
END_TEST

TCase *vendor_event_tests(void)
{
	TCase *tc = tcase_create("vendor_event");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, an_interrupt, 0, 2);
	tcase_add_loop_test(tc, an_nmi, 0, 2);
	tcase_add_loop_test(tc, an_nmi_after_a_shootdown, 0, 2);
	tcase_add_loop_test(tc, an_nmi_behind_an_event, 0, 2);
	tcase_add_loop_test(tc, a_machine_check, 0, 6);
	tcase_add_loop_test(tc, a_machine_check_behind_an_event, 0, 2);
	tcase_add_loop_test(tc, a_machine_check_that_the_extension_wants, 0, 2);
	return tc;
}
