/* SPDX-License-Identifier: GPL-2.0-only */
/* tlb_flush of a VS: there is no address for which it cannot be done. */
#define CALL vs_tlb_flush
#include "call.h"

static void test(void)
{
	static const uint64_t addresses[] = { 0, 0xFFF, 0x7FFFFFFFF000, 0x800000000000, 1ULL << 63,
					      0xFFFF7FFFFFFFFFFF, 0xFFFF800000000000, ~0ULL };
	uint64_t vsid = mk1_tls_vsid(), other;
	struct second s = make_second();

	REFUSES_IDS(1, MK1_HANDLE, 0, 0);
	for (unsigned int i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		GIVES(MK1_SUCCESS, MK1_HANDLE, vsid, addresses[i]);
		GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | s.vsid, addresses[i]);
	}
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | vsid, call_next);
	if (other_pp(&other)) {
		GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, other, 0);
		VERIFY_STATUS(mk1_vs_migrate(MK1_HANDLE, s.vsid, other), MK1_SUCCESS);
		GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vsid, 0);
	}
	drop_second(s);
}

static const struct hooks hooks = {
	.exit = test,
};
