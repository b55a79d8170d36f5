// SPDX-License-Identifier: GPL-2.0-only
/* advance_ip_and_run_current: the guest goes on after the instruction that exited. */
#include "test/ext/lib/call.h"

static void nothing_active(void)
{
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE);
}

static void test(void)
{
	mk1_set_rcx(STEP_VERDICT);
	GIVES(MK1_SUCCESS, MK1_HANDLE);
	UNREACHED("advance_ip_and_run_current came back");
}

const struct call_test call_test = {
	.call = CALL_vs_advance_ip_and_run_current,
	.bootstrap = nothing_active,
	.exit = test,
};
