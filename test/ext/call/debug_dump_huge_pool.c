// SPDX-License-Identifier: GPL-2.0-only
/* dump_huge_pool: each allocation. */
#include "test/ext/lib/call.h"

static void test(void)
{
	uint64_t va, spa;

	VERIFY_STATUS(mk1_mem_alloc_huge(MK1_HANDLE, 0x5001, &va, &spa), MK1_SUCCESS);
	EXPECT_PRINTED("huge pool: 0x[0-9a-f]* bytes at 0x[0-9a-f]*, [1-9][0-9]* allocations\n");
	EXPECT_PRINTED("  0x6000 bytes at 0x%llx\n", (unsigned long long)spa);
	GIVES(MK1_SUCCESS);
	VERIFY_STATUS(mk1_mem_free_huge(MK1_HANDLE, va), MK1_SUCCESS);
	GIVES(MK1_SUCCESS);
}

static void nothing_yet(void)
{
	GIVES(MK1_SUCCESS);
}

const struct call_test call_test = {
	.call = CALL_debug_dump_huge_pool,
	.unopened = nothing_yet,
	.exit = test,
};
