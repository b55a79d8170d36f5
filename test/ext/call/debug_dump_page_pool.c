/* SPDX-License-Identifier: GPL-2.0-only */
/* dump_page_pool: how many pages are taken. */
#define CALL debug_dump_page_pool
#include "call.h"

static void print(void)
{
	EXPECT_PRINTED("page pool: [1-9][0-9]* of [1-9][0-9]* pages used\n");
	GIVES(MK1_SUCCESS);
}

static const struct hooks hooks = {
	.unopened = print,
	.exit = print,
};
