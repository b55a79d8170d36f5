// SPDX-License-Identifier: GPL-2.0-only
/* vmx/exit.c: exits before an extension sees them, and entries that failed. */
#include <string.h>

#include "vmx.h"
#include "../suites.h"

START_TEST(entry_failed)
{
	in_vmexit();
	put_field(VMCS_vm_instruction_error, 7);
	RUN(vmx_entry_failed(RFLAGS_ZF));
	ck_assert_int_eq(ended.end, END_GUEST);
	expect_failed(BF_ERR_VS_INVALID);
	ck_assert_uint_eq(status_of(0)->detail, 7);
	expect_printed("VM entry failed: invalid control fields (7)");
}
END_TEST

START_TEST(entry_failed_without_a_vmcs)
{
	in_vmexit();
	if (_i)
		vmx_fail(INSN_VMREAD, VMCS_vm_instruction_error, 1);
	RUN(vmx_entry_failed(_i ? RFLAGS_ZF : RFLAGS_CF));
	expect_failed(BF_ERR_MK_VMCS);
	expect_printed("VM entry failed: no current VMCS");
}
END_TEST

START_TEST(entry_refused)
{
	running();
	put_field(VMCS_rflags, 0);
	(void)printed();
	guest_exit(VMX_EXIT_ENTRY_FAILED |
		   (_i ? VMX_EXIT_ENTRY_MSR_LOADING : VMX_EXIT_ENTRY_GUEST_STATE));
	ck_assert_int_eq(ended.end, END_LEFT); /* nothing was launched yet */
	expect_failed(BF_ERR_VS_INVALID);
	ck_assert_uint_eq(status_of(0)->detail,
			  _i ? VMX_EXIT_ENTRY_MSR_LOADING : VMX_EXIT_ENTRY_GUEST_STATE);
	ck_assert_uint_eq(strstr(printed(), "broken: RFLAGS") != NULL, !_i);
}
END_TEST

/* The extension does not see it, and Linux gets it, behind an event that was to go in. */
START_TEST(entry_met_a_machine_check)
{
	uint64_t exits;

	if (_i)
		in_vmexit();
	else
		running();
	if (_i)
		SYS(vs_run_current, HANDLE);
	exits = status_of(0)->exits;
	msr_set(cpu, MSR_MCG_STATUS, 5); /* MCIP, RIPV */
	put_field(VMCS_vmentry_interrupt_information_field, EVENT(0, 0x30));
	guest_exit(VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_MACHINE_CHECK);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(!ended.launched);
	ck_assert_uint_eq(status_of(0)->exits, exits);
	ck_assert_uint_eq(status_of(0)->state, BF_PP_GUEST * (unsigned int)_i);
	ck_assert_uint_eq(field(VMCS_vmentry_interrupt_information_field), EVENT(0, 0x30));
	ck_assert(host_pp->mc_pending);
	put_field(VMCS_vmentry_interrupt_information_field, 0);
	guest_exit(VMX_EXIT_NMI_WINDOW);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_vmentry_interrupt_information_field), EVENT(3, VECTOR_MC));
	ck_assert(!host_pp->mc_pending);
	/* what cannot go on */
	msr_set(cpu, MSR_MCG_STATUS, 4);
	guest_exit(VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_MACHINE_CHECK);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(status_of(0)->error, BF_ERR_MK_FAULT);
	ck_assert_uint_eq(status_of(0)->detail, VECTOR_MC);
	ck_assert(host_pp->fallback);
	ck_assert_uint_eq(field(VMCS_vmentry_interrupt_information_field), EVENT(3, VECTOR_MC));
}
END_TEST

/* A CPU that does not say whether it can go on. */
START_TEST(entry_met_a_machine_check_of_an_unknown_kind)
{
	in_vmexit();
	msr_drop(cpu, MSR_MCG_STATUS);
	guest_exit(VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_MACHINE_CHECK);
	expect_failed(BF_ERR_MK_FAULT);
	ck_assert_uint_eq(status_of(0)->detail, VECTOR_MC);
}
END_TEST

START_TEST(ept_violations)
{
	static const struct {
		uint64_t vectoring, injected;
		bool error_code, length;
	} events[] = { { 0, 0, false, false },
		       { EVENT(0, 0x30), EVENT(0, 0x30), false, false },
		       { EVENT(2, 2) | 0x1000, EVENT(2, 2), false, false },
		       { EVENT(3, 14) | VMX_EVENT_ERROR_CODE, EVENT(3, 14) | VMX_EVENT_ERROR_CODE,
			 true, false },
		       { EVENT(4, 0x80), EVENT(4, 0x80), false, true },
		       { EVENT(6, 3), EVENT(6, 3), false, true } };

	running();
	for (unsigned int i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		put_field(VMCS_physical_address, RAM_TOP + i * (1ULL << 30));
		put_field(VMCS_exit_qualification, 1);
		put_field(VMCS_idt_vectoring_information_field, events[i].vectoring);
		put_field(VMCS_idt_vectoring_error_code, 0x77);
		put_field(VMCS_vmentry_exception_error_code, 0);
		put_field(VMCS_vmentry_instruction_length, 0);
		put_field(VMCS_vmentry_interrupt_information_field, 0);
		put_field(VMCS_interruptibility_state,
			  VMX_BLOCKING_BY_NMI | (i == 2 ? VMX_BLOCKING_BY_STI : 0));
		guest_exit(VMX_EXIT_EPT_VIOLATION);
		ck_assert_int_eq(ended.end, END_GUEST);
		ck_assert_uint_eq(field(VMCS_vmentry_interrupt_information_field),
				  events[i].injected);
		ck_assert_uint_eq(field(VMCS_vmentry_exception_error_code),
				  events[i].error_code ? 0x77 : 0);
		ck_assert_uint_eq(field(VMCS_vmentry_instruction_length), events[i].length ? 3 : 0);
		ck_assert_uint_eq(field(VMCS_interruptibility_state),
				  i == 2 ? 0 : VMX_BLOCKING_BY_NMI);
	}
	/* IRET that is executed again finds NMIs blocked as it did */
	put_field(VMCS_idt_vectoring_information_field, 0);
	put_field(VMCS_interruptibility_state, 0);
	put_field(VMCS_exit_qualification, VMX_QUAL_EPT_IRET);
	guest_exit(VMX_EXIT_EPT_VIOLATION);
	ck_assert_uint_eq(field(VMCS_interruptibility_state), VMX_BLOCKING_BY_NMI);
	/* cannot be mended, or another table: the extension's */
	put_field(VMCS_physical_address, 1ULL << 48);
	guest_exit(VMX_EXIT_EPT_VIOLATION);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_ept_pointer, 0x1E), MK1_SUCCESS);
	put_field(VMCS_physical_address, RAM_TOP);
	guest_exit(VMX_EXIT_EPT_VIOLATION);
	ck_assert_int_eq(ended.end, END_RING3);
}
END_TEST

START_TEST(vmcall)
{
	in_vmexit();
	/* another word, user space, an instruction without length, not Linux */
	guest_exit(VMX_EXIT_VMCALL);
	ck_assert_int_eq(ended.end, END_RING3);
	abi_gprs()[BF_RAX] = BF_HYPERCALL_STOP;
	put_field(VMCS_ss_attrib, 0xC0F3);
	guest_exit(VMX_EXIT_VMCALL);
	ck_assert_int_eq(ended.end, END_RING3);
	put_field(VMCS_ss_attrib, 0xC093);
	put_field(VMCS_vmexit_instruction_length, 0);
	guest_exit(VMX_EXIT_VMCALL);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 0, 1);
	abi_gprs()[BF_RAX] = BF_HYPERCALL_STOP;
	guest_exit(VMX_EXIT_VMCALL);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg0, 1);
}
END_TEST

/* The microkernel's own, of which the CPU does not say how long they are, are not answered. */
START_TEST(hypercalls_without_a_length)
{
	const uint64_t number = _i ? BF_HYPERCALL_TABLE : BF_HYPERCALL_TRACE;

	in_vmexit();
	SYS(vs_run_current, HANDLE);
	abi_gprs()[BF_RAX] = number;
	put_field(VMCS_rip, 0x1000);
	put_field(VMCS_ss_attrib, 0xC093);
	put_field(VMCS_vmexit_instruction_length, 0);
	guest_exit(VMX_EXIT_VMCALL);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(abi_gprs()[BF_RAX], number);
	ck_assert_uint_eq(field(VMCS_rip), 0x1000);
}
END_TEST

/* Mk#1 leaves both to the extension, and the local APIC as it is. */
START_TEST(init_signal_is_told)
{
	uint64_t svr, state;

	in_vmexit();
	machine_has_x2apics();
	msr_set(cpu, MSR_APIC_BASE, 0xFEE00C00);
	svr = msr_get(cpu, MSR_X2APIC + XAPIC_SVR / 16);
	state = field(VMCS_activity_state);
	guest_exit(_i ? VMX_EXIT_SIPI : VMX_EXIT_INIT);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, _i ? VMX_EXIT_SIPI : VMX_EXIT_INIT);
	ck_assert_uint_eq(field(VMCS_activity_state), state);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC + XAPIC_SVR / 16), svr);
}
END_TEST

/*
 * The boot processor begins at the reset vector, so the machine does; others wait for their SIPI,
 * where CPUs are kept.
 */
START_TEST(init_signal)
{
	in_vmexit();
	machine_has_x2apics();
	msr_set(cpu, MSR_APIC_BASE, 0xFEE00C00);
	mk.keep_cpus = true;
	host_pp->nmi_pending = true;
	put_field(VMCS_interruptibility_state, VMX_BLOCKING_BY_NMI);
	put_field(VMCS_vmentry_interrupt_information_field, VMX_EVENT_VALID);
	guest_exit(VMX_EXIT_INIT);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_activity_state), VMX_ACTIVITY_WAIT_FOR_SIPI);
	ck_assert_uint_eq(field(VMCS_interruptibility_state), 0);
	ck_assert_uint_eq(field(VMCS_vmentry_interrupt_information_field), 0);
	ck_assert(!host_pp->nmi_pending);
	/* nobody waits for it, whatever changes */
	ck_assert_uint_eq(host_pp->tlb->in_guest, TLB_AWAITS_IPI);
	ck_assert_uint_eq(status_of(0)->awaits_ipi, 1); /* the driver needs to know */
	ck_assert(tlb_have_seen(++tlb_generation));
	ck_assert_uint_ne(host_pp->tlb->seen, tlb_generation);
	/* the local APIC, too, as soon as there is time */
	guest_exit(VMX_EXIT_SIPI);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(host_pp->tlb->seen, tlb_generation);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC + XAPIC_SVR / 16), APIC_SVR_RESET);
	/* an INIT that has waited for that is nothing new, but another one is */
	put_field(VMCS_activity_state, VMX_ACTIVITY_ACTIVE);
	put_field(VMCS_rip, 0);
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(host_pp->tlb->in_guest, TLB_IN_GUEST);
	ck_assert_uint_eq(status_of(0)->awaits_ipi, 0);
	guest_exit(VMX_EXIT_INIT);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_activity_state), VMX_ACTIVITY_ACTIVE);
	guest_exit(VMX_EXIT_INIT);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_activity_state), VMX_ACTIVITY_WAIT_FOR_SIPI);
	guest_exit(VMX_EXIT_SIPI);
	put_field(VMCS_activity_state, VMX_ACTIVITY_ACTIVE);
	put_field(VMCS_rip, 2);
	SYS(vs_run_current, HANDLE);
	guest_exit(VMX_EXIT_INIT);
	ck_assert_uint_eq(field(VMCS_activity_state), VMX_ACTIVITY_WAIT_FOR_SIPI);
	/* nobody could start it */
	put_field(VMCS_activity_state, VMX_ACTIVITY_ACTIVE);
	host_pp->fallback = true;
	guest_exit(VMX_EXIT_INIT);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_activity_state), VMX_ACTIVITY_ACTIVE);
	host_pp->fallback = false;
	guest_exit(VMX_EXIT_CPUID);
	msr_set(cpu, MSR_APIC_BASE, 0xFEE00900);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 0, (uint64_t)_i); /* Linux, or a guest */
	guest_exit(VMX_EXIT_INIT);
	ck_assert_int_eq(ended.end, END_RESET);
	expect_printed("INIT of the boot processor: the machine is reset");
}
END_TEST

/* Linux is about to start this CPU, which is offline: it waits before INIT has come. */
START_TEST(init_signal_is_expected)
{
	in_vmexit();
	machine_has_x2apics();
	msr_set(cpu, MSR_APIC_BASE, 0xFEE00C00);
	mk.keep_cpus = true;
	put_field(VMCS_vmexit_interruption_information, EVENT(2, 2));
	status_of(0)->starting = 1;
	guest_exit(VMX_EXIT_EXCEPTION_NMI);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_activity_state), VMX_ACTIVITY_WAIT_FOR_SIPI);
	ck_assert(!host_pp->nmi_pending);
	ck_assert_uint_eq(status_of(0)->starting, 0);
	ck_assert_uint_eq(status_of(0)->awaits_ipi, 1);
	if (_i) {
		tlb_recall_own(host_pp); /* by another PP, which sends nothing to one that waits */
		host_pp->nmi_pending = true; /* a second one, too late */
	}
	guest_exit(VMX_EXIT_SIPI);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert(!host_pp->nmi_pending && !nmi_window());
	put_field(VMCS_activity_state, VMX_ACTIVITY_ACTIVE);
	put_field(VMCS_rip, 0);
	SYS(vs_run_current, HANDLE);
	if (_i) {
		ck_assert_uint_eq(ended.arg1, VMX_EXIT_EXTERNAL_INTERRUPT);
		SYS(vs_run_current, HANDLE);
	}
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(status_of(0)->awaits_ipi, 0);
	/* the INIT, which was blocked until now */
	guest_exit(VMX_EXIT_INIT);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_activity_state), VMX_ACTIVITY_ACTIVE);
	/* any other NMI is Linux's */
	guest_exit(VMX_EXIT_EXCEPTION_NMI);
	ck_assert_uint_eq(field(VMCS_activity_state), VMX_ACTIVITY_ACTIVE);
	/* where no CPU is kept, there is nobody who could start it */
	mk.keep_cpus = false;
	status_of(0)->starting = 1;
	guest_exit(VMX_EXIT_EXCEPTION_NMI);
	ck_assert_uint_eq(field(VMCS_activity_state), VMX_ACTIVITY_ACTIVE);
}
END_TEST

/* Another guest's run ends with both; Linux waits for nothing yet, CPUs being kept or not. */
START_TEST(init_signal_in_another_guest)
{
	uint64_t state, svr;

	in_guest(1);
	machine_has_x2apics();
	msr_set(cpu, MSR_APIC_BASE, 0xFEE00C00);
	mk.keep_cpus = _i;
	svr = msr_get(cpu, MSR_X2APIC + XAPIC_SVR / 16);
	state = vmcs_get(host_pp->root_vs->block_spa, VMCS_activity_state);
	guest_exit(VMX_EXIT_INIT);
	expect_told(VMX_EXIT_INIT);
	ck_assert_uint_eq(vmcs_get(host_pp->root_vs->block_spa, VMCS_activity_state), state);
	ck_assert_uint_ne(field(VMCS_activity_state), VMX_ACTIVITY_WAIT_FOR_SIPI);
	guest_exit(VMX_EXIT_SIPI);
	expect_told(VMX_EXIT_SIPI);
	ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC + XAPIC_SVR / 16), svr);
}
END_TEST

/* Where CPUs are kept, it waits when it is to run, and no guest runs before that. */
START_TEST(linux_is_to_wait)
{
	in_guest(1);
	msr_set(cpu, MSR_APIC_BASE, 0xFEE00C00);
	mk.keep_cpus = true;
	guest_exit(VMX_EXIT_INIT);
	expect_told(VMX_EXIT_INIT);
	ck_assert_uint_ne(field(VMCS_activity_state), VMX_ACTIVITY_WAIT_FOR_SIPI);
	SYS(vs_run_current, HANDLE);
	expect_told(VMX_EXIT_EXTERNAL_INTERRUPT);
	SYS(vs_run, HANDLE, 0, 0, 0);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_activity_state), VMX_ACTIVITY_WAIT_FOR_SIPI);
	ck_assert_uint_eq(host_pp->tlb->in_guest, TLB_AWAITS_IPI);
	ck_assert(!host_pp->vmx.init);
}
END_TEST

/* Linux gets the CPU back instead; when it comes in again, nothing is left of that. */
START_TEST(init_of_an_earlier_launch)
{
	in_guest(1);
	msr_set(cpu, MSR_APIC_BASE, 0xFEE00C00);
	mk.keep_cpus = true;
	guest_exit(VMX_EXIT_INIT);
	ck_assert(host_pp->vmx.init);
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), NOT_RETURNED);
	ck_assert_uint_eq(status_of(0)->state, BF_PP_BARE);
	enter(0);
	ck_assert(!host_pp->vmx.init);
	ck_assert(!host_pp->fetched);
}
END_TEST

/* The driver wants a CPU back that is offline: by INIT, or the IPI that one waits for. */
START_TEST(leaves_offline)
{
	machine_of(1);
	machine_has_x2apics();
	msr_set(&m.cpus[0], MSR_APIC_BASE, 0xFEE00C00);
	msr_set(&m.cpus[0], MSR_VMX_MISC, VMX_MISC_WAIT_FOR_SIPI);
	m.handoff->flags = BF_HANDOFF_KEEP_CPUS;
	start_and_launch();
	if (_i)
		guest_exit(VMX_EXIT_INIT);
	status_of(0)->leaving = 1;
	guest_exit(_i ? VMX_EXIT_SIPI : VMX_EXIT_INIT);
	ck_assert_int_eq(ended.end, END_HALTED);
	ck_assert_uint_eq(status_of(0)->state, BF_PP_BARE);
	ck_assert(!cpu->vmxon);
}
END_TEST

START_TEST(cpuid_leaf)
{
	in_vmexit();
	cpuid_set(MK1_CPUID_LEAF, MK1_CPUID_STOP, 0x11, 0x22, 0x33, 0x44);
	put_field(VMCS_rip, 0x1000);
	put_field(VMCS_vmexit_instruction_length, 2);
	put_field(VMCS_ss_attrib, 0xC0F3);
	abi_gprs()[BF_RAX] = MK1_CPUID_LEAF;
	abi_gprs()[BF_RCX] = MK1_CPUID_STOP;
	guest_exit(VMX_EXIT_CPUID);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_rip), 0x1002);
	ck_assert_uint_eq(abi_gprs()[BF_RAX], 0x11);
	ck_assert_uint_eq(abi_gprs()[BF_RDX], 0x44);
	abi_gprs()[BF_RAX] = MK1_CPUID_LEAF;
	put_field(VMCS_ss_attrib, 0xC093);
	guest_exit(VMX_EXIT_CPUID);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(abi_gprs()[BF_RAX], MK1_CPUID_LEAF);
}
END_TEST

START_TEST(exits_are_counted_by_reason)
{
	running();
	guest_exit(VMX_EXIT_TRIPLE_FAULT);
	guest_exit(64);
	guest_exit(77);
	ck_assert_uint_eq(status_of(0)->exit_count[2], 1);
	ck_assert_uint_eq(status_of(0)->exit_count[64], 1);
	ck_assert_uint_eq(status_of(0)->exit_count[77], 1);
	ck_assert_uint_eq(status_of(0)->exits, 3);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, 77);
}
END_TEST

/*
 * VMLAUNCH itself fails: control fields that do not fit together; and what is no extension's fault.
 */
START_TEST(control_fields)
{
	with_guest(1);
	SYS(vs_run_current, HANDLE);
	put_field(VMCS_vm_instruction_error, _i ? 8 : 7);
	put_field(VMCS_exit_reason, VMX_EXIT_CPUID);
	if (_i == 0) {
		put_field(VMCS_cr3_target_count, 5);
		host_pp->tlb->seen--;
	}
	RUN(vmx_entry_failed(RFLAGS_ZF));
	if (_i) {
		ck_assert(host_pp->fallback);
		expect_failed(BF_ERR_VS_INVALID);
		ck_assert_uint_eq(status_of(0)->detail, 8);
		return;
	}
	expect_told(VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_GUEST_STATE);
	expect_printed("CR3-target count");
	ck_assert_uint_eq(reg_read(1, MK1_INTEL_vm_instruction_error), 7);
	ck_assert_uint_eq(reg_write(1, MK1_INTEL_cr3_target_count, 0), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(ended.launched, false);
	guest_exit(VMX_EXIT_CPUID);
	ck_assert_uint_eq(reg_read(1, MK1_INTEL_exit_reason), VMX_EXIT_CPUID);
}
END_TEST

TCase *vmx_exit_tests(void)
{
	TCase *tc = tcase_create("vmx_exit");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, entry_failed);
	tcase_add_loop_test(tc, entry_failed_without_a_vmcs, 0, 2);
	tcase_add_loop_test(tc, entry_refused, 0, 2);
	tcase_add_test(tc, entry_met_a_machine_check_of_an_unknown_kind);
	tcase_add_loop_test(tc, entry_met_a_machine_check, 0, 2);
	tcase_add_test(tc, ept_violations);
	tcase_add_test(tc, vmcall);
	tcase_add_loop_test(tc, init_signal, 0, 2);
	tcase_add_loop_test(tc, init_signal_is_expected, 0, 2);
	tcase_add_loop_test(tc, hypercalls_without_a_length, 0, 2);
	tcase_add_loop_test(tc, init_signal_is_told, 0, 2);
	tcase_add_loop_test(tc, init_signal_in_another_guest, 0, 2);
	tcase_add_loop_test(tc, leaves_offline, 0, 2);
	tcase_add_test(tc, linux_is_to_wait);
	tcase_add_test(tc, init_of_an_earlier_launch);
	tcase_add_test(tc, cpuid_leaf);
	tcase_add_test(tc, exits_are_counted_by_reason);
	tcase_add_loop_test(tc, control_fields, 0, 2);
	return tc;
}
