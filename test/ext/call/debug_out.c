// SPDX-License-Identifier: GPL-2.0-only
/* out: two values, in hex. */
#include "test/ext/lib/call.h"

static void print(void)
{
	EXPECT_PRINTED("0x1234567890abcdef 0xfedcba9876543210\n");
	GIVES(MK1_SUCCESS, 0x1234567890ABCDEF, 0xFEDCBA9876543210);
	EXPECT_PRINTED("0x0 0xffffffffffffffff\n");
	GIVES(MK1_SUCCESS, 0, ~0ULL);
}

const struct call_test call_test = {
	.call = CALL_debug_out,
	.unopened = print,
	.started = print,
	.bootstrap = print,
	.exit = print,
};
