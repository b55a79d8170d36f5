// SPDX-License-Identifier: GPL-2.0-only
/* main.c: a PP comes in, up to the guest; and every way in which that fails. */
#include "machine.h"

#include "suites.h"

static void each_vendor(int i)
{
	machine_defaults(i ? BF_VENDOR_INTEL : BF_VENDOR_AMD);
}

START_TEST(linux_becomes_a_guest)
{
	each_vendor(_i);
	machine_init();
	start_and_launch();
}
END_TEST

TCase *start_tests(void)
{
	TCase *tc = tcase_create("start");

	tcase_add_loop_test(tc, linux_becomes_a_guest, 0, 2);
	return tc;
}
