// SPDX-License-Identifier: GPL-2.0-only
/* run/watchdog.c: callbacks that take too long. */
#include "microkernel/run/watchdog.h"

#include <abi/ext_calls.h>

#include "run.h"
#include "../suites.h"

/* A quarter of the limit, and a little more. */
#define STEP 2600000

/* NMIs, so far apart; the callback is not overdue before the last one; f is as that leaves it. */
static void nmis(struct trap_frame *f, unsigned int count, uint64_t ticks)
{
	struct trap_frame other = *f;

	while (--count) {
		struct trap_frame now = other;

		RUN(trap_dispatch(&now));
		ck_assert_int_eq(ended.end, END_RETURNED);
		ck_assert_uint_eq(now.rip, other.rip);
		ck_assert_uint_ne(msr_get(cpu, MSR_LSTAR), (uint64_t)mk_syscall_overdue);
		cpu_tsc += ticks;
	}
	RUN(trap_dispatch(f));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert(host_pp->nmi_pending);
}

static void not_ended(struct trap_frame f, unsigned int count, uint64_t ticks)
{
	nmis(&f, count, ticks);
	ck_assert_uint_eq(f.rip, EXT_ENTRY + 7);
	ck_assert_uint_ne(msr_get(cpu, MSR_LSTAR), (uint64_t)mk_syscall_overdue);
}

START_TEST(overdue_in_ring3)
{
	struct trap_frame f = nmi_from(BF_SEL_USER_CS);

	in_vmexit(_i);
	nmis(&f, 5, STEP);
	ck_assert_uint_eq(f.rip, (uint64_t)watchdog_expired);
	ck_assert_uint_eq(f.cs, BF_SEL_KERNEL_CS);
	ck_assert_uint_eq(f.ss, BF_SEL_KERNEL_SS);
	ck_assert_uint_eq(f.rsp, BF_PP_STACK_TOP - 8);
	ck_assert_uint_eq(f.rflags, RFLAGS_FIXED);
	RUN(watchdog_expired());
	ck_assert_uint_eq(status_of(0)->rip, EXT_ENTRY + 7);
	ck_assert_uint_eq(status_of(0)->detail, BF_CALLBACK_VMEXIT);
	expect_printed("overdue in vmexit, at rip 0x");
	expect_alone(BF_ERR_EXT_OVERDUE);
	/* Linux without it has all the time in the world */
	not_ended(nmi_from(BF_SEL_KERNEL_CS), 8, STEP);
}
END_TEST

/*
 * NMIs may come at any rate; the CPU may have stood still between two of them; and a later exit is
 * another callback.
 */
START_TEST(not_overdue)
{
	struct trap_frame f = nmi_from(BF_SEL_USER_CS);

	in_vmexit(_i);
	not_ended(f, 100, 1);
	host_pp->exits++;
	not_ended(f, 4, 20 * STEP);
	host_pp->exits++;
	not_ended(f, 4, STEP);
	host_pp->phase = PHASE_IDLE;
	not_ended(f, 8, STEP);
	ck_assert_uint_eq(status_of(0)->state, BF_PP_GUEST);
}
END_TEST

/* Then only those end that all CPUs wait for, after ten times the default, which is faked here. */
START_TEST(watchdog_is_off)
{
	struct trap_frame f = nmi_from(BF_SEL_USER_CS);

	in_vmexit(_i);
	m.handoff->watchdog_ns = 0;
	m.handoff->tsc_khz /= 5;
	not_ended(f, 8, STEP);
	host_pp->exits++;
	status_of(0)->leaving = 1;
	nmis(&f, 5, 10 * STEP);
	ck_assert_uint_eq(f.rip, (uint64_t)watchdog_expired);
	f = nmi_from(BF_SEL_USER_CS);
	host_pp->exits++;
	host_pp->launched = false;
	status_of(0)->leaving = 0;
	nmis(&f, 5, 10 * STEP);
	ck_assert_uint_eq(f.rip, (uint64_t)watchdog_expired);
}
END_TEST

/* Ring 0 goes on; the next syscall is the last. */
START_TEST(overdue_in_ring0)
{
	struct trap_frame f = nmi_from(BF_SEL_KERNEL_CS);

	in_vmexit(_i);
	nmis(&f, 5, STEP);
	ck_assert_uint_eq(f.rip, EXT_ENTRY + 7);
	ck_assert_uint_eq(msr_get(cpu, MSR_LSTAR), (uint64_t)mk_syscall_overdue);
	RUN(watchdog_syscall(&(struct syscall_frame){ .rip = 0x4242, .rsp = 0x2424 }));
	ck_assert_uint_ne(msr_get(cpu, MSR_LSTAR), (uint64_t)mk_syscall_overdue);
	ck_assert_uint_eq(status_of(0)->rip, 0x4242);
	ck_assert_uint_eq(status_of(0)->report.rsp, 0x2424);
	expect_alone(BF_ERR_EXT_OVERDUE);
}
END_TEST

/* Or it is the first of the next callback. */
START_TEST(overdue_no_more)
{
	struct trap_frame f = nmi_from(BF_SEL_KERNEL_CS);

	in_vmexit(_i);
	nmis(&f, 5, STEP);
	ck_assert_uint_eq(msr_get(cpu, MSR_LSTAR), (uint64_t)mk_syscall_overdue);
	host_pp->exits++;
	RUN(watchdog_syscall(&(struct syscall_frame){ .rip = 0x4242 }));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert_uint_ne(msr_get(cpu, MSR_LSTAR), (uint64_t)mk_syscall_overdue);
	ck_assert_uint_eq(status_of(0)->state, BF_PP_GUEST);
}
END_TEST

/* What runs before the first exit has ten times the limit. The start is undone. */
START_TEST(overdue_in_start)
{
	struct trap_frame f = nmi_from(BF_SEL_USER_CS);

	machine_of(_i);
	enter(0);
	nmis(&f, 5, 10 * STEP);
	RUN(watchdog_expired());
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(BF_ERR_EXT_OVERDUE);
	ck_assert_uint_eq(status_of(0)->detail, BF_CALLBACK_START);
	ck_assert_uint_eq(ended.sp->nmi_pending, 1);
}
END_TEST

static uint64_t more_time(uint64_t ns)
{
	regs.reg[0] = ns;
	return syscall_run(BF_CALL_MORE_TIME);
}

/* As often as wanted, up to a bound, whether an NMI has come or not; for this callback only. */
START_TEST(more_time_for_a_callback)
{
	struct trap_frame f = nmi_from(BF_SEL_USER_CS);

	in_vmexit(_i);
	ck_assert_uint_eq(more_time(BF_MORE_TIME_MAX_NS + 1), MK1_INVALID_INPUT_REG(0));
	ck_assert_uint_eq(more_time(25000000), MK1_SUCCESS);
	ck_assert_uint_eq(more_time(25000000), MK1_SUCCESS);
	nmis(&f, 7, STEP);
	ck_assert_uint_eq(f.rip, (uint64_t)watchdog_expired);
	ck_assert_uint_eq(more_time(BF_MORE_TIME_MAX_NS - 50000000), MK1_SUCCESS);
	ck_assert_uint_eq(more_time(1), MK1_INVALID_INPUT_REG(0));
	not_ended(nmi_from(BF_SEL_USER_CS), 8, STEP);
	host_pp->exits++;
	f = nmi_from(BF_SEL_USER_CS);
	nmis(&f, 5, STEP);
	ck_assert_uint_eq(f.rip, (uint64_t)watchdog_expired);
}
END_TEST

/* What a slow serial port takes is not the extension's, up to a bound. */
START_TEST(a_slow_serial_port)
{
	struct trap_frame f = nmi_from(BF_SEL_USER_CS);

	in_vmexit(_i);
	not_ended(nmi_from(BF_SEL_USER_CS), 1, 0);
	host_pp->watch.printing = tsc_ticks(m.handoff->watchdog_ns) / 4 * 3;
	cpu_tsc += STEP;
	nmis(&f, 7, STEP);
	ck_assert_uint_eq(f.rip, (uint64_t)watchdog_expired);
	host_pp->exits++;
	m.handoff->tsc_khz /= 1000;
	f = nmi_from(BF_SEL_USER_CS);
	not_ended(f, 1, 0);
	host_pp->watch.printing = UINT64_MAX;
	not_ended(f, 4, STEP);
	host_pp->watch.taken = tsc_ticks(m.handoff->watchdog_ns + BF_MORE_TIME_MAX_NS);
	nmis(&f, 1, 0);
	ck_assert_uint_eq(f.rip, (uint64_t)watchdog_expired);
}
END_TEST

TCase *run_watchdog_tests(void)
{
	TCase *tc = tcase_create("run_watchdog");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, overdue_in_ring3, 0, 2);
	tcase_add_loop_test(tc, not_overdue, 0, 2);
	tcase_add_loop_test(tc, overdue_in_ring0, 0, 2);
	tcase_add_loop_test(tc, overdue_no_more, 0, 2);
	tcase_add_loop_test(tc, watchdog_is_off, 0, 2);
	tcase_add_loop_test(tc, overdue_in_start, 0, 2);
	tcase_add_loop_test(tc, more_time_for_a_callback, 0, 2);
	tcase_add_loop_test(tc, a_slow_serial_port, 0, 2);
	return tc;
}
