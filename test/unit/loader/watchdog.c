// SPDX-License-Identifier: GPL-2.0-only
/* watchdog.c: CPUs that an extension keeps. */
#include "driver/core/watchdog.h"
#include "loader.h"

/*
 * While all wait for one another with interrupts off: who is inside ends the one that does not
 * come.
 */
START_TEST(ends_who_does_not_enter)
{
	for (unsigned int i = 0; i < fake.nr_cpus; i++) {
		fake.cpus[i].behaviour = FAKE_LOOPS_LAUNCH;
		assert_fails(BF_ERR_EXT_OVERDUE, fake.cpus[i].number, BF_CALLBACK_BOOTSTRAP);
		ck_assert_uint_ge(fake.cpus[i].nmis, 5);
		fake.cpus[i].behaviour = FAKE_WORKS;
	}
}
END_TEST

START_TEST(ends_who_does_not_leave)
{
	fake.cpus[_i].behaviour = FAKE_LOOPS_STOP;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_uint_eq(loader.watchdog_ns, 500000000);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	ck_assert_uint_ge(fake.cpus[_i].nmis, 5);
	ck_assert_uint_eq(loader.pps[_i].status->error, BF_ERR_EXT_OVERDUE);
	assert_all_bare();
	/* another one enters and does not, and this one is in by then: it leaves all the same */
	fake.cpus[(_i + 1) % fake.nr_cpus].behaviour = FAKE_FAILS_LAUNCH;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_EXT_FAULT);
	assert_all_bare();
}
END_TEST

/* But not while all CPUs wait. */
START_TEST(watchdog_off)
{
	start.watchdog_ns = BF_WATCHDOG_OFF;
	fake.cpus[1].behaviour = FAKE_LOOPS_LAUNCH;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_EXT_OVERDUE);
	assert_all_bare();
	ck_assert_uint_ge(fake.cpus[1].nmis, 5);
	ck_assert_uint_eq(loader.watchdog_ns, 0);
	fake.cpus[1].behaviour = FAKE_LOOPS_STOP;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	ck_assert_uint_eq(loader.pps[1].status->error, BF_ERR_EXT_OVERDUE);
	assert_all_bare();
	fake.cpus[1].behaviour = FAKE_WORKS;
	start.watchdog_ns = 300000000;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_uint_eq(loader.watchdog_ns, 300000000);
	ck_assert_uint_eq(bf_watchdog_period(&loader), 300000000 / 8 + 300000000 / 128);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
}
END_TEST

/* All CPUs but one tick for so many periods; that one exits, or its Linux ticks, or neither. */
static void pass(unsigned int periods, unsigned int silent, bool exits, bool ticks)
{
	unsigned int period, i;

	for (period = 0; period < periods; period++) {
		bf_hw_cycles();
		for (i = 0; i < fake.nr_cpus; i++) {
			if (!fake.cpus[i].online)
				continue;
			fake.here = &fake.cpus[i];
			if (i != silent || ticks)
				ck_assert(!bf_watchdog_tick(&loader, fake.cpus[i].number));
		}
		fake.cpus[silent].status->exits += exits;
	}
	fake.here = &fake.cpus[0];
}

/* One CPU looks after the next, past those that are not in. */
START_TEST(ends_who_gets_nowhere)
{
	struct fake_cpu *silent = &fake.cpus[_i];

	start.watchdog_ns = 1000000000;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	fake.here = &fake.cpus[(_i + 2) % fake.nr_cpus];
	ck_assert_int_eq(bf_loader_cpu_down(&loader, fake.cpus[(_i + 3) % fake.nr_cpus].number),
			 BF_ERR_OK);
	fake.cpus[(_i + 3) % fake.nr_cpus].online = false;
	pass(100, (unsigned int)_i, true, false);
	pass(100, (unsigned int)_i, false, true);
	ck_assert_uint_eq(silent->nmis, 0);
	pass(40, (unsigned int)_i, false, false);
	ck_assert_uint_ge(silent->nmis, 5);
	/* a CPU that nobody knows of has nobody to look after */
	ck_assert(!bf_watchdog_tick(&loader, 4711));
	/* one that has halted is reported */
	silent->status->state = BF_PP_HALTED;
	ck_assert(bf_watchdog_tick(&loader, fake.cpus[(_i + 2) % fake.nr_cpus].number));
	silent->status->state = BF_PP_GUEST;
	fake.cpus[(_i + 3) % fake.nr_cpus].online = true;
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
}
END_TEST

TCase *watchdog_tests(void)
{
	TCase *tc = loader_case("watchdog");

	tcase_add_test(tc, ends_who_does_not_enter);
	tcase_add_loop_test(tc, ends_who_does_not_leave, 0, FAKE_CPUS);
	tcase_add_test(tc, watchdog_off);
	tcase_add_loop_test(tc, ends_who_gets_nowhere, 0, FAKE_CPUS);
	return tc;
}
