// SPDX-License-Identifier: GPL-2.0-only
/* free_huge: what alloc_huge gave, as a whole and once. */
#include "test/ext/lib/call.h"

#include "memory.h"

static void test(void)
{
	uint64_t va, spa, page, page_spa;

	if (mk1_rcx() == 1)
		return;
	refuses_what_is_no_allocation();
	VERIFY_STATUS(mk1_mem_alloc_huge(MK1_HANDLE, 3 * BF_PAGE_SIZE, &va, &spa), MK1_SUCCESS);
	refuses_beside(va);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, va + BF_PAGE_SIZE);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, va + 2 * BF_PAGE_SIZE);
	VERIFY_STATUS(mk1_mem_alloc_page(MK1_HANDLE, &page, &page_spa), MK1_SUCCESS);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, page);
	VERIFY_STATUS(mk1_mem_free_page(MK1_HANDLE, page), MK1_SUCCESS);
	for (uint64_t i = 0; i < 3; i++) {
		VERIFY(is_mapped(va + i * BF_PAGE_SIZE));
		VERIFY(*(const volatile uint64_t *)(va + i * BF_PAGE_SIZE) == 0);
	}
	GIVES(MK1_SUCCESS, MK1_HANDLE, va);
	for (uint64_t i = 0; i < 3; i++)
		VERIFY(!is_mapped(va + i * BF_PAGE_SIZE));
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, va);
	read_freed(va + 2 * BF_PAGE_SIZE);
}

const struct call_test call_test = {
	.call = CALL_mem_free_huge,
	.exit = test,
	.fault = freed_fault,
	/* UNKNOWN: if another PP stays in its extension for a second, and then memory is lost */
	.maybe = "UNKNOWN",
};
