// SPDX-License-Identifier: GPL-2.0-only
/* mem/nested.c: the nested table of the root VM. */
#include "microkernel/mem/nested.h"

#include <bsl/paging.h>

#include "../machine.h"
#include "../suites.h"

/* Linux's memory one to one, the hypervisor's a decoy, and devices. */
START_TEST(nested_table)
{
	uint64_t entry, decoy;

	machine_of(_i);
	enter(0);
	ck_assert_uint_eq(nested_walk(0x12345000, &entry), 3);
	ck_assert_uint_eq(entry & 0xFFFFFFC0000000, 0);
	ck_assert_uint_eq(nested_walk(PHYS_BASE + 0x5000, &entry), 1);
	decoy = entry & 0xFFFFFFFFFF000;
	ck_assert_uint_ge(decoy, PHYS_BASE);
	ck_assert_uint_lt(decoy, PHYS_BASE + OWNED_SIZE);
	ck_assert_uint_eq(nested_walk(PHYS_BASE + OWNED_SIZE - 1, &entry), 1);
	ck_assert_uint_eq(entry & 0xFFFFFFFFFF000, decoy);
	ck_assert_uint_eq(nested_walk(ODD_OWNED, &entry), 1);
	ck_assert_uint_eq(entry & 0xFFFFFFFFFF000, decoy);
	ck_assert_uint_eq(nested_walk(ODD_OWNED + PAGE, &entry), 1);
	ck_assert_uint_eq(entry & 0xFFFFFFFFFF000, ODD_OWNED + PAGE);
	ck_assert_uint_eq(nested_walk(LINUX_RAM, &entry), 2);
	ck_assert_uint_eq(entry & 0xFFFFFFFFFF000, LINUX_RAM);
	ck_assert_uint_gt(nested_walk(RAM_TOP - 1, &entry), 0);
	ck_assert_uint_eq(nested_walk(RAM_TOP, &entry), 0);
	/* WB but for the devices below 4 GiB */
	ck_assert_uint_eq(nested_walk(0xC0000000, &entry), _i ? 2 : 3);
	ck_assert_uint_eq(entry >> 3 & 7, _i ? 6 : 0);
	ck_assert_uint_eq(nested_walk(0xE0000000, &entry), _i ? 2 : 3);
	ck_assert_uint_eq(entry >> 3 & 7, 0);
	nested_walk(0x100000000, &entry);
	ck_assert_uint_eq(entry >> 3 & 7, _i ? 6 : 0);
	/* device memory above RAM appears when it is touched */
	ck_assert(nested_fault(RAM_TOP + 0x123456789));
	ck_assert(nested_fault(RAM_TOP + 0x123456789));
	ck_assert_uint_eq(nested_walk(RAM_TOP + 0x123456789, &entry), 3);
	ck_assert(!nested_fault(1ULL << 48));
	drain_pool(0);
	ck_assert(!nested_fault(1ULL << 47));
}
END_TEST

/* No 1 GiB pages; and on Intel, no 2 MiB pages above. */
START_TEST(nested_table_of_smaller_pages)
{
	uint64_t entry;

	machine_defaults(_i ? BF_VENDOR_INTEL : BF_VENDOR_AMD);
	m.pool_pages = 3600;
	machine_init();
	cpuid_set(0x80000001, 0, 0, 0, _i ? 0 : 1U << 2, 0);
	m.handoff->ram.count = 2; /* up to 3 GiB */
	if (_i)
		msr_set(cpu, MSR_VMX_EPT_VPID_CAP,
			msr_get(cpu, MSR_VMX_EPT_VPID_CAP) & ~(uint64_t)(3U << 16));
	start_and_launch();
	ck_assert_uint_eq(nested_walk(0x12345000, &entry), _i ? 1 : 2);
	ck_assert_uint_eq(entry & 0xFFFFFFFE00000, 0x12200000);
}
END_TEST

/* The pool was exhausted amidst a GiB of devices: the rest appears once it has memory again. */
START_TEST(mapped_in_part)
{
	static uint64_t pages[0x1000];
	const uint64_t first = RAM_TOP, last = first + BSL_LEVEL_SIZE(3) - PAGE;
	unsigned int n = 0;
	uint64_t entry;

	machine_defaults(BF_VENDOR_INTEL);
	m.pool_pages = 3600;
	machine_init();
	m.handoff->ram.count = 2; /* up to 3 GiB */
	msr_set(cpu, MSR_VMX_EPT_VPID_CAP,
		msr_get(cpu, MSR_VMX_EPT_VPID_CAP) & ~(uint64_t)(3U << 16));
	start_and_launch();
	while ((pages[n] = pool_alloc()) != MK_NO_PAGE)
		n++;
	ck_assert_uint_gt(n, 520);
	for (unsigned int i = 0; i < 10; i++)
		pool_free(pages[--n]);
	ck_assert(!nested_fault(last));
	ck_assert_uint_eq(nested_walk(first, &entry), 1);
	ck_assert_uint_eq(nested_walk(last, &entry), 0);
	while (n)
		pool_free(pages[--n]);
	ck_assert(nested_fault(last));
	ck_assert_uint_eq(nested_walk(last, &entry), 1);
	ck_assert_uint_eq(entry & 0xFFFFFFFFFF000, last);
	ck_assert_uint_eq(nested_walk(first, &entry), 1);
	ck_assert_uint_eq(entry & 0xFFFFFFFFFF000, first);
}
END_TEST

/* The same amidst pages of 2 MiB, behind which one has two types: those that are there stay. */
START_TEST(mapped_in_part_with_large_pages)
{
	static uint64_t pages[0x1000];
	const uint64_t mixed = RAM_TOP + 3 * BSL_LEVEL_SIZE(2), last = RAM_TOP + BSL_LEVEL_SIZE(3);
	unsigned int n = 0;
	uint64_t entry;

	machine_of(1);
	msr_set(cpu, 0x202, mixed + PAGE);
	msr_set(cpu, 0x203, 0xFFFFFFF800); /* of which one page is uncacheable */
	start_and_launch();
	while ((pages[n] = pool_alloc()) != MK_NO_PAGE)
		n++;
	pool_free(pages[--n]);
	ck_assert(!nested_fault(mixed));
	ck_assert_uint_eq(nested_walk(RAM_TOP, &entry), 2);
	ck_assert_uint_eq(nested_walk(mixed, &entry), 0);
	pool_free(pages[--n]);
	ck_assert(nested_fault(mixed));
	for (uint64_t gpa = RAM_TOP; gpa < last; gpa += BSL_LEVEL_SIZE(2)) {
		ck_assert_uint_eq(nested_walk(gpa, &entry), gpa == mixed ? 1 : 2);
		ck_assert_uint_eq(entry & 0xFFFFFFFFFF000, gpa);
		ck_assert_uint_eq(entry >> 3 & 7, 6);
	}
	ck_assert_uint_eq(nested_walk(mixed + PAGE, &entry), 1);
	ck_assert_uint_eq(entry >> 3 & 7, 0);
}
END_TEST

START_TEST(no_nested_paging)
{
	machine_of(_i);
	if (_i)
		msr_set(cpu, MSR_VMX_EPT_VPID_CAP, 0);
	else
		cpuid_set(0x8000000A, 0, 1, 16, 0, 0);
	start_and_launch();
	ck_assert_uint_eq(mk.root_npt, 0);
	ck_assert(!nested_fault(0x1000));
}
END_TEST

TCase *mem_nested_tests(void)
{
	TCase *tc = tcase_create("mem_nested");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, nested_table, 0, 2);
	tcase_add_loop_test(tc, nested_table_of_smaller_pages, 0, 2);
	tcase_add_test(tc, mapped_in_part);
	tcase_add_test(tc, mapped_in_part_with_large_pages);
	tcase_add_loop_test(tc, no_nested_paging, 0, 2);
	return tc;
}
