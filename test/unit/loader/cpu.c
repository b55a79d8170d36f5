// SPDX-License-Identifier: GPL-2.0-only
/* cpu.c: the state of a CPU. */
#include "driver/core/x86/cpu.h"
#include "loader.h"

static void assert_segment(const struct bf_segment *segment, uint16_t attrib, uint32_t limit,
			   uint64_t base)
{
	ck_assert_uint_eq(segment->attrib, attrib);
	ck_assert_uint_eq(segment->limit, limit);
	ck_assert_uint_eq(segment->base, base);
}

START_TEST(captures)
{
	static struct bf_switch_page page;
	const struct bf_cpu_state *state = &page.cpu;

	bf_cpu_capture(&page);
	assert_segment(&state->cs, 0xA9B, 0xFFFFFFFF, 0);
	assert_segment(&state->ss, 0xC93, 0xFFFFFFFF, 0);
	assert_segment(&state->tr, 0x08B, 0x206F, 0xFFFFFE1289345678);
	ck_assert_uint_eq(state->ldtr.attrib, 0x082);
	ck_assert_uint_eq(state->ldtr.limit, 7);
	assert_segment(&state->ds, 0x4F3, 0x7ABC, 0x00123456);
	assert_segment(&state->es, 0, 0, 0);
	assert_segment(&state->fs, 0, 0, 0xC0000100);
	assert_segment(&state->gs, 0, 0, 0xC0000101);
	ck_assert_uint_eq(state->lstar, 0xC0000082);
	ck_assert_uint_eq(state->sysenter_esp, 0x175);
	ck_assert_uint_eq(state->sysenter_eip, 0x176);
	ck_assert_uint_eq(state->debugctl, 0);
	ck_assert_uint_eq(state->pat, 0x277);
	fake.null_tr = true;
	bf_cpu_capture(&page);
	assert_segment(&state->tr, 0x08B, 0xFFFF, 0);
	ck_assert_uint_eq(state->tr.selector, 0);
}
END_TEST

/* Root mode's CR4 follows the CPU, whatever Linux has switched on or off, but for LA57. */
START_TEST(chooses_the_cr4_of_root_mode)
{
	static const struct {
		uint32_t max_leaf, leaf1_ecx, leaf7_ebx, leaf7_ecx;
		uint64_t linux_cr4, host_cr4;
	} cases[] = { { 7, 0, 0, 0, 0, 0x660 },
		      { 7, 0, 0, 0, ~0x1000ULL, 0x660 },
		      { 7, 0, 0, 0, 0x1000, 0x1660 },
		      { 7, 0x04000000, 0, 0, 0, 0x40660 }, /* XSAVE */
		      { 7, 0x08000000, 0, 0, 0x40000,
			0x660 }, /* OSXSAVE alone says nothing of the CPU */
		      { 7, 0, 0x80, 0, 0, 0x100660 }, /* SMEP */
		      { 7, 0, 0x100000, 0, 0, 0x200660 }, /* SMAP */
		      { 7, 0, 0, 0x4, 0, 0xE60 }, /* UMIP */
		      { 7, ~0U, ~0U, ~0U, ~0x1000ULL, 0x340E60 },
		      { 6, 0x04000000, ~0U, ~0U, 0, 0x40660 } };
	static struct bf_switch_page page;

	fake.here->max_leaf = cases[_i].max_leaf;
	fake.here->leaf1_ecx = cases[_i].leaf1_ecx;
	fake.here->leaf7_ebx = cases[_i].leaf7_ebx;
	fake.here->leaf7_ecx = cases[_i].leaf7_ecx;
	fake.here->cr4 = cases[_i].linux_cr4;
	bf_cpu_capture(&page);
	ck_assert_uint_eq(page.host_cr4, cases[_i].host_cr4);
	ck_assert_uint_eq(page.cpu.cr4, cases[_i].linux_cr4);
}
END_TEST

/* What counts and traces by itself stops; the rest of what the CPU has is only looked at. */
START_TEST(quiesces)
{
	static const uint32_t msrs[] = { 0x1D9, 0x38F, 0x570, 0x14CE, 0x600, 0x6E1, 0x6A2, 0x6A8 };
	struct bf_cpu_state state = { 0 };

	for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++)
		fake_set_msr(fake.here, msrs[i], msrs[i]);
	bf_cpu_quiesce(&state);
	ck_assert_uint_eq(state.perf_global_ctrl | state.rtit_ctl | state.s_cet | state.ds_area |
				  state.debugctl,
			  0);
	fake.here->max_leaf = 0xA;
	fake.here->leaf1_ecx = 0x20;
	fake.here->leaf_a_eax = 2;
	fake.here->leaf7_ebx = 0x2000000;
	fake.here->leaf7_ecx = 0x80;
	fake.here->leaf7_edx = 0x80000;
	bf_cpu_quiesce(&state);
	ck_assert_uint_eq(state.debugctl, 0x1D9);
	ck_assert_uint_eq(state.perf_global_ctrl, 0x38F);
	ck_assert_uint_eq(state.rtit_ctl, 0x570);
	ck_assert_uint_eq(state.lbr_ctl, 0x14CE);
	ck_assert_uint_eq(state.s_cet, 0x6A2);
	ck_assert_uint_eq(state.isst_addr, 0x6A8);
	ck_assert_uint_eq(state.pkrs | state.ds_area, 0); /* not on this CPU */
	ck_assert_uint_eq(fake.here->nr_stopped, 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(fake.here->stopped[i], msrs[i]);
}
END_TEST

TCase *cpu_tests(void)
{
	TCase *tc = loader_case("cpu");

	tcase_add_test(tc, captures);
	tcase_add_loop_test(tc, chooses_the_cr4_of_root_mode, 0, 10);
	tcase_add_test(tc, quiesces);
	return tc;
}
