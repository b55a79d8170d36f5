// SPDX-License-Identifier: GPL-2.0-only
/* vs_write: a register, by its number. All of them: test/ext/registers.c. */
#include "test/ext/lib/call.h"

/* Refused, and the register is what it was. */
static void refuses(uint64_t wanted, uint64_t vsid, uint64_t reg, uint64_t value)
{
	uint64_t before = read_reg(vsid, reg);

	GIVES(wanted, MK1_HANDLE, vsid, reg, value);
	VERIFY(read_reg(vsid, reg) == before);
}

static void test(void)
{
	static const uint64_t unknown[] = { 0,          0xFFF,      0xFFFF, 1ULL << 16,
					    1ULL << 32, 1ULL << 63, ~0ULL };
	uint64_t vsid = mk1_tls_vsid(), rbx = mk1_rbx(), other;
	struct second s = make_second();

	REFUSES_IDS(1, MK1_HANDLE, 0, REG(rbx), 0);
	for (unsigned int i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		GIVES(MK1_INVALID_INPUT_REG(2), MK1_HANDLE, vsid, unknown[i], 0);
	GIVES(MK1_INVALID_INPUT_REG(2), MK1_HANDLE, vsid, REG(rbx) | 1ULL << 32, 0);
	/* read-only, which VMX has; too wide */
	if (!is_svm)
		refuses(MK1_INVALID_INPUT_REG(3), vsid, MK1_INTEL_exit_reason, 0);
	refuses(MK1_INVALID_INPUT_REG(3), vsid, REG(cs_selector), 1ULL << 16 | 0x10);
	refuses(MK1_INVALID_INPUT_REG(3), vsid, REG(cs_limit), 1ULL << 32);
	/* the second VS has its own */
	GIVES(MK1_SUCCESS, MK1_HANDLE, s.vsid, REG(rbx), 0x1111);
	VERIFY(mk1_rbx() == rbx);
	VERIFY(read_reg(s.vsid, REG(rbx)) == 0x1111);
	GIVES(MK1_SUCCESS, MK1_HANDLE, vsid, REG(rbx), ~rbx);
	VERIFY(mk1_rbx() == ~rbx);
	VERIFY(read_reg(s.vsid, REG(rbx)) == 0x1111);
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | vsid, REG(rbx), rbx);
	if (other_pp(&other)) {
		GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, other, REG(rbx), 0);
		VERIFY_STATUS(mk1_vs_migrate(MK1_HANDLE, s.vsid, other), MK1_SUCCESS);
		GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vsid, REG(rbx), 0);
	}
	drop_second(s);

	/* The guest sees it: it goes on after its instruction, and asks for the verdict. */
	GIVES(MK1_SUCCESS, MK1_HANDLE, vsid, REG(rcx), STEP_VERDICT);
	GIVES(MK1_SUCCESS, MK1_HANDLE, vsid, REG(rip), call_next);
	mk1_vs_run_current(MK1_HANDLE);
	UNREACHED("run_current came back");
}

const struct call_test call_test = {
	.call = CALL_vs_write,
	.exit = test,
};
