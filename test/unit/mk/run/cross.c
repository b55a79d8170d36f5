// SPDX-License-Identifier: GPL-2.0-only
/* run/cross.c, and the calls ext_set_entry, ext_call and ext_reply: one extension calls another. */
#include <string.h>

#include "microkernel/run/watchdog.h"

#include "run.h"
#include "../several.h"
#include "../suites.h"

#define EXT_CALLED (MK1_EXT_CODE_BASE + 0x1600)
#define CALL_RIGHTS (GUEST_RIGHTS | BF_RIGHT_calls)

/* The second extension has an entry; the first one is in an exit of Linux's. */
static void with_entry(int vendor, uint64_t rights)
{
	launch_two(vendor, rights);
	hypercall(CALL_FIRST, 0);
	ck_assert_uint_eq(SYS2(ext_set_entry, HANDLE2, EXT_RODATA), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS2(ext_set_entry, HANDLE2, EXT_CALLED), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(ext_set_entry, HANDLE2, EXT_CALLED), MK1_FAILURE_UNKNOWN);
	SYS(vs_advance_ip_and_run_current, HANDLE);
	abi_gprs()[BF_RBX] = 0xB;
	guest_exit(cpuid_reason());
	expect_exit(0, EXT_VMEXIT, cpuid_reason());
}

static void call(void)
{
	msr_set(cpu, MSR_GS_BASE, 0x6500);
	msr_set(cpu, MSR_FS_BASE, 0);
	ck_assert_uint_eq(SYS2(ext_call, HANDLE2, 1, 0xA0, 0xA1, 0xA2, 0xA3), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ext_id(), 1);
	ck_assert_uint_eq(ended.rip, EXT_CALLED);
}

/* The caller goes on as it was. */
static void expect_back(uint64_t status)
{
	ck_assert_int_eq(ended.end, END_BACK);
	ck_assert_uint_eq(ended.status, status);
	ck_assert_uint_eq(ext_id(), 0);
	ck_assert_int_eq(host_pp->phase, PHASE_VMEXIT);
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0xB);
	ck_assert_uint_eq(msr_get(cpu, MSR_GS_BASE), 0x6500);
	ck_assert_uint_eq(msr_get(cpu, MSR_FS_BASE), MK1_EXT_TLS_BASE + MK1_EXT_TLS_ABI_OFFSET);
	SYS(vs_run_current, HANDLE);
	expect_linux();
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0xB);
}

START_TEST(there_and_back)
{
	const uint64_t results[] = { 0x50, 0x51, 0x52, 0x53 };

	with_entry(_i, CALL_RIGHTS);
	call();
	ck_assert_uint_eq(ended.rsp, MK1_EXT_STACK_BASE + MK1_EXT_STACK_SIZE);
	ck_assert_uint_eq(ended.gpr[BF_RDI], 0); /* who calls */
	ck_assert_uint_eq(ended.gpr[BF_RSI], 0xA0);
	ck_assert_uint_eq(ended.gpr[BF_RDX], 0xA1);
	ck_assert_uint_eq(ended.gpr[BF_RCX], 0xA2);
	ck_assert_uint_eq(ended.gpr[BF_R8], 0xA3);
	ck_assert_uint_eq(ended.gpr[BF_RBX], 0);
	ck_assert_uint_eq(ended.gpr[BF_R9], 0);
	ck_assert_uint_eq(msr_get(cpu, MSR_GS_BASE), 0);
	ck_assert_uint_eq(msr_get(cpu, MSR_FS_BASE), MK1_EXT_TLS_BASE + MK1_EXT_TLS_ABI_OFFSET);
	/* Linux's registers are not there to see, nor to be changed */
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0);
	abi_gprs()[BF_RBX] = 0xBAD;
	ck_assert_uint_eq(SYS2(ext_reply, HANDLE2, 0x50, 0x51, 0x52, 0x53), NOT_RETURNED);
	ck_assert_mem_eq(host_pp->crossing.result, results, sizeof(results));
	expect_back(MK1_SUCCESS);
}
END_TEST

static void replies(void)
{
	struct syscall_frame f = { .reg = { 0, 0x50, 0x51, 0x52, 0x53 } };

	(void)sys_ext_reply(&f);
}

static void faults(void)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	trap_dispatch(&f);
}

/* The caller has the results in its registers, or finds these as they were. */
START_TEST(results)
{
	const uint64_t arguments[] = { HANDLE2, 1, 0xA0, 0xA1, 0xA2, 0xA3 };
	const uint64_t there[] = { 0x50, 0x51, 0x52, 0x53, 0xA2, 0xA3 };

	with_entry(_i % 2, CALL_RIGHTS);
	called_runs = _i / 2 ? faults : replies;
	ck_assert_uint_eq(SYS2(ext_call, HANDLE2, 1, 0xA0, 0xA1, 0xA2, 0xA3),
			  _i / 2 ? MK2_FAILURE_ENDED : MK1_SUCCESS);
	called_runs = NULL;
	ck_assert_mem_eq(regs.reg, _i / 2 ? arguments : there, sizeof(there));
	ck_assert_uint_eq(ext_id(), 0);
	ck_assert_int_eq(host_pp->phase, PHASE_VMEXIT);
	SYS(vs_run_current, HANDLE);
	expect_linux();
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0xB);
}
END_TEST

START_TEST(refused)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	launch_two(_i, CALL_RIGHTS);
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(SYS2(ext_reply, HANDLE2), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS2(ext_call, HANDLE2, 1), MK1_INVALID_INPUT_REG(1)); /* no entry */
	ck_assert_uint_eq(SYS2(ext_call, HANDLE2, 2), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS2(ext_set_entry, HANDLE2, EXT_CALLED), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(ext_call, HANDLE2, 0), MK1_INVALID_INPUT_REG(1)); /* itself */
	SYS(callback_register_fail, HANDLE, EXT_FAIL);
	SYS(vs_run_current, HANDLE);
	hypercall(CALL_FIRST, 0);
	ck_assert_uint_eq(SYS2(ext_set_entry, HANDLE2, EXT_CALLED), MK1_SUCCESS);
	SYS(vs_advance_ip_and_run_current, HANDLE);
	guest_exit(cpuid_reason());
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	ck_assert_uint_eq(SYS2(ext_call, HANDLE2, 1), MK1_FAILURE_UNKNOWN);
	SYS(control_again);
	call();
	ck_assert_uint_eq(SYS2(ext_call, HANDLE2, 0), MK2_FAILURE_BUSY);
}
END_TEST

/* What is active stays so, whatever rights the called one has. */
START_TEST(nothing_runs)
{
	with_entry(_i % 2, _i / 2 ? BF_ALL_RIGHTS : CALL_RIGHTS);
	call();
	ck_assert_uint_eq(SYS(vs_run_current, HANDLE), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_run, HANDLE, 0, 0, 0), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_FAILURE_UNKNOWN);
	if (_i / 2) {
		ck_assert_uint_eq(SYS(vs_advance_ip_and_run_current, HANDLE), MK1_FAILURE_UNKNOWN);
		ck_assert_uint_eq(SYS(vs_advance_ip_and_run, HANDLE, 0, 0, 0), MK1_FAILURE_UNKNOWN);
		ck_assert_uint_eq(SYS(vs_advance_ip_and_set_active, HANDLE, 0, 0, 0),
				  MK1_FAILURE_UNKNOWN);
		ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), MK1_FAILURE_UNKNOWN);
	} else {
		ck_assert_uint_eq(SYS(vs_advance_ip_and_run_current, HANDLE),
				  MK1_INVALID_PERM_DENIED);
	}
	SYS2(ext_reply, HANDLE2);
	expect_back(MK1_SUCCESS);
}
END_TEST

/* It ends alone, and the caller hears of it. */
START_TEST(the_called_one_fails)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	with_entry(_i % 2, CALL_RIGHTS);
	call();
	switch (_i / 2) {
	case 0:
		RUN(trap_dispatch(&f));
		break;
	case 1:
		SYS(control_exit);
		break;
	case 2:
		SYS(control_wait);
		break;
	default:
		host_pp->overdue = f;
		RUN(watchdog_expired());
	}
	expect_back(MK2_FAILURE_ENDED);
	ck_assert_uint_eq(ended_of(1)->report.image, 2);
	ck_assert_uint_eq(ended_of(1)->report.callback, BF_CALLBACK_ENTRY);
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(SYS2(ext_call, HANDLE2, 1), MK2_FAILURE_ENDED);
}
END_TEST

START_TEST(the_called_one_may_do_all)
{
	with_entry(_i, BF_ALL_RIGHTS);
	call();
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(host_pp->fallback);
	expect_failed(BF_ERR_EXT_EXIT);
	ck_assert_uint_eq(status_of(0)->image, 2);
}
END_TEST

/* A fail callback out of an entry may end the call. */
START_TEST(its_fail_callback)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	with_entry(_i, CALL_RIGHTS);
	call();
	SYS(callback_register_fail, HANDLE, EXT_FAIL);
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	ck_assert_uint_eq(SYS(vs_run_current, HANDLE), MK1_FAILURE_UNKNOWN);
	SYS2(ext_reply, HANDLE2, 7);
	ck_assert_uint_eq(host_pp->crossing.result[0], 7);
	expect_back(MK1_SUCCESS);
	ck_assert_uint_eq(status_of(0)->error, BF_ERR_OK);
}
END_TEST

static void nmi_after(uint64_t ticks)
{
	struct trap_frame f = nmi_from(BF_SEL_USER_CS);

	host_pp->watch.last = rdtsc() - ticks;
	host_pp->crossing.time.last = host_pp->watch.last;
	RUN(trap_dispatch(&f));
	host_pp->nmi_pending = false;
	ck_assert_int_eq(ended.end, END_RETURNED);
}

/* A caller cannot use up the time of whom it calls; and that takes its own. */
START_TEST(time_of_both)
{
	uint64_t much = ~0ULL >> 1, step;

	with_entry(_i, CALL_RIGHTS);
	nmi_after(0);
	nmi_after(much);
	step = host_pp->watch.taken;
	ck_assert_uint_gt(step, 0);
	call();
	ck_assert_uint_eq(host_pp->watch.exits, 0);
	nmi_after(much);
	ck_assert_uint_eq(host_pp->watch.taken, 0);
	ck_assert_uint_eq(host_pp->crossing.time.taken, 2 * step);
	nmi_after(much);
	ck_assert_uint_eq(host_pp->watch.taken, step);
	SYS2(ext_reply, HANDLE2);
	ck_assert_uint_eq(host_pp->watch.taken, 3 * step);
	nmi_after(much);
	ck_assert_uint_eq(host_pp->watch.taken, 4 * step);
	/* that is the limit: the next call ends it */
	SYS2(ext_call, HANDLE2, 1);
	ck_assert(host_pp->fallback);
	expect_failed(BF_ERR_EXT_OVERDUE);
	ck_assert_uint_eq(status_of(0)->image, 1);
}
END_TEST

TCase *run_cross_tests(void)
{
	TCase *tc = tcase_create("run_cross");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, there_and_back, 0, 2);
	tcase_add_loop_test(tc, results, 0, 4);
	tcase_add_loop_test(tc, refused, 0, 2);
	tcase_add_loop_test(tc, nothing_runs, 0, 4);
	tcase_add_loop_test(tc, the_called_one_fails, 0, 8);
	tcase_add_loop_test(tc, the_called_one_may_do_all, 0, 2);
	tcase_add_loop_test(tc, its_fail_callback, 0, 2);
	tcase_add_loop_test(tc, time_of_both, 0, 2);
	return tc;
}
