// SPDX-License-Identifier: GPL-2.0-only
/* vmx/fallback.c: Linux without an extension. */
#include <string.h>

#include "vmx.h"
#include "../suites.h"

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

/* IRET comes again, and finds NMIs blocked: if an exit that says so has said it. */
START_TEST(an_iret_at_the_end_of_the_extension)
{
	static const struct {
		uint64_t reason, qualification, information;
		bool iret;
	} exits[] = {
		{ VMX_EXIT_CPUID, 0x1000, EVENT(3, 14) | VMX_EVENT_IRET, false },
		{ VMX_EXIT_EPT_VIOLATION, 0x1000, 0, true },
		{ VMX_EXIT_EPT_VIOLATION, 0x0FFF, EVENT(3, 14) | VMX_EVENT_IRET, false },
		{ VMX_EXIT_EXCEPTION_NMI, 0x1000, EVENT(3, 14), false }, /* an address */
		{ VMX_EXIT_EXCEPTION_NMI, 0, EVENT(3, 14) | VMX_EVENT_IRET, true },
	};

	in_vmexit();
	put_field(VMCS_exit_reason, exits[_i].reason);
	put_field(VMCS_exit_qualification, exits[_i].qualification);
	put_field(VMCS_vmexit_interruption_information, exits[_i].information);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_interruptibility_state) & VMX_BLOCKING_BY_NMI,
			  exits[_i].iret ? VMX_BLOCKING_BY_NMI : 0);
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
	ck_assert_int_eq(ended.end, END_HALTED);
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
	static const uint8_t order[] = { BF_RAX, BF_RCX, BF_RDX, BF_RBX, 0xFF,   BF_RBP,
					 BF_RSI, BF_RDI, BF_R8,  BF_R9,  BF_R10, BF_R11,
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
	} bad[] = { { 0, 0, 1ULL << 32 }, { 0, 0, CR0_PE },     { 0, 0, CR0_PG },
		    { 0, 0, 0x20000000 }, { 4, 0, 1ULL << 31 }, { 4, 0, CR4_PAE },
		    { 4, 0, CR4_LA57 },   { 3, 0, 0 },          { 8, 0, 0 },
		    { 0, 1, 0 },          { 0, 2, 0 },          { 4, 3, 0 } };
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

/* It resets the machine, as it does a bare one. */
START_TEST(triple_fault_alone)
{
	alone();
	guest_exit(VMX_EXIT_TRIPLE_FAULT);
	ck_assert_int_eq(ended.end, END_RESET);
	expect_printed("triple fault: the machine is reset");
}
END_TEST

START_TEST(unknown_exit_alone)
{
	alone();
	guest_exit(VMX_EXIT_TASK_SWITCH);
	ck_assert_int_eq(ended.end, END_HALTED);
	expect_printed("exit 9, and no extension");
}
END_TEST

START_TEST(no_length_alone)
{
	alone();
	put_field(VMCS_vmexit_instruction_length, 0);
	guest_exit(VMX_EXIT_INVD);
	ck_assert_int_eq(ended.end, END_HALTED);
}
END_TEST

TCase *vmx_fallback_tests(void)
{
	TCase *tc = tcase_create("vmx_fallback");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, nothing_more_exits);
	tcase_add_test(tc, a_window_for_no_nmi);
	tcase_add_loop_test(tc, events_at_the_end_of_the_extension, 0, 2);
	tcase_add_loop_test(tc, an_iret_at_the_end_of_the_extension, 0, 5);
	tcase_add_test(tc, nothing_of_xsaves_and_ept);
	tcase_add_test(tc, controls_are_refused_at_the_end);
	tcase_add_test(tc, cpuid_alone);
	tcase_add_test(tc, xsetbv_alone);
	tcase_add_test(tc, other_instructions_alone);
	tcase_add_test(tc, mov_to_cr_alone);
	tcase_add_loop_test(tc, mov_to_cr_refused, 0, 12);
	tcase_add_test(tc, triple_fault_alone);
	tcase_add_test(tc, unknown_exit_alone);
	tcase_add_test(tc, no_length_alone);
	return tc;
}
