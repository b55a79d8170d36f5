// SPDX-License-Identifier: GPL-2.0-only
/* rendezvous.c, and CPUs that come and go. */
#include "driver/core/check.h"
#include "driver/core/watchdog.h"
#include "loader.h"

START_TEST(follows_hotplug)
{
	struct fake_cpu *cpu = &fake.cpus[1];

	cpu->online = false;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_uint_eq(loader.nr_online, 3);
	ck_assert_uint_eq(loader.pps[3].cpu, cpu->number);
	cpu->online = true;
	ck_assert_int_eq(bf_loader_cpu_up(&loader, cpu->number), BF_ERR_OK);
	ck_assert(cpu->guest);
	ck_assert_int_eq(bf_loader_cpu_up(&loader, cpu->number), BF_ERR_OK);
	ck_assert_uint_eq(cpu->entries, 1);
	ck_assert_int_eq(bf_loader_cpu_down(&loader, cpu->number), BF_ERR_OK);
	ck_assert(!cpu->guest);
	cpu->behaviour = FAKE_FAILS_LAUNCH;
	ck_assert_int_eq(bf_loader_cpu_up(&loader, cpu->number), BF_ERR_EXT_FAULT);
	cpu->behaviour = FAKE_NO_EXIT;
	ck_assert_int_eq(bf_loader_cpu_up(&loader, cpu->number), BF_ERR_MK_SELFTEST);
	ck_assert(!cpu->guest);
	cpu->behaviour = FAKE_WORKS;
	cpu->leaf7_ebx = 1;
	ck_assert_int_eq(bf_loader_cpu_up(&loader, cpu->number), BF_ERR_CPUS_DIFFER);
	cpu->leaf7_ebx = 0;
	ck_assert_int_eq(bf_loader_cpu_up(&loader, 100), BF_ERR_TOO_MANY_CPUS);
	fake.cpus[0].behaviour = FAKE_STUCK;
	ck_assert_int_eq(bf_loader_cpu_down(&loader, fake.cpus[0].number), BF_ERR_MK_FAULT);
	fake.cpus[0].behaviour = FAKE_WORKS;
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_cpu_up(&loader, cpu->number), BF_ERR_OK);
	assert_all_bare();
}
END_TEST

START_TEST(follows_suspend)
{
	ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_resume(&loader), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_OK);
	for (unsigned int i = 0; i < fake.nr_cpus; i++)
		ck_assert(!fake.cpus[i].guest && !fake.cpus[i].marked);
	ck_assert_int_eq(loader.state, BF_STATE_RUNNING);
	ck_assert(!bf_loader_poll(&loader));
	/* PP 0 need not be there */
	fake.cpus[0].online = false;
	fake.watched = false;
	ck_assert_int_eq(bf_loader_resume(&loader), BF_ERR_OK);
	for (unsigned int i = 0; i < fake.nr_cpus; i++)
		ck_assert_int_eq(fake.cpus[i].guest, i != 0);
	/* a CPU that does not leave: all enter again */
	fake.cpus[2].behaviour = FAKE_STUCK;
	ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_MK_FAULT);
	fake.cpus[2].behaviour = FAKE_WORKS;
	ck_assert_int_eq(bf_loader_resume(&loader), BF_ERR_OK);
	ck_assert_uint_eq(fake.cpus[2].entries, 2);
	ck_assert_uint_eq(fake.cpus[1].entries, 3);
	/* a CPU that does not enter again takes all others with it */
	ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_OK);
	fake.cpus[2].behaviour = FAKE_FAILS_LAUNCH;
	ck_assert_int_eq(bf_loader_resume(&loader), BF_ERR_EXT_FAULT);
	assert_all_bare();
	ck_assert_int_eq(loader.state, BF_STATE_FAILED);
	ck_assert_int_eq(loader.failure.error, BF_ERR_EXT_FAULT);
	ck_assert_uint_eq(loader.failure.cpu, fake.cpus[2].number);
	/* unless one of them does not leave */
	fake.cpus[2].behaviour = FAKE_WORKS;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	fake.cpus[3].behaviour = FAKE_STUCK;
	ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_MK_FAULT);
	fake.cpus[2].behaviour = FAKE_FAILS_LAUNCH;
	ck_assert_int_eq(bf_loader_resume(&loader), BF_ERR_EXT_FAULT);
	ck_assert_int_eq(loader.state, BF_STATE_RUNNING);
	fake.cpus[3].behaviour = FAKE_WORKS;
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	assert_all_bare();
	/* one that was plugged in meanwhile has no place */
	fake.cpus[2].behaviour = FAKE_WORKS;
	fake.nr_cpus--;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_OK);
	fake.nr_cpus++;
	ck_assert_int_eq(bf_loader_resume(&loader), BF_ERR_TOO_MANY_CPUS);
	ck_assert_int_eq(loader.state, BF_STATE_FAILED);
	assert_all_bare();
}
END_TEST

static void first_goes(void)
{
	fake.cpus[0].online = false;
}

static void another_comes(void)
{
	fake.cpus[1].online = true;
}

static void one_for_another(void)
{
	first_goes();
	another_comes();
}

/* CPUs that come or go in the moment between the preparations and the rendezvous. */
START_TEST(notices_late_hotplug)
{
	static void (*const changes[])(void) = { first_goes, another_comes, one_for_another };

	fake.cpus[1].online = false;
	fake.before_all = changes[_i];
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_HOTPLUG);
	assert_all_bare();
	for (unsigned int i = 0; i < fake.nr_cpus; i++)
		ck_assert_uint_eq(fake.cpus[i].entries, 0);
	fake.before_all = NULL;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
}
END_TEST

/*
 * A CPU that goes while nobody has seen yet that its extension has failed, or given it back, or
 * with an extension that fails as it is asked for it: it does not take that along.
 */
START_TEST(finds_a_failure_of_one_that_has_gone)
{
	struct fake_cpu *cpu = &fake.cpus[2];

	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	fake_fail(cpu, BF_ERR_EXT_OVERDUE, 3);
	ck_assert_int_eq(bf_loader_cpu_down(&loader, cpu->number), BF_ERR_OK);
	cpu->online = false;
	ck_assert(!cpu->guest);
	if (_i) { /* nor when it has come back since */
		cpu->online = true;
		ck_assert_int_eq(bf_loader_cpu_up(&loader, cpu->number), BF_ERR_OK);
		ck_assert_uint_eq(cpu->entries, 1);
	}
	ck_assert_int_eq(bf_loader_poll(&loader), BF_ERR_EXT_OVERDUE);
	ck_assert_int_eq(loader.state, BF_STATE_FAILED);
	ck_assert_uint_eq(loader.failure.cpu, cpu->number);
	ck_assert_uint_eq(loader.failure.detail, 3);
	cpu->online = true;
	assert_all_bare();

	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	fake_come_out(cpu);
	cpu->status->state = BF_PP_BARE;
	ck_assert_int_eq(bf_loader_cpu_down(&loader, cpu->number), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_poll(&loader), BF_ERR_EXT_PROMOTED);
	assert_all_bare();

	cpu->behaviour = FAKE_FAILS_STOP;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_cpu_down(&loader, cpu->number), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_poll(&loader), BF_ERR_EXT_FAULT);
	ck_assert_uint_eq(loader.failure.cpu, cpu->number);
	assert_all_bare();
}
END_TEST

/* Nor is a failure forgotten by a suspend that comes before the poll, or makes it fail. */
START_TEST(does_not_enter_again_after_a_failure)
{
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	if (_i)
		fake.cpus[2].behaviour = FAKE_FAILS_STOP;
	else
		fake_fail(&fake.cpus[2], BF_ERR_EXT_FAULT, 6);
	ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_resume(&loader), BF_ERR_EXT_FAULT);
	ck_assert_int_eq(loader.state, BF_STATE_FAILED);
	ck_assert_uint_eq(loader.failure.cpu, fake.cpus[2].number);
	ck_assert_uint_eq(loader.failure.detail, 6);
	ck_assert_uint_eq(fake.cpus[0].entries, 1);
	assert_all_bare();
}
END_TEST

/*
 * That an extension has ended alone stays known although the CPU where it did comes and goes; and
 * what becomes of that CPU later has its own reason.
 */
START_TEST(remembers_what_has_ended_alone)
{
	struct fake_cpu *cpu = &fake.cpus[1];
	struct bf_failure failure;
	uint32_t told = 0;

	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	fake_stand_on(cpu);
	fake_end(2, BF_ERR_EXT_FAULT, 14);
	fake_stand_on(&fake.cpus[0]);
	ck_assert_int_eq(bf_loader_cpu_down(&loader, cpu->number), BF_ERR_OK);
	for (unsigned int i = 0; i < 3; i++) {
		told = 0;
		ck_assert(bf_loader_ended(&loader, &told, &failure));
		ck_assert_int_eq(failure.error, BF_ERR_EXT_FAULT);
		ck_assert_uint_eq(failure.cpu, cpu->number);
		ck_assert_uint_eq(failure.image, 2);
		ck_assert_uint_eq(failure.detail, 14);
		ck_assert_uint_eq(bf_loader_report(&loader)->error, BF_ERR_EXT_FAULT);
		if (i == 0) {
			ck_assert_int_eq(bf_loader_cpu_up(&loader, cpu->number), BF_ERR_OK);
		} else if (i == 1) {
			ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_OK);
			ck_assert_int_eq(bf_loader_resume(&loader), BF_ERR_OK);
		}
	}
	ck_assert_int_eq(bf_loader_poll(&loader), BF_ERR_OK);
	if (_i) {
		fake_fail(cpu, BF_ERR_EXT_OVERDUE, 3);
		ck_assert_int_eq(bf_loader_poll(&loader), BF_ERR_EXT_OVERDUE);
	} else {
		fake_come_out(cpu);
		cpu->status->state = BF_PP_BARE;
		ck_assert_int_eq(bf_loader_poll(&loader), BF_ERR_EXT_PROMOTED);
	}
	ck_assert_uint_eq(loader.failure.cpu, cpu->number);
	assert_all_bare();
}
END_TEST

static void second_comes_online(void)
{
	fake.after_all = NULL;
	fake.cpus[1].online = true;
	ck_assert_int_eq(bf_loader_cpu_up(&loader, fake.cpus[1].number), BF_ERR_OK);
}

static void second_goes_offline(void)
{
	fake.after_all = NULL;
	ck_assert_int_eq(bf_loader_cpu_down(&loader, fake.cpus[1].number), BF_ERR_OK);
	fake.cpus[1].online = false;
}

/* CPUs that come or go in the moment after a rendezvous, before its caller takes notice of it. */
START_TEST(follows_hotplug_after_a_rendezvous)
{
	fake.after_all = second_goes_offline;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert(!fake.cpus[1].guest);
	fake.after_all = second_comes_online;
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	assert_all_bare();
	ck_assert_uint_eq(fake.cpus[1].entries, 1);
	fake.cpus[1].online = false;
	fake.after_all = second_comes_online;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert(fake.cpus[1].guest);
	ck_assert_int_eq(bf_loader_cpu_down(&loader, fake.cpus[1].number), BF_ERR_OK);
	fake.cpus[1].online = false;
	fake.after_all = second_comes_online;
	ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_OK);
	ck_assert(!fake.cpus[1].guest);
	fake.after_all = second_goes_offline;
	ck_assert_int_eq(bf_loader_resume(&loader), BF_ERR_OK);
	ck_assert(!fake.cpus[1].guest);
	/* a start that fails leaves nothing to enter */
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	fake.cpus[2].behaviour = FAKE_FAILS_LAUNCH;
	fake.after_all = second_comes_online;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_EXT_FAULT);
	assert_all_bare();
}
END_TEST

/* Whoever waits does so for a while only, and whoever is late does not enter any more. */
START_TEST(waits_with_a_bound)
{
	fake.cpus[_i].late = true;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_RENDEZVOUS);
	ck_assert_uint_eq(loader.failure.detail, 1);
	assert_all_bare();
	for (unsigned int i = 0; i < fake.nr_cpus; i++)
		ck_assert_uint_eq(fake.cpus[i].entries, 0);
	fake.cpus[_i].late = false;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	/* nor does anybody wait for ever to leave */
	fake.cpus[_i].late = true;
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	assert_all_bare();
}
END_TEST

/* INVLPGB: CPUs change sides together or not at all. */
START_TEST(refuses_hotplug_alone)
{
	for (unsigned int i = 0; i < fake.nr_cpus; i++)
		fake.cpus[i].ext_ebx = 8;
	fake.cpus[1].online = false;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_cpu_down(&loader, fake.cpus[0].number), BF_ERR_HOTPLUG_REFUSED);
	ck_assert(fake.cpus[0].guest);
	fake.cpus[1].online = true;
	ck_assert_int_eq(bf_loader_cpu_up(&loader, fake.cpus[1].number), BF_ERR_HOTPLUG_REFUSED);
	ck_assert(!fake.cpus[1].guest);
	fake.cpus[1].online = false;
	ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_cpu_down(&loader, fake.cpus[0].number), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_resume(&loader), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_cpu_down(&loader, fake.cpus[0].number), BF_ERR_OK);
	assert_all_bare();
}
END_TEST

START_TEST(a_thousand_cpus)
{
	struct bf_check_result results[BF_NR_CHECKS];
	struct bf_cpu_features features;
	uint64_t detail;
	uint32_t cpu;

	fake_set_cpus(BF_MAX_PPS);
	start.pool_size = 0x800000; /* the fake microkernel takes nothing from it */
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_uint_eq(loader.nr_pps, BF_MAX_PPS);
	for (unsigned int i = 0; i < BF_MAX_PPS; i++)
		ck_assert(fake.cpus[i].guest);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	assert_all_bare();
	fake_set_cpus(BF_MAX_PPS + 1);
	assert_fails(BF_ERR_TOO_MANY_CPUS, 0, BF_MAX_PPS + 1);
	/* Those that are looked at are looked at all the same. */
	fake.cpus[BF_MAX_PPS - 1].vm_cr = 0x10;
	bf_check_machine(&features, results, 0, &detail, &cpu);
	ck_assert_uint_eq(results[BF_CHECK_CPUS].error, BF_ERR_TOO_MANY_CPUS);
	ck_assert_uint_eq(results[BF_CHECK_FIRMWARE].error, BF_ERR_FW_DISABLED);
}
END_TEST

/* Linux has started it: where INIT is no exit, it is bare since, unless it is bare anyway. */
static void kept_comes_online(void)
{
	fake.after_all = NULL;
	if (fake.cpus[1].vendor == BF_VENDOR_AMD)
		fake.cpus[1].guest = false;
	fake.cpus[1].online = true;
	ck_assert_int_eq(bf_loader_cpu_up(&loader, fake.cpus[1].number), BF_ERR_OK);
	ck_assert(!fake.cpus[1].guest);
}

/* One that is kept comes in the moment after all others have left. */
START_TEST(a_kept_one_comes_after_a_rendezvous)
{
	for (unsigned int i = 0; i < fake.nr_cpus && _i % 2; i++)
		fake.cpus[i].vendor = BF_VENDOR_INTEL;
	start.keep_cpus = true;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_cpu_down(&loader, fake.cpus[1].number), BF_ERR_OK);
	ck_assert_uint_eq(fake.cpus[1].status->parked, 1);
	fake.cpus[1].online = false;
	fake.after_all = kept_comes_online;
	if (_i / 2) {
		ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_OK);
		ck_assert(!fake.cpus[1].guest);
		ck_assert_int_eq(bf_loader_resume(&loader), BF_ERR_OK);
		ck_assert(fake.cpus[1].guest);
		ck_assert_uint_eq(fake.cpus[1].status->parked, 0);
	}
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	ck_assert_uint_eq(fake.cpus[1].inits, 0);
	ck_assert_int_eq(loader.state, BF_STATE_STOPPED);
	for (unsigned int i = 0; i < fake.nr_cpus; i++)
		ck_assert(!fake.cpus[i].guest);
	start.keep_cpus = false;
}
END_TEST

/* CPUs go and come as guests; those that are offline leave by INIT. */
START_TEST(keeps_cpus)
{
	struct fake_cpu *cpu = &fake.cpus[1];

	for (unsigned int i = 0; i < fake.nr_cpus && _i; i++)
		fake.cpus[i].vendor = BF_VENDOR_INTEL;
	start.keep_cpus = true;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_cpu_down(&loader, cpu->number), BF_ERR_OK);
	ck_assert(cpu->guest);
	cpu->online = false;
	/* nobody watches it */
	cpu->nmis = 0;
	for (unsigned int i = 0; i < 100; i++) {
		fake.here = &fake.cpus[0];
		(void)bf_watchdog_tick(&loader, fake.cpus[0].number);
	}
	ck_assert_uint_eq(cpu->nmis, 0);
	/* on Intel it waits for the start-up IPI before INIT comes, if it can be woken */
	cpu->behaviour = FAKE_STUCK;
	bf_loader_cpu_starts(&loader, cpu->number);
	ck_assert_uint_eq(cpu->wakes, _i ? 10 : 0);
	ck_assert_uint_eq(cpu->status->starting, 0);
	cpu->behaviour = FAKE_WORKS;
	for (unsigned int i = 0; i < 2; i++) { /* also if the first attempt came to nothing */
		bf_loader_cpu_starts(&loader, cpu->number);
		ck_assert_uint_eq(cpu->wakes, _i ? 11 : 0);
		ck_assert_uint_eq(cpu->status->awaits_ipi, (uint64_t)_i);
	}
	cpu->status->awaits_ipi = 0;
	cpu->status->boot_cpu = 1; /* which is started otherwise */
	bf_loader_cpu_starts(&loader, cpu->number);
	ck_assert_uint_eq(cpu->wakes, _i ? 11 : 0);
	cpu->status->boot_cpu = 0;
	bf_loader_cpu_starts(&loader, fake.cpus[2].number); /* one that is online */
	bf_loader_cpu_starts(&loader, 100);
	cpu->online = true;
	cpu->marked = false;
	ck_assert_int_eq(bf_loader_cpu_up(&loader, cpu->number), BF_ERR_OK);
	ck_assert(cpu->guest && cpu->marked);
	ck_assert_uint_eq(cpu->entries, 1);
	/* it has escaped, and enters the next time */
	ck_assert_int_eq(bf_loader_cpu_down(&loader, cpu->number), BF_ERR_OK);
	cpu->guest = false;
	ck_assert_int_eq(bf_loader_cpu_up(&loader, cpu->number), BF_ERR_MK_ESCAPED);
	ck_assert_int_eq(bf_loader_cpu_up(&loader, cpu->number), BF_ERR_OK);
	ck_assert_uint_eq(cpu->entries, 2);
	/* a suspend, and a stop, without it */
	ck_assert_int_eq(bf_loader_cpu_down(&loader, cpu->number), BF_ERR_OK);
	cpu->online = false;
	ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_OK);
	ck_assert(!cpu->guest);
	ck_assert_uint_eq(cpu->inits, _i ? 2 : 1);
	ck_assert_int_eq(bf_loader_resume(&loader), BF_ERR_OK);
	cpu->online = true;
	ck_assert_int_eq(bf_loader_cpu_up(&loader, cpu->number), BF_ERR_OK);
	ck_assert_uint_eq(cpu->entries, 3);
	ck_assert_int_eq(bf_loader_cpu_down(&loader, cpu->number), BF_ERR_OK);
	cpu->online = false;
	if (_i) {
		cpu->awaits_ipi = true;
		cpu->status->awaits_ipi = 1;
		cpu->behaviour = FAKE_STUCK;
		ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_MK_FAULT);
		ck_assert_uint_eq(loader.failure.cpu, cpu->number);
		cpu->behaviour = FAKE_WORKS;
	}
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	cpu->marked = false; /* Linux begins anew there, and is owed no NMI */
	cpu->passed = cpu->entries;
	assert_all_bare();
	start.keep_cpus = false;
}
END_TEST

TCase *hotplug_tests(void)
{
	TCase *tc = loader_case("hotplug");

	tcase_add_test(tc, follows_hotplug);
	tcase_add_loop_test(tc, finds_a_failure_of_one_that_has_gone, 0, 2);
	tcase_add_loop_test(tc, does_not_enter_again_after_a_failure, 0, 2);
	tcase_add_loop_test(tc, remembers_what_has_ended_alone, 0, 2);
	tcase_add_test(tc, follows_suspend);
	tcase_add_loop_test(tc, notices_late_hotplug, 0, 3);
	tcase_add_test(tc, follows_hotplug_after_a_rendezvous);
	tcase_add_loop_test(tc, waits_with_a_bound, 0, FAKE_CPUS);
	tcase_add_test(tc, refuses_hotplug_alone);
	tcase_add_test(tc, a_thousand_cpus);
	tcase_add_loop_test(tc, keeps_cpus, 0, 2);
	tcase_add_loop_test(tc, a_kept_one_comes_after_a_rendezvous, 0, 4);
	return tc;
}
