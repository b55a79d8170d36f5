// SPDX-License-Identifier: GPL-2.0-only
/* vmx/controls.c: the control fields, completed and cut down. */
#include "vmx.h"
#include "../suites.h"

/* The CPU refuses the controls of a root VS. */
START_TEST(controls_of_a_root_vs_are_refused)
{
	machine_of(1);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	vmx_fail(INSN_VMWRITE, VMCS_pin_based_vm_execution_ctls, 1);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(BF_ERR_VMX_CONTROLS);
}
END_TEST

/* What is needed is added; what is not asked for is not shown. */
START_TEST(controls_are_completed)
{
	in_vmexit();
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_pin_based_vm_execution_ctls, 0), MK1_SUCCESS);
	ck_assert_uint_eq(field(VMCS_pin_based_vm_execution_ctls),
			  0x16 | VMX_PIN_NMI_EXITING | VMX_PIN_VIRTUAL_NMIS);
	ck_assert(!host_pp->vs->nmi_exiting);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_pin_based_vm_execution_ctls, VMX_PIN_NMI_EXITING),
			  MK1_SUCCESS);
	ck_assert(host_pp->vs->nmi_exiting);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_primary_proc_based_vm_execution_ctls, 0),
			  MK1_SUCCESS);
	ck_assert_uint_eq(field(VMCS_primary_proc_based_vm_execution_ctls),
			  0x04006172 | VMX_PRIMARY_SECONDARY);
	put_field(VMCS_primary_proc_based_vm_execution_ctls,
		  0x04006172 | VMX_PRIMARY_SECONDARY | VMX_PRIMARY_NMI_WINDOW);
	ck_assert_uint_eq(reg_read(0, MK1_INTEL_primary_proc_based_vm_execution_ctls),
			  0x04006172 | VMX_PRIMARY_SECONDARY);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_secondary_proc_based_vm_execution_ctls, 0),
			  MK1_SUCCESS);
	ck_assert_uint_eq(field(VMCS_secondary_proc_based_vm_execution_ctls),
			  VMX_SECONDARY_EPT | VMX_SECONDARY_UNRESTRICTED);
	/* the guest's mode follows EFER.LMA */
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_vmentry_ctls, 0), MK1_SUCCESS);
	ck_assert_uint_eq(field(VMCS_vmentry_ctls) & VMX_ENTRY_CTL_IA32E_GUEST,
			  VMX_ENTRY_CTL_IA32E_GUEST);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_efer, 0), MK1_SUCCESS);
	ck_assert_uint_eq(field(VMCS_vmentry_ctls) & VMX_ENTRY_CTL_IA32E_GUEST, 0);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_vmentry_ctls, VMX_ENTRY_CTL_IA32E_GUEST),
			  MK1_SUCCESS);
	ck_assert_uint_eq(field(VMCS_vmentry_ctls) & VMX_ENTRY_CTL_IA32E_GUEST, 0);
	/* forced bits; with unrestricted guest not PE and PG */
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_cr0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(field(VMCS_cr0), 0x20);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_cr4, 0), MK1_SUCCESS);
	ck_assert_uint_eq(field(VMCS_cr4), CR4_VMXE);
	/* a VS that is not Linux need not have EPT */
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, MK1_INTEL_secondary_proc_based_vm_execution_ctls, 0),
			  MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(1, MK1_INTEL_secondary_proc_based_vm_execution_ctls), 0);
}
END_TEST

/* Whatever the CPU lacks is dropped, and of what it has, only what is safe is taken. */
START_TEST(controls_that_the_cpu_lacks)
{
	static const struct {
		unsigned int number;
		uint32_t msr;
		uint64_t refused;
	} controls[] = { { MK1_INTEL_pin_based_vm_execution_ctls, MSR_VMX_TRUE_PINBASED_CTLS,
			   VMX_PIN_POSTED_INTERRUPTS },
			 { MK1_INTEL_primary_proc_based_vm_execution_ctls,
			   MSR_VMX_TRUE_PROCBASED_CTLS,
			   VMX_PRIMARY_TPR_SHADOW | VMX_PRIMARY_TERTIARY },
			 { MK1_INTEL_secondary_proc_based_vm_execution_ctls,
			   MSR_VMX_PROCBASED_CTLS2, 0x90E66311 },
			 { MK1_INTEL_vmexit_ctls, MSR_VMX_TRUE_EXIT_CTLS, VMX_EXIT_CTL_SECONDARY },
			 { MK1_INTEL_vmentry_ctls, MSR_VMX_TRUE_ENTRY_CTLS, 0 } };

	in_vmexit();
	for (unsigned int i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
		uint64_t before = reg_read(0, controls[i].number);
		uint64_t may = msr_get(cpu, controls[i].msr) >> 32;

		ck_assert_uint_eq(reg_write(0, controls[i].number, before | ~may), MK1_SUCCESS);
		ck_assert_uint_eq(reg_read(0, controls[i].number), before);
		for (unsigned int bit = 0; bit < 32; bit++) {
			bool refused = may & controls[i].refused & 1ULL << bit;

			ck_assert_uint_eq(reg_write(0, controls[i].number, before | 1ULL << bit),
					  refused ? MK1_INVALID_INPUT_REG(3) : MK1_SUCCESS);
		}
	}
}
END_TEST

START_TEST(no_unrestricted_guest)
{
	machine_of(1);
	msr_set(cpu, MSR_VMX_PROCBASED_CTLS2,
		msr_get(cpu, MSR_VMX_PROCBASED_CTLS2) &
			~((uint64_t)VMX_SECONDARY_UNRESTRICTED << 32));
	start_and_launch();
	ck_assert_uint_eq(field(VMCS_secondary_proc_based_vm_execution_ctls), VMX_SECONDARY_EPT);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_cr0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(field(VMCS_cr0), 0x80000021);
}
END_TEST

#define CR8_EXITING (VMX_PRIMARY_CR8_LOAD | VMX_PRIMARY_CR8_STORE)

static const struct {
	uint64_t reg;
	uint32_t field;
	uint64_t bits;
} intel_fields[] = { { MK1_INTEL_pin_based_vm_execution_ctls, VMCS_pin_based_vm_execution_ctls,
		       VMX_PIN_INTERRUPT_EXITING | VMX_PIN_NMI_EXITING },
		     { MK1_INTEL_primary_proc_based_vm_execution_ctls,
		       VMCS_primary_proc_based_vm_execution_ctls, CR8_EXITING },
		     { MK1_INTEL_exception_bitmap, VMCS_exception_bitmap,
		       EXCEPTION_BIT(VECTOR_MC) } };

START_TEST(intel_controls)
{
	uint64_t reg = intel_fields[_i].reg, bits = intel_fields[_i].bits;
	uint32_t encoding = intel_fields[_i].field;

	with_guest(1);
	ck_assert_uint_eq(field(encoding) & bits, bits);
	ck_assert_uint_eq(reg_read(1, reg) & bits, 0);
	ck_assert_uint_eq(reg_write(1, reg, bits), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(1, reg) & bits, bits);
	ck_assert_uint_eq(reg_write(1, reg, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(1, reg) & bits, 0);
	ck_assert_uint_eq(field(encoding) & bits, bits);
	/* Linux's own */
	ck_assert_uint_eq(reg_write(0, reg, 0), MK1_SUCCESS);
	bits &= ~(uint64_t)VMX_PIN_NMI_EXITING;
	ck_assert_uint_eq(vmcs_get(vs_find(0)->block_spa, encoding) & bits, 0);
}
END_TEST

START_TEST(intel_controls_of_a_root_vs)
{
	machine_of(1);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	for (unsigned int i = 0; i < 3 && _i; i++)
		reg_write(0, intel_fields[i].reg, intel_fields[i].bits);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t bits = intel_fields[i].bits & ~(uint64_t)VMX_PIN_NMI_EXITING;

		ck_assert_uint_eq(field(intel_fields[i].field) & bits, _i ? bits : 0);
	}
}
END_TEST

/* An interrupt is acknowledged only for an extension that takes it. */
START_TEST(acknowledging)
{
	with_guest(1);
	ck_assert_uint_eq(reg_write(1, MK1_INTEL_vmexit_ctls, VMX_EXIT_CTL_ACKNOWLEDGE),
			  MK1_SUCCESS);
	ck_assert_uint_eq(field(VMCS_vmexit_ctls) & VMX_EXIT_CTL_ACKNOWLEDGE, 0);
	ck_assert(reg_read(1, MK1_INTEL_vmexit_ctls) & VMX_EXIT_CTL_ACKNOWLEDGE);
	reg_write(1, MK1_INTEL_pin_based_vm_execution_ctls, VMX_PIN_INTERRUPT_EXITING);
	ck_assert(field(VMCS_vmexit_ctls) & VMX_EXIT_CTL_ACKNOWLEDGE);
	reg_write(1, MK1_INTEL_pin_based_vm_execution_ctls, 0);
	ck_assert_uint_eq(field(VMCS_vmexit_ctls) & VMX_EXIT_CTL_ACKNOWLEDGE, 0);
	reg_write(1, MK1_INTEL_vmexit_ctls, 0);
	ck_assert_uint_eq(reg_read(1, MK1_INTEL_vmexit_ctls) & VMX_EXIT_CTL_ACKNOWLEDGE, 0);
}
END_TEST

/* In a VS that becomes Linux's, as it was written. */
START_TEST(acknowledging_for_linux)
{
	machine_of(1);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	reg_write(0, MK1_INTEL_vmexit_ctls, VMX_EXIT_CTL_ACKNOWLEDGE);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	ck_assert(field(VMCS_vmexit_ctls) & VMX_EXIT_CTL_ACKNOWLEDGE);
}
END_TEST

TCase *vmx_controls_tests(void)
{
	TCase *tc = tcase_create("vmx_controls");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, controls_of_a_root_vs_are_refused);
	tcase_add_test(tc, controls_are_completed);
	tcase_add_test(tc, controls_that_the_cpu_lacks);
	tcase_add_test(tc, no_unrestricted_guest);
	tcase_add_loop_test(tc, intel_controls, 0, 3);
	tcase_add_loop_test(tc, intel_controls_of_a_root_vs, 0, 2);
	tcase_add_test(tc, acknowledging);
	tcase_add_test(tc, acknowledging_for_linux);
	return tc;
}
