// SPDX-License-Identifier: GPL-2.0-only
/* alloc_page: a zeroed page of its own, at its place in the window. */
#include "test/ext/lib/call.h"

static bool is_zero(const uint64_t *page)
{
	for (unsigned int i = 0; i < BF_PAGE_SIZE / sizeof(*page); i++) {
		if (page[i])
			return false;
	}
	return true;
}

static uint64_t *alloc(void)
{
	GIVES(MK1_SUCCESS, MK1_HANDLE);
	VERIFY(out[0] == MK1_PAGE_POOL_BASE + out[1]);
	VERIFY((out[1] & BF_PAGE_MASK) == 0);
	VERIFY(is_zero((const uint64_t *)out[0]));
	return (uint64_t *)out[0];
}

static void give_back(uint64_t *page)
{
	VERIFY_STATUS(mk1_mem_free_page(MK1_HANDLE, (uint64_t)page), MK1_SUCCESS);
}

static void test(void)
{
	uint64_t *first = alloc(), *second = alloc();
	uint64_t pages;

	VERIFY(first != second);
	bsl_memset(first, 0x11, BF_PAGE_SIZE);
	bsl_memset(second, 0x22, BF_PAGE_SIZE);
	VERIFY(first[0] == 0x1111111111111111 && first[511] == 0x1111111111111111);
	give_back(first);
	VERIFY(second[0] == 0x2222222222222222 && second[511] == 0x2222222222222222);
	first = alloc(); /* the same one again, most likely */
	VERIFY(first != second);
	give_back(first);
	give_back(second);
	pages = drain_pool();
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE);
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE);
	refill_pool(pages);
	give_back(alloc());
}

const struct call_test call_test = {
	.call = CALL_mem_alloc_page,
	.started = test,
	.bootstrap = test,
	.exit = test,
};
