// SPDX-License-Identifier: GPL-2.0-only
/* debug.c: the ring of messages, and the serial port. */
#include <string.h>

#include "machine.h"
#include "microkernel/debug.h"
#include "suites.h"

/* The ring wraps; a header that Linux has spoilt is not believed. */
START_TEST(debug_ring)
{
	machine_of(0);
	m.ring->size = _i == 1 ? 0x3000 : _i == 2 ? 0x100000 : m.ring->size;
	m.ring->written = 0x3FF8;
	m.ring_seen = 0x3FF8;
	enter(0);
	ck_assert_uint_eq(SYS(debug_out, 0x1234, 0x5678), MK1_SUCCESS);
	ck_assert_str_eq(printed(), _i ? "" : "0x1234 0x5678\n");
}
END_TEST

static const struct bf_line *line(uint64_t n)
{
	return (const struct bf_line *)(const void *)(m.ring->data + m.ring->size) +
	       n % BF_RING_LINES;
}

/* Where each line begins, when, where and by whom; what goes on with one is none. */
START_TEST(lines_of_the_ring)
{
	uint64_t lines, began, before;

	machine_of(0);
	m.ring->lines = 5 * BF_RING_LINES - 2;
	enter(0);
	lines = m.ring->lines;
	ck_assert_uint_gt(lines, 5 * BF_RING_LINES - 2); /* what it prints when it starts */
	host_pp->handoff.cpu = 9;
	before = rdtsc();
	began = m.ring->written;
	SYS(debug_write_c, 'a');
	SYS(debug_write_c, 'b');
	ck_assert_uint_eq(m.ring->lines, lines + 1);
	ck_assert_uint_eq(line(lines)->position, began);
	ck_assert_uint_eq(line(lines)->cpu, 9);
	ck_assert_uint_eq(line(lines)->image, 1);
	ck_assert(line(lines)->tsc >= before && line(lines)->tsc <= rdtsc());
	/* Another writer, and its two lines and a half. */
	mk_print("x\n\nyz");
	ck_assert_uint_eq(m.ring->lines, lines + 4);
	ck_assert_uint_eq(line(lines + 1)->position, began + 3);
	ck_assert_uint_eq(line(lines + 1)->image, 0);
	ck_assert_uint_eq(line(lines + 2)->position, began + 5);
	ck_assert_uint_eq(line(lines + 3)->position, began + 6);
	mk_print("!\n");
	ck_assert_uint_eq(m.ring->lines, lines + 4);
}
END_TEST

/* A ring without room for lines, or so small that they would not be aligned, has text as before. */
START_TEST(ring_without_lines)
{
	machine_of(0);
	if (_i)
		m.ring->size = 4;
	else
		m.handoff->ring.size = 5 * PAGE;
	enter(0);
	ck_assert_uint_eq(m.ring->lines, 0);
	if (_i) {
		SYS(debug_write_c, 'a');
		ck_assert_int_eq(m.ring->data[(m.ring->written - 1) % 4], 'a');
		return;
	}
	m.ring_seen = m.ring->written;
	SYS(debug_out, 0x1234, 0x5678);
	ck_assert_str_eq(printed(), "0x1234 0x5678\n");
}
END_TEST

START_TEST(serial_port)
{
	machine_defaults(BF_VENDOR_AMD);
	m.serial_port = 0x2F8;
	machine_init();
	enter(0);
	if (_i)
		serial.lsr = 0; /* never ready: it is written nevertheless */
	serial.length = 0;
	memset(serial.text, 0, sizeof(serial.text));
	SYS(debug_write_c, 'a');
	SYS(debug_write_c, '\n');
	ck_assert_str_eq(serial.text, "a\r\n");
}
END_TEST

/* A port that nobody has set up is; one with 8 bits a character keeps its speed. */
START_TEST(serial_port_set_up)
{
	machine_defaults(BF_VENDOR_AMD);
	m.serial_port = 0x2F8;
	machine_init();
	serial.lcr = _i ? 0x13 : 0;
	serial.divisor = 12;
	enter(0);
	ck_assert_uint_eq(serial.lcr, _i ? 0x13 : 0x03);
	ck_assert_uint_eq(serial.divisor, _i ? 12 : 1);
}
END_TEST

TCase *debug_tests(void)
{
	TCase *tc = tcase_create("debug");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, debug_ring, 0, 3);
	tcase_add_test(tc, lines_of_the_ring);
	tcase_add_loop_test(tc, ring_without_lines, 0, 2);
	tcase_add_loop_test(tc, serial_port, 0, 2);
	tcase_add_loop_test(tc, serial_port_set_up, 0, 2);
	return tc;
}
