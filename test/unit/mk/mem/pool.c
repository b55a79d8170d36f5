// SPDX-License-Identifier: GPL-2.0-only
/* mem/pool.c: the page pool, the huge pool, and the lists of regions. */
#include <string.h>

#include "../machine.h"
#include "../suites.h"

static struct bf_region regions[2];
static struct bf_region huge;

static void setup(void)
{
	machine_of(0);
	regions[0] = (struct bf_region){ PHYS_BASE + 0x800000, 2 * PAGE };
	regions[1] = (struct bf_region){ PHYS_BASE + 0x810000, 3 * PAGE };
	huge = (struct bf_region){ PHYS_BASE + 0x900000, 16 * PAGE };
	pool_init(regions, 2, &huge);
}

static bool is_zero(uint64_t spa, uint64_t size)
{
	const uint8_t *p = phys_at(spa);

	for (uint64_t i = 0; i < size; i++) {
		if (p[i])
			return false;
	}
	return true;
}

START_TEST(pages_come_from_all_regions)
{
	const uint64_t want[] = { 0x800000, 0x801000, 0x810000, 0x811000, 0x812000 };

	for (unsigned int i = 0; i < 5; i++)
		ck_assert_uint_eq(pool_alloc(), PHYS_BASE + want[i]);
	ck_assert_uint_eq(pool_alloc(), MK_NO_PAGE);
	ck_assert_uint_eq(pool_alloc(), MK_NO_PAGE);
}
END_TEST

START_TEST(pages_come_back_zeroed)
{
	uint64_t a = pool_alloc(), b = pool_alloc();

	memset(phys_at(a), 0xAA, PAGE);
	memset(phys_at(b), 0xBB, PAGE);
	pool_free(a);
	pool_free(b);
	ck_assert_uint_eq(pool_alloc(), b);
	ck_assert_uint_eq(pool_alloc(), a);
	ck_assert(is_zero(a, PAGE) && is_zero(b, PAGE));
	ck_assert_uint_eq(pool_alloc(), PHYS_BASE + 0x810000);
}
END_TEST

START_TEST(huge_allocations)
{
	uint64_t a = huge_alloc(1), b = huge_alloc(5 * PAGE), c = huge_alloc(PAGE + 1);

	ck_assert_uint_eq(a, huge.spa);
	ck_assert_uint_eq(b, huge.spa + PAGE);
	ck_assert_uint_eq(c, huge.spa + 6 * PAGE);
	/* a new one is claimed, until its owner knows of it; who claims one is the only one */
	ck_assert_uint_eq(huge_claim(a), 0);
	huge_unclaim(a);
	huge_unclaim(c);
	ck_assert_uint_eq(huge_claim(a), PAGE);
	ck_assert_uint_eq(huge_claim(a), 0);
	ck_assert_uint_eq(huge_claim(c), 2 * PAGE);
	ck_assert_uint_eq(huge_claim(b + PAGE), 0);
	ck_assert_uint_eq(huge_alloc(0), MK_NO_PAGE);
	ck_assert_uint_eq(huge_alloc(~0ULL), MK_NO_PAGE);
	ck_assert_uint_eq(huge_alloc(9 * PAGE), MK_NO_PAGE);
	/* a hole is used again, from its beginning, and what is in it is zeroed */
	memset(phys_at(b), 0xBB, 5 * PAGE);
	huge_free(b);
	ck_assert_uint_eq(huge_alloc(6 * PAGE), huge.spa + 8 * PAGE);
	ck_assert_uint_eq(huge_alloc(2 * PAGE), b);
	ck_assert_uint_eq(huge_alloc(3 * PAGE), b + 2 * PAGE);
	ck_assert(is_zero(b, 5 * PAGE));
	ck_assert_uint_eq(huge_alloc(3 * PAGE), MK_NO_PAGE);
	ck_assert_uint_eq(huge_alloc(2 * PAGE), huge.spa + 14 * PAGE);
	ck_assert(huge_owns(huge.spa) && huge_owns(huge.spa + huge.size - 1));
	ck_assert(!huge_owns(huge.spa - 1) && !huge_owns(huge.spa + huge.size));
}
END_TEST

START_TEST(huge_slots_run_out)
{
	uint64_t spa[64];

	huge.size = 70 * PAGE;
	pool_init(regions, 2, &huge);
	for (unsigned int i = 0; i < 64; i++) {
		spa[i] = huge_alloc(PAGE);
		ck_assert_uint_eq(spa[i], huge.spa + i * PAGE);
	}
	ck_assert_uint_eq(huge_alloc(PAGE), MK_NO_PAGE);
	for (unsigned int i = 64; i-- > 0;)
		huge_free(spa[i]);
	ck_assert_uint_eq(huge_alloc(70 * PAGE), huge.spa);
}
END_TEST

START_TEST(regions_are_found)
{
	ck_assert(!region_overlaps(&m.handoff->ram, 0x9F000, 0x61000));
	mk.handoff = m.handoff;
	ck_assert(mem_is_ram(0) && mem_is_ram(0x9E000) && !mem_is_ram(0x9F000));
	ck_assert(!mem_is_ram(0xFF000) && mem_is_ram(0x100000) && mem_is_ram(RAM_TOP - PAGE));
	ck_assert(!mem_is_ram(RAM_TOP) && !mem_is_ram(0xC0000000));
	ck_assert(!mem_is_owned(PHYS_BASE - PAGE) && mem_is_owned(PHYS_BASE));
	ck_assert(mem_is_owned(LINUX_RAM - PAGE) && !mem_is_owned(LINUX_RAM));
	ck_assert(mem_is_owned(ODD_OWNED) && !mem_is_owned(ODD_OWNED + PAGE));
	ck_assert(region_overlaps(&m.handoff->owned, 0, PHYS_BASE + 1));
	ck_assert(!region_overlaps(&m.handoff->owned, 0, PHYS_BASE));
}
END_TEST

TCase *mem_pool_tests(void)
{
	TCase *tc = tcase_create("mem_pool");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, pages_come_from_all_regions);
	tcase_add_test(tc, pages_come_back_zeroed);
	tcase_add_test(tc, huge_allocations);
	tcase_add_test(tc, huge_slots_run_out);
	tcase_add_test(tc, regions_are_found);
	return tc;
}
