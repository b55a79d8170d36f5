// SPDX-License-Identifier: GPL-2.0-only
/* arch/restore.c: the registers of Linux, back in its CPU. */
#include "../run/run.h"
#include "../suites.h"

/* Another VS was active when the launch failed: Linux has its own XCR0 and debug registers. */
START_TEST(registers_after_a_failed_launch)
{
	struct bf_cpu_state *state;

	machine_of(_i);
	state = &m.switch_pages[0]->cpu;
	state->cr8 = 3;
	state->xcr0 = 7;
	state->dr[2] = 0x2222;
	cpu->cr8 = 3;
	cpu->xcr0 = 7;
	cpu->dr[2] = 0x2222;
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->xcr0, 1);
	ck_assert_uint_eq(cpu->dr[2], 0);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(cpu->cr8, 3);
	ck_assert_uint_eq(cpu->xcr0, 7);
	ck_assert_uint_eq(cpu->dr[2], 0x2222);
}
END_TEST

/* The task register of Linux: limits in bytes and in pages, and selectors that are none. */
START_TEST(task_register)
{
	static const struct {
		uint16_t selector;
		uint32_t limit;
		bool loaded;
	} cases[] = { { 0x40, 0x206F, true }, { 0x40, 0x12345FFF, true }, { 0, 0x67, false },
		      { 0x7, 0x67, false },   { 0x1F0, 0x67, true },      { 0x1F8, 0x67, false },
		      { 0xFFF8, 0x67, false } };
	const struct bf_segment *tr;
	uint16_t before;

	in_vmexit(0);
	tr = &m.switch_pages[0]->cpu.tr;
	before = cpu->tr;
	vmcb_of(host_pp->vs)->tr.selector = cases[_i].selector;
	vmcb_of(host_pp->vs)->tr.limit = cases[_i].limit;
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(cpu->tr, cases[_i].loaded ? tr->selector : before);
	if (cases[_i].loaded) {
		uint64_t desc = host_pp->linux_gdt[tr->selector >> 3];
		uint64_t limit = (desc & 0xFFFF) | (desc >> 32 & 0xF0000);

		if (desc >> 55 & 1)
			limit = limit << 12 | 0xFFF;
		ck_assert_uint_eq(limit, tr->limit);
		ck_assert_uint_eq((desc >> 16 & 0xFFFFFF) | (desc >> 56) << 24 |
					  host_pp->linux_gdt[(tr->selector >> 3) + 1] << 32,
				  tr->base);
	}
}
END_TEST

static unsigned int debugctl_writes;

static void count_debugctl(enum insn insn, uint64_t msr)
{
	debugctl_writes += insn == INSN_WRMSR && msr == MSR_DEBUGCTL;
}

/* Not before the CPU has Linux's page tables (VMX: switch.S); on SVM it is Linux's all the time. */
START_TEST(debugctl)
{
	in_vmexit(_i > 0);
	if (_i == 0)
		msr_set(cpu, MSR_DEBUGCTL, 1);
	if (_i == 2)
		vmcs_put(host_pp->vs->block_spa, VMCS_debugctl, 1);
	debugctl_writes = 0;
	cpu_watch = count_debugctl;
	SYS(vs_promote, HANDLE, 0);
	cpu_watch = NULL;
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(debugctl_writes, 0);
	ck_assert_uint_eq(m.switch_pages[0]->cpu.debugctl, _i == 2);
}
END_TEST

TCase *arch_restore_tests(void)
{
	TCase *tc = tcase_create("arch_restore");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, registers_after_a_failed_launch, 0, 2);
	tcase_add_loop_test(tc, task_register, 0, 7);
	tcase_add_loop_test(tc, debugctl, 0, 3);
	return tc;
}
