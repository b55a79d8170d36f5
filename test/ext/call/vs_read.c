// SPDX-License-Identifier: GPL-2.0-only
/* vs_read: a register, by its number. All of them: test/ext/registers.c. */
#include "test/ext/lib/call.h"

static void test(void)
{
	static const uint64_t unknown[] = { 0,          0xFFF,      0xFFFF, 1ULL << 16,
					    1ULL << 32, 1ULL << 63, ~0ULL };
	uint64_t vsid = mk1_tls_vsid(), other;
	struct second s = make_second();

	REFUSES_IDS(1, MK1_HANDLE, 0, REG(rip));
	for (unsigned int i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		GIVES(MK1_INVALID_INPUT_REG(2), MK1_HANDLE, vsid, unknown[i]);
	GIVES(MK1_INVALID_INPUT_REG(2), MK1_HANDLE, vsid, REG(rip) | 1ULL << 32);
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | vsid, REG(rip));
	VERIFY(out[0] + CPUID_LENGTH == call_next);
	GIVES(MK1_SUCCESS, MK1_HANDLE, vsid, REG(rbx));
	VERIFY(out[0] == mk1_rbx());
	mk1_set_rbx(~out[0]);
	other = out[0];
	GIVES(MK1_SUCCESS, MK1_HANDLE, vsid, REG(rbx));
	VERIFY(out[0] == ~other);
	mk1_set_rbx(other);
	GIVES(MK1_SUCCESS, MK1_HANDLE, s.vsid, REG(rbx));
	VERIFY(out[0] == 0);
	if (other_pp(&other)) {
		GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, other, REG(rip));
		VERIFY_STATUS(mk1_vs_migrate(MK1_HANDLE, s.vsid, other), MK1_SUCCESS);
		GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vsid, REG(rip));
	}
	drop_second(s);
}

const struct call_test call_test = {
	.call = CALL_vs_read,
	.exit = test,
};
