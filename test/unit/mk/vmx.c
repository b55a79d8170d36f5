// SPDX-License-Identifier: GPL-2.0-only
/* vmx/{cpu,nested,controls,cr,vs,regs}.c: VT-x but for its exits. */
#include "machine.h"

#include <string.h>

#include <bsl/paging.h>

#include "microkernel/arch/mtrr.h"
#include "suites.h"

#define ANY (~0ULL)

static uint64_t field(uint32_t encoding)
{
	return vmcs_get(host_pp->vs->block_spa, encoding);
}

static void put_field(uint32_t encoding, uint64_t value)
{
	vmcs_put(host_pp->vs->block_spa, encoding, value);
}

static void in_vmexit(void)
{
	machine_of(1);
	start_and_launch();
	guest_exit(VMX_EXIT_CPUID);
}

static void expect_refused(enum bf_error error)
{
	enter(0);
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(error);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_RAX], error);
	ck_assert(!cpu->vmxon);
}

/* --- on and off ------------------------------------------------------------------------------- */

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

/* All that this PP has loaded is cleared before VMXOFF; the fake CPU sees to it. */
START_TEST(nothing_stays_loaded)
{
	in_vmexit();
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, i % 2), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	enter(1);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 2), MK1_SUCCESS);
	on_pp(0);
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_LEFT);
	on_pp(1);
	ck_assert_uint_eq(SYS(control_exit), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_LEFT);
}
END_TEST

/* --- what CPUs may lack ----------------------------------------------------------------------- */

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

/* EPT without something that it is to have: not used. */
START_TEST(ept_that_is_too_little)
{
	static const uint64_t missing[] = { 1 << 6, 1 << 14, 1 << 20, 3 << 25 };

	machine_of(1);
	msr_set(cpu, MSR_VMX_EPT_VPID_CAP, msr_get(cpu, MSR_VMX_EPT_VPID_CAP) & ~missing[_i]);
	start_and_launch();
	ck_assert_uint_eq(mk.root_npt, 0);
}
END_TEST

START_TEST(no_mtrrs)
{
	uint64_t entry;

	machine_of(1);
	cpuid_set(1, 0, 0, 0, 0x4020020, 0);
	enter(0);
	ck_assert_uint_eq(nested_walk(0xC0000000, &entry), 3);
	ck_assert_uint_eq(entry >> 3 & 7, 6);
}
END_TEST

START_TEST(no_fixed_mtrrs_and_too_many_variable)
{
	uint64_t entry;

	machine_of(1);
	msr_set(cpu, MSR_MTRR_CAP, 40);
	for (uint32_t i = 0; i < 64; i++)
		msr_set(cpu, MSR_MTRR_PHYSBASE0 + i,
			i == 0 ? 0xC0000000 :
			i == 1 ? 0xFFC0000800 :
				 0);
	enter(0);
	ck_assert_uint_gt(nested_walk(0xC0000000, &entry), 0);
	ck_assert_uint_eq(entry >> 3 & 7, 0);
	nested_walk(0x1000, &entry);
	ck_assert_uint_eq(entry >> 3 & 7, 6);
}
END_TEST

static void wrmsr_of_linux(uint32_t msr, uint64_t value)
{
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, msr, value), MK1_SUCCESS);
}

static void expect_type(uint64_t gpa, unsigned int level, uint64_t type)
{
	uint64_t entry;

	ck_assert_uint_eq(nested_walk(gpa, &entry), level);
	ck_assert_uint_eq(entry >> 3 & 7, type);
	ck_assert_uint_eq(entry & BSL_PTE_SPA,
			  gpa & BSL_PTE_SPA & ~((1ULL << (3 + 9 * level)) - 1));
}

/* As Linux changes MTRRs: off, new values, on again, on every CPU. */
static void change_mtrrs(uint64_t base, uint64_t mask)
{
	wrmsr_of_linux(MSR_MTRR_DEF_TYPE, 0x6);
	wrmsr_of_linux(0x202, base);
	wrmsr_of_linux(0x203, mask);
	ck_assert_str_eq(printed(), "");
	wrmsr_of_linux(MSR_MTRR_DEF_TYPE, 0xC06);
}

START_TEST(mtrrs_are_followed)
{
	in_vmexit();
	(void)printed();
	expect_type(0xC0000000, 2, 6);
	expect_type(0x140000000, 3, 6);
	cpu->count[INSN_INVEPT] = 0;
	change_mtrrs(0xC0000001, 0xFFFFF00800); /* 1 MiB of WC */
	expect_printed("pp 0: MTRRs have changed\n");
	ck_assert_uint_gt(cpu->count[INSN_INVEPT], 0);
	expect_type(0xC0000000, 1, 1);
	expect_type(0xC00FF000, 1, 1);
	expect_type(0xC0100000, 1, 6);
	expect_type(0xC0200000, 2, 6);
	expect_type(0xE0000000, 2, 0);
	/* another CPU does the same: nothing to do but to forget what its TLB has */
	enter(1);
	(void)printed();
	cpu->count[INSN_INVEPT] = 0;
	change_mtrrs(0xC0000001, 0xFFFFF00800);
	ck_assert_str_eq(printed(), "");
	ck_assert_uint_gt(cpu->count[INSN_INVEPT], 0);
	/* a page of 1 GiB falls into parts, and what was in parts gets one type again */
	on_pp(0);
	change_mtrrs(0x140000000, 0xFFFFE00800); /* 2 MiB of UC */
	expect_printed("MTRRs have changed");
	expect_type(0x140000000, 2, 0);
	expect_type(0x140200000, 2, 6);
	expect_type(0xC0000000, 1, 6);
	/* what the hypervisor owns stays hidden */
	uint64_t entry;
	nested_walk(ODD_OWNED, &entry);
	ck_assert_uint_ne(entry & BSL_PTE_SPA, ODD_OWNED);
	/* other MSRs have no say, and fixed ranges have */
	wrmsr_of_linux(MSR_TSC_AUX, 1);
	ck_assert_str_eq(printed(), "");
	wrmsr_of_linux(0x268, 0x0606060606060600);
	expect_printed("MTRRs have changed");
	expect_type(0xC0000, 1, 0);
	/* without memory: said, and the rest follows */
	drain_pool(0);
	change_mtrrs(0x80000000, 0xFFFFE00800);
	expect_printed("no memory is left to follow them everywhere");
	expect_type(0x140000000, 2, 6);
}
END_TEST

START_TEST(mtrrs_that_nobody_follows)
{
	machine_of(_i);
	start_and_launch();
	guest_exit(_i ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	(void)printed();
	mk.root_npt = _i ? 0 : mk.root_npt;
	change_mtrrs(0xC0000001, 0xFFFFF00800);
	ck_assert_str_eq(printed(), "");
}
END_TEST

/* The flushes that each set of capabilities allows. */
START_TEST(flushes)
{
	static const struct {
		uint64_t dropped;
		uint64_t ept_type, gla_type, vpid_type;
	} cases[] = { { 0, 2, 0, 1 },
		      { 1ULL << 26, 1, 0, 1 }, /* no INVEPT of all */
		      { 1ULL << 40, 2, 1, 1 }, /* no INVVPID of an address */
		      { 1ULL << 41, 2, 0, 2 },
		      { 1ULL << 40 | 1ULL << 41, 2, 2, 2 } };

	machine_of(1);
	msr_set(cpu, MSR_VMX_EPT_VPID_CAP, msr_get(cpu, MSR_VMX_EPT_VPID_CAP) & ~cases[_i].dropped);
	start_and_launch();
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_virtual_processor_identifier, 7), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->arg[INSN_INVVPID][0], cases[_i].vpid_type);
	ck_assert_uint_eq(SYS(vs_tlb_flush, HANDLE, 0, 0x7000), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->arg[INSN_INVVPID][0], cases[_i].gla_type);
	/* not canonical: everything of the VPID instead */
	ck_assert_uint_eq(SYS(vs_tlb_flush, HANDLE, 0, 1ULL << 47), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->arg[INSN_INVVPID][0], cases[_i].vpid_type);
	ck_assert_uint_eq(SYS(vs_tlb_flush, HANDLE, 0, 0xFFFF800000000000), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->arg[INSN_INVVPID][0], cases[_i].gla_type);
	ck_assert_uint_eq(SYS(vm_tlb_flush, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->arg[INSN_INVVPID][0], cases[_i].vpid_type);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_ept_pointer, field(VMCS_ept_pointer)),
			  MK1_SUCCESS);
	ck_assert_uint_eq(cpu->arg[INSN_INVEPT][0], cases[_i].ept_type);
	vmx_flush_ept(field(VMCS_ept_pointer));
	ck_assert_uint_eq(cpu->arg[INSN_INVEPT][0], 1);
	/* without a VPID there is nothing to flush */
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_virtual_processor_identifier, 0), MK1_SUCCESS);
	cpu->count[INSN_INVVPID] = 0;
	ck_assert_uint_eq(SYS(vs_tlb_flush, HANDLE, 0, 0x7000), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vm_tlb_flush, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_INVVPID], 0);
}
END_TEST

START_TEST(flush_with_invept_of_all_only)
{
	machine_of(1);
	msr_set(cpu, MSR_VMX_EPT_VPID_CAP, msr_get(cpu, MSR_VMX_EPT_VPID_CAP) & ~(1ULL << 25));
	start_and_launch();
	vmx_flush_ept(field(VMCS_ept_pointer));
	ck_assert_uint_eq(cpu->arg[INSN_INVEPT][0], 2);
}
END_TEST

START_TEST(no_invvpid)
{
	machine_of(1);
	msr_set(cpu, MSR_VMX_EPT_VPID_CAP,
		msr_get(cpu, MSR_VMX_EPT_VPID_CAP) & 0xFFFFFFFF & ~(1ULL << 42));
	start_and_launch();
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_virtual_processor_identifier, 7), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_tlb_flush, HANDLE, 0, 0x7000), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_INVVPID], 0);
	vmx.ept_vpid = 0;
	vmx_flush_ept(0);
	vmx.ept_vpid = 1ULL << 32; /* INVVPID, but of no type that is used */
	vmx_flush_vpid(7);
	vmx.ept_vpid = 1ULL << 20;
	vmx_flush_ept(0);
	ck_assert_uint_eq(cpu->count[INSN_INVVPID], 0);
}
END_TEST

START_TEST(no_vpid_field)
{
	machine_of(1);
	vmcs_absent(VMCS_virtual_processor_identifier, true);
	start_and_launch();
	ck_assert_uint_eq(SYS(vs_tlb_flush, HANDLE, 0, 0x7000), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_virtual_processor_identifier, 7),
			  MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(SYS(vs_read, HANDLE, 0, MK1_INTEL_virtual_processor_identifier),
			  MK1_INVALID_INPUT_REG(2));
}
END_TEST

/* --- instructions that fail ------------------------------------------------------------------- */

START_TEST(flushes_fail)
{
	machine_of(1);
	start();
	vmx_fail(_i ? INSN_INVVPID : INSN_INVEPT, ANY, 1);
	RUN(vmx_flush_everything());
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(BF_ERR_MK_VMCS);
	expect_printed(_i ? "INVVPID of type 2 failed" : "INVEPT of type 2 failed");
}
END_TEST

/* Creating a VS: each instruction that touches its VMCS fails once. */
static unsigned int fail_create(enum insn insn, unsigned int nth)
{
	machine_of(1);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	vmx_fail(insn, ANY, nth);
	if (SYS(vs_create_vs, HANDLE, 0, 0) == MK1_SUCCESS)
		return 1;
	ck_assert_int_eq(ended.end, END_RETURNED);
	expect_printed("vs 0: the CPU refuses its VMCS");
	ck_assert_uint_eq(SYS(vp_destroy_vp, HANDLE, 0), MK1_SUCCESS);
	return 0;
}

START_TEST(create_vs_with_failing_vmwrites)
{
	/* zeroing forgives: there are fields that CPUs lack */
	(void)fail_create(INSN_VMWRITE, (unsigned int)_i + 1);
}
END_TEST

START_TEST(create_vs_with_a_failing_instruction)
{
	static const enum insn insns[] = { INSN_VMCLEAR, INSN_VMPTRLD, INSN_VMREAD, INSN_VMCLEAR };

	ck_assert_uint_eq(fail_create(insns[_i], _i == 3 ? 2 : 1), 0);
}
END_TEST

/* Destroying a VS that the CPU does not let go: its page is not used again. */
START_TEST(destroy_vs_with_a_failing_vmclear)
{
	uint64_t block;

	in_vmexit();
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	block = vs_find(1)->block_spa;
	vmx_fail(INSN_VMCLEAR, block, 1);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, 1), MK1_SUCCESS);
	for (unsigned int i = 0; i < 20; i++)
		ck_assert_uint_ne(pool_alloc(), block);
}
END_TEST

START_TEST(clear_fails)
{
	in_vmexit();
	vmx_fail(INSN_VMCLEAR, ANY, 1);
	ck_assert_uint_eq(SYS(vs_clear, HANDLE, 0), NOT_RETURNED);
	expect_failed(BF_ERR_MK_VMCS);
	expect_printed("VMCLEAR of vs 0 failed");
}
END_TEST

START_TEST(vmptrld_fails)
{
	in_vmexit();
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	vmx_fail(INSN_VMPTRLD, vs_find(1)->block_spa, 1);
	ck_assert_uint_eq(SYS(vs_read, HANDLE, 1, MK1_INTEL_rip), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
	expect_failed(BF_ERR_MK_VMCS);
	ck_assert_uint_eq(status_of(0)->detail, 1);
	expect_printed("VMPTRLD of vs 1 failed");
}
END_TEST

START_TEST(vmptrld_fails_on_activation)
{
	in_vmexit();
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	vmx_fail(INSN_VMPTRLD, vs_find(1)->block_spa, 1);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
	expect_failed(BF_ERR_MK_VMCS);
}
END_TEST

START_TEST(vmread_or_vmwrite_fails)
{
	in_vmexit();
	vmx_fail(_i ? INSN_VMWRITE : INSN_VMREAD, VMCS_rip, 1);
	put_field(VMCS_vmexit_instruction_length, 2);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run_current, HANDLE), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
	expect_failed(BF_ERR_MK_VMCS);
	ck_assert_uint_eq(status_of(0)->detail, VMCS_rip);
}
END_TEST

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

/* --- registers -------------------------------------------------------------------------------- */

enum access { NONE, RW, RO, GPR, LIVE };

static const struct {
	const char *name;
	uint16_t field;
	uint8_t bytes;
	uint8_t access;
} regs_of[MK1_INTEL_NR_REGS] = {
#define ENTRY(number, name, field, bytes, access) [number] = { #name, field, bytes, access },
	MK1_INTEL_REGS(ENTRY)
};

/* A value that the register takes and gives back as it is. */
static uint64_t plain_value(unsigned int number, uint8_t bytes, uint64_t own_page)
{
	switch (number) {
	case MK1_INTEL_pin_based_vm_execution_ctls:
		return 0x3F;
	case MK1_INTEL_primary_proc_based_vm_execution_ctls:
		return 0x86186172;
	case MK1_INTEL_exception_bitmap:
		return 0x12345678 | EXCEPTION_BIT(VECTOR_MC);
	case MK1_INTEL_secondary_proc_based_vm_execution_ctls:
		return 0xAA; /* EPT, RDTSCP, VPID, unrestricted */
	case MK1_INTEL_vmexit_ctls:
		return 0x3F6FFF;
	case MK1_INTEL_vmentry_ctls:
		return 0xD3FF;
	case MK1_INTEL_address_of_io_bitmap_a:
	case MK1_INTEL_address_of_io_bitmap_b:
	case MK1_INTEL_address_of_msr_bitmaps:
		return own_page;
	case MK1_INTEL_vmcs_link_pointer:
		return ~0ULL;
	case MK1_INTEL_ept_pointer:
		return 0x12345601E;
	case MK1_INTEL_executive_vmcs_pointer:
	case MK1_INTEL_pml_address:
	case MK1_INTEL_virtual_apic_address:
	case MK1_INTEL_apic_access_address:
	case MK1_INTEL_posted_interrupt_descriptor_address:
	case MK1_INTEL_vm_function_controls:
	case MK1_INTEL_eptp_list_address:
	case MK1_INTEL_vmread_bitmap_address:
	case MK1_INTEL_vmwrite_bitmap_address:
	case MK1_INTEL_virt_exception_information_address:
	case MK1_INTEL_sub_page_permission_table_pointer:
	case MK1_INTEL_vmexit_msr_store_address:
	case MK1_INTEL_vmexit_msr_load_address:
	case MK1_INTEL_vmentry_msr_load_address:
	case MK1_INTEL_vmexit_msr_store_count:
	case MK1_INTEL_vmexit_msr_load_count:
	case MK1_INTEL_vmentry_msr_load_count:
		return 0;
	case MK1_INTEL_cr0:
		return 0x80050033;
	case MK1_INTEL_cr4:
		return 0x3526F8;
	case MK1_INTEL_efer:
		return 0xD01;
	case MK1_INTEL_dr6:
	case MK1_INTEL_fmask:
		return 0x12345678;
	case MK1_INTEL_lstar:
	case MK1_INTEL_cstar:
	case MK1_INTEL_kernel_gs_base:
		return 0xFFFFFFFF81234560;
	default:
		return 0x1122334455667788 >> (64 - 8 * bytes);
	}
}

static bool in_objects_c(unsigned int number)
{
	return number == MK1_INTEL_cr8 || number == MK1_INTEL_xcr0 ||
	       (number >= MK1_INTEL_dr0 && number <= MK1_INTEL_dr3);
}

static bool is_control(unsigned int number)
{
	return number == MK1_INTEL_pin_based_vm_execution_ctls ||
	       number == MK1_INTEL_primary_proc_based_vm_execution_ctls ||
	       number == MK1_INTEL_secondary_proc_based_vm_execution_ctls ||
	       number == MK1_INTEL_vmexit_ctls || number == MK1_INTEL_vmentry_ctls;
}

/* Every register of the active VS and of another one. */
START_TEST(every_register)
{
	uint16_t vsid = (uint16_t)_i;
	uint64_t own_page;

	in_vmexit();
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_SUCCESS);
	own_page = regs.reg[1];
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	for (unsigned int n = 1; n < MK1_INTEL_NR_REGS; n++) {
		uint64_t value = plain_value(n, regs_of[n].bytes, own_page);
		const char *name = regs_of[n].name;

		if (in_objects_c(n))
			continue;
		if (regs_of[n].access == RO) {
			ck_assert_msg(reg_write(vsid, n, 0) == MK1_INVALID_INPUT_REG(3), "%s",
				      name);
			vmcs_put(vs_find(vsid)->block_spa, regs_of[n].field, 0x77);
			ck_assert_msg(reg_read(vsid, n) == 0x77, "%s", name);
			continue;
		}
		ck_assert_msg(reg_write(vsid, n, value) == MK1_SUCCESS, "%s", name);
		ck_assert_msg(reg_read(vsid, n) == value, "%s: 0x%llx", name,
			      (unsigned long long)reg_read(vsid, n));
		if (regs_of[n].access == RW && value)
			ck_assert_uint_eq(vmcs_get(vs_find(vsid)->block_spa, regs_of[n].field),
					  value);
		if (regs_of[n].access == RW && regs_of[n].bytes < 8 && !is_control(n))
			ck_assert_msg(reg_write(vsid, n, 1ULL << (8 * regs_of[n].bytes)) ==
					      MK1_INVALID_INPUT_REG(3),
				      "%s", name);
	}
	ck_assert_uint_eq(msr_get(cpu, MSR_CSTAR) == 0xFFFFFFFF81234560, !_i);
	ck_assert_uint_eq(msr_get(cpu, MSR_KERNEL_GS_BASE) == 0xFFFFFFFF81234560, !_i);
	ck_assert_uint_eq(SYS(vs_read, HANDLE, vsid, 0), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vs_read, HANDLE, vsid, MK1_INTEL_NR_REGS), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vs_write, HANDLE, vsid, 0, 0), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vs_write, HANDLE, vsid, ~0ULL, 0), MK1_INVALID_INPUT_REG(2));
}
END_TEST

START_TEST(refused_values)
{
	static const struct {
		unsigned int number;
		uint64_t value;
	} bad[] = {
		{ MK1_INTEL_pin_based_vm_execution_ctls, VMX_PIN_POSTED_INTERRUPTS },
		{ MK1_INTEL_primary_proc_based_vm_execution_ctls, VMX_PRIMARY_TPR_SHADOW },
		{ MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_APIC_ACCESS },
		{ MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_X2APIC },
		{ MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_APIC_REGISTERS },
		{ MK1_INTEL_secondary_proc_based_vm_execution_ctls,
		  VMX_SECONDARY_VIRTUAL_INTERRUPTS },
		{ MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_VMFUNC },
		{ MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_SHADOW_VMCS },
		{ MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_PML },
		{ MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_EPT_VE },
		{ MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_SUB_PAGE },
		{ MK1_INTEL_address_of_io_bitmap_a, 0 },
		{ MK1_INTEL_address_of_io_bitmap_b, PHYS_BASE },
		{ MK1_INTEL_address_of_msr_bitmaps, LINUX_RAM },
		{ MK1_INTEL_address_of_msr_bitmaps, 8 },
		{ MK1_INTEL_address_of_msr_bitmaps, MK1_SPA_LIMIT },
		{ MK1_INTEL_vmcs_link_pointer, 0 },
		{ MK1_INTEL_ept_pointer, MK1_SPA_LIMIT },
		{ MK1_INTEL_executive_vmcs_pointer, 1 },
		{ MK1_INTEL_pml_address, 0x1000 },
		{ MK1_INTEL_virtual_apic_address, 0x1000 },
		{ MK1_INTEL_apic_access_address, 0x1000 },
		{ MK1_INTEL_posted_interrupt_descriptor_address, 0x1000 },
		{ MK1_INTEL_vm_function_controls, 1 },
		{ MK1_INTEL_eptp_list_address, 0x1000 },
		{ MK1_INTEL_vmread_bitmap_address, 0x1000 },
		{ MK1_INTEL_vmwrite_bitmap_address, 0x1000 },
		{ MK1_INTEL_virt_exception_information_address, 0x1000 },
		{ MK1_INTEL_sub_page_permission_table_pointer, 0x1000 },
		{ MK1_INTEL_vmexit_msr_store_address, 0x1000 },
		{ MK1_INTEL_vmexit_msr_load_address, 0x1000 },
		{ MK1_INTEL_vmentry_msr_load_address, 0x1000 },
		{ MK1_INTEL_vmexit_msr_store_count, 1 },
		{ MK1_INTEL_vmexit_msr_load_count, 1 },
		{ MK1_INTEL_vmentry_msr_load_count, 1 },
		{ MK1_INTEL_dr6, 1ULL << 32 },
		{ MK1_INTEL_fmask, 1ULL << 32 },
		{ MK1_INTEL_lstar, 1ULL << 47 },
		{ MK1_INTEL_cstar, 0xFFFF7FFFFFFFFFFF },
		{ MK1_INTEL_kernel_gs_base, 1ULL << 63 },
		{ MK1_INTEL_cr8, 16 },
		{ MK1_INTEL_xcr0, 8 },
	};

	in_vmexit();
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t before = reg_read(0, bad[i].number);

		ck_assert_msg(reg_write(0, bad[i].number, bad[i].value) == MK1_INVALID_INPUT_REG(3),
			      "%s", regs_of[bad[i].number].name);
		ck_assert_uint_eq(reg_read(0, bad[i].number), before);
	}
	ck_assert_uint_eq(field(VMCS_vmexit_msr_store_count), VMX_NR_MSRS);
	/* what a bitmap is at first */
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_address_of_io_bitmap_a,
				    reg_read(0, MK1_INTEL_address_of_io_bitmap_a)),
			  MK1_SUCCESS);
}
END_TEST

/* What is found in a field can be put back into it, the bitmap included that makes nothing exit. */
START_TEST(the_first_bitmap_comes_back)
{
	static const uint16_t numbers[] = { MK1_INTEL_address_of_io_bitmap_a,
					    MK1_INTEL_address_of_io_bitmap_b,
					    MK1_INTEL_address_of_msr_bitmaps };
	uint64_t own_page;

	in_vmexit();
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_SUCCESS);
	own_page = regs.reg[1];
	for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint64_t first = reg_read(0, numbers[i]);

		ck_assert_uint_eq(first, vmx.passthrough_bitmaps);
		ck_assert_uint_eq(reg_write(0, numbers[i], own_page), MK1_SUCCESS);
		ck_assert_uint_eq(reg_write(0, numbers[i], first), MK1_SUCCESS);
		ck_assert_uint_eq(reg_read(0, numbers[i]), first);
	}
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

START_TEST(ept_pointer_of_our_own_or_not)
{
	uint64_t eptp;

	in_vmexit();
	eptp = field(VMCS_ept_pointer);
	ck_assert_uint_eq(eptp, mk.root_npt | 0x1E);
	ck_assert(host_pp->vs->vmx.own_ept);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_ept_pointer, 0x1E), MK1_SUCCESS);
	ck_assert(!host_pp->vs->vmx.own_ept);
	/* what the extension changed in tables of its own is flushed, too */
	cpu->count[INSN_INVEPT] = 0;
	ck_assert_uint_eq(SYS(vm_tlb_flush, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_INVEPT], 1);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_ept_pointer, eptp), MK1_SUCCESS);
	ck_assert(host_pp->vs->vmx.own_ept);
	ck_assert_uint_eq(cpu->arg[INSN_INVEPT][0], 2);
	cpu->count[INSN_INVEPT] = 0;
	ck_assert_uint_eq(SYS(vm_tlb_flush, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_INVEPT], 0);
	mk.root_npt = 0;
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_ept_pointer, 0x1E), MK1_SUCCESS);
	ck_assert(!host_pp->vs->vmx.own_ept);
}
END_TEST

/* --- VS --------------------------------------------------------------------------------------- */

START_TEST(host_state)
{
	in_vmexit();
	ck_assert_uint_eq(field(VMCS_HOST_CR0), cpu->cr0);
	ck_assert_uint_eq(field(VMCS_HOST_CR4), cpu->cr4);
	ck_assert_uint_eq(field(VMCS_HOST_CR3), host_pp->ext_cr3[host_pp->ext->id]);
	ck_assert_uint_eq(field(VMCS_HOST_FS_BASE), MK1_EXT_TLS_BASE + 0x1000);
	ck_assert_uint_eq(field(VMCS_HOST_CS), BF_SEL_KERNEL_CS);
	ck_assert_uint_eq(field(VMCS_HOST_TR_BASE), (uint64_t)&host_pp->tss);
	ck_assert_uint_eq(field(VMCS_HOST_RSP), BF_PP_STACK_TOP);
	ck_assert_uint_eq(field(VMCS_HOST_RIP), (uint64_t)vmx_exit_entry);
	ck_assert_uint_eq(field(VMCS_HOST_PAT), HOST_PAT);
	ck_assert_uint_eq(field(VMCS_vmcs_link_pointer), ~0ULL);
	ck_assert_uint_eq(vmx_lists(host_pp->vs)->host[VMX_LSTAR].value, (uint64_t)mk_syscall);
	ck_assert_uint_eq(vmx_lists(host_pp->vs)->guest[VMX_LSTAR].value, 0xFFFFFFFF81000000);
}
END_TEST

/* What a segment is in the VMCS: attributes unpacked, unusable, busy, accessed. */
START_TEST(segments)
{
	struct bf_cpu_state *state;

	machine_of(1);
	state = &m.switch_pages[0]->cpu;
	state->ds = (struct bf_segment){ 0, 0, 0, 0 };
	state->es = (struct bf_segment){ 0x2B, 0xCF2, 0xFFFFFFFF, 0 };
	state->tr.attrib = 0x89;
	state->ldtr = (struct bf_segment){ 0x50, 0x82, 0xFF, 0xFFFF888000001000 };
	start_and_launch();
	ck_assert_uint_eq(field(VMCS_ds_attrib), VMX_AR_UNUSABLE);
	ck_assert_uint_eq(field(VMCS_es_attrib), 0xC0F3);
	ck_assert_uint_eq(field(VMCS_tr_attrib), 0x8B);
	ck_assert_uint_eq(field(VMCS_ldtr_attrib), 0x82);
	ck_assert_uint_eq(field(VMCS_cs_attrib), 0xA09B);
	guest_exit(VMX_EXIT_CPUID);
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(state->ds.attrib, 0);
	ck_assert_uint_eq(state->cs.attrib, 0xA9B);
	ck_assert_uint_eq(state->es.attrib, 0xCF3);
}
END_TEST

START_TEST(advance_ip)
{
	in_vmexit();
	put_field(VMCS_vmexit_instruction_length, 15);
	put_field(VMCS_rip, 0xFFFFFFFF81000FFF);
	put_field(VMCS_interruptibility_state, VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_NMI);
	put_field(VMCS_rflags, RFLAGS_RF | 2);
	put_field(VMCS_pending_debug_exceptions, 0);
	SYS(vs_advance_ip_and_run_current, HANDLE);
	ck_assert_uint_eq(field(VMCS_rip), 0xFFFFFFFF8100100E);
	ck_assert_uint_eq(field(VMCS_interruptibility_state), VMX_BLOCKING_BY_NMI);
	ck_assert_uint_eq(field(VMCS_rflags), 2);
	ck_assert_uint_eq(field(VMCS_pending_debug_exceptions), 0);
	/* single-step; unless it is for branches */
	put_field(VMCS_rflags, RFLAGS_TF | 2);
	SYS(vs_advance_ip_and_run_current, HANDLE);
	ck_assert_uint_eq(field(VMCS_pending_debug_exceptions), VMX_PENDING_DEBUG_BS);
	put_field(VMCS_pending_debug_exceptions, 0);
	put_field(VMCS_debugctl, 2);
	SYS(vs_advance_ip_and_run_current, HANDLE);
	ck_assert_uint_eq(field(VMCS_pending_debug_exceptions), 0);
	/* outside of 64-bit mode the pointer wraps; in it, 4 GiB is nothing special */
	put_field(VMCS_rflags, 2);
	put_field(VMCS_rip, 0xFFFFFFFF);
	SYS(vs_advance_ip_and_run_current, HANDLE);
	ck_assert_uint_eq(field(VMCS_rip), 0x10000000E);
	put_field(VMCS_rip, 0xFFFFFFFF);
	put_field(VMCS_cs_attrib, 0xC09B);
	SYS(vs_advance_ip_and_run_current, HANDLE);
	ck_assert_uint_eq(field(VMCS_rip), 0xE);
	for (unsigned int length = 0; length <= 16; length += 16) {
		put_field(VMCS_vmexit_instruction_length, length);
		ck_assert_uint_eq(SYS(vs_advance_ip_and_run_current, HANDLE), MK1_FAILURE_UNKNOWN);
	}
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

/* An inactive VS keeps CSTAR and KERNEL_GS_BASE beside the CPU. */
START_TEST(msrs_of_an_inactive_vs)
{
	in_vmexit();
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	msr_set(cpu, MSR_KERNEL_GS_BASE, 0x1111); /* the guest wrote it */
	ck_assert_uint_eq(reg_write(1, MK1_INTEL_kernel_gs_base, 0x2222), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	ck_assert_uint_eq(msr_get(cpu, MSR_KERNEL_GS_BASE), 0x2222);
	ck_assert_uint_eq(reg_read(0, MK1_INTEL_kernel_gs_base), 0x1111);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(msr_get(cpu, MSR_KERNEL_GS_BASE), 0x1111);
}
END_TEST

/* A VS that is active when it becomes Linux. */
START_TEST(init_as_root_of_the_active_vs)
{
	machine_of(1);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(msr_get(cpu, MSR_KERNEL_GS_BASE), 0x7F00);
	ck_assert_uint_eq(abi_gprs()[BF_RBX], m.switch_pages[0]->cpu.gpr[BF_RBX]);
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

START_TEST(dump_skips_what_is_not_there)
{
	in_vmexit();
	vmcs_absent(VMCS_ept_pointer, true);
	put_field(VMCS_rip, 0xABCDE);
	(void)printed();
	ck_assert_uint_eq(SYS(debug_dump_vs, 0), MK1_SUCCESS);
	const char *text = printed();
	ck_assert_ptr_nonnull(strstr(text, "rip 0xabcde"));
	ck_assert_ptr_null(strstr(text, "  ept "));
}
END_TEST

TCase *vmx_tests(void)
{
	TCase *tc = tcase_create("vmx");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, no_vmx);
	tcase_add_loop_test(tc, disabled_by_firmware, 0, 5);
	tcase_add_loop_test(tc, vmxe_of_linux, 0, 2);
	tcase_add_loop_test(tc, a_control_is_missing, 0, 7);
	tcase_add_test(tc, no_true_controls);
	tcase_add_test(tc, vmxon_fails);
	tcase_add_test(tc, vmxoff_fails);
	tcase_add_test(tc, nothing_stays_loaded);
	tcase_add_test(tc, no_secondary_controls);
	tcase_add_test(tc, what_other_cores_lack);
	tcase_add_test(tc, secondary_controls_without_ept_and_vpid);
	tcase_add_loop_test(tc, ept_that_is_too_little, 0, 4);
	tcase_add_test(tc, no_mtrrs);
	tcase_add_test(tc, no_fixed_mtrrs_and_too_many_variable);
	tcase_add_test(tc, mtrrs_are_followed);
	tcase_add_loop_test(tc, mtrrs_that_nobody_follows, 0, 2);
	tcase_add_loop_test(tc, flushes, 0, 5);
	tcase_add_test(tc, flush_with_invept_of_all_only);
	tcase_add_test(tc, no_invvpid);
	tcase_add_test(tc, no_vpid_field);
	tcase_add_loop_test(tc, flushes_fail, 0, 2);
	tcase_add_loop_test(tc, create_vs_with_failing_vmwrites, 0, 160);
	tcase_add_loop_test(tc, create_vs_with_a_failing_instruction, 0, 4);
	tcase_add_test(tc, destroy_vs_with_a_failing_vmclear);
	tcase_add_test(tc, clear_fails);
	tcase_add_test(tc, vmptrld_fails);
	tcase_add_test(tc, vmptrld_fails_on_activation);
	tcase_add_loop_test(tc, vmread_or_vmwrite_fails, 0, 2);
	tcase_add_test(tc, controls_of_a_root_vs_are_refused);
	tcase_add_loop_test(tc, every_register, 0, 2);
	tcase_add_test(tc, refused_values);
	tcase_add_test(tc, the_first_bitmap_comes_back);
	tcase_add_test(tc, controls_are_completed);
	tcase_add_test(tc, controls_that_the_cpu_lacks);
	tcase_add_loop_test(tc, control_registers_of_a_guest, 0, 2);
	tcase_add_test(tc, no_unrestricted_guest);
	tcase_add_test(tc, ept_pointer_of_our_own_or_not);
	tcase_add_test(tc, host_state);
	tcase_add_test(tc, segments);
	tcase_add_test(tc, advance_ip);
	tcase_add_test(tc, shadowed_control_registers);
	tcase_add_test(tc, msrs_of_an_inactive_vs);
	tcase_add_test(tc, init_as_root_of_the_active_vs);
	tcase_add_loop_test(tc, an_nmi_is_owed, 0, 2);
	tcase_add_test(tc, dump_skips_what_is_not_there);
	return tc;
}
