// SPDX-License-Identifier: GPL-2.0-only
/* clear: nothing of a VS changes, but that the CPU looks at all of it again. */
#include "test/ext/lib/call.h"

static void test(void)
{
	uint64_t vsid = mk1_tls_vsid(), rbx = mk1_rbx(), other;
	struct second s = make_second();

	REFUSES_IDS(1, MK1_HANDLE);
	VERIFY_STATUS(mk1_vs_write(MK1_HANDLE, s.vsid, REG(rsp), 0x1111), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, MK1_HANDLE, s.vsid);
	VERIFY(read_reg(s.vsid, REG(rsp)) == 0x1111);
	if (is_svm)
		VERIFY(read_reg(vsid, MK1_AMD_vmcb_clean_bits) != 0);
	for (unsigned int i = 0; i < 2; i++) {
		GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | vsid);
		VERIFY(read_reg(vsid, REG(rip)) + CPUID_LENGTH == call_next);
		VERIFY(mk1_rbx() == rbx);
		if (is_svm)
			VERIFY(read_reg(vsid, MK1_AMD_vmcb_clean_bits) == 0);
	}
	if (other_pp(&other)) {
		GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, other);
		VERIFY_STATUS(mk1_vs_migrate(MK1_HANDLE, s.vsid, other), MK1_SUCCESS);
		GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vsid);
	}
	drop_second(s);
}

const struct call_test call_test = {
	.call = CALL_vs_clear,
	.exit = test,
};
