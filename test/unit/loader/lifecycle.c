// SPDX-License-Identifier: GPL-2.0-only
/* loader.c, prepare.c: a start and a stop, in which everything that can fail does. */
#include "loader.h"

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
	for (unsigned int i = 0; i < fake.nr_cpus; i++)
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

/* By default, with one extension; and images take more than the fake ones. */
START_TEST(takes_little_memory)
{
	static const unsigned int counts[] = { 1, 2, 3, 4, 7, 8, 16, 33, 64, 128, BF_MAX_PPS };
	const uint64_t n = counts[_i];
	uint64_t taken;

	fake_set_cpus((unsigned int)n);
	fake.free_memory = ~0ULL;
	start.pool_size = 0;
	start.huge_size = 0;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	taken = loader.memory.bytes + loader.ring.size + loader.status.size + loader.ended.size;
	ck_assert_uint_le(taken + 0x40000, 0x800000 + n * 0x40000);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
}
END_TEST

/* Memory that comes while it runs is freed with the stop, or given back before. */
START_TEST(grows)
{
	struct bf_region region[3];
	uint64_t bytes;
	uint32_t count;

	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	bytes = loader.memory.bytes;
	count = bf_memory_count(&loader.memory);
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert_int_eq(bf_memory_alloc_region(&loader.memory, BF_MEMORY_POOL, 0x200000,
							&region[i]),
				 BF_ERR_OK);
		ck_assert_uint_eq(region[i].size, 0x200000);
	}
	bf_memory_take_back(&loader.memory, region[_i].spa);
	bf_memory_take_back(&loader.memory, region[(_i + 2) % 3].spa);
	ck_assert_uint_eq(loader.memory.bytes, bytes + 0x200000);
	ck_assert_uint_eq(bf_memory_count(&loader.memory), count + 1);
	/* The next one still finds its place. */
	ck_assert_int_eq(
		bf_memory_alloc_region(&loader.memory, BF_MEMORY_POOL, 0x200000, &region[_i]),
		BF_ERR_OK);
	ck_assert_uint_eq(bf_memory_count(&loader.memory), count + 2);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	assert_all_bare();
	ck_assert_uint_eq(loader.memory.bytes, 0);
}
END_TEST

/* For every N: whatever its Nth call that can fail is, the loader undoes everything. */
START_TEST(survives_every_failure)
{
	uint64_t n, total;

	start.pool_size = 0x400000;
	start.huge_size = 0x10000;
	start.args[0] = (struct bf_source){ "key=value", 10 };
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
	for (unsigned int i = 0; i < fake.nr_cpus; i++) {
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

static void set_report(uint32_t ppid, enum bf_error error)
{
	loader.pps[ppid].status->report.error = error;
	loader.pps[ppid].status->report.cpu = loader.pps[ppid].cpu;
	loader.pps[ppid].status->report.rip = 0x1000 + ppid;
}

/* That of the PP whose failure counts, whatever becomes of its page, until the next start. */
START_TEST(keeps_the_report)
{
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_uint_eq(loader.report.error, BF_ERR_OK);
	fake_fail(&fake.cpus[0], BF_ERR_PEER_FAILED, 0);
	fake_fail(&fake.cpus[2], BF_ERR_EXT_FAULT, 13);
	set_report(0, BF_ERR_PEER_FAILED);
	set_report(2, BF_ERR_EXT_FAULT);
	set_report(3, BF_ERR_EXT_EXIT);
	ck_assert(bf_loader_poll(&loader));
	memset(loader.pps[2].status, 0, sizeof(*loader.pps[2].status));
	ck_assert_uint_eq(loader.report.error, BF_ERR_EXT_FAULT);
	ck_assert_uint_eq(loader.report.cpu, fake.cpus[2].number);
	ck_assert_uint_eq(loader.report.rip, 0x1002);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_NOT_RUNNING);
	ck_assert_uint_eq(loader.report.error, BF_ERR_EXT_FAULT);
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_uint_eq(loader.report.error, BF_ERR_OK);
	ck_assert_uint_eq(loader.report.rip, 0);
	/* a stop during which one fails */
	set_report(1, BF_ERR_EXT_FAULT);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	ck_assert_uint_eq(loader.report.rip, 0x1001);
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
	fake_come_out(&fake.cpus[1]);
	fake.cpus[1].status->state = BF_PP_BARE;
	ck_assert(bf_loader_poll(&loader));
	ck_assert_int_eq(loader.failure.error, BF_ERR_EXT_PROMOTED);
	assert_all_bare();
}
END_TEST

/* Extensions that end alone: each is told of once, and the hypervisor runs on. */
START_TEST(finds_what_has_ended_alone)
{
	struct bf_failure failure;
	uint32_t told = 0;

	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert(!bf_loader_ended(&loader, &told, &failure));
	ck_assert_ptr_null(bf_loader_report(&loader));
	fake_end(2, BF_ERR_EXT_FAULT, 14);
	ck_assert(bf_loader_ended(&loader, &told, &failure));
	ck_assert_int_eq(failure.error, BF_ERR_EXT_FAULT);
	ck_assert_uint_eq(failure.cpu, fake.here->number);
	ck_assert_uint_eq(failure.image, 2);
	ck_assert_uint_eq(failure.detail, 14);
	ck_assert(!bf_loader_ended(&loader, &told, &failure));
	ck_assert_ptr_eq(bf_loader_report(&loader), &bf_loader_ended_image(&loader, 2)->report);
	fake_end(BF_MAX_EXTS, BF_ERR_EXT_OVERDUE, 0);
	ck_assert(bf_loader_ended(&loader, &told, &failure));
	ck_assert_uint_eq(failure.image, BF_MAX_EXTS);
	ck_assert(!bf_loader_ended(&loader, &told, &failure));
	ck_assert_int_eq(bf_loader_poll(&loader), BF_ERR_OK);
	ck_assert_int_eq(loader.state, BF_STATE_RUNNING);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	/* kept until the next start */
	ck_assert_uint_eq(bf_loader_report(&loader)->error, BF_ERR_EXT_FAULT);
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	told = 0;
	ck_assert(!bf_loader_ended(&loader, &told, &failure));
	ck_assert_ptr_null(bf_loader_report(&loader));
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
}
END_TEST

static void assert_stuck(enum bf_error error, const struct fake_cpu *cpu)
{
	ck_assert_int_eq(error, BF_ERR_CPU_STUCK);
	ck_assert_int_eq(loader.failure.error, BF_ERR_CPU_STUCK);
	ck_assert_uint_eq(loader.failure.cpu, cpu->number);
	ck_assert_uint_eq(loader.failure.detail, cpu->number);
}

/* Nothing changes while a CPU does not answer, and all is well when it does again. */
START_TEST(waits_for_no_stuck_cpu)
{
	struct fake_cpu *cpu = &fake.cpus[_i];

	cpu->silent = true;
	assert_stuck(bf_loader_start(&loader, &start), cpu);
	assert_all_bare();
	cpu->silent = false;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	cpu->silent = true;
	assert_stuck(bf_loader_stop(&loader), cpu);
	ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_CPU_STUCK);
	assert_stuck(bf_loader_resume(&loader), cpu);
	for (unsigned int i = 0; i < fake.nr_cpus; i++)
		ck_assert(fake.cpus[i].guest);
	/* another PP has failed meanwhile */
	fake_fail(&fake.cpus[(_i + 1) % fake.nr_cpus], BF_ERR_EXT_FAULT, 13);
	ck_assert_int_eq(bf_loader_poll(&loader), BF_ERR_CPU_STUCK);
	ck_assert_int_eq(loader.failure.error, BF_ERR_EXT_FAULT);
	assert_stuck(bf_loader_stop(&loader), cpu);
	ck_assert_int_eq(loader.state, BF_STATE_RUNNING);
	cpu->silent = false;
	ck_assert_int_eq(bf_loader_poll(&loader), BF_ERR_EXT_FAULT);
	ck_assert_int_eq(loader.state, BF_STATE_FAILED);
	assert_all_bare();
}
END_TEST

static void halt(struct fake_cpu *cpu)
{
	cpu->status->error = BF_ERR_MK_FAULT;
	cpu->status->state = BF_PP_HALTED;
	cpu->silent = true;
}

/* All others are bare and nobody waits, but the memory stays, and nothing starts any more. */
static void assert_left_behind(const struct fake_cpu *cpu, enum bf_state state)
{
	uint64_t bytes = loader.memory.bytes;

	ck_assert(loader.halted);
	ck_assert_int_eq(loader.state, state);
	for (unsigned int i = 0; i < fake.nr_cpus; i++)
		ck_assert_int_eq(fake.cpus[i].guest, &fake.cpus[i] == cpu);
	ck_assert_uint_gt(bytes, 0);
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_CPU_HALTED);
	ck_assert_int_eq(loader.failure.error, BF_ERR_MK_FAULT);
	ck_assert_uint_eq(loader.failure.cpu, cpu->number);
	ck_assert_uint_eq(loader.memory.bytes, bytes);
	bf_memory_release(&loader.memory); /* the reboot */
}

/* Found by the poll, by a stop, or by a suspend. */
START_TEST(leaves_a_halted_cpu_behind)
{
	struct fake_cpu *cpu = &fake.cpus[_i / 3];

	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_uint_eq(cpu->status->together, 0);
	halt(cpu);
	switch (_i % 3) {
	case 0:
		ck_assert_int_eq(bf_loader_poll(&loader), BF_ERR_MK_FAULT);
		ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_NOT_RUNNING);
		break;
	case 1:
		ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_MK_FAULT);
		ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_OK);
		break;
	case 2:
		ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_CPU_HALTED);
		ck_assert_int_eq(bf_loader_resume(&loader), BF_ERR_CPU_HALTED);
		break;
	}
	assert_left_behind(cpu, BF_STATE_FAILED);
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

TCase *lifecycle_tests(void)
{
	TCase *tc = loader_case("lifecycle");

	tcase_add_test(tc, starts_and_stops);
	tcase_add_test(tc, starts_with_5_levels);
	tcase_add_test(tc, starts_in_fragments);
	tcase_add_loop_test(tc, takes_little_memory, 0, 11);
	tcase_add_loop_test(tc, grows, 0, 3);
	tcase_add_test(tc, survives_every_failure);
	tcase_add_test(tc, undoes_a_failed_launch);
	tcase_add_test(tc, stops_without_the_extension);
	tcase_add_test(tc, keeps_what_a_stuck_cpu_needs);
	tcase_add_test(tc, keeps_the_report);
	tcase_add_test(tc, follows_a_failure);
	tcase_add_test(tc, finds_what_has_ended_alone);
	tcase_add_loop_test(tc, waits_for_no_stuck_cpu, 0, FAKE_CPUS);
	tcase_add_loop_test(tc, leaves_a_halted_cpu_behind, 0, 3 * FAKE_CPUS);
	tcase_add_test(tc, finds_a_bare_cpu);
	return tc;
}
