// SPDX-License-Identifier: GPL-2.0-only
/* promote: refused here for all but Linux in its kernel. That it works, every stop shows. */
#include "test/ext/lib/call.h"

static void refuses_second(void)
{
	struct second s = make_second();

	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vsid);
	drop_second(s);
	REFUSES_IDS(1, MK1_HANDLE);
}

static void test(void)
{
	uint64_t vpid = mk1_tls_vpid(), vsid = mk1_tls_vsid(), other;
	struct second s = make_second();

	refuses_second();
	/* a process is running: its page table need not map the code that gives the CPU back */
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, vsid);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, HIGH16 | vsid);
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, s.vmid, s.vpid, s.vsid), MK1_SUCCESS);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vsid);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, vsid);
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid), MK1_SUCCESS);
	drop_second(s);
	if (other_pp(&other))
		GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, other);
}

/* Nothing runs before the bootstrap callback, Linux neither. */
static void too_early(void)
{
	struct second s = make_second();

	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vsid);
	VERIFY_STATUS(mk1_vs_init_as_root(MK1_HANDLE, s.vsid), MK1_SUCCESS);
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE, s.vsid);
	drop_second(s);
}

const struct call_test call_test = {
	.call = CALL_vs_promote,
	.started = too_early,
	.bootstrap = refuses_second,
	.exit = test,
};
