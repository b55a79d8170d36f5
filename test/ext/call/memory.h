/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of free_page and free_huge share. */
#ifndef TEST_EXT_CALL_MEMORY_H
#define TEST_EXT_CALL_MEMORY_H

#include "test/ext/lib/call.h"

static volatile uint64_t freed; /* an address that is to fault; the fail callback reads it */

/* Addresses that are no allocation, whatever there is. */
static inline void refuses_what_is_no_allocation(void)
{
	static uint64_t data = 1;
	const uint64_t bad[] = { 0,
				 1,
				 BF_PAGE_SIZE,
				 BF_WINDOW_BASE,
				 MK1_PAGE_POOL_BASE - BF_PAGE_SIZE,
				 MK1_PAGE_POOL_BASE,
				 MK1_PAGE_POOL_BASE + 0x10000,
				 MK1_PAGE_POOL_BASE + MK1_SPA_LIMIT - BF_PAGE_SIZE,
				 MK1_PAGE_POOL_BASE + MK1_SPA_LIMIT,
				 MK1_EXT_STACK_BASE,
				 MK1_EXT_CODE_BASE,
				 (uint64_t)&data & ~0xFFFULL,
				 (uint64_t)&bad & ~0xFFFULL,
				 MK1_EXT_TLS_BASE,
				 MK1_DIRECT_MAP_BASE,
				 0x800000000000,
				 BF_MK_BASE,
				 BF_PP_BASE,
				 ~0xFFFULL,
				 ~0ULL };

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, bad[i]);
}

/* Every other address in the page and its mirrors. */
static inline void refuses_beside(uint64_t va)
{
	static const uint64_t offsets[] = {
		1, 8, 0x800, 0xFFF, 1ULL << 47, 1ULL << 48, 1ULL << 63
	};

	for (unsigned int i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, va + offsets[i]);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, va - MK1_PAGE_POOL_BASE);
}

/* The fail callback: the guest's instruction is executed again, and asks for step 1. */
static inline void freed_fault(uint64_t error_and_vector, uint64_t address)
{
	/* a read of what is not there, from ring 3 */
	VERIFY(error_and_vector == 14 + (4ULL << 32));
	VERIFY(address == freed);
	mk1_set_rcx(1);
	mk1_vs_run_current(MK1_HANDLE);
}

/* What has been read is read again, and must fault. */
static inline void read_freed(uint64_t va)
{
	freed = va;
	(void)*(const volatile uint64_t *)va;
	UNREACHED("what was freed is still there");
}

#endif
