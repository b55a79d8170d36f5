// SPDX-License-Identifier: GPL-2.0-only
/* dump_page_pool: how many pages are taken. */
#include "test/ext/lib/call.h"

static void print(void)
{
	EXPECT_PRINTED("page pool: [1-9][0-9]* of [1-9][0-9]* pages used\n");
	GIVES(MK1_SUCCESS);
}

const struct call_test call_test = {
	.call = CALL_debug_dump_page_pool,
	.unopened = print,
	.exit = print,
};
