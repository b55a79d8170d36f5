// SPDX-License-Identifier: GPL-2.0-only
/* run_current: the guest executes the instruction that exited again. */
#include "test/ext/lib/call.h"

static void nothing_active(void)
{
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE);
}

static void test(void)
{
	if (mk1_rcx() < 3) {
		VERIFY(read_reg(mk1_tls_vsid(), REG(rip)) + CPUID_LENGTH == call_next);
		mk1_set_rcx(mk1_rcx() + 1);
		GIVES(MK1_SUCCESS, MK1_HANDLE);
		UNREACHED("run_current came back");
	}
}

const struct call_test call_test = {
	.call = CALL_vs_run_current,
	.bootstrap = nothing_active,
	.exit = test,
};
