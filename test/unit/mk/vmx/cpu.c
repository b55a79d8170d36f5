// SPDX-License-Identifier: GPL-2.0-only
/* vmx/cpu.c: VMX on and off, and what CPUs may lack. */
#include "vmx.h"
#include "../suites.h"

static void expect_refused(enum bf_error error)
{
	enter(0);
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(error);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_RAX], error);
	ck_assert(!cpu->vmxon);
}

START_TEST(no_vmx)
{
	machine_of(1);
	cpuid_set(1, 0, 0, 0, 0x4020000, 1U << 12);
	expect_refused(BF_ERR_NO_VIRT);
}
END_TEST

START_TEST(disabled_by_firmware)
{
	machine_of(1);
	msr_set(cpu, MSR_FEATURE_CONTROL, (uint64_t)_i); /* locked and VMXON, not both */
	expect_refused(BF_ERR_FW_DISABLED);
}
END_TEST

/* Linux says by it that VMX is in use: it is shown to Linux, and given back as Linux left it. */
START_TEST(vmxe_of_linux)
{
	machine_of(1);
	m.switch_pages[0]->cpu.cr4 |= CR4_VMXE;
	start_and_launch();
	ck_assert_uint_eq(field(VMCS_cr4_read_shadow) & CR4_VMXE, CR4_VMXE);
	guest_exit(VMX_EXIT_CPUID);
	if (_i)
		put_field(VMCS_cr4_read_shadow, field(VMCS_cr4_read_shadow) & ~(uint64_t)CR4_VMXE);
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(ended.sp->cpu.cr4 & CR4_VMXE, _i ? 0 : CR4_VMXE);
}
END_TEST

/* A control that is needed and that the CPU does not have, in each of the five fields. */
START_TEST(a_control_is_missing)
{
	static const struct {
		uint32_t msr;
		uint64_t bit;
	} missing[] = { { MSR_VMX_TRUE_PINBASED_CTLS, VMX_PIN_NMI_EXITING },
			{ MSR_VMX_TRUE_PINBASED_CTLS, VMX_PIN_VIRTUAL_NMIS },
			{ MSR_VMX_TRUE_PROCBASED_CTLS, VMX_PRIMARY_NMI_WINDOW },
			{ MSR_VMX_TRUE_EXIT_CTLS, VMX_EXIT_CTL_HOST_64 },
			{ MSR_VMX_TRUE_EXIT_CTLS, VMX_EXIT_CTL_SAVE_EFER },
			{ MSR_VMX_TRUE_ENTRY_CTLS, VMX_ENTRY_CTL_LOAD_PAT },
			{ MSR_VMX_TRUE_ENTRY_CTLS, VMX_ENTRY_CTL_IA32E_GUEST } };

	machine_of(1);
	msr_set(cpu, missing[_i].msr, msr_get(cpu, missing[_i].msr) & ~(missing[_i].bit << 32));
	expect_refused(BF_ERR_VMX_CONTROLS);
}
END_TEST

/* Without the TRUE_ MSRs, the others count. */
START_TEST(no_true_controls)
{
	machine_of(1);
	msr_set(cpu, MSR_VMX_BASIC, msr_get(cpu, MSR_VMX_BASIC) & ~(1ULL << 55));
	msr_drop(cpu, MSR_VMX_TRUE_PINBASED_CTLS);
	start_and_launch();
	ck_assert_uint_eq(field(VMCS_primary_proc_based_vm_execution_ctls) & 0x0401E172,
			  0x0401E172);
}
END_TEST

START_TEST(vmxon_fails)
{
	machine_of(1);
	vmx_fail(INSN_VMXON, ANY, 1);
	expect_refused(BF_ERR_MK_VMXON);
	ck_assert_uint_eq(cpu->cr4 & CR4_VMXE, 0);
}
END_TEST

START_TEST(vmxoff_fails)
{
	in_vmexit();
	vmx_fail(INSN_VMXOFF, ANY, 1);
	SYS(vs_promote, HANDLE, 0);
	expect_printed("VMXOFF failed");
}
END_TEST

START_TEST(no_secondary_controls)
{
	machine_of(1);
	msr_set(cpu, MSR_VMX_TRUE_PROCBASED_CTLS,
		msr_get(cpu, MSR_VMX_TRUE_PROCBASED_CTLS) & ~(1ULL << 63));
	start_and_launch();
	ck_assert_uint_eq(mk.root_npt, 0);
	guest_exit(VMX_EXIT_CPUID);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_secondary_proc_based_vm_execution_ctls, 0x80),
			  MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(0, MK1_INTEL_secondary_proc_based_vm_execution_ctls), 0);
	SYS(control_exit); /* alone */
	ck_assert_int_eq(ended.end, END_GUEST);
}
END_TEST

/* What this PP has and another one has not: no VS gets it. */
START_TEST(what_other_cores_lack)
{
	machine_of(1);
	machine_offers();
	m.handoff->vmx[MSR_VMX_PROCBASED_CTLS2 - MSR_VMX_BASIC] &=
		~((uint64_t)VMX_SECONDARY_USER_WAIT << 32);
	m.handoff->vmx[MSR_VMX_TRUE_PROCBASED_CTLS - MSR_VMX_BASIC] |= 1U << 23; /* must be 1 */
	m.handoff->vmx[MSR_VMX_EPT_VPID_CAP - MSR_VMX_BASIC] &=
		~(uint64_t)(1 << 17); /* 1 GiB pages */
	start_and_launch();
	ck_assert_uint_eq(vmx.ept_vpid & 1 << 17, 0);
	guest_exit(VMX_EXIT_CPUID);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_secondary_proc_based_vm_execution_ctls,
				    VMX_SECONDARY_USER_WAIT),
			  MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(0, MK1_INTEL_secondary_proc_based_vm_execution_ctls) &
				  VMX_SECONDARY_USER_WAIT,
			  0);
	ck_assert_uint_eq(field(VMCS_primary_proc_based_vm_execution_ctls) & 1U << 23, 1U << 23);
	SYS(control_exit);
	ck_assert_uint_eq(
		field(VMCS_secondary_proc_based_vm_execution_ctls) & VMX_SECONDARY_USER_WAIT, 0);
}
END_TEST

START_TEST(secondary_controls_without_ept_and_vpid)
{
	machine_of(1);
	msr_set(cpu, MSR_VMX_PROCBASED_CTLS2, 0);
	msr_drop(cpu, MSR_VMX_EPT_VPID_CAP);
	start_and_launch();
	ck_assert_uint_eq(mk.root_npt, 0);
	ck_assert_uint_eq(field(VMCS_primary_proc_based_vm_execution_ctls) & VMX_PRIMARY_SECONDARY,
			  0);
	guest_exit(VMX_EXIT_CPUID);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
}
END_TEST

TCase *vmx_cpu_tests(void)
{
	TCase *tc = tcase_create("vmx_cpu");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, no_vmx);
	tcase_add_loop_test(tc, disabled_by_firmware, 0, 5);
	tcase_add_loop_test(tc, vmxe_of_linux, 0, 2);
	tcase_add_loop_test(tc, a_control_is_missing, 0, 7);
	tcase_add_test(tc, no_true_controls);
	tcase_add_test(tc, vmxon_fails);
	tcase_add_test(tc, vmxoff_fails);
	tcase_add_test(tc, no_secondary_controls);
	tcase_add_test(tc, what_other_cores_lack);
	tcase_add_test(tc, secondary_controls_without_ept_and_vpid);
	return tc;
}
