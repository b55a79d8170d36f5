// SPDX-License-Identifier: GPL-2.0-only
/* run/fail.c: the fail callback, and Linux without an extension. */
#include <string.h>

#include "run.h"
#include "../suites.h"

START_TEST(fail_callback_and_again)
{
	struct trap_frame f = user_fault(_i / 2 ? VECTOR_PF : VECTOR_UD);

	in_vmexit(_i % 2);
	cpu->cr2 = 0x8000;
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	ck_assert_uint_eq(ended.arg0, 6ULL << 32 | f.vector);
	ck_assert_uint_eq(ended.arg1, 0x8000);
	ck_assert_uint_eq(ended.rsp, MK1_EXT_FAIL_STACK_BASE + MK1_EXT_STACK_SIZE);
	ck_assert_uint_eq(SYS(control_again), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_RESUMED);
	ck_assert_uint_eq(ended.rip, f.rip);
	ck_assert_uint_eq(ended.rsp, f.rsp);
	ck_assert_uint_eq(ended.rflags, f.rflags);
	ck_assert_mem_eq(ended.gpr, f.gpr, sizeof(f.gpr));
	/* handled: the callback goes on, and may fail again */
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	ck_assert_uint_eq(SYS(vs_run_current, HANDLE), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(ended.rip, EXT_VMEXIT);
}
END_TEST

START_TEST(fault_in_the_fail_callback)
{
	struct trap_frame f = user_fault(VECTOR_PF);

	in_vmexit(_i);
	RUN(trap_dispatch(&f));
	f.vector = VECTOR_GP;
	f.rip++;
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(status_of(0)->detail, VECTOR_GP);
	ck_assert_uint_eq(status_of(0)->rip, f.rip);
	expect_alone(BF_ERR_EXT_FAIL_FAULT);
}
END_TEST

START_TEST(exit_in_the_fail_callback)
{
	struct trap_frame f = user_fault(VECTOR_PF);

	in_vmexit(_i);
	cpu->cr2 = 0xABC;
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(SYS(control_exit), NOT_RETURNED);
	ck_assert_uint_eq(status_of(0)->detail, VECTOR_PF);
	ck_assert_uint_eq(status_of(0)->rip, f.rip);
	ck_assert_uint_eq(status_of(0)->address, 0xABC);
	expect_alone(BF_ERR_EXT_FAULT);
}
END_TEST

START_TEST(fault_without_a_fail_callback)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	in_vmexit(_i);
	host_pp->ext->fail = 0;
	RUN(trap_dispatch(&f));
	expect_alone(BF_ERR_EXT_FAULT);
}
END_TEST

START_TEST(fault_in_start)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	machine_of(_i);
	enter(0);
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(BF_ERR_EXT_FAULT);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_RAX], BF_ERR_EXT_FAULT);
	ck_assert_uint_eq(status_of(0)->image, 1);
	expect_printed("exception 6, error code 0x6 at rip");
}
END_TEST

/* A failure while alone: there is nothing left to run. The other CPUs go on without this one. */
START_TEST(failing_twice)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	in_vmexit(_i);
	SYS(control_exit);
	expect_failed(BF_ERR_EXT_EXIT);
	f.cs = BF_SEL_KERNEL_CS;
	for (unsigned int round = 0; round < 2; round++) {
		(void)printed();
		RUN(trap_dispatch(&f));
		ck_assert_int_eq(ended.end, END_HALTED);
		ck_assert_uint_eq(status_of(0)->state, BF_PP_HALTED);
		ck_assert(!host_pp->tlb->present);
		ck_assert_uint_eq(strstr(printed(), "CPU 0 is halted") != NULL, !round);
	}
	ck_assert_uint_eq(status_of(0)->error, BF_ERR_EXT_EXIT); /* the first one */
	f.vector = VECTOR_NMI;
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RETURNED);
}
END_TEST

/* The same while all CPUs wait for this one. */
START_TEST(failing_twice_in_a_rendezvous)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	in_vmexit(_i);
	status_of(0)->together = 1;
	SYS(control_exit);
	f.cs = BF_SEL_KERNEL_CS;
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RESET);
	ck_assert_uint_eq(cpu->arg[INSN_OUT][0], 0xCF9);
	ck_assert_uint_eq(cpu->arg[INSN_OUT][1], 6);
	/* INIT is not held any more */
	ck_assert_uint_eq(cpu->vmxon, false);
	ck_assert_uint_eq(cpu->gif, true);
	expect_printed("nothing is left to run, and all CPUs wait for it: the machine is reset");
}
END_TEST

/* VM entry refuses VPID 0. */
START_TEST(alone_without_a_vpid)
{
	uint64_t spa, secondary;

	in_vmexit(1);
	spa = host_pp->vs->block_spa;
	ck_assert_uint_eq(
		reg_write(0, MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_VPID),
		MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_virtual_processor_identifier, (uint64_t)_i),
			  MK1_SUCCESS);
	SYS(control_exit);
	secondary = vmcs_get(spa, VMCS_secondary_proc_based_vm_execution_ctls);
	ck_assert_uint_eq(secondary & VMX_SECONDARY_VPID, _i ? VMX_SECONDARY_VPID : 0);
	expect_alone(BF_ERR_EXT_EXIT);
}
END_TEST

/* All runs and promote are refused, and so they are in the fail callback of _start. */
START_TEST(nothing_runs_in_start)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	machine_of(_i % 2);
	enter(0);
	ck_assert_uint_eq(SYS(handle_open_handle, MK1_SPEC_ID), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(callback_register_fail, HANDLE, EXT_FAIL), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	if (_i / 2) {
		RUN(trap_dispatch(&f));
		ck_assert_uint_eq(ended.rip, EXT_FAIL);
	}
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_run, HANDLE, 0, 0, 0), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_run_current, HANDLE), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run, HANDLE, 0, 0, 0), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run_current, HANDLE), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), MK1_FAILURE_UNKNOWN);
	/* the fail callback can only say again; then _start goes on */
	if (_i / 2)
		ck_assert_uint_eq(SYS(control_again), NOT_RETURNED);
	ck_assert_uint_eq(SYS(control_wait), NOT_RETURNED);
	expect_failed(BF_ERR_EXT_NO_BOOTSTRAP);
}
END_TEST

START_TEST(the_fail_callback_of_bootstrap_may_run)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	machine_of(_i);
	start();
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	/* but there is nothing to step over */
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run, HANDLE, 0, 0, 0), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run_current, HANDLE), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_run, HANDLE, 0, 0, 0), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(ended.rip, EXT_VMEXIT);
}
END_TEST

/* A fault behind a jump that the CPU should not have made: IRETQ to there would fault in ring 0. */
START_TEST(again_where_nothing_can_be)
{
	struct trap_frame f = user_fault(VECTOR_GP);

	f.rip = 0x800000000000;
	in_vmexit(_i);
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	SYS(control_again);
	ck_assert_uint_eq(status_of(0)->detail, VECTOR_GP);
	ck_assert_uint_eq(status_of(0)->rip, f.rip);
	expect_alone(BF_ERR_EXT_FAULT);
}
END_TEST

TCase *run_fail_tests(void)
{
	TCase *tc = tcase_create("run_fail");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, fail_callback_and_again, 0, 4);
	tcase_add_loop_test(tc, fault_in_the_fail_callback, 0, 2);
	tcase_add_loop_test(tc, exit_in_the_fail_callback, 0, 2);
	tcase_add_loop_test(tc, fault_without_a_fail_callback, 0, 2);
	tcase_add_loop_test(tc, fault_in_start, 0, 2);
	tcase_add_loop_test(tc, failing_twice, 0, 2);
	tcase_add_loop_test(tc, failing_twice_in_a_rendezvous, 0, 2);
	tcase_add_loop_test(tc, alone_without_a_vpid, 0, 2);
	tcase_add_loop_test(tc, nothing_runs_in_start, 0, 4);
	tcase_add_loop_test(tc, the_fail_callback_of_bootstrap_may_run, 0, 2);
	tcase_add_loop_test(tc, again_where_nothing_can_be, 0, 2);
	return tc;
}
