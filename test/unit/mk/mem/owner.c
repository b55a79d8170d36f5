// SPDX-License-Identifier: GPL-2.0-only
/* mem/owner.c: which VM maps which page. */
#include "../mk2.h"
#include "microkernel/mem/owner.h"
#include "../suites.h"

static uint64_t add(uint64_t spa, unsigned int level, uint16_t vmid)
{
	return owner_add(spa, level, vmid, false);
}

/* A page, or a larger one: another VM gets neither it nor any part or whole of it. */
START_TEST(one_owner)
{
	const unsigned int level = (unsigned int)_i;
	const uint64_t size = BSL_LEVEL_SIZE(level), at = 3 * SIZE_1G;
	unsigned int before;

	machine_amd_runs();
	before = free_pages();
	ck_assert_uint_eq(add(at, level, 1), MK1_SUCCESS);
	for (unsigned int l = 1; l <= 3; l++)
		ck_assert_uint_eq(add(at, l, 2), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(add(at + size - PAGE, 1, 2), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(add(at + size, 1, 2), MK1_SUCCESS);
	/* Its own it may have twice. */
	ck_assert_uint_eq(add(at, level, 1), MK1_SUCCESS);
	owner_remove(at, level);
	ck_assert_uint_eq(add(at, 1, 2), MK1_INVALID_PERM_DENIED);
	owner_remove(at, level);
	ck_assert_uint_eq(add(at, level, 2), MK1_SUCCESS);
	owner_remove(at, level);
	owner_remove(at + size, 1);
	ck_assert_uint_eq(free_pages(), before);
}
END_TEST

START_TEST(shared)
{
	unsigned int before;

	machine_amd_runs();
	before = free_pages();
	ck_assert_uint_eq(owner_add(RAM_2M, 1, 1, true), MK1_SUCCESS);
	ck_assert_uint_eq(add(RAM_2M, 1, 1), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(add(RAM_2M, 1, 2), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(owner_add(RAM_2M, 1, 2, true), MK1_SUCCESS);
	owner_remove(RAM_2M, 1);
	ck_assert_uint_eq(add(RAM_2M, 1, 1), MK1_INVALID_PERM_DENIED);
	owner_remove(RAM_2M, 1);
	ck_assert_uint_eq(add(RAM_2M, 1, 1), MK1_SUCCESS);
	ck_assert_uint_eq(owner_add(RAM_2M, 1, 1, true), MK1_INVALID_PERM_DENIED);
	owner_remove(RAM_2M, 1);
	ck_assert_uint_eq(free_pages(), before);
}
END_TEST

/* One VM, in the order of _i's bits: a large page, parts of it, and the large page again. */
START_TEST(parts_and_wholes)
{
	unsigned int before;

	machine_amd_runs();
	before = free_pages();
	if (_i) {
		ck_assert_uint_eq(add(RAM_1G, 3, 1), MK1_SUCCESS);
		ck_assert_uint_eq(add(RAM_1G + 5 * PAGE, 1, 1), MK1_SUCCESS);
	} else {
		ck_assert_uint_eq(add(RAM_1G + 5 * PAGE, 1, 1), MK1_SUCCESS);
		ck_assert_uint_eq(add(RAM_1G, 3, 1), MK1_SUCCESS);
	}
	ck_assert_uint_eq(add(RAM_1G + SIZE_2M, 2, 1), MK1_SUCCESS);
	owner_remove(RAM_1G, 3);
	ck_assert_uint_eq(add(RAM_1G, 1, 2), MK1_SUCCESS);
	ck_assert_uint_eq(add(RAM_1G + 5 * PAGE, 1, 2), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(add(RAM_1G, 2, 2), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(add(RAM_1G + SIZE_2M, 1, 2), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(add(RAM_1G + 2 * SIZE_2M, 2, 2), MK1_SUCCESS);
	owner_remove(RAM_1G + 2 * SIZE_2M, 2);
	owner_remove(RAM_1G + 5 * PAGE, 1);
	owner_remove(RAM_1G + SIZE_2M, 2);
	owner_remove(RAM_1G, 1);
	ck_assert_uint_eq(free_pages(), before);
}
END_TEST

/* _i pages left: nothing has changed, or all of it. */
START_TEST(without_memory)
{
	unsigned int left;

	machine_amd_runs();
	ck_assert_uint_eq(add(RAM_1G, 3, 1), MK1_SUCCESS);
	ck_assert_uint_eq(add(SIZE_2M, 1, 1), MK1_SUCCESS);
	drain_pool((unsigned int)_i);
	left = free_pages();
	ck_assert_uint_eq(add(RAM_1G + PAGE, 1, 1), _i < 2 ? MK2_FAILURE_NO_MEMORY : MK1_SUCCESS);
	if (_i < 2)
		ck_assert_uint_eq(add(3 * SIZE_1G + PAGE, 1, 1), MK2_FAILURE_NO_MEMORY);
	else
		owner_remove(RAM_1G + PAGE, 1);
	ck_assert_uint_eq(add(RAM_1G, 1, 2), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(add(RAM_1G + SIZE_1G - PAGE, 1, 2), MK1_INVALID_PERM_DENIED);
	owner_remove(SIZE_2M, 1);
	owner_remove(RAM_1G, 3);
	ck_assert_uint_ge(free_pages(), left);
}
END_TEST

/* Once a scrub has begun, a VM gets nothing more of its own; Linux gets what it had back. */
START_TEST(closed)
{
	machine_amd_runs();
	ck_assert_uint_eq(owner_take(RAM_2M, PAGE, 1), MK1_SUCCESS);
	owner_close();
	ck_assert_uint_eq(owner_take(RAM_2M + PAGE, PAGE, 1), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(owner_take(RAM_2M + PAGE, PAGE, MK1_INVALID_ID), MK1_SUCCESS);
}
END_TEST

TCase *mem_owner_tests(void)
{
	TCase *tc = tcase_create("mem_owner");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, one_owner, 1, 4);
	tcase_add_test(tc, shared);
	tcase_add_test(tc, closed);
	tcase_add_loop_test(tc, parts_and_wholes, 0, 2);
	tcase_add_loop_test(tc, without_memory, 0, 4);
	return tc;
}
