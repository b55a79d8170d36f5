// SPDX-License-Identifier: GPL-2.0-only
/* debug.c: the ring of messages, and the serial port. */
#include <string.h>

#include "machine.h"
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

START_TEST(serial_port)
{
	machine_defaults(BF_VENDOR_AMD);
	m.serial_port = 0x2F8;
	machine_init();
	if (_i)
		serial.lsr = 0; /* never ready: it is written nevertheless */
	enter(0);
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
	tcase_add_loop_test(tc, serial_port, 0, 2);
	tcase_add_loop_test(tc, serial_port_set_up, 0, 2);
	return tc;
}
