// SPDX-License-Identifier: GPL-2.0-only
/* obj/ext.c: extensions, each with a memory of its own. */
#include "../machine.h"
#include "../suites.h"

START_TEST(each_extension_has_its_own_memory)
{
	uint64_t va, huge, code0;
	struct ext *first;

	machine_defaults(BF_VENDOR_AMD);
	m.nr_exts = 2;
	machine_init();
	start_and_launch();
	guest_exit(SVM_EXIT_CPUID);
	first = m.pps[0]->ext;
	code0 = (uint64_t)mmu_user(EXT_ENTRY, false, true);
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_SUCCESS);
	va = regs.reg[0];
	ck_assert_uint_eq(SYS(mem_alloc_huge, HANDLE, PAGE), MK1_SUCCESS);
	huge = regs.reg[0];
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, linux_page(0)), MK1_SUCCESS);
	abi_gprs()[BF_RBX] = 0x4242;
	RUN(ext_switch(host_pp, first + 1));
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0x4242);
	ck_assert_uint_ne((uint64_t)mmu_user(EXT_ENTRY, false, true), code0);
	ck_assert(!mmu_user(va, false, false));
	ck_assert(!mmu_user(MK1_DIRECT_MAP_BASE + linux_page(0), false, false));
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, va), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(mem_free_huge, HANDLE, huge), MK1_INVALID_INPUT_REG(1));
	/* an exit brings the one that registered back */
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_ptr_eq(host_pp->ext, first);
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0x4242);
	ck_assert_ptr_eq(mmu_user(va, true, false), phys_at(va - MK1_PAGE_POOL_BASE));
	ck_assert_uint_eq(SYS(mem_free_huge, HANDLE, huge), MK1_SUCCESS);
}
END_TEST

START_TEST(the_mapping_of_nothing)
{
	machine_amd_runs();
	ck_assert(ext_is_mapped(host_pp, 0, 0));
	ck_assert(ext_is_mapped(host_pp, EXT_RODATA, 2 * PAGE));
	ck_assert(!ext_is_mapped(host_pp, EXT_RODATA, 2 * PAGE + 1));
	ck_assert(!ext_is_mapped(host_pp, EXT_RODATA, ~0ULL));
	ck_assert(!ext_is_mapped(host_pp, 0x7FFFFFFFFFFF, 2));
}
END_TEST

/* Where ring 3 can write to, and nowhere else; with SMAP and without. */
START_TEST(writing_to_ring3)
{
	static const uint64_t bad[] = { 0,          EXT_ENTRY,     EXT_RODATA, EXT_DATA + PAGE - 4,
					BF_PP_DATA, 0x7FFFFFFFFFFC };
	uint64_t value = 0x1122334455667788;
	uint64_t *data;

	machine_of(0);
	if (!_i)
		machine_without_cr4(CR4_SMAP);
	start_and_launch();
	guest_exit(SVM_EXIT_CPUID);
	data = mmu_user(EXT_DATA, true, false);
	ck_assert(ext_write(host_pp, EXT_DATA + 8, &value, sizeof(value)));
	ck_assert_uint_eq(data[0], 0);
	ck_assert_uint_eq(data[1], value);
	ck_assert_uint_eq(data[2], 0);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert(!ext_write(host_pp, bad[i], &value, sizeof(value)));
	ck_assert(ext_write(host_pp, EXT_DATA + PAGE - 8, &value, sizeof(value)));
	ck_assert(!cpu->ac);
}
END_TEST

TCase *obj_ext_tests(void)
{
	TCase *tc = tcase_create("obj_ext");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, each_extension_has_its_own_memory);
	tcase_add_test(tc, the_mapping_of_nothing);
	tcase_add_loop_test(tc, writing_to_ring3, 0, 2);
	return tc;
}
