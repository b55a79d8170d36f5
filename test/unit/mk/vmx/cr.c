// SPDX-License-Identifier: GPL-2.0-only
/* vmx/cr.c: CR0 and CR4 of a guest. */
#include "vmx.h"
#include "../suites.h"

/* The control registers of a guest hold what was written, and are completed when it runs. */
START_TEST(control_registers_of_a_guest)
{
	static const uint16_t numbers[] = { MK1_INTEL_cr0, MK1_INTEL_cr2, MK1_INTEL_cr3,
					    MK1_INTEL_cr4 };
	bool unrestricted = _i;

	in_vmexit();
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	for (unsigned int active = 0; active < 2; active++) {
		for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
			ck_assert_uint_eq(reg_write(1, numbers[i], 0x1234567890ABCDEF),
					  MK1_SUCCESS);
			ck_assert_uint_eq(reg_read(1, numbers[i]), 0x1234567890ABCDEF);
		}
		ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	}
	ck_assert_uint_eq(reg_write(1, MK1_INTEL_cr0, 0x10), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, MK1_INTEL_cr4, 0x20), MK1_SUCCESS);
	if (unrestricted) {
		ck_assert_uint_eq(reg_write(1, MK1_INTEL_primary_proc_based_vm_execution_ctls,
					    VMX_PRIMARY_SECONDARY),
				  MK1_SUCCESS);
		ck_assert_uint_eq(reg_write(1, MK1_INTEL_secondary_proc_based_vm_execution_ctls,
					    VMX_SECONDARY_EPT | VMX_SECONDARY_UNRESTRICTED),
				  MK1_SUCCESS);
	}
	ck_assert_uint_eq(reg_read(1, MK1_INTEL_cr0), 0x10);
	ck_assert_uint_eq(reg_read(1, MK1_INTEL_cr4), 0x20);
	ck_assert_uint_eq(SYS(vs_run_current, HANDLE), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
	guest_exit(VMX_EXIT_CPUID);
	ck_assert_uint_eq(reg_read(1, MK1_INTEL_cr0), unrestricted ? 0x30 : 0x80000031);
	ck_assert_uint_eq(reg_read(1, MK1_INTEL_cr4), 0x20 | CR4_VMXE);
}
END_TEST

/* CR0 and CR4 as Linux reads them go back to it, not what VMX needs behind them. */
START_TEST(shadowed_control_registers)
{
	in_vmexit();
	ck_assert_uint_eq(field(VMCS_cr4) & CR4_VMXE, CR4_VMXE);
	put_field(VMCS_cr4, field(VMCS_cr4) | CR4_UMIP);
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(ended.sp->cpu.cr4, CR4_PAE | CR4_MCE | CR4_OSXSAVE | CR4_UMIP);
}
END_TEST

TCase *vmx_cr_tests(void)
{
	TCase *tc = tcase_create("vmx_cr");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, control_registers_of_a_guest, 0, 2);
	tcase_add_test(tc, shadowed_control_registers);
	return tc;
}
