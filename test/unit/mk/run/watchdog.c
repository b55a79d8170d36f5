// SPDX-License-Identifier: GPL-2.0-only
/* run/watchdog.c: callbacks that take too long. */
#include "microkernel/run/watchdog.h"
#include "run.h"
#include "../suites.h"

static void let_time_pass(void)
{
	uint64_t began = rdtsc();

	while (rdtsc() - began < 0x1100000)
		;
}

/* Two NMIs, some time apart, while the callback is overdue; f is as the second leaves it. */
static void nmis(struct trap_frame *f, uint64_t overdue)
{
	struct trap_frame first = *f;

	status_of(0)->overdue = overdue;
	RUN(trap_dispatch(&first));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert_uint_eq(first.rip, f->rip);
	let_time_pass();
	RUN(trap_dispatch(f));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert(host_pp->nmi_pending);
}

START_TEST(overdue_in_ring3)
{
	struct trap_frame f = nmi_from(BF_SEL_USER_CS);

	in_vmexit(_i);
	nmis(&f, status_of(0)->exits + 1);
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
	f = nmi_from(BF_SEL_KERNEL_CS);
	nmis(&f, status_of(0)->exits + 1);
	ck_assert_uint_ne(msr_get(cpu, MSR_LSTAR), (uint64_t)mk_syscall_overdue);
}
END_TEST

/*
 * The first NMI may come after a time in which the CPU stood still; a later exit is another
 * callback.
 */
START_TEST(not_overdue)
{
	struct trap_frame f = nmi_from(BF_SEL_USER_CS);

	in_vmexit(_i);
	nmis(&f, status_of(0)->exits);
	ck_assert_uint_eq(f.rip, EXT_ENTRY + 7);
	nmis(&f, status_of(0)->exits + 2);
	ck_assert_uint_eq(f.rip, EXT_ENTRY + 7);
	status_of(0)->overdue = status_of(0)->exits + 1;
	RUN(trap_dispatch(&f));
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(f.rip, EXT_ENTRY + 7);
	ck_assert_uint_eq(status_of(0)->state, BF_PP_GUEST);
}
END_TEST

/* Ring 0 goes on; the next syscall is the last. */
START_TEST(overdue_in_ring0)
{
	struct trap_frame f = nmi_from(BF_SEL_KERNEL_CS);

	in_vmexit(_i);
	nmis(&f, status_of(0)->exits + 1);
	ck_assert_uint_eq(f.rip, EXT_ENTRY + 7);
	ck_assert_uint_eq(msr_get(cpu, MSR_LSTAR), (uint64_t)mk_syscall_overdue);
	RUN(watchdog_syscall(0x4242));
	ck_assert_uint_eq(msr_get(cpu, MSR_LSTAR), (uint64_t)mk_syscall);
	ck_assert_uint_eq(status_of(0)->rip, 0x4242);
	expect_alone(BF_ERR_EXT_OVERDUE);
}
END_TEST

/* Or it is the first of the next callback. */
START_TEST(overdue_no_more)
{
	struct trap_frame f = nmi_from(BF_SEL_KERNEL_CS);

	in_vmexit(_i);
	nmis(&f, status_of(0)->exits + 1);
	host_pp->exits++;
	RUN(watchdog_syscall(0x4242));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert_uint_eq(msr_get(cpu, MSR_LSTAR), (uint64_t)mk_syscall);
	ck_assert_uint_eq(status_of(0)->state, BF_PP_GUEST);
}
END_TEST

/* The start is undone. */
START_TEST(overdue_in_start)
{
	struct trap_frame f = nmi_from(BF_SEL_USER_CS);

	machine_of(_i);
	enter(0);
	nmis(&f, 1);
	RUN(watchdog_expired());
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(BF_ERR_EXT_OVERDUE);
	ck_assert_uint_eq(status_of(0)->detail, BF_CALLBACK_START);
	ck_assert_uint_eq(ended.sp->nmi_pending, 1);
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
	tcase_add_loop_test(tc, overdue_in_start, 0, 2);
	return tc;
}
