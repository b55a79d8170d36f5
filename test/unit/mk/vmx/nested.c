// SPDX-License-Identifier: GPL-2.0-only
/* vmx/nested.c: EPT with the memory types of Linux, and the TLB. */
#include <bsl/paging.h>

#include "vmx.h"
#include "../suites.h"

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

TCase *vmx_nested_tests(void)
{
	TCase *tc = tcase_create("vmx_nested");

	tcase_set_timeout(tc, 120);
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
	return tc;
}
