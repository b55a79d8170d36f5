// SPDX-License-Identifier: GPL-2.0-only
/* advance_ip_and_run: what is active steps over its instruction, then the VS that is named runs. */
#include "test/ext/lib/call.h"

#include "vs_ids.h"

static void nothing_active(void)
{
	struct second s = make_second();

	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE, s.vmid, s.vpid, s.vsid);
	VERIFY(is_active(MK1_ROOT_VMID, MK1_INVALID_ID, MK1_INVALID_ID));
	drop_second(s);
}

static void test(void)
{
	struct second s = make_second();

	refuses_wrong_ids(s);
	drop_second(s);
	mk1_set_rcx(STEP_VERDICT);
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | MK1_ROOT_VMID, HIGH16 | mk1_tls_vpid(),
	      HIGH16 | mk1_tls_vsid());
	UNREACHED("advance_ip_and_run came back");
}

const struct call_test call_test = {
	.call = CALL_vs_advance_ip_and_run,
	.bootstrap = nothing_active,
	.exit = test,
};
