/* SPDX-License-Identifier: GPL-2.0-only */
/* The loader on a machine in memory, in which everything that can fail does. */
#include <check.h>
#include <stdlib.h>

#include <abi/hw/vmx.h>
#include <abi/layout.h>

#include "driver/core/check.h"
#include "driver/core/x86/cpu.h"
#include "driver/core/watchdog.h"
#include "fake_platform.h"
#include "make_elf.h"

static struct bf_loader loader;
static struct elf_file microkernel, ext;
static struct bf_mk_head *mk_head;
static struct bf_start start;

static void setup(void)
{
	fake_reset();
	make_elf(&microkernel, BF_MK_BASE);
	elf_segment(&microkernel, ELF_TEXT, PT_LOAD, PF_R | PF_X, 0x400, BF_MK_BASE, ELF_TEXT_SIZE,
		    ELF_TEXT_SIZE);
	microkernel.header.e_entry = BF_MK_BASE + 0x10;
	mk_head = (struct bf_mk_head *)((uint8_t *)&microkernel + 0x400);
	*mk_head = (struct bf_mk_head){ BF_HANDOFF_MAGIC, BF_HANDOFF_VERSION };
	make_elf(&ext, MK1_EXT_CODE_BASE);
	start = (struct bf_start){
		.microkernel = { &microkernel, sizeof(microkernel) },
		.exts = { { &ext, sizeof(ext) } },
		.nr_exts = 1,
	};
	ck_assert_int_eq(bf_loader_init(&loader), BF_ERR_OK);
}

static void teardown(void)
{
	bf_loader_fini(&loader);
	ck_assert_uint_eq(fake.allocations, 0);
}

static void assert_all_bare(void)
{
	unsigned int i;

	for (i = 0; i < fake.nr_cpus; i++)
		ck_assert(!fake.cpus[i].guest && !fake.cpus[i].marked);
	ck_assert_uint_eq(loader.memory.bytes, 0);
}

static void assert_fails(enum bf_error error, uint32_t cpu, uint64_t detail)
{
	ck_assert_int_eq(bf_loader_start(&loader, &start), error);
	ck_assert_int_eq(loader.failure.error, error);
	ck_assert_uint_eq(loader.failure.cpu, cpu);
	ck_assert_uint_eq(loader.failure.detail, detail);
	ck_assert_int_eq(loader.state, BF_STATE_STOPPED);
	assert_all_bare();
}

START_TEST(starts_and_stops)
{
	unsigned int i, round;

	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_NOT_RUNNING);
	for (round = 1; round < 4; round++) {
		ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
		ck_assert_int_eq(loader.state, BF_STATE_RUNNING);
		for (i = 0; i < fake.nr_cpus; i++) {
			ck_assert(fake.cpus[i].guest);
			ck_assert_uint_eq(fake.cpus[i].entries, round);
			ck_assert_uint_eq(fake.cpus[i].status->exits, 1);
		}
		ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_RUNNING);
		ck_assert(!bf_loader_poll(&loader));
		ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
		assert_all_bare();
	}
}
END_TEST

/* With 5-level paging each CPU is given tables of 5 levels: fake_verify_aspace looks at them. */
START_TEST(starts_with_5_levels)
{
	unsigned int i;

	for (i = 0; i < fake.nr_cpus; i++)
		fake.cpus[i].cr4 |= 0x1000;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	assert_all_bare();
}
END_TEST

/* Scarce or scattered memory is no reason to fail as long as there is enough of it. */
START_TEST(starts_in_fragments)
{
	fake.max_order = 9;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	start.huge_size = 0x10000;
	fake.max_order = 4;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	fake.max_order = 3;
	assert_fails(BF_ERR_NO_MEMORY, 0, 0);
}
END_TEST

/* For every N: whatever its Nth call that can fail is, the loader undoes everything. */
START_TEST(survives_every_failure)
{
	uint64_t n, total;

	start.pool_size = 0x400000;
	start.huge_size = 0x10000;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	bf_loader_fini(&loader);
	fake.calls = 0;
	ck_assert_int_eq(bf_loader_init(&loader), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	total = fake.calls;
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	bf_loader_fini(&loader);
	ck_assert_uint_gt(total, 15);
	for (n = 1; n <= total; n++) {
		enum bf_error error;

		fake.calls = 0;
		fake.fail_at = n;
		/* Without larger blocks to fall back from, more of the calls are vital. */
		fake.max_order = n % 2 ? BF_OS_MAX_ORDER : 9;
		error = bf_loader_init(&loader);
		if (error == BF_ERR_OK)
			error = bf_loader_start(&loader, &start);
		if (error == BF_ERR_OK) {
			ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
		} else {
			ck_assert(error == BF_ERR_NO_MEMORY || error == BF_ERR_HOTPLUG);
			ck_assert_int_eq(loader.state, BF_STATE_STOPPED);
		}
		assert_all_bare();
		bf_loader_fini(&loader);
		ck_assert_uint_eq(fake.allocations, 0);
	}
	fake.fail_at = 0;
	ck_assert_int_eq(bf_loader_init(&loader), BF_ERR_OK);
}
END_TEST

START_TEST(undoes_a_failed_launch)
{
	unsigned int i;

	for (i = 0; i < fake.nr_cpus; i++) {
		fake.cpus[i].behaviour = FAKE_FAILS_LAUNCH;
		assert_fails(BF_ERR_EXT_FAULT, fake.cpus[i].number, 14);
		fake.cpus[i].behaviour = FAKE_NO_EXIT;
		assert_fails(BF_ERR_MK_SELFTEST, fake.cpus[i].number, 0);
		fake.cpus[i].behaviour = FAKE_SILENT;
		assert_fails(BF_ERR_MK_SELFTEST, fake.cpus[i].number, 0);
		fake.cpus[i].behaviour = FAKE_PROMOTES;
		assert_fails(BF_ERR_EXT_PROMOTED, fake.cpus[i].number, 0);
		fake.cpus[i].behaviour = FAKE_WORKS;
	}
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(loader.failure.error, BF_ERR_OK);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
}
END_TEST

START_TEST(stops_without_the_extension)
{
	fake.cpus[2].behaviour = FAKE_REFUSES_STOP;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_EXT_STOP_REFUSED);
	ck_assert_uint_eq(loader.failure.cpu, fake.cpus[2].number);
	ck_assert_int_eq(loader.state, BF_STATE_STOPPED);
	assert_all_bare();
}
END_TEST

/* Memory in which a CPU still runs is never freed. */
START_TEST(keeps_what_a_stuck_cpu_needs)
{
	uint64_t bytes;

	fake.cpus[1].behaviour = FAKE_STUCK;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	bytes = loader.memory.bytes;
	loader.pps[1].status->image = 1; /* of no meaning for an error that is no extension's */
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_MK_FAULT);
	ck_assert_uint_eq(loader.failure.image, 0);
	ck_assert_uint_eq(loader.failure.cpu, fake.cpus[1].number);
	ck_assert_int_eq(loader.state, BF_STATE_RUNNING);
	ck_assert_uint_eq(loader.memory.bytes, bytes);
	ck_assert(fake.cpus[1].guest && !fake.cpus[0].guest);
	fake.cpus[1].behaviour = FAKE_WORKS;
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	assert_all_bare();
}
END_TEST

START_TEST(follows_a_failure)
{
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	fake_fail(&fake.cpus[0], BF_ERR_PEER_FAILED, 0);
	fake_fail(&fake.cpus[2], BF_ERR_EXT_FAULT, 13);
	loader.pps[2].status->image = 3;
	ck_assert(bf_loader_poll(&loader));
	ck_assert_int_eq(loader.state, BF_STATE_FAILED);
	ck_assert_int_eq(loader.failure.error, BF_ERR_EXT_FAULT);
	ck_assert_uint_eq(loader.failure.cpu, fake.cpus[2].number);
	ck_assert_uint_eq(loader.failure.detail, 13);
	ck_assert_uint_eq(loader.failure.image, 3);
	assert_all_bare();
	ck_assert(!bf_loader_poll(&loader));
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_NOT_RUNNING);
	/* found by a stop that comes before the watch */
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	fake_fail(&fake.cpus[3], BF_ERR_EXT_EXIT, 0);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_EXT_EXIT);
	assert_all_bare();
	/* a CPU that the extension simply let go */
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	fake.cpus[1].guest = false;
	fake.cpus[1].status->state = BF_PP_BARE;
	ck_assert(bf_loader_poll(&loader));
	ck_assert_int_eq(loader.failure.error, BF_ERR_EXT_PROMOTED);
	assert_all_bare();
}
END_TEST

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
	unsigned int i;

	ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_resume(&loader), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_OK);
	for (i = 0; i < fake.nr_cpus; i++)
		ck_assert(!fake.cpus[i].guest && !fake.cpus[i].marked);
	ck_assert_int_eq(loader.state, BF_STATE_RUNNING);
	ck_assert(!bf_loader_poll(&loader));
	/* PP 0 need not be there */
	fake.cpus[0].online = false;
	ck_assert_int_eq(bf_loader_resume(&loader), BF_ERR_OK);
	for (i = 0; i < fake.nr_cpus; i++)
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
	unsigned int i;

	fake.cpus[1].online = false;
	fake.before_all = changes[_i];
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_HOTPLUG);
	assert_all_bare();
	for (i = 0; i < fake.nr_cpus; i++)
		ck_assert_uint_eq(fake.cpus[i].entries, 0);
	fake.before_all = NULL;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
}
END_TEST

/* Whoever waits does so for a while only, and whoever is late does not enter any more. */
START_TEST(waits_with_a_bound)
{
	unsigned int i;

	fake.cpus[_i].late = true;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_RENDEZVOUS);
	ck_assert_uint_eq(loader.failure.detail, 1);
	assert_all_bare();
	for (i = 0; i < fake.nr_cpus; i++)
		ck_assert_uint_eq(fake.cpus[i].entries, 0);
	fake.cpus[_i].late = false;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	/* nor does anybody wait for ever to leave */
	fake.cpus[_i].late = true;
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	assert_all_bare();
}
END_TEST

/* --- the watchdog ----------------------------------------------------------------------------- */

/*
 * While all wait for one another with interrupts off: who is inside fetches the one that does not
 * come.
 */
START_TEST(fetches_who_does_not_enter)
{
	unsigned int i;

	for (i = 0; i < fake.nr_cpus; i++) {
		fake.cpus[i].behaviour = FAKE_LOOPS_LAUNCH;
		assert_fails(BF_ERR_EXT_OVERDUE, fake.cpus[i].number, BF_CALLBACK_BOOTSTRAP);
		ck_assert_uint_ge(fake.cpus[i].nmis, 2);
		fake.cpus[i].behaviour = FAKE_WORKS;
	}
}
END_TEST

START_TEST(fetches_who_does_not_leave)
{
	fake.cpus[_i].behaviour = FAKE_LOOPS_STOP;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_uint_eq(loader.watchdog_ns, 5000000000);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	ck_assert_uint_ge(fake.cpus[_i].nmis, 2);
	ck_assert_uint_eq(loader.pps[_i].status->error, BF_ERR_EXT_OVERDUE);
	assert_all_bare();
	/* another one enters and does not, and this one is in by then: it leaves all the same */
	fake.cpus[(_i + 1) % fake.nr_cpus].behaviour = FAKE_FAILS_LAUNCH;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_EXT_FAULT);
	assert_all_bare();
}
END_TEST

START_TEST(watchdog_off)
{
	start.watchdog_ns = BF_WATCHDOG_OFF;
	fake.cpus[1].behaviour = FAKE_LOOPS_LAUNCH;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_RENDEZVOUS);
	assert_all_bare();
	ck_assert_uint_eq(fake.cpus[1].nmis, 0);
	ck_assert_uint_eq(loader.watchdog_ns, 0);
	fake.cpus[1].behaviour = FAKE_WORKS;
	start.watchdog_ns = 300000000;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_uint_eq(loader.watchdog_ns, 300000000);
	ck_assert_uint_eq(bf_watchdog_period(&loader), 75000000);
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
				bf_watchdog_tick(&loader, fake.cpus[i].number);
		}
		fake.cpus[silent].status->exits += exits;
	}
	fake.here = &fake.cpus[0];
}

/* One CPU looks after the next, past those that are not in. */
START_TEST(fetches_who_gets_nowhere)
{
	struct fake_cpu *silent = &fake.cpus[_i];
	uint64_t exits;

	start.watchdog_ns = 1000000000;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	fake.here = &fake.cpus[(_i + 2) % fake.nr_cpus];
	ck_assert_int_eq(bf_loader_cpu_down(&loader, fake.cpus[(_i + 3) % fake.nr_cpus].number),
			 BF_ERR_OK);
	fake.cpus[(_i + 3) % fake.nr_cpus].online = false;
	pass(100, (unsigned int)_i, true, false);
	pass(100, (unsigned int)_i, false, true);
	ck_assert_uint_eq(silent->nmis, 0);
	ck_assert_uint_eq(silent->status->overdue, 0);
	exits = silent->status->exits;
	pass(40, (unsigned int)_i, false, false);
	ck_assert_uint_gt(silent->nmis, 1);
	ck_assert_uint_eq(silent->status->overdue, exits + 1);
	/* a CPU that nobody knows of has nobody to look after */
	bf_watchdog_tick(&loader, 4711);
	fake.cpus[(_i + 3) % fake.nr_cpus].online = true;
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
}
END_TEST

/* INVLPGB: CPUs change sides together or not at all. */
START_TEST(refuses_hotplug_alone)
{
	unsigned int i;

	for (i = 0; i < fake.nr_cpus; i++)
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

START_TEST(refuses_machines)
{
	struct fake_cpu *cpu = &fake.cpus[3];

	cpu->vendor = BF_VENDOR_NONE;
	assert_fails(BF_ERR_NO_VIRT, cpu->number, 0);
	cpu->vendor = BF_VENDOR_AMD;
	cpu->vm_cr = 0x10;
	assert_fails(BF_ERR_FW_DISABLED, cpu->number, 0);
	cpu->vm_cr = 0;
	cpu->efer |= 0x1000;
	assert_fails(BF_ERR_VIRT_BUSY, cpu->number, 0);
	cpu->efer &= ~0x1000ULL;
	cpu->cr4 |= 1ULL << 32;
	assert_fails(BF_ERR_CPU_FEATURE, cpu->number, BF_FEATURE_DETAIL(BF_REGISTER_CR4, 32));
	cpu->cr4 &= ~(1ULL << 32);
	cpu->cr3 |= 1ULL << 47;
	assert_fails(BF_ERR_CPU_FEATURE, cpu->number, BF_FEATURE_DETAIL(BF_REGISTER_ENCRYPTION, 0));
	cpu->cr3 &= ~(1ULL << 47);
	cpu->leaf7_ebx = 1;
	assert_fails(BF_ERR_CPUS_DIFFER, cpu->number,
		     BF_DIFFER_DETAIL(BF_DIFFER_CPUID(7, 0, 1), cpu->number));
	cpu->leaf7_ebx = 0;
	fake.locked_down = true; /* signatures are the caller's business */
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	fake.locked_down = false;
	start.nr_exts = BF_MAX_EXTS + 1;
	assert_fails(BF_ERR_TOO_MANY_EXTS, 0, 0);
	start.nr_exts = 0;
	assert_fails(BF_ERR_BAD_REQUEST, 0, 0);
	start.nr_exts = 1;
	start.pool_size = BF_POOL_MAX + 1;
	assert_fails(BF_ERR_NO_MEMORY, 0, 0);
	start.pool_size = 0;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	fake.spa_base = MK1_SPA_LIMIT;
	assert_fails(BF_ERR_SPA_TOO_HIGH, 0, 0);
}
END_TEST

START_TEST(intel)
{
	unsigned int i;

	for (i = 0; i < fake.nr_cpus; i++)
		fake.cpus[i].vendor = BF_VENDOR_INTEL;
	fake.cpus[1].feature_control = 1;
	assert_fails(BF_ERR_FW_DISABLED, fake.cpus[1].number, 0);
	fake.cpus[1].feature_control = 0; /* undecided: the loader decides */
	fake.cpus[2].cr4 |= 0x2000;
	assert_fails(BF_ERR_VIRT_BUSY, fake.cpus[2].number, 0);
	fake.cpus[2].cr4 &= ~0x2000ULL;
	fake_set_msr(&fake.cpus[2], MSR_VMX_BASIC, 0x13);
	assert_fails(BF_ERR_CPUS_DIFFER, fake.cpus[2].number,
		     BF_DIFFER_DETAIL(MSR_VMX_BASIC, fake.cpus[2].number));
	memset(fake.cpus[2].msrs, 0, sizeof(fake.cpus[2].msrs));
	/* no EPT on one of them: said, but no obstacle */
	fake.cpus[2].vmx_procbased2 = 0x5ULL << 32;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_uint_eq(fake.cpus[1].feature_control, 5);
	fake_show_handoff();
	ck_assert_uint_eq(fake.handoff->vmx[0xB], fake.cpus[0].vmx_procbased2 & 0x5ULL << 32);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
}
END_TEST

START_TEST(surveys)
{
	struct bf_check_result results[BF_NR_CHECKS];
	struct bf_cpu_features features;
	uint64_t detail;
	uint32_t cpu;

	ck_assert_int_eq(bf_check_machine(&features, results, 1, &detail, &cpu), BF_ERR_OK);
	ck_assert_int_eq(features.vendor, BF_VENDOR_AMD);
	fake.locked_down = true;
	fake.cpus[1].vm_cr = 0x10;
	ck_assert_int_eq(bf_check_machine(&features, results, 1ULL << 40, &detail, &cpu),
			 BF_ERR_FW_DISABLED);
	ck_assert_uint_eq(cpu, fake.cpus[1].number);
	ck_assert_uint_eq(results[BF_CHECK_VENDOR].error, BF_ERR_OK);
	ck_assert_uint_eq(results[BF_CHECK_FIRMWARE].error, BF_ERR_FW_DISABLED);
	ck_assert_uint_eq(results[BF_CHECK_LOCKDOWN].error, BF_ERR_LOCKDOWN);
	ck_assert_uint_eq(results[BF_CHECK_LOCKDOWN].fatal, 0);
	ck_assert_uint_eq(results[BF_CHECK_MEMORY].error, BF_ERR_NO_MEMORY);
	ck_assert_uint_eq(results[BF_CHECK_MEMORY].detail, 1ULL << 40);
	ck_assert_uint_eq(results[BF_CHECK_MEMORY].fatal, 1);
}
END_TEST

/* The hypervisor below: Linux takes Hyper-V's interface only where there is no other. */
START_TEST(outer_hypervisors)
{
	static const struct {
		const char *first, *second;
		uint32_t features;
		enum bf_outer outer;
		uint32_t flags;
		enum bf_error error;
	} cases[] = { { "", "", 0, BF_OUTER_NONE, 0, BF_ERR_OK },
		      { "TCGTCGTCGTCG", "", 0, BF_OUTER_NONE, 0, BF_ERR_OK },
		      { "KVMKVMKVM", "", 0x1, BF_OUTER_KVM, 0, BF_ERR_OK },
		      { "KVMKVMKVM", "", 0x201, BF_OUTER_KVM, BF_OUTER_FLUSHES, BF_ERR_OK },
		      { "Microsoft Hv", "KVMKVMKVM", 0x200, BF_OUTER_KVM, BF_OUTER_FLUSHES,
			BF_ERR_OK },
		      { "Microsoft Hv", "", 0x200, BF_OUTER_HYPERV, 0, BF_ERR_OUTER_HYPERV },
		      { "Microsoft Hv", "XenVMMXenVMM", 0, BF_OUTER_XEN, 0, BF_ERR_OUTER_XEN },
		      { "XenVMMXenVMM", "", 0, BF_OUTER_XEN, 0, BF_ERR_OUTER_XEN },
		      { "VMwareVMware", "", 0x200, BF_OUTER_VMWARE, 0, BF_ERR_OK },
		      { "SomebodyElse", "", 0x200, BF_OUTER_OTHER, 0, BF_ERR_OK } };
	struct bf_check_result results[BF_NR_CHECKS];
	struct bf_cpu_features features;
	uint64_t detail;
	uint32_t flags, cpu;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(fake.outer, 0, sizeof(fake.outer));
		strcpy(fake.outer[0], cases[i].first);
		strcpy(fake.outer[1], cases[i].second);
		fake.outer_features = cases[i].features;
		ck_assert_int_eq(bf_outer_detect(&flags), cases[i].outer);
		ck_assert_uint_eq(flags, cases[i].flags);
		ck_assert_int_eq(bf_check_machine(&features, results, 1, &detail, &cpu),
				 cases[i].error);
		ck_assert_uint_eq(results[BF_CHECK_OUTER].error, cases[i].error);
		if (cases[i].error != BF_ERR_OK) {
			assert_fails(cases[i].error, 0, 0);
			continue;
		}
		ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
		fake_show_handoff();
		ck_assert_uint_eq(fake.handoff->outer, cases[i].outer);
		ck_assert_uint_eq(fake.handoff->outer_flags, cases[i].flags);
		ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	}
}
END_TEST

/* A CPU that was reset behind our back is bare, whether its hypercall faults or KVM answers it. */
START_TEST(finds_a_bare_cpu)
{
	for (int answers = 0; answers < 2; answers++) {
		fake.outer_answers = answers;
		ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
		fake.cpus[1].guest = false;
		ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_EXT_STOP_REFUSED);
		ck_assert_int_eq(loader.state, BF_STATE_STOPPED);
	}
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

/* What counts is where something lies, not how wide the CPU's addresses are. */
START_TEST(refuses_high_addresses)
{
	fake_set_cpuid(fake.here, 0x80000008, 0, 0, 52);
	for (unsigned int i = 1; i < FAKE_CPUS; i++)
		fake_set_cpuid(&fake.cpus[i], 0x80000008, 0, 0, 52);
	fake.memory_end = 1ULL << 48;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	fake.memory_end += 0x1000;
	assert_fails(BF_ERR_ADDRESS_TOO_HIGH, 0, (1ULL << 48) + 0xFFF);
}
END_TEST

START_TEST(refuses_images)
{
	start.exts[0].size = 100;
	assert_fails(BF_ERR_ELF_TRUNCATED, 0, 0);
	ck_assert_uint_eq(loader.failure.image, 1);
	start.exts[0].size = sizeof(ext);
	microkernel.phdrs[ELF_DATA].p_flags |= PF_X;
	assert_fails(BF_ERR_ELF_WX, 0, ELF_DATA);
	ck_assert_uint_eq(loader.failure.image, 0);
}
END_TEST

/* Another release's microkernel is not entered at all: its stacks lie elsewhere. */
START_TEST(refuses_another_microkernel)
{
	Elf64_Phdr *text = &microkernel.phdrs[ELF_TEXT];

	mk_head->version++;
	assert_fails(BF_ERR_MK_VERSION, 0, 0);
	mk_head->version--;
	mk_head->magic++;
	assert_fails(BF_ERR_MK_VERSION, 0, 0);
	mk_head->magic--;
	text->p_filesz = text->p_memsz = sizeof(*mk_head) - 1;
	microkernel.header.e_entry = BF_MK_BASE;
	assert_fails(BF_ERR_MK_VERSION, 0, 0);
	text->p_vaddr += 8;
	microkernel.header.e_entry = text->p_vaddr;
	assert_fails(BF_ERR_MK_VERSION, 0, 0);
}
END_TEST

START_TEST(loads_images)
{
	const struct bf_image *image;
	const struct bf_image_page *pages;
	const uint8_t *page;

	memset((uint8_t *)&ext + 0xA00, 0x77, ELF_DATA_SIZE);
	/* text and rodata on one page, with the same rights */
	elf_segment(&ext, ELF_RODATA, PT_LOAD, PF_R | PF_X, 0x800, MK1_EXT_CODE_BASE + 0xF00, 0x200,
		    0x200);
	ext.phdrs[ELF_TLS].p_vaddr = MK1_EXT_CODE_BASE + 0x2A00; /* the data's */
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	fake_show_handoff();
	image = &fake.handoff->exts[0];
	ck_assert_uint_eq(image->entry, MK1_EXT_CODE_BASE + 0x410);
	page = bf_os_va(image->tls_spa);
	ck_assert_uint_eq(page[0xFBF], 0);
	ck_assert_uint_eq(page[0xFC0], 0x90);
	ck_assert_uint_eq(page[0xFDF], 0x90);
	ck_assert_uint_eq(page[0xFE0], 0);
	ck_assert_uint_eq(image->pages.count, 2 + 4);
	pages = bf_os_va(image->pages.spa);
	ck_assert_uint_eq(pages[0].va, MK1_EXT_CODE_BASE);
	ck_assert_uint_eq(pages[0].spa & BF_PAGE_MASK, BF_PAGE_X);
	ck_assert_uint_eq(pages[1].va, MK1_EXT_CODE_BASE + 0x1000);
	ck_assert_uint_eq(pages[2].spa & BF_PAGE_MASK, BF_PAGE_W);
	page = bf_os_va(pages[0].spa & ~0xFFFULL);
	ck_assert_uint_eq(page[0x3FF], 0);
	ck_assert_uint_eq(page[0x400], 0x90);
	ck_assert_uint_eq(page[0x700], 0);
	ck_assert_uint_eq(page[0xFFF], 0x90);
	page = bf_os_va(pages[2].spa & ~0xFFFULL);
	ck_assert_uint_eq(page[0x9FF], 0);
	ck_assert_uint_eq(page[0xA00], 0x77);
	ck_assert_uint_eq(page[0xB00], 0);
	ck_assert_uint_eq(pages[5].va, MK1_EXT_CODE_BASE + 0x5000);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
}
END_TEST

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

int main(void)
{
	Suite *suite = suite_create("loader");
	TCase *tests = tcase_create("loader");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, starts_and_stops);
	tcase_add_test(tests, starts_with_5_levels);
	tcase_add_test(tests, starts_in_fragments);
	tcase_add_test(tests, survives_every_failure);
	tcase_add_test(tests, undoes_a_failed_launch);
	tcase_add_test(tests, stops_without_the_extension);
	tcase_add_test(tests, keeps_what_a_stuck_cpu_needs);
	tcase_add_test(tests, follows_a_failure);
	tcase_add_test(tests, follows_hotplug);
	tcase_add_test(tests, follows_suspend);
	tcase_add_loop_test(tests, notices_late_hotplug, 0, 3);
	tcase_add_test(tests, fetches_who_does_not_enter);
	tcase_add_loop_test(tests, fetches_who_does_not_leave, 0, FAKE_CPUS);
	tcase_add_test(tests, watchdog_off);
	tcase_add_loop_test(tests, fetches_who_gets_nowhere, 0, FAKE_CPUS);
	tcase_add_loop_test(tests, waits_with_a_bound, 0, FAKE_CPUS);
	tcase_add_test(tests, refuses_hotplug_alone);
	tcase_add_test(tests, refuses_machines);
	tcase_add_test(tests, intel);
	tcase_add_test(tests, surveys);
	tcase_add_test(tests, outer_hypervisors);
	tcase_add_test(tests, finds_a_bare_cpu);
	tcase_add_test(tests, a_thousand_cpus);
	tcase_add_test(tests, refuses_high_addresses);
	tcase_add_test(tests, refuses_images);
	tcase_add_test(tests, refuses_another_microkernel);
	tcase_add_test(tests, loads_images);
	tcase_add_test(tests, captures);
	tcase_add_loop_test(tests, chooses_the_cr4_of_root_mode, 0, 10);
	tcase_add_test(tests, quiesces);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
