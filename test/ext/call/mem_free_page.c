// SPDX-License-Identifier: GPL-2.0-only
/* free_page: a page that alloc_page gave, once. */
#include "test/ext/lib/call.h"

#include "memory.h"

static void test(void)
{
	uint64_t va, spa, huge, huge_spa;

	if (mk1_rcx() == 1)
		return;
	refuses_what_is_no_allocation();
	VERIFY_STATUS(mk1_mem_alloc_page(MK1_HANDLE, &va, &spa), MK1_SUCCESS);
	refuses_beside(va);
	*(volatile uint64_t *)va = 1;
	VERIFY(*(const volatile uint64_t *)va == 1);
	VERIFY_STATUS(mk1_mem_alloc_huge(MK1_HANDLE, BF_PAGE_SIZE, &huge, &huge_spa), MK1_SUCCESS);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, huge);
	VERIFY_STATUS(mk1_mem_free_huge(MK1_HANDLE, huge), MK1_SUCCESS);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, huge);
	VERIFY(is_mapped(va));
	GIVES(MK1_SUCCESS, MK1_HANDLE, va);
	VERIFY(!is_mapped(va));
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, va);
	read_freed(va);
}

const struct call_test call_test = {
	.call = CALL_mem_free_page,
	.exit = test,
	.fault = freed_fault,
	/* UNKNOWN: if another PP stays in its extension for a second, and then memory is lost */
	.maybe = "UNKNOWN",
};
