// SPDX-License-Identifier: GPL-2.0-only
/* vmx/event.c: NMIs and machine checks that are Linux's. See vendor/event.c for more. */
#include "vmx.h"
#include "../suites.h"

START_TEST(nmi_in_the_guest)
{
	running();
	put_field(VMCS_vmexit_interruption_information, EVENT(2, 2));
	guest_exit(VMX_EXIT_EXCEPTION_NMI);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(cpu->count[INSN_IRET], 1); /* NMIs are possible again */
	ck_assert(nmi_window());
	/* behind STI some CPUs open the window, but do not take the NMI */
	put_field(VMCS_interruptibility_state, VMX_BLOCKING_BY_STI);
	guest_exit(VMX_EXIT_NMI_WINDOW);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_vmentry_interrupt_information_field), EVENT(2, 2));
	ck_assert_uint_eq(field(VMCS_interruptibility_state), 0);
	ck_assert(!nmi_window());
	ck_assert(!host_pp->nmi_pending);
}
END_TEST

START_TEST(nmi_that_the_extension_wants)
{
	in_vmexit();
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_pin_based_vm_execution_ctls, VMX_PIN_NMI_EXITING),
			  MK1_SUCCESS);
	put_field(VMCS_vmexit_interruption_information, EVENT(2, 2));
	guest_exit(VMX_EXIT_EXCEPTION_NMI);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, VMX_EXIT_EXCEPTION_NMI);
	ck_assert_uint_eq(cpu->count[INSN_IRET], 1);
	ck_assert(!host_pp->nmi_pending);
}
END_TEST

START_TEST(exception_in_the_guest)
{
	running();
	put_field(VMCS_vmexit_interruption_information, EVENT(3, 14));
	guest_exit(VMX_EXIT_EXCEPTION_NMI);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(cpu->count[INSN_IRET], 0);
}
END_TEST

/* In root mode, with the VMCS of Linux, of another VS, or none being the current one. */
START_TEST(nmi_in_root_mode)
{
	struct trap_frame f = { .vector = VECTOR_NMI, .cs = BF_SEL_USER_CS };

	in_vmexit();
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	if (_i == 0)
		ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	else
		(void)reg_read(0, MK1_INTEL_rip);
	if (_i == 1)
		ck_assert_uint_eq(SYS(vs_clear, HANDLE, 0), MK1_SUCCESS);
	if (_i == 2)
		vmx_fail(INSN_VMREAD, ANY, 1);
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert(host_pp->nmi_pending);
	ck_assert_uint_eq(_i == 0 ? false : nmi_window(), _i == 3);
	SYS(vs_set_active, HANDLE, 0, 0, 0);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(nmi_window());
}
END_TEST

/* A window that nobody wanted is closed, and nothing goes in. */
START_TEST(nmi_window_of_another_vs)
{
	in_vmexit();
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 0, 1);
	ck_assert_int_eq(ended.end, END_GUEST);
	put_field(VMCS_vmentry_interrupt_information_field, 0);
	guest_exit(VMX_EXIT_NMI_WINDOW);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_vmentry_interrupt_information_field), 0);
	ck_assert(!nmi_window());
}
END_TEST

/* The extension waits for a window of its own. */
START_TEST(nmi_window_of_the_extension)
{
	in_vmexit();
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_primary_proc_based_vm_execution_ctls,
				    VMX_PRIMARY_NMI_WINDOW),
			  MK1_SUCCESS);
	guest_exit(VMX_EXIT_NMI_WINDOW);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, VMX_EXIT_NMI_WINDOW);
	ck_assert(reg_read(0, MK1_INTEL_primary_proc_based_vm_execution_ctls) &
		  VMX_PRIMARY_NMI_WINDOW);
	/* ours comes first, and the extension's stays open */
	host_pp->nmi_pending = true;
	guest_exit(VMX_EXIT_NMI_WINDOW);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_vmentry_interrupt_information_field), EVENT(2, 2));
	ck_assert(nmi_window());
}
END_TEST

/* Destroying a VS for which an extension waits for an NMI window leaves the NMI to Linux. */
START_TEST(an_nmi_is_owed)
{
	in_vmexit();
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_pin_based_vm_execution_ctls, VMX_PIN_NMI_EXITING),
			  MK1_SUCCESS);
	if (_i)
		ck_assert_uint_eq(reg_write(0, MK1_INTEL_primary_proc_based_vm_execution_ctls,
					    VMX_PRIMARY_NMI_WINDOW),
				  MK1_SUCCESS);
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(ended.sp->nmi_pending, _i != 0);
}
END_TEST

/* Between the look at what is owed and the entry. */
START_TEST(an_nmi_just_before_the_entry)
{
	struct trap_frame f = { .vector = VECTOR_NMI, .cs = BF_SEL_KERNEL_CS };

	in_guest(1);
	RUN(trap_dispatch(&f));
	ck_assert(nmi_window());
	guest_exit(VMX_EXIT_NMI_WINDOW);
	expect_told(VMX_EXIT_EXTERNAL_INTERRUPT);
}
END_TEST

/* A window that the extension waits for is its exit; Linux's NMI is next. */
START_TEST(a_window_of_the_extension)
{
	in_guest(1);
	guest_exit(VMX_EXIT_CPUID);
	reg_write(1, MK1_INTEL_primary_proc_based_vm_execution_ctls, VMX_PRIMARY_NMI_WINDOW);
	SYS(vs_run_current, HANDLE);
	host_pp->nmi_pending = true;
	host_pp->mc_pending = true;
	guest_exit(VMX_EXIT_NMI_WINDOW);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, VMX_EXIT_NMI_WINDOW);
	ck_assert(nmi_window());
}
END_TEST

/* Linux is entered again, with it. */
START_TEST(a_machine_check_as_linux_is_entered)
{
	machine_of(1);
	start_and_launch();
	put_field(VMCS_vmentry_interrupt_information_field, 0);
	msr_set(cpu, MSR_MCG_STATUS, 5);
	guest_exit(VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_MACHINE_CHECK);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(event_to_inject(), EVENT(3, VECTOR_MC));
}
END_TEST

TCase *vmx_event_tests(void)
{
	TCase *tc = tcase_create("vmx_event");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, nmi_in_the_guest);
	tcase_add_test(tc, nmi_that_the_extension_wants);
	tcase_add_test(tc, exception_in_the_guest);
	tcase_add_loop_test(tc, nmi_in_root_mode, 0, 4);
	tcase_add_test(tc, nmi_window_of_another_vs);
	tcase_add_test(tc, nmi_window_of_the_extension);
	tcase_add_loop_test(tc, an_nmi_is_owed, 0, 2);
	tcase_add_test(tc, an_nmi_just_before_the_entry);
	tcase_add_test(tc, a_window_of_the_extension);
	tcase_add_test(tc, a_machine_check_as_linux_is_entered);
	return tc;
}
