// SPDX-License-Identifier: GPL-2.0-only
/* Page tables, in an array of tables whose SPA is their place in it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <bsl/paging.h>

#include "translate.h"

#define NR_TABLES 32
#define TABLES_SPA 0x12345000ULL
#define KERNEL_VA 0xFFFF800000000000ULL

static uint64_t tables[NR_TABLES][BSL_PT_ENTRIES];
static unsigned int used, limit;
static struct bsl_tables paging;
static uint64_t root;

static uint64_t alloc(void *ctx)
{
	ck_assert_ptr_eq(ctx, &paging);
	if (used == limit)
		return BSL_NO_TABLE;
	return TABLES_SPA + used++ * 0x1000ULL;
}

static uint64_t *table(void *ctx, uint64_t spa)
{
	ck_assert_ptr_eq(ctx, &paging);
	ck_assert(spa >= TABLES_SPA && spa < TABLES_SPA + used * 0x1000ULL && spa % 0x1000 == 0);
	return tables[(spa - TABLES_SPA) / 0x1000];
}

static void setup(void)
{
	memset(tables, 0, sizeof(tables));
	used = 0;
	limit = NR_TABLES;
	paging = (struct bsl_tables){
		.alloc = alloc,
		.at = table,
		.ctx = &paging,
		.branch = BSL_PTE_P | BSL_PTE_W | BSL_PTE_A,
		.levels = 4,
	};
	root = alloc(&paging);
}

static void assert_mapped(uint64_t va, uint64_t spa, uint64_t flags)
{
	uint64_t is_spa, is_flags;

	ck_assert(translate_va(&paging, root, va, &is_spa, &is_flags));
	ck_assert_uint_eq(is_spa, spa);
	ck_assert_uint_eq(is_flags, flags);
}

static void assert_unmapped(uint64_t va)
{
	uint64_t spa, flags;

	ck_assert(!translate_va(&paging, root, va, &spa, &flags));
}

START_TEST(maps_small)
{
	ck_assert_int_eq(bsl_pt_map_range(&paging, root, KERNEL_VA + 0x5000, 0xABC000, 0x3000,
					  BSL_PTE_W | BSL_PTE_NX),
			 BF_ERR_OK);
	ck_assert_uint_eq(used, 4);
	assert_unmapped(KERNEL_VA + 0x4FFF);
	assert_mapped(KERNEL_VA + 0x5000, 0xABC000, BSL_PTE_W | BSL_PTE_NX);
	assert_mapped(KERNEL_VA + 0x7FFF, 0xABEFFF, BSL_PTE_W | BSL_PTE_NX);
	assert_unmapped(KERNEL_VA + 0x8000);
	/* neither user nor global, accessed and dirty already */
	ck_assert_uint_eq(tables[3][5],
			  0xABC000 | BSL_PTE_NX | BSL_PTE_P | BSL_PTE_W | BSL_PTE_A | BSL_PTE_D);
	ck_assert_uint_eq(tables[0][256] & BSL_PTE_U, 0);
}
END_TEST

START_TEST(maps_large)
{
	/* 4 KiB up to the boundary, two large pages, 4 KiB after them */
	ck_assert_int_eq(bsl_pt_map_range(&paging, root, 0x7FF000, 0x3FF000, 0x402000, 0),
			 BF_ERR_OK);
	assert_mapped(0x7FF000, 0x3FF000, 0);
	assert_mapped(0x800000, 0x400000, 0);
	assert_mapped(0xBFFFFF, 0x7FFFFF, 0);
	assert_mapped(0xC00FFF, 0x800FFF, 0);
	assert_unmapped(0xC01000);
	ck_assert(*bsl_pt_entry(&paging, root, 0x800000, 2, false) & BSL_PTE_PS);
	ck_assert_ptr_null(bsl_pt_entry(&paging, root, 0x800000, 1, false));
	/* no large page where the physical address does not allow it */
	ck_assert_int_eq(bsl_pt_map_range(&paging, root, 0x40000000, 0x1000, 0x200000, 0),
			 BF_ERR_OK);
	ck_assert(!(*bsl_pt_entry(&paging, root, 0x40000000, 2, false) & BSL_PTE_PS));
	assert_mapped(0x401FFFFF, 0x200FFF, 0);
}
END_TEST

START_TEST(user_rights)
{
	ck_assert_int_eq(bsl_pt_map_range(&paging, root, 0x1000, 0x1000, 0x1000, BSL_PTE_U),
			 BF_ERR_OK);
	assert_mapped(0x1000, 0x1000, 0); /* the branch does not grant it */
	setup();
	paging.branch |= BSL_PTE_U;
	ck_assert_int_eq(bsl_pt_map_range(&paging, root, 0x2000, 0x2000, 0x1000, BSL_PTE_U),
			 BF_ERR_OK);
	assert_mapped(0x2000, 0x2000, BSL_PTE_U);
	/* other bits of flags are not the caller's */
	ck_assert_int_eq(bsl_pt_map_range(&paging, root, 0x3000, 0x3000, 0x1000, ~0ULL), BF_ERR_OK);
	assert_mapped(0x3000, 0x3000, BSL_PTE_U | BSL_PTE_W | BSL_PTE_NX);
	ck_assert(!(*bsl_pt_entry(&paging, root, 0x3000, 1, false) & BSL_PTE_PS));
}
END_TEST

/* EPT and NPT are trees of the same kind, with larger leaves and other bits. */
START_TEST(levels)
{
	uint64_t entry;

	ck_assert(bsl_pt_map(&paging, root, 0x40000000, 0x80000000, 0x7, 3));
	ck_assert(!bsl_pt_map(&paging, root, 0x40000000, 0x80000000, 0x7, 3));
	ck_assert(!bsl_pt_map(&paging, root, 0x40200000, 0x80000000, 0x7, 2));
	ck_assert_uint_eq(bsl_pt_walk(&paging, root, 0x7FFFFFFF, 0x7, &entry), 3);
	ck_assert_uint_eq(entry, 0x80000087);
	ck_assert_uint_eq(bsl_pt_walk(&paging, root, 0x80000000, 0x7, &entry), 0);
	ck_assert(bsl_pt_map(&paging, root, 0x200000, 0x600000, 0x1, 2));
	ck_assert_uint_eq(bsl_pt_walk(&paging, root, 0x3FFFFF, 0x1, &entry), 2);
	ck_assert_uint_eq(bsl_pt_walk(&paging, root, 0x3FFFFF, 0x2, &entry), 0);
	ck_assert(bsl_pt_map(&paging, root, 0x1000, 0x5000, 0x1, 1));
	ck_assert_uint_eq(bsl_pt_walk(&paging, root, 0x1000, 0x1, &entry), 1);
	ck_assert_ptr_null(bsl_pt_entry(&paging, root, 0x8000000000, 1, false));
	ck_assert(*bsl_pt_entry(&paging, root, 0x1000, 1, false) == 0x5001);
}
END_TEST

/* Five levels: addresses of 57 bits, those of 48 bits at both ends. */
START_TEST(five_levels)
{
	uint64_t entry;

	paging.levels = 5;
	ck_assert_int_eq(bsl_pt_map_range(&paging, root, 0x00FFFFFFFFFFF000, 0x5000, 0x1000, 0),
			 BF_ERR_OK);
	ck_assert_int_eq(bsl_pt_map_range(&paging, root, 0xFF11000000000000, 0x200000, 0x200000, 0),
			 BF_ERR_OK);
	ck_assert_int_eq(bsl_pt_map_range(&paging, root, 0xFFFF800000000000, 0x6000, 0x1000, 0),
			 BF_ERR_OK);
	assert_mapped(0x00FFFFFFFFFFF000, 0x5000, 0);
	assert_mapped(0xFF11000000001000, 0x201000, 0);
	assert_mapped(0xFFFF800000000000, 0x6000, 0);
	assert_unmapped(0xFF10000000000000);
	assert_unmapped(0x0000800000000000);
	ck_assert_uint_eq(bsl_pt_walk(&paging, root, 0xFF11000000001000, 0x1, &entry), 2);
	ck_assert(bsl_is_canonical(0x00FFFFFFFFFFFFFF, 5) && !bsl_is_canonical(1ULL << 56, 5));
	ck_assert(bsl_is_canonical(0xFF00000000000000, 5) &&
		  !bsl_is_canonical(0xFEFFFFFFFFFFFFFF, 5));
	ck_assert(bsl_is_canonical(0x00007FFFFFFFFFFF, 4) && !bsl_is_canonical(1ULL << 47, 4));
	ck_assert_int_eq(bsl_pt_map_range(&paging, root, 1ULL << 56, 0x5000, 0x1000, 0),
			 BF_ERR_BAD_REQUEST);
}
END_TEST

START_TEST(refuses)
{
	static const struct {
		uint64_t va, spa, size;
	} bad[] = { { 0x1000, 0x1000, 0 },
		    { 0x1001, 0x1000, 0x1000 },
		    { 0x1000, 0x1001, 0x1000 },
		    { 0x1000, 0x1000, 0x1001 },
		    { 0x0000800000000000, 0x1000, 0x1000 },
		    { 0x00007FFFFFFFF000, 0x1000, 0x2000 },
		    { 0xFFFF7FFFFFFFF000, 0x1000, 0x2000 },
		    { 0xFFFFFFFFFFFFF000, 0x1000, 0x2000 },
		    { 0x00007FFFFFFFF000, 0x1000, 0xFFFF800000002000 },
		    { 0x1000, 0x0010000000000000, 0x1000 },
		    { 0x1000, 0x000FFFFFFFFFF000, 0x2000 },
		    { 0x1000, 0xFFFFFFFFFFFFF000, 0x2000 } };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(
			bsl_pt_map_range(&paging, root, bad[i].va, bad[i].spa, bad[i].size, 0),
			BF_ERR_BAD_REQUEST);
	ck_assert_uint_eq(used, 1);
	ck_assert_int_eq(
		bsl_pt_map_range(&paging, root, 0xFFFFFFFFFFFFF000, 0x000FFFFFFFFFF000, 0x1000, 0),
		BF_ERR_OK);
	assert_unmapped(0x0000800000000000);
}
END_TEST

START_TEST(refuses_conflicts)
{
	ck_assert_int_eq(bsl_pt_map_range(&paging, root, 0x200000, 0, 0x200000, 0), BF_ERR_OK);
	ck_assert_int_eq(bsl_pt_map_range(&paging, root, 0x201000, 0x5000, 0x1000, 0),
			 BF_ERR_BAD_REQUEST);
	ck_assert_int_eq(bsl_pt_map_range(&paging, root, 0x200000, 0x600000, 0x200000, 0),
			 BF_ERR_BAD_REQUEST);
	ck_assert_int_eq(bsl_pt_map_range(&paging, root, 0x400000, 0x1000, 0x1000, 0), BF_ERR_OK);
	ck_assert_int_eq(bsl_pt_map_range(&paging, root, 0x400000, 0x2000, 0x1000, 0),
			 BF_ERR_BAD_REQUEST);
	ck_assert_int_eq(bsl_pt_map_range(&paging, root, 0x400000, 0x400000, 0x200000, 0),
			 BF_ERR_BAD_REQUEST);
	assert_mapped(0x400000, 0x1000, 0);
}
END_TEST

START_TEST(runs_out)
{
	for (limit = 1; limit < 4; limit++)
		ck_assert_int_eq(bsl_pt_map_range(&paging, root, KERNEL_VA, 0, 0x1000, 0),
				 BF_ERR_NO_MEMORY);
	limit = 4;
	ck_assert_int_eq(bsl_pt_map_range(&paging, root, KERNEL_VA, 0, 0x1000, 0), BF_ERR_OK);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("paging");
	TCase *tests = tcase_create("map");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, maps_small);
	tcase_add_test(tests, maps_large);
	tcase_add_test(tests, user_rights);
	tcase_add_test(tests, levels);
	tcase_add_test(tests, five_levels);
	tcase_add_test(tests, refuses);
	tcase_add_test(tests, refuses_conflicts);
	tcase_add_test(tests, runs_out);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
