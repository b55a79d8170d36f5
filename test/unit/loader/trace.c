// SPDX-License-Identifier: GPL-2.0-only
/* trace.c, ring.c: who is traced, and what is read of a ring. */
#include "loader.h"

#include "driver/core/ring.h"
#include "driver/core/trace.h"

START_TEST(switches_all_that_are_inside)
{
	ck_assert_int_eq(bf_trace_switch(&loader, false), BF_ERR_NOT_RUNNING);
	fake.cpus[2].online = false;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_trace_switch(&loader, true), BF_ERR_OK);
	for (unsigned int i = 0; i < fake.nr_cpus; i++)
		ck_assert_uint_eq(fake.cpus[i].traced, i != 2);
	/* One that comes in later finds it in its status. */
	fake.cpus[2].online = true;
	ck_assert_int_eq(bf_loader_cpu_up(&loader, fake.cpus[2].number), BF_ERR_OK);
	ck_assert_uint_eq(fake.cpus[2].status->tracing, 1);
	ck_assert_int_eq(bf_trace_switch(&loader, false), BF_ERR_OK);
	for (unsigned int i = 0; i < fake.nr_cpus; i++) {
		ck_assert(!fake.cpus[i].traced);
		ck_assert_uint_eq(fake.cpus[i].status->tracing, 0);
	}
	fake.cpus[1].online = false; /* for one that does not answer */
	ck_assert_int_eq(bf_trace_switch(&loader, true), BF_ERR_HOTPLUG);
	ck_assert(!fake.cpus[1].traced && fake.cpus[3].traced);
	fake.cpus[1].online = true;
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	/* It is wanted yet, for the next start. */
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_uint_eq(fake.cpus[0].status->tracing, 1);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	ck_assert_int_eq(bf_trace_switch(&loader, false), BF_ERR_NOT_RUNNING);
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_uint_eq(fake.cpus[0].status->tracing, 0);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	assert_all_bare();
}
END_TEST

/* Nothing can run on one that is kept while it is offline. */
START_TEST(switches_one_that_was_offline)
{
	struct fake_cpu *cpu = &fake.cpus[1];

	start.keep_cpus = true;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	for (unsigned int on = 1; on <= 1; on--) {
		ck_assert_int_eq(bf_loader_cpu_down(&loader, cpu->number), BF_ERR_OK);
		cpu->online = false;
		ck_assert_int_eq(bf_trace_switch(&loader, on), BF_ERR_OK);
		ck_assert_uint_eq(fake.cpus[0].traced, on);
		ck_assert_uint_eq(cpu->traced, !on);
		cpu->online = true;
		ck_assert_int_eq(bf_loader_cpu_up(&loader, cpu->number), BF_ERR_OK);
		ck_assert_uint_eq(cpu->traced, on);
	}
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	start.keep_cpus = false;
	assert_all_bare();
}
END_TEST

static struct bf_trace ring;
static struct bf_trace_record got[BF_TRACE_RECORDS + 1];

static void write_until(uint64_t end)
{
	for (; ring.written < end; ring.written++)
		ring.records[ring.written % BF_TRACE_RECORDS].begin = ring.written;
}

/* from is read as records first to end, with room for max. */
static void assert_read(uint64_t from, uint32_t max, uint64_t first, uint64_t end)
{
	uint64_t position = from;

	memset(got, 0xEE, sizeof(got));
	ck_assert_uint_eq(bf_trace_read(&ring, got, max, &position), end - first);
	ck_assert_uint_eq(position, first);
	for (uint64_t n = first; n < end; n++)
		ck_assert_uint_eq(got[n - first].begin, n);
	ck_assert_uint_eq(got[max].begin, 0xEEEEEEEEEEEEEEEE);
}

START_TEST(reads_a_ring)
{
	const uint32_t all = BF_TRACE_RECORDS;

	ring.written = 0;
	assert_read(0, all, 0, 0);
	assert_read(1000, all, 0, 0);
	write_until(10);
	assert_read(0, all, 0, 10);
	assert_read(4, all, 4, 10);
	assert_read(4, 3, 4, 7);
	assert_read(11, all, 10, 10); /* of a ring before */
	write_until(all);
	/* The oldest one may be being overwritten. */
	assert_read(0, all, 1, all);
	write_until(3 * all + 5);
	assert_read(0, all, 2 * all + 6, 3 * all + 5);
	assert_read(0, 7, 2 * all + 6, 2 * all + 12);
	assert_read(3 * all, all, 3 * all, 3 * all + 5);
	ring.written = UINT64_MAX; /* Linux may write anything there */
	assert_read(UINT64_MAX, all, UINT64_MAX, UINT64_MAX);
}
END_TEST

/* Behind the text: bf_loader_init has made room for it. */
START_TEST(reads_lines)
{
	struct bf_ring *text = (void *)loader.ring.va;
	struct bf_line *at = (void *)(text->data + BF_RING_DATA), lines[4];
	uint64_t position = 0;

	ck_assert((uint8_t *)(at + BF_RING_LINES) <= loader.ring.va + loader.ring.size);
	at[1].position = 11;
	at[2].position = 22;
	text->lines = BF_RING_LINES + 3;
	ck_assert_uint_eq(bf_lines_read(text, lines, 4, &position),
			  3); /* the first may be changing */
	ck_assert_uint_eq(position, 4);
	position = BF_RING_LINES + 1;
	ck_assert_uint_eq(bf_lines_read(text, lines, 4, &position), 2);
	ck_assert_uint_eq(lines[0].position, 11);
	ck_assert_uint_eq(lines[1].position, 22);
}
END_TEST

TCase *trace_tests(void)
{
	TCase *tc = loader_case("trace");

	tcase_add_test(tc, switches_all_that_are_inside);
	tcase_add_test(tc, switches_one_that_was_offline);
	tcase_add_test(tc, reads_a_ring);
	tcase_add_test(tc, reads_lines);
	return tc;
}
