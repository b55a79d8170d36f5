// SPDX-License-Identifier: GPL-2.0-only
/* call/sys_mem.c: the pools, and MSRs. */
#include "../machine.h"
#include "../suites.h"

START_TEST(alloc_and_free_page)
{
	uint64_t va, spa;

	machine_amd_runs();
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_SUCCESS);
	va = regs.reg[0];
	spa = regs.reg[1];
	ck_assert_uint_eq(va, MK1_PAGE_POOL_BASE + spa);
	ck_assert_ptr_eq(mmu_user(va, true, false), phys_at(spa));
	ck_assert(!mmu_user(va, false, true));
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, va + 8), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, va + PAGE), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, MK1_DIRECT_MAP_BASE),
			  MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, MK1_PAGE_POOL_BASE), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, va), MK1_SUCCESS);
	ck_assert(!mmu_user(va, false, false));
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, va), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], va);
}
END_TEST

START_TEST(alloc_and_free_huge)
{
	uint64_t va, spa;

	machine_amd_runs();
	ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, ~0ULL), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, 1ULL << 40), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, 2 * PAGE + 1), MK1_SUCCESS);
	va = regs.reg[0];
	spa = regs.reg[1];
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_ptr_eq(mmu_user(va + i * PAGE, true, false), phys_at(spa + i * PAGE));
	ck_assert(!mmu_user(va + 3 * PAGE, false, false));
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, va), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_free_huge, HANDLE, va + PAGE), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_free_huge, HANDLE, va + 1), MK1_INVALID_INPUT_REG(1));
	/* the maps of svm/cpu.c are in the same pool, and nobody's */
	ck_assert_uint_eq(SYS(mem_free_huge, HANDLE, MK1_PAGE_POOL_BASE + svm.passthrough_bitmaps),
			  MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_free_huge, HANDLE, va), MK1_SUCCESS);
	ck_assert(!mmu_user(va, false, false));
	ck_assert_uint_eq(SYS(mem_free_huge, HANDLE, va), MK1_INVALID_INPUT_REG(1));
}
END_TEST

/* _i pages left: either all of it, or nothing has changed. */
START_TEST(allocation_without_memory)
{
	uint64_t before;

	machine_amd_runs();
	drain_pool((unsigned int)_i);
	ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, 8 * PAGE) == MK1_SUCCESS, _i >= 2);
	if (_i >= 2)
		return;
	before = cpu->cr3;
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(cpu->cr3, before);
	ck_assert_uint_eq(huge_claim(svm.passthrough_bitmaps + 3 * PAGE), 0);
}
END_TEST

/* The page is there, but not the tables for it. */
START_TEST(page_without_tables)
{
	machine_amd_runs();
	drain_pool((unsigned int)_i);
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE) == MK1_SUCCESS, _i == 3);
	if (_i == 1)
		ck_assert_uint_ne(pool_alloc(), MK_NO_PAGE);
}
END_TEST

/* Part of a huge allocation is mapped when the tables run out: it comes out again. */
START_TEST(huge_allocation_without_a_second_table)
{
	uint64_t va;

	machine_defaults(BF_VENDOR_AMD);
	m.huge_pages = 1040;
	machine_init();
	start_and_launch();
	drain_pool(2); /* a page directory and a page table: the allocation needs two or three */
	ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, 1030 * PAGE), MK1_FAILURE_UNKNOWN);
	va = MK1_PAGE_POOL_BASE + svm.passthrough_bitmaps + 3 * PAGE;
	for (unsigned int i = 0; i < 1030; i++)
		ck_assert(!mmu_user(va + i * PAGE, false, false));
	ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, PAGE), MK1_SUCCESS);
}
END_TEST

START_TEST(msrs)
{
	machine_amd_runs();
	msr_set(cpu, MSR_TSC_AUX, 7);
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, MSR_TSC_AUX), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 7);
	/* the upper half of the register is not looked at */
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, 0x1C0000103), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, 0x1C0000103, 0x123456789), MK1_SUCCESS);
	ck_assert_uint_eq(msr_get(cpu, MSR_TSC_AUX), 0x123456789);
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, MSR_EFER), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], msr_get(cpu, MSR_EFER));
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, MSR_GS_BASE, 0x4000), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, MSR_GS_BASE, 1ULL << 63),
			  MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, MSR_GS_BASE), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 0x4000);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, MSR_EFER, 0), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, MSR_LSTAR, 0), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, 0x12345), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, 0x12345, 1), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, ~0ULL), MK1_INVALID_PERM_DENIED);
	/* allowed, but this CPU does not have it, or not this value */
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, 0xDA0), MK1_INVALID_INPUT_REG(1));
	msr_restrict(cpu, MSR_TSC_AUX, 0xFFFFFFFF);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, MSR_TSC_AUX, 1ULL << 32),
			  MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(regs.reg[0], HANDLE);
}
END_TEST

TCase *call_sys_mem_tests(void)
{
	TCase *tc = tcase_create("call_sys_mem");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, alloc_and_free_page);
	tcase_add_test(tc, alloc_and_free_huge);
	tcase_add_loop_test(tc, allocation_without_memory, 0, 4);
	tcase_add_loop_test(tc, page_without_tables, 0, 4);
	tcase_add_test(tc, huge_allocation_without_a_second_table);
	tcase_add_test(tc, msrs);
	return tc;
}
