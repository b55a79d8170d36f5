// SPDX-License-Identifier: GPL-2.0-only
/* tlb_flush of a VS: of any page but the first. */
#include "test/ext/lib/call.h"

static void test(void)
{
	static const uint64_t pages[] = { 0x1000,     0x7FFFFFFFF000,     0x800000000000,
					  1ULL << 63, 0xFFFF7FFFFFFFF000, 0xFFFF800000000000,
					  ~0xFFFULL };
	static const uint64_t bad[] = { 0, 1, 0xFFF, 0x1001, 0x7FFFFFFFF800, ~0ULL };
	uint64_t vsid = mk1_tls_vsid(), other;
	struct second s = make_second();

	REFUSES_IDS(1, MK1_HANDLE, 0, 0);
	for (unsigned int i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		GIVES(MK1_SUCCESS, MK1_HANDLE, vsid, pages[i]);
		GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | s.vsid, pages[i]);
	}
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		GIVES(MK1_INVALID_INPUT_REG(2), MK1_HANDLE, vsid, bad[i]);
		GIVES(MK1_INVALID_INPUT_REG(2), MK1_HANDLE, s.vsid, bad[i]);
	}
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | vsid, call_next & ~0xFFFULL);
	if (other_pp(&other)) {
		GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, other, 0);
		VERIFY_STATUS(mk1_vs_migrate(MK1_HANDLE, s.vsid, other), MK1_SUCCESS);
		GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vsid, 0);
	}
	drop_second(s);
}

const struct call_test call_test = {
	.call = CALL_vs_tlb_flush,
	.exit = test,
};
