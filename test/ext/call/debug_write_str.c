// SPDX-License-Identifier: GPL-2.0-only
/* write_str: text of the extension's own, and nothing else. */
#include "test/ext/lib/call.h"

#define IMAGE_END (MK1_EXT_CODE_BASE + MK1_EXT_CODE_SIZE)

static void print(void)
{
	static const char text[] = "a whole line\nNOT PRINTED\n";
	static const char two[] = "before NUL\n\0NOT PRINTED\n";

	EXPECT_PRINTED("a whole line\n");
	GIVES(MK1_SUCCESS, (uint64_t)text, 13);
	EXPECT_PRINTED("before NUL\n");
	GIVES(MK1_SUCCESS, (uint64_t)two, sizeof(two));
	GIVES(MK1_SUCCESS, (uint64_t)two, ~0ULL);
	/* nothing of an empty text is looked at, wherever it is */
	GIVES(MK1_SUCCESS, (uint64_t)text, 0);
	GIVES(MK1_SUCCESS, 0, 0);
	GIVES(MK1_SUCCESS, ~0ULL, 0);
}

static void refuses(uint64_t va)
{
	static const uint64_t lengths[] = { 1, 2, BF_PAGE_SIZE, 1ULL << 32, 1ULL << 63, ~0ULL };

	for (unsigned int i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		GIVES(MK1_INVALID_INPUT_REG(0), va, lengths[i]);
}

/* Text that ends with a page after which there is none. */
static void at_the_end_of(uint64_t page)
{
	static const char text[] = "up to the end of the page\n";
	uint64_t length = sizeof(text) - 1;
	char *last = (char *)page + BF_PAGE_SIZE - length;

	bsl_memcpy(last, text, length);
	EXPECT_PRINTED("%s", text);
	GIVES(MK1_SUCCESS, (uint64_t)last, length);
	GIVES(MK1_INVALID_INPUT_REG(0), (uint64_t)last, length + 1);
	GIVES(MK1_INVALID_INPUT_REG(0), page + BF_PAGE_SIZE, 1);
	/* nothing is printed of a text that is not there as a whole */
	bsl_memset((void *)page, '.', BF_PAGE_SIZE);
	bsl_memcpy((void *)page, "NOT PRINTED", 11);
	GIVES(MK1_INVALID_INPUT_REG(0), page, BF_PAGE_SIZE + 1);
	bsl_memcpy(last, text, length);
	GIVES(MK1_INVALID_INPUT_REG(0), page + BF_PAGE_SIZE - 1, 2);
	/* a NUL comes first */
	last[length - 1] = 0;
	GIVES(MK1_SUCCESS, (uint64_t)last, length + 1);
	GIVES(MK1_SUCCESS, page + BF_PAGE_SIZE - 1, ~0ULL);
}

static void test(void)
{
	static const uint64_t bad[] = { 0,
					1,
					0xFFF,
					BF_WINDOW_BASE,
					MK1_PAGE_POOL_BASE,
					MK1_PAGE_POOL_BASE - 1,
					MK1_EXT_STACK_BASE - 1,
					MK1_EXT_CODE_BASE - 1,
					IMAGE_END - 1,
					IMAGE_END,
					MK1_DIRECT_MAP_BASE,
					MK1_DIRECT_MAP_BASE + MK1_DIRECT_MAP_SIZE,
					0x7FFFFFFFFFFF,
					0x800000000000,
					0x8000000000000000,
					0xFFFF7FFFFFFFFFFF,
					0xFFFF800000000000,
					BF_MK_BASE,
					BF_PP_BASE,
					BF_PP_ABI,
					0xFFFF888000000000,
					0xFFFFFFFF81000000,
					0xFFFFFFFFFFFFF000,
					~0ULL };
	uint64_t va, spa;

	print();
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(bad[i]);
	/* the guard pages: below this PP's stack, above its TLS */
	refuses(MK1_EXT_STACK_BASE + mk1_tls_ppid() * (uint64_t)MK1_EXT_STACK_STRIDE +
		MK1_EXT_STACK_SIZE);
	refuses(MK1_EXT_TLS_BASE + mk1_tls_ppid() * (uint64_t)MK1_EXT_TLS_STRIDE +
		2 * BF_PAGE_SIZE);
	VERIFY_STATUS(mk1_mem_alloc_huge(MK1_HANDLE, BF_PAGE_SIZE, &va, &spa), MK1_SUCCESS);
	at_the_end_of(va);
	VERIFY_STATUS(mk1_mem_free_huge(MK1_HANDLE, va), MK1_SUCCESS);
	refuses(va);
	VERIFY_STATUS(mk1_vm_map_direct(MK1_HANDLE, MK1_ROOT_VMID, BF_PAGE_SIZE, &va), MK1_SUCCESS);
	GIVES(MK1_INVALID_INPUT_REG(0), va + BF_PAGE_SIZE, 1);
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, MK1_ROOT_VMID, va), MK1_SUCCESS);
	refuses(va);
}

const struct call_test call_test = {
	.call = CALL_debug_write_str,
	.unopened = print,
	.exit = test,
};
