// SPDX-License-Identifier: GPL-2.0-only
/* run/leave.c: promote, stop, and Linux getting its CPU back. */
#include "run.h"
#include "../suites.h"

START_TEST(promote_gives_linux_back)
{
	struct bf_cpu_state linux_state;

	machine_of(_i);
	linux_state = m.switch_pages[0]->cpu;
	start_and_launch();
	guest_exit(cpuid_reason());
	abi_gprs()[BF_RAX] = 0x77;
	host_pp->nmi_pending = true;
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), NOT_RETURNED);
	expect_bare(&linux_state);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_RAX], 0x77);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_R15], linux_state.gpr[BF_R15]);
	ck_assert_uint_eq(ended.sp->nmi_pending, 1);
	ck_assert_uint_eq(status_of(0)->image, 1); /* should nobody have asked for it */
	ck_assert_uint_eq(status_of(0)->state, BF_PP_BARE);
	/* the objects are gone, and the same CPU can come in again */
	ck_assert(!vs_find(0) && !vp_find(0));
	enter(0);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.rip, EXT_BOOTSTRAP);
	ck_assert_uint_eq(launch(), 0);
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), NOT_RETURNED);
	expect_bare(&linux_state);
}
END_TEST

START_TEST(promote_in_the_bootstrap_callback)
{
	struct bf_cpu_state linux_state;

	machine_of(_i);
	linux_state = m.switch_pages[0]->cpu;
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	/* a second VS of the same VP: the VP stays */
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), NOT_RETURNED);
	expect_bare(&linux_state);
	ck_assert(!vs_find(0) && vp_find(0) && vs_find(1));
}
END_TEST

/* After the start, nobody gets a CPU of which another system has become the guest. */
START_TEST(stays)
{
	machine_of(_i);
	m.handoff->flags = BF_HANDOFF_STAYS;
	start_and_launch();
	status_of(0)->together = 0;
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), MK1_INVALID_INPUT_REG(1));
	SYS(vs_run_current, HANDLE);
	linux_calls(BF_HYPERCALL_STOP);
	ck_assert_uint_eq(status_of(0)->state, BF_PP_GUEST);
	ck_assert_uint_ne(abi_gprs()[BF_RAX], BF_HYPERCALL_STOPPED);
	status_of(0)->together = 1;
	linux_calls(BF_HYPERCALL_STOP);
	ck_assert_uint_eq(status_of(0)->state, BF_PP_BARE);
}
END_TEST

/* Where those who come later find the hypervisor that the firmware has started. */
START_TEST(table)
{
	machine_of(_i);
	m.handoff->table = 0x5000;
	start_and_launch();
	guest_exit(cpuid_reason());
	SYS(vs_run_current, HANDLE);
	linux_calls(BF_HYPERCALL_TABLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(answer_to_linux(), 0x5000);
	/* not for processes */
	if (_i)
		vmcs_put(host_pp->vs->block_spa, VMCS_ss_attrib, 0xC0F3);
	else
		vmcb_of(host_pp->vs)->cpl = 3;
	linux_calls(BF_HYPERCALL_TABLE);
	ck_assert_uint_ne(answer_to_linux(), 0x5000);
}
END_TEST

/* The driver's call, that no extension sees. */
START_TEST(stop)
{
	struct bf_cpu_state linux_state;

	machine_of(_i);
	linux_state = m.switch_pages[0]->cpu;
	start_and_launch();
	linux_state.rip += 3;
	linux_calls(BF_HYPERCALL_STOP);
	expect_bare(&linux_state);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_RAX], BF_HYPERCALL_STOPPED);
	ck_assert_uint_eq(status_of(0)->state, BF_PP_BARE);
}
END_TEST

TCase *run_leave_tests(void)
{
	TCase *tc = tcase_create("run_leave");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, promote_gives_linux_back, 0, 2);
	tcase_add_loop_test(tc, promote_in_the_bootstrap_callback, 0, 2);
	tcase_add_loop_test(tc, stop, 0, 2);
	tcase_add_loop_test(tc, stays, 0, 2);
	tcase_add_loop_test(tc, table, 0, 2);
	return tc;
}
