// SPDX-License-Identifier: GPL-2.0-only
/* vmx/exit.c, vmx/event.c, vmx/fallback.c: exits of VT-x, and Linux without an extension. */
#include "machine.h"

#include <string.h>

#include "suites.h"

#define EVENT(type, vector) (VMX_EVENT_VALID | (uint64_t)(type) << 8 | (vector))
#define ANY (~0ULL)

static uint64_t field(uint32_t encoding)
{
	return vmcs_get(host_pp->vs->block_spa, encoding);
}

static void put_field(uint32_t encoding, uint64_t value)
{
	vmcs_put(host_pp->vs->block_spa, encoding, value);
}

static void running(void)
{
	machine_of(1);
	start_and_launch();
	put_field(VMCS_vmentry_interrupt_information_field, 0);
	put_field(VMCS_interruptibility_state, 0);
	put_field(VMCS_idt_vectoring_information_field, 0);
	put_field(VMCS_vmexit_instruction_length, 3);
}

static void in_vmexit(void)
{
	running();
	guest_exit(VMX_EXIT_CPUID);
}

static bool nmi_window(void)
{
	return field(VMCS_primary_proc_based_vm_execution_ctls) & VMX_PRIMARY_NMI_WINDOW;
}

/* --- into the guest --------------------------------------------------------------------------- */

START_TEST(launch_then_resume)
{
	machine_of(1);
	start_and_launch();
	ck_assert(!ended.launched);
	guest_exit(VMX_EXIT_CPUID);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(ended.launched);
}
END_TEST

START_TEST(cr2_and_dr6_go_with_the_guest)
{
	in_vmexit();
	cpu->cr2 = 0x1111; /* of the host: a fault of the extension */
	cpu->dr[6] = 0xFFFF4FF0;
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_cr2, 0x2222), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_dr6, 0xFFFF0FF1), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(cpu->cr2, 0x2222);
	ck_assert_uint_eq(cpu->dr[6], 0xFFFF0FF1);
	cpu->cr2 = 0x3333; /* the guest's own page fault */
	cpu->dr[6] = 0xFFFF0FF2;
	guest_exit(VMX_EXIT_CPUID);
	ck_assert_uint_eq(reg_read(0, MK1_INTEL_cr2), 0x3333);
	ck_assert_uint_eq(reg_read(0, MK1_INTEL_dr6), 0xFFFF0FF2);
}
END_TEST

/* What happened in root mode is a reason to write something before the entry. */
START_TEST(one_thing_differs)
{
	struct trap_frame f = { .cs = BF_SEL_KERNEL_CS };

	in_vmexit();
	SYS(vs_run_current, HANDLE);
	guest_exit(VMX_EXIT_CPUID);
	ck_assert(!host_pp->entry_dirty);
	f.vector = _i < 2 ? VECTOR_DB : VECTOR_NMI;
	if (_i == 0)
		cpu->cr2++;
	else if (_i == 1)
		cpu->dr[6] ^= 1;
	RUN(trap_dispatch(&f));
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(cpu->cr2, host_pp->vs->vmx.cr2);
	ck_assert_uint_eq(cpu->dr[6], host_pp->vs->vmx.dr6);
	ck_assert_uint_eq(nmi_window(), _i == 2);
}
END_TEST

/* Mappings that went away meanwhile are flushed, whichever way the guest is left. */
START_TEST(every_exit_catches_up)
{
	in_vmexit();
	SYS(vs_run_current, HANDLE);
	tlb_generation++;
	if (_i)
		RUN(vmx_entry_failed(RFLAGS_CF));
	else
		guest_exit(VMX_EXIT_CPUID);
	ck_assert_uint_eq(host_pp->tlb->seen, tlb_generation);
}
END_TEST

/* --- NMIs ------------------------------------------------------------------------------------- */

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

/* --- VM entry fails --------------------------------------------------------------------------- */

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

START_TEST(error_names)
{
	ck_assert_str_eq(vmx_error_name(28), "invalid operand of INVEPT or INVVPID");
	ck_assert_str_eq(vmx_error_name(14), "unknown error");
	ck_assert_str_eq(vmx_error_name(29), "unknown error");
	ck_assert_str_eq(vmx_error_name(~0ULL), "unknown error");
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
	ck_assert_int_eq(ended.end, END_RESET);
}
END_TEST

/* --- EPT violations --------------------------------------------------------------------------- */

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

/* --- the driver's call ------------------------------------------------------------------------ */

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

/*
 * The boot processor begins at the reset vector, so the machine does; others wait for their SIPI.
 */
START_TEST(init_signal)
{
	in_vmexit();
	guest_exit(VMX_EXIT_INIT);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, VMX_EXIT_INIT);
	msr_set(cpu, MSR_APIC_BASE, 0xFEE00900);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 0, 1);
	guest_exit(VMX_EXIT_INIT);
	ck_assert_int_eq(ended.end, END_RING3); /* a guest of the extension's */
	SYS(vs_run, HANDLE, 0, 0, 0);
	guest_exit(VMX_EXIT_INIT);
	ck_assert_int_eq(ended.end, END_RESET);
	expect_printed("INIT of the boot processor: the machine is reset");
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

/* --- alone ------------------------------------------------------------------------------------ */

#define EVENT_UD EVENT(3, VECTOR_UD)
#define EVENT_GP (EVENT(3, VECTOR_GP) | VMX_EVENT_ERROR_CODE)

static void alone(void)
{
	in_vmexit();
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	put_field(VMCS_vmentry_interrupt_information_field, 0);
	put_field(VMCS_rip, 0x1000);
}

static uint64_t injected(void)
{
	uint64_t event = field(VMCS_vmentry_interrupt_information_field);

	put_field(VMCS_vmentry_interrupt_information_field, 0);
	return event;
}

static void expect_skipped(uint64_t reason)
{
	put_field(VMCS_rip, 0x1000);
	guest_exit(reason);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(injected(), 0);
	ck_assert_uint_eq(field(VMCS_rip), 0x1003);
}

static void expect_injected(uint64_t reason, uint64_t event)
{
	put_field(VMCS_rip, 0x1000);
	guest_exit(reason);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(injected(), event);
	ck_assert_uint_eq(field(VMCS_rip), 0x1000);
}

START_TEST(nothing_more_exits)
{
	in_vmexit();
	reg_write(0, MK1_INTEL_exception_bitmap, 0xFFFFFFFF);
	reg_write(0, MK1_INTEL_primary_proc_based_vm_execution_ctls,
		  0x0600E1F2 | VMX_PRIMARY_NMI_WINDOW);
	reg_write(0, MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_VPID | 4);
	reg_write(0, MK1_INTEL_virtual_processor_identifier, 1);
	reg_write(0, MK1_INTEL_pin_based_vm_execution_ctls, VMX_PIN_NMI_EXITING | 1);
	reg_write(0, MK1_INTEL_ept_pointer, 0x1E);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_exception_bitmap), 0);
	/* the NMI that the extension waited to inject is Linux's all the same */
	ck_assert_uint_eq(field(VMCS_primary_proc_based_vm_execution_ctls),
			  0x04006172 | VMX_PRIMARY_MSR_BITMAPS | VMX_PRIMARY_SECONDARY |
				  VMX_PRIMARY_NMI_WINDOW);
	ck_assert_uint_eq(field(VMCS_secondary_proc_based_vm_execution_ctls),
			  VMX_SECONDARY_EPT | VMX_SECONDARY_UNRESTRICTED | VMX_SECONDARY_VPID |
				  VMX_SECONDARY_RDTSCP | VMX_SECONDARY_INVPCID |
				  VMX_SECONDARY_XSAVES | VMX_SECONDARY_USER_WAIT |
				  VMX_SECONDARY_PCONFIG);
	ck_assert_uint_eq(field(VMCS_pin_based_vm_execution_ctls),
			  0x16 | VMX_PIN_NMI_EXITING | VMX_PIN_VIRTUAL_NMIS);
	ck_assert_uint_eq(field(VMCS_ept_pointer), vmx_root_eptp());
	ck_assert_uint_eq(field(VMCS_address_of_msr_bitmaps), vmx.passthrough_bitmaps);
	ck_assert(host_pp->nmi_pending);
}
END_TEST

/* A window that the extension waited for without taking NMIs says nothing about any. */
START_TEST(a_window_for_no_nmi)
{
	in_vmexit();
	reg_write(0, MK1_INTEL_primary_proc_based_vm_execution_ctls, VMX_PRIMARY_NMI_WINDOW);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(!host_pp->nmi_pending);
	ck_assert(!nmi_window());
}
END_TEST

/* An event that was being delivered goes in again; one that the extension injected goes in. */
START_TEST(events_at_the_end_of_the_extension)
{
	in_vmexit();
	put_field(VMCS_idt_vectoring_information_field, EVENT(0, 0x31));
	if (_i)
		put_field(VMCS_vmentry_interrupt_information_field, EVENT(3, 6));
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(injected(), _i ? EVENT(3, 6) : EVENT(0, 0x31));
}
END_TEST

START_TEST(nothing_of_xsaves_and_ept)
{
	machine_of(1);
	msr_set(cpu, MSR_VMX_PROCBASED_CTLS2, (uint64_t)VMX_SECONDARY_VPID << 32);
	start_and_launch();
	put_field(VMCS_vmentry_interrupt_information_field, 0);
	put_field(VMCS_idt_vectoring_information_field, 0);
	guest_exit(VMX_EXIT_CPUID);
	reg_write(0, MK1_INTEL_secondary_proc_based_vm_execution_ctls, 0);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
}
END_TEST

START_TEST(controls_are_refused_at_the_end)
{
	in_vmexit();
	vmx.pin.may = 0;
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_RESET);
	ck_assert_uint_eq(status_of(0)->error, BF_ERR_EXT_EXIT);
	expect_printed("failed: error 14");
}
END_TEST

START_TEST(cpuid_alone)
{
	alone();
	cpuid_set(1, 0, 0x11, 0x22, 0xFFFFFFFF, 0x44);
	cpuid_set(7, 0, 1, 2, 0xFFFFFFFF, 4);
	cpuid_set(7, 1, 5, 6, 0xFFFFFFFF, 8);
	put_field(VMCS_cr4, CR4_PAE | CR4_VMXE);
	abi_gprs()[BF_RAX] = 0xABCD00000001;
	abi_gprs()[BF_RCX] = 0;
	expect_skipped(VMX_EXIT_CPUID);
	ck_assert_uint_eq(abi_gprs()[BF_RAX], 0x11);
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0x22);
	ck_assert_uint_eq(abi_gprs()[BF_RCX], 0xF7FFFFFF); /* OSXSAVE is the guest's */
	ck_assert_uint_eq(abi_gprs()[BF_RDX], 0x44);
	put_field(VMCS_cr4, CR4_PAE | CR4_VMXE | CR4_OSXSAVE | 0x400000);
	abi_gprs()[BF_RAX] = 1;
	abi_gprs()[BF_RCX] = 0;
	expect_skipped(VMX_EXIT_CPUID);
	ck_assert_uint_eq(abi_gprs()[BF_RCX], 0xFFFFFFFF);
	abi_gprs()[BF_RAX] = 7;
	abi_gprs()[BF_RCX] = 0;
	expect_skipped(VMX_EXIT_CPUID);
	ck_assert_uint_eq(abi_gprs()[BF_RCX], 0xFFFFFFFF); /* OSPKE */
	put_field(VMCS_cr4, CR4_PAE | CR4_VMXE);
	abi_gprs()[BF_RAX] = 7;
	abi_gprs()[BF_RCX] = 0;
	expect_skipped(VMX_EXIT_CPUID);
	ck_assert_uint_eq(abi_gprs()[BF_RCX], 0xFFFFFFEF);
	abi_gprs()[BF_RAX] = 7;
	abi_gprs()[BF_RCX] = 1;
	expect_skipped(VMX_EXIT_CPUID);
	ck_assert_uint_eq(abi_gprs()[BF_RCX], 0xFFFFFFFF);
	ck_assert_uint_eq(abi_gprs()[BF_RAX], 5);
}
END_TEST

START_TEST(xsetbv_alone)
{
	alone();
	abi_gprs()[BF_RCX] = 0x100000000;
	abi_gprs()[BF_RAX] = 3;
	abi_gprs()[BF_RDX] = 0;
	expect_skipped(VMX_EXIT_XSETBV);
	ck_assert_uint_eq(cpu->xcr0, 3);
	abi_gprs()[BF_RCX] = 1; /* no such XCR */
	expect_injected(VMX_EXIT_XSETBV, EVENT_GP);
	abi_gprs()[BF_RCX] = 0;
	abi_gprs()[BF_RAX] = 0;
	expect_injected(VMX_EXIT_XSETBV, EVENT_GP);
	abi_gprs()[BF_RAX] = 7;
	put_field(VMCS_ss_attrib, 0xC0F3);
	expect_injected(VMX_EXIT_XSETBV, EVENT_GP);
	ck_assert_uint_eq(cpu->xcr0, 3);
	/* in real mode, exceptions have no error code */
	put_field(VMCS_cr0, 0x20);
	expect_injected(VMX_EXIT_XSETBV, EVENT(3, VECTOR_GP));
}
END_TEST

START_TEST(other_instructions_alone)
{
	static const uint64_t ud[] = { VMX_EXIT_GETSEC,
				       VMX_EXIT_VMCLEAR,
				       20,
				       26,
				       VMX_EXIT_VMXON,
				       VMX_EXIT_INVEPT,
				       VMX_EXIT_INVVPID,
				       VMX_EXIT_VMFUNC,
				       VMX_EXIT_SEAMCALL,
				       VMX_EXIT_TDCALL };

	alone();
	abi_gprs()[BF_RAX] = 0;
	for (unsigned int i = 0; i < sizeof(ud) / sizeof(ud[0]); i++)
		expect_injected(ud[i], EVENT_UD);
	abi_gprs()[BF_RCX] = 0x10; /* of a CPU without MSR bitmaps; the others: outer.c */
	expect_injected(VMX_EXIT_RDMSR, EVENT_GP);
	expect_injected(VMX_EXIT_WRMSR, EVENT_GP);
	expect_skipped(VMX_EXIT_INVD);
	put_field(VMCS_ss_attrib, 0xC0F3);
	expect_injected(VMX_EXIT_INVD, EVENT_GP);
}
END_TEST

/* MOV to a control register: number, register, access in the qualification. */
static uint64_t qualification(uint64_t cr, uint64_t reg, uint64_t access)
{
	return cr | access << 4 | reg << 8;
}

START_TEST(mov_to_cr_alone)
{
	/* the registers in the order of instructions */
	static const uint8_t order[] = { BF_RAX, BF_RCX, BF_RDX, BF_RBX, 0xFF,	 BF_RBP,
					 BF_RSI, BF_RDI, BF_R8,	 BF_R9,	 BF_R10, BF_R11,
					 BF_R12, BF_R13, BF_R14, BF_R15 };
	uint64_t cr0, cr4;

	alone();
	cr0 = vmx_guest_cr0();
	cr4 = vmx_guest_cr4();
	for (unsigned int i = 0; i < 16; i++) {
		uint64_t value = cr4 ^ (i & 1 ? CR4_UMIP : 0);

		memset(abi_gprs(), 0xFF, BF_GPR_BYTES);
		put_field(VMCS_rsp, ~0ULL);
		if (order[i] == 0xFF)
			put_field(VMCS_rsp, value);
		else
			abi_gprs()[order[i]] = value;
		put_field(VMCS_exit_qualification, qualification(4, i, 0));
		expect_skipped(VMX_EXIT_CR_ACCESS);
		ck_assert_uint_eq(vmx_guest_cr4(), value);
		ck_assert_uint_eq(field(VMCS_cr4), value | CR4_VMXE);
	}
	abi_gprs()[BF_RAX] = cr0 & ~(uint64_t)CR0_NE;
	put_field(VMCS_exit_qualification, qualification(0, 0, 0));
	expect_skipped(VMX_EXIT_CR_ACCESS);
	ck_assert_uint_eq(vmx_guest_cr0(), cr0 & ~(uint64_t)CR0_NE);
	ck_assert_uint_eq(field(VMCS_cr0), cr0);
	abi_gprs()[BF_RAX] = cr0 | 0x60000000; /* CD and NW */
	expect_skipped(VMX_EXIT_CR_ACCESS);
}
END_TEST

START_TEST(mov_to_cr_refused)
{
	static const struct {
		uint64_t cr, access, flipped;
	} bad[] = { { 0, 0, 1ULL << 32 }, { 0, 0, CR0_PE },	{ 0, 0, CR0_PG },
		    { 0, 0, 0x20000000 }, { 4, 0, 1ULL << 31 }, { 4, 0, CR4_PAE },
		    { 4, 0, CR4_LA57 },	  { 3, 0, 0 },		{ 8, 0, 0 },
		    { 0, 1, 0 },	  { 0, 2, 0 },		{ 4, 3, 0 } };
	uint64_t cr0, cr4;

	alone();
	vmx.cr4_fixed1 |= CR4_LA57;
	cr0 = vmx_guest_cr0();
	cr4 = vmx_guest_cr4();
	abi_gprs()[BF_RAX] = (bad[_i].cr ? cr4 : cr0) ^ bad[_i].flipped;
	put_field(VMCS_exit_qualification, qualification(bad[_i].cr, 0, bad[_i].access));
	expect_injected(VMX_EXIT_CR_ACCESS, EVENT_GP);
	ck_assert_uint_eq(vmx_guest_cr0(), cr0);
	ck_assert_uint_eq(vmx_guest_cr4(), cr4);
}
END_TEST

/* Exits that cannot be answered: a triple fault resets the machine, as it does a bare one. */
START_TEST(unknown_exit_alone)
{
	alone();
	guest_exit(VMX_EXIT_TRIPLE_FAULT);
	ck_assert_int_eq(ended.end, END_RESET);
	expect_printed("exit 2, and no extension");
}
END_TEST

START_TEST(no_length_alone)
{
	alone();
	put_field(VMCS_vmexit_instruction_length, 0);
	guest_exit(VMX_EXIT_INVD);
	ck_assert_int_eq(ended.end, END_RESET);
}
END_TEST

TCase *vmx_exit_tests(void)
{
	TCase *tc = tcase_create("vmx_exit");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, launch_then_resume);
	tcase_add_test(tc, cr2_and_dr6_go_with_the_guest);
	tcase_add_loop_test(tc, one_thing_differs, 0, 3);
	tcase_add_loop_test(tc, every_exit_catches_up, 0, 2);
	tcase_add_test(tc, nmi_in_the_guest);
	tcase_add_test(tc, nmi_that_the_extension_wants);
	tcase_add_test(tc, exception_in_the_guest);
	tcase_add_loop_test(tc, nmi_in_root_mode, 0, 4);
	tcase_add_test(tc, nmi_window_of_another_vs);
	tcase_add_test(tc, nmi_window_of_the_extension);
	tcase_add_test(tc, entry_failed);
	tcase_add_loop_test(tc, entry_failed_without_a_vmcs, 0, 2);
	tcase_add_test(tc, error_names);
	tcase_add_loop_test(tc, entry_refused, 0, 2);
	tcase_add_loop_test(tc, entry_met_a_machine_check, 0, 2);
	tcase_add_test(tc, ept_violations);
	tcase_add_test(tc, vmcall);
	tcase_add_test(tc, init_signal);
	tcase_add_test(tc, cpuid_leaf);
	tcase_add_test(tc, exits_are_counted_by_reason);
	tcase_add_test(tc, nothing_more_exits);
	tcase_add_test(tc, a_window_for_no_nmi);
	tcase_add_loop_test(tc, events_at_the_end_of_the_extension, 0, 2);
	tcase_add_test(tc, nothing_of_xsaves_and_ept);
	tcase_add_test(tc, controls_are_refused_at_the_end);
	tcase_add_test(tc, cpuid_alone);
	tcase_add_test(tc, xsetbv_alone);
	tcase_add_test(tc, other_instructions_alone);
	tcase_add_test(tc, mov_to_cr_alone);
	tcase_add_loop_test(tc, mov_to_cr_refused, 0, 12);
	tcase_add_test(tc, unknown_exit_alone);
	tcase_add_test(tc, no_length_alone);
	return tc;
}
