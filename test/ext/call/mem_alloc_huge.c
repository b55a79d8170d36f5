// SPDX-License-Identifier: GPL-2.0-only
/* alloc_huge: contiguous zeroed memory, in whole pages. */
#include "test/ext/lib/call.h"

#define MANY 1024

static uint64_t *alloc(uint64_t bytes)
{
	uint64_t size = (bytes + BF_PAGE_MASK) & ~(uint64_t)BF_PAGE_MASK;
	uint64_t wrong = 0;
	uint64_t *words;

	GIVES(MK1_SUCCESS, MK1_HANDLE, bytes);
	VERIFY(out[0] == MK1_PAGE_POOL_BASE + out[1]);
	VERIFY((out[1] & BF_PAGE_MASK) == 0);
	words = (uint64_t *)out[0];
	for (uint64_t i = 0; i < size / sizeof(*words); i++) {
		wrong |= words[i];
		words[i] = i;
	}
	VERIFY(!wrong);
	return words;
}

static void give_back(uint64_t *words)
{
	VERIFY_STATUS(mk1_mem_free_huge(MK1_HANDLE, (uint64_t)words), MK1_SUCCESS);
}

static void test(void)
{
	static const uint64_t much[] = { 1ULL << 30, 1ULL << 44, 1ULL << 63, ~0ULL - 0xFFF };
	static uint64_t all[MANY];
	uint64_t *first, *second;
	uint64_t spa;
	unsigned int n;

	/* nothing, and what does not fit 64 bits in whole pages */
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, 0);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, ~0ULL);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, ~0ULL - 0xFFE);
	for (unsigned int i = 0; i < sizeof(much) / sizeof(much[0]); i++)
		GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE, much[i]);
	first = alloc(1);
	second = alloc(3 * BF_PAGE_SIZE + 1);
	VERIFY(second >= first + 512 || second + 4 * 512 <= first);
	VERIFY(first[511] == 511);
	give_back(first);
	first = alloc(BF_PAGE_SIZE);
	give_back(second);
	give_back(first);
	give_back(alloc(0x40000));
	for (n = 0; n < MANY; n++) {
		if (mk1_mem_alloc_huge(MK1_HANDLE, 1, &all[n], &spa) != MK1_SUCCESS)
			break;
	}
	VERIFY(n > 32);
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE, 1);
	while (n--)
		give_back((uint64_t *)all[n]);
	give_back(alloc(1));
}

const struct call_test call_test = {
	.call = CALL_mem_alloc_huge,
	.started = test,
	.bootstrap = test,
	.exit = test,
};
