// SPDX-License-Identifier: GPL-2.0-only
/* What the default extension lets the guest see of CPUID. */
#include <check.h>
#include <string.h>

#include <abi/hw/x86.h>
#include <ext/linux/cpuid.h>

static struct cpuid_regs filtered(uint32_t leaf, uint32_t subleaf, uint64_t cr4, uint32_t fill)
{
	struct cpuid_regs r = { fill, fill, fill, fill };

	cpuid_filter(leaf, subleaf, cr4, &r);
	return r;
}

static void expect(struct cpuid_regs r, uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
	ck_assert_uint_eq(r.eax, eax);
	ck_assert_uint_eq(r.ebx, ebx);
	ck_assert_uint_eq(r.ecx, ecx);
	ck_assert_uint_eq(r.edx, edx);
}

START_TEST(virtualisation_is_hidden)
{
	expect(filtered(1, 0, CR4_OSXSAVE, ~0u), ~0u, ~0u, ~0x60u, ~0u);
	expect(filtered(0x80000001, 0, 0, ~0u), ~0u, ~0u, ~0x1004u, ~0u);
	expect(filtered(0x8000000A, 0, 0, ~0u), 0, 0, 0, 0);
	expect(filtered(7, 1, 0, ~0u), ~0x8020000u, ~0x2u, ~0x20u, ~0x8000u);
}
END_TEST

/* What sets a bit of CR4 that is refused: Linux is not to try. */
START_TEST(fred_and_key_locker_are_hidden)
{
	ck_assert(!(filtered(7, 0, 0, ~0u).ecx & 1u << 23));
	ck_assert(!(filtered(7, 1, 0, ~0u).eax & 1u << 17));
}
END_TEST

/* Both ways: root mode's CR4, which the CPU shows, may have the bit set or clear. */
START_TEST(osxsave_and_ospke_follow_the_guest)
{
	ck_assert_uint_eq(filtered(1, 0, CR4_OSXSAVE, 0).ecx, 1u << 27);
	ck_assert_uint_eq(filtered(1, 0, ~CR4_OSXSAVE, ~0u).ecx, ~(0x60u | 1u << 27));
	ck_assert_uint_eq(filtered(7, 0, CR4_PKE, 0).ecx, 1u << 4);
	ck_assert_uint_eq(filtered(7, 0, ~CR4_PKE, ~0u).ecx, ~(1u << 4 | 1u << 23));
	ck_assert(cpuid_shows_cr4(1, 0));
	ck_assert(cpuid_shows_cr4(1, 5)); /* leaf 1 has no subleaves */
	ck_assert(cpuid_shows_cr4(7, 0));
	ck_assert(!cpuid_shows_cr4(7, 1));
	ck_assert(!cpuid_shows_cr4(0xD, 0));
}
END_TEST

/* What is not special is never filtered, so the fast path may skip the filter. */
START_TEST(everything_else_passes)
{
	static const uint32_t bases[] = { 0, 0x40000000, 0x80000000, 0xC0000000 };

	for (size_t b = 0; b < sizeof(bases) / sizeof(bases[0]); b++) {
		for (uint32_t leaf = bases[b]; leaf < bases[b] + 0x200; leaf++) {
			for (uint32_t subleaf = 0; subleaf < 8; subleaf++) {
				if (cpuid_is_special(leaf))
					continue;
				expect(filtered(leaf, subleaf, ~0ull, ~0u), ~0u, ~0u, ~0u, ~0u);
				expect(filtered(leaf, subleaf, ~0ull, 0), 0, 0, 0, 0);
				ck_assert(!cpuid_shows_cr4(leaf, subleaf));
			}
		}
	}
	ck_assert(cpuid_is_special(MK1_CPUID_LEAF));
	expect(filtered(MK1_CPUID_LEAF, MK1_CPUID_STOP, ~0ull, ~0u), ~0u, ~0u, ~0u, ~0u);
	expect(filtered(7, 2, ~0ull, ~0u), ~0u, ~0u, ~0u, ~0u);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cpuid");
	TCase *tc = tcase_create("cpuid");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, virtualisation_is_hidden);
	tcase_add_test(tc, fred_and_key_locker_are_hidden);
	tcase_add_test(tc, osxsave_and_ospke_follow_the_guest);
	tcase_add_test(tc, everything_else_passes);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
