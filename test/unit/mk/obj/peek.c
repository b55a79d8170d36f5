// SPDX-License-Identifier: GPL-2.0-only
/* obj/peek.c: promote on a page table of Linux that does not show the switch. */
#include <bsl/paging.h>

#include "../machine.h"
#include "../suites.h"

/* With a table that does not show the code that switches, the CPU could not go on after it. */
START_TEST(promote_on_a_table_of_the_user)
{
	uint64_t reg = _i & 1 ? MK1_INTEL_cr3 : MK1_AMD_cr3, va;
	uint64_t *table[5];
	unsigned int levels = 4 + (unsigned int)_i / 2;

	machine_of(_i & 1);
	start_and_launch();
	guest_exit(_i & 1 ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	if (levels == 5 && !(_i & 1))
		vmcb_of(host_pp->vs)->cr4 |= CR4_LA57;
	else if (levels == 5)
		vmcs_put(host_pp->vs->block_spa, VMCS_cr4,
			 vmcs_get(host_pp->vs->block_spa, VMCS_cr4) | CR4_LA57);
	for (unsigned int i = 0; i < levels; i++)
		table[i] = phys_at(linux_page(i));
	va = host_pp->handoff.switch_page;
	ck_assert_uint_eq(reg_write(0, reg, linux_page(levels - 1)), MK1_SUCCESS);
	for (unsigned int level = levels; level > 0; level--) {
		ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), MK1_INVALID_INPUT_REG(1));
		table[level - 1][va >> (12 + 9 * (level - 1)) & 511] =
			linux_page(level > 1 ? level - 2 : 20) | BSL_PTE_P;
	}
	/* the page, but not the code */
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), MK1_INVALID_INPUT_REG(1));
	va = host_pp->handoff.switch_leave;
	for (unsigned int level = levels; level > 3; level--)
		table[level - 1][va >> (12 + 9 * (level - 1)) & 511] = linux_page(level - 2) |
								       BSL_PTE_P;
	table[2][va >> 30 & 511] |= BSL_PTE_P | BSL_PTE_PS;
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
}
END_TEST

/* A table where no RAM is shows nothing. */
START_TEST(promote_on_no_table)
{
	machine_of(_i);
	start_and_launch();
	guest_exit(_i ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	ck_assert_uint_eq(reg_write(0, _i ? MK1_INTEL_cr3 : MK1_AMD_cr3, 0xF0000000), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), MK1_INVALID_INPUT_REG(1));
}
END_TEST

TCase *obj_peek_tests(void)
{
	TCase *tc = tcase_create("obj_peek");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, promote_on_a_table_of_the_user, 0, 4);
	tcase_add_loop_test(tc, promote_on_no_table, 0, 2);
	return tc;
}
