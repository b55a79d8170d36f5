// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "microkernel/arch/mtrr.h"

#define PAGE 0x1000UL
#define M2 0x200000UL
#define G1 0x40000000UL
#define MASK(size) ((~((size) - 1) & 0xFFFFFFFFFFULL) | MTRR_MASK_VALID)
#define ENABLED (MTRR_DEF_ENABLED | MTRR_DEF_FIXED)

static struct mtrrs m;

static uint64_t random_below(unsigned int limit)
{
	return (unsigned int)rand() % limit;
}

static void setup(void)
{
	m = (struct mtrrs){ .present = true, .def_type = ENABLED | MTRR_UC };
	for (unsigned int i = 0; i < MTRR_FIXED_MSRS; i++)
		m.fixed[i] = 0x0606060606060606;
}

static void add(uint64_t base, uint64_t size, uint8_t type)
{
	m.variable[m.nr_variable].base = base | type;
	m.variable[m.nr_variable].mask = MASK(size);
	m.nr_variable++;
}

static void expect(uint64_t spa, uint64_t size, uint8_t type)
{
	uint8_t got = 0xFF;

	ck_assert_msg(mtrr_type(&m, spa, size, &got), "0x%llx has no one type",
		      (unsigned long long)spa);
	ck_assert_uint_eq(got, type);
}

static void expect_mixed(uint64_t spa, uint64_t size)
{
	uint8_t got;

	ck_assert(!mtrr_type(&m, spa, size, &got));
}

struct cpuid_regs fake_cpuid(uint32_t leaf, uint32_t subleaf)
{
	(void)subleaf;
	return (struct cpuid_regs){ .edx = leaf == 1 ? ~(uint32_t)CPUID_1_EDX_MTRR : 0 };
}

/* Not even the capability MSR, which would fault. */
START_TEST(touches_no_msr_that_is_not_there)
{
	struct mtrrs m;
	uint8_t type;

	memset(&m, 0xFF, sizeof(m));
	mtrr_read(&m);
	ck_assert(!m.present && !m.nr_variable && !m.def_type);
	ck_assert(mtrr_type(&m, 0, G1, &type));
	ck_assert_uint_eq(type, MTRR_WB);
}
END_TEST

START_TEST(none_at_all)
{
	m.present = false;
	expect(0, G1, MTRR_WB);
}
END_TEST

START_TEST(disabled)
{
	add(0, 4 * G1, MTRR_WB);
	m.def_type = MTRR_WB;
	expect(0, G1, MTRR_UC);
	m.def_type = MTRR_WB | MTRR_DEF_FIXED;
	expect(0, PAGE, MTRR_UC);
}
END_TEST

START_TEST(default_type)
{
	m.def_type = ENABLED | MTRR_WT;
	expect(G1, G1, MTRR_WT);
	expect(1ULL << 45, PAGE, MTRR_WT);
}
END_TEST

/* The usual machine: RAM write-back, the hole below 4 GiB uncacheable. */
START_TEST(pc)
{
	m.def_type = ENABLED | MTRR_WB;
	add(0xC0000000, G1, MTRR_UC);
	expect(2 * G1, G1, MTRR_WB);
	expect(3 * G1, G1, MTRR_UC);
	expect(4 * G1, G1, MTRR_WB);
	expect_mixed(0x80000000, 2 * G1);
}
END_TEST

START_TEST(not_valid)
{
	add(G1, G1, MTRR_WB);
	m.variable[0].mask &= ~(uint64_t)MTRR_MASK_VALID;
	expect(G1, G1, MTRR_UC);
}
END_TEST

START_TEST(small_range_splits)
{
	add(0, 4 * G1, MTRR_WB);
	add(G1 + M2, PAGE, MTRR_UC);
	expect_mixed(G1, G1);
	expect_mixed(G1 + M2, M2);
	expect(G1, M2, MTRR_WB);
	expect(G1 + M2, PAGE, MTRR_UC);
	expect(G1 + M2 + PAGE, PAGE, MTRR_WB);
}
END_TEST

static const struct {
	uint8_t a, b, both;
} overlaps[] = { { MTRR_WB, MTRR_WB, MTRR_WB }, { MTRR_WB, MTRR_UC, MTRR_UC },
		 { MTRR_UC, MTRR_WT, MTRR_UC }, { MTRR_WB, MTRR_WT, MTRR_WT },
		 { MTRR_WT, MTRR_WB, MTRR_WT }, { MTRR_WC, MTRR_WC, MTRR_WC },
		 { MTRR_WC, MTRR_WB, MTRR_UC }, { MTRR_WP, MTRR_WT, MTRR_UC } };

START_TEST(overlap)
{
	add(0, 4 * G1, overlaps[_i].a);
	add(G1, G1, overlaps[_i].b);
	expect(G1, G1, overlaps[_i].both);
	expect(2 * G1, G1, overlaps[_i].a);
}
END_TEST

START_TEST(three_ranges)
{
	add(0, 4 * G1, MTRR_WB);
	add(0, 2 * G1, MTRR_WT);
	add(0, G1, MTRR_UC);
	m.def_type &= ~(uint64_t)MTRR_DEF_FIXED;
	expect(0, G1, MTRR_UC);
	expect(G1, G1, MTRR_WT);
	expect(2 * G1, G1, MTRR_WB);
}
END_TEST

/* Each range at its both ends, with types that only it has. */
START_TEST(fixed_ranges)
{
	m.fixed[0] = 0x0505050505050504; /* 00000: WT */
	m.fixed[1] = 0x0605050505050505; /* 9C000: WB */
	m.fixed[2] = 0x0101010101010101; /* A0000: WC */
	m.fixed[10] = 0x0005050505050505; /* FF000: UC */
	expect(0, PAGE, MTRR_WT);
	expect(0xF000, PAGE, MTRR_WT);
	expect(0x10000, PAGE, MTRR_WP);
	expect(0x9B000, PAGE, MTRR_WP);
	expect(0x9C000, PAGE, MTRR_WB);
	expect(0x9F000, PAGE, MTRR_WB);
	expect(0xA0000, PAGE, MTRR_WC);
	expect(0xBF000, PAGE, MTRR_WC);
	expect(0xC0000, PAGE, MTRR_WB);
	expect(0xFE000, PAGE, MTRR_WP);
	expect(0xFF000, PAGE, MTRR_UC);
	expect_mixed(0, M2);
	expect_mixed(0, G1);
}
END_TEST

START_TEST(fixed_wins_and_ends)
{
	add(0, G1, MTRR_WT);
	expect(0xFF000, PAGE, MTRR_WB);
	expect(0x100000, PAGE, MTRR_WT);
	expect_mixed(0, M2); /* WB below 1 MiB, WT above */
	m.variable[0].base = MTRR_WB;
	expect(0, M2, MTRR_WB);
	expect(0, G1, MTRR_WB);
	m.def_type &= ~(uint64_t)MTRR_DEF_FIXED;
	m.fixed[0] = 0;
	expect(0, G1, MTRR_WB);
}
END_TEST

/* Whatever the MTRRs hold, a page has one type, and a range that has one has it everywhere. */
START_TEST(any_state)
{
	srand(1); /* the same numbers every time */
	for (int round = 0; round < 100; round++) {
		m.nr_variable = (unsigned int)random_below(4);
		for (unsigned int i = 0; i < m.nr_variable; i++) {
			uint64_t size = PAGE << random_below(12);

			m.variable[i].base = random_below(1024) * PAGE | random_below(7);
			m.variable[i].mask = MASK(size);
		}
		for (uint64_t size = PAGE; size <= 2 * M2; size *= 2) {
			uint64_t spa = random_below(8 * M2) & ~(size - 1);
			uint8_t whole, part;

			if (!mtrr_type(&m, spa, size, &whole)) {
				ck_assert_uint_ne(size, PAGE);
				continue;
			}
			for (uint64_t at = spa; at < spa + size; at += PAGE) {
				ck_assert(mtrr_type(&m, at, PAGE, &part));
				ck_assert_uint_eq(part, whole);
			}
		}
	}
}
END_TEST

/* SDM vol. 4, table 2-2: those that say which memory has which type. */
START_TEST(which_msrs_they_are)
{
	static const uint32_t fixed[] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26A,
					  0x26B, 0x26C, 0x26D, 0x26E, 0x26F };
	unsigned int n = 0;

	for (uint32_t msr = 0; msr < 0x1000; msr++)
		n += mtrr_is(msr);
	ck_assert_uint_eq(n, sizeof(fixed) / sizeof(fixed[0]) + 2 * MTRR_MAX_VARIABLE + 1);
	for (unsigned int i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		ck_assert(mtrr_is(fixed[i]));
	ck_assert(mtrr_is(0x200) && mtrr_is(0x1FF + 2 * MTRR_MAX_VARIABLE));
	ck_assert(mtrr_is(MSR_MTRR_DEF_TYPE));
	ck_assert(!mtrr_is(MSR_MTRR_CAP) && !mtrr_is(MSR_PAT));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mtrr");
	TCase *tc = tcase_create("mtrr");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, touches_no_msr_that_is_not_there);
	tcase_add_test(tc, none_at_all);
	tcase_add_test(tc, disabled);
	tcase_add_test(tc, default_type);
	tcase_add_test(tc, pc);
	tcase_add_test(tc, not_valid);
	tcase_add_test(tc, small_range_splits);
	tcase_add_loop_test(tc, overlap, 0, sizeof(overlaps) / sizeof(overlaps[0]));
	tcase_add_test(tc, three_ranges);
	tcase_add_test(tc, fixed_ranges);
	tcase_add_test(tc, fixed_wins_and_ends);
	tcase_add_test(tc, any_state);
	tcase_add_test(tc, which_msrs_they_are);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
