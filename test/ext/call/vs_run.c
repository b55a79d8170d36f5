// SPDX-License-Identifier: GPL-2.0-only
/* run: the VS that is named becomes active, and its guest goes on where it was. */
#include "test/ext/lib/call.h"

#include "vs_ids.h"

static struct second second;
static uint64_t rbx;

static void test(void)
{
	uint64_t vpid = mk1_tls_vpid(), vsid = mk1_tls_vsid();

	if (mk1_rcx() == 1) {
		VERIFY(read_reg(vsid, REG(rip)) + CPUID_LENGTH == call_next);
		VERIFY(mk1_rbx() == rbx);
		VERIFY(read_reg(second.vsid, REG(rbx)) == ~rbx);
		drop_second(second);
		return;
	}
	second = make_second();
	refuses_wrong_ids(second);
	mk1_set_rcx(1);
	rbx = mk1_rbx();
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, second.vmid, second.vpid, second.vsid),
		      MK1_SUCCESS);
	mk1_set_rbx(~rbx);
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | MK1_ROOT_VMID, HIGH16 | vpid, HIGH16 | vsid);
	UNREACHED("run came back");
}

/* Nothing runs before the bootstrap callback. */
static void too_early(void)
{
	struct second s = make_second();

	GIVES(MK1_INVALID_INPUT_REG(2), MK1_HANDLE, MK1_ROOT_VMID, s.vpid, s.vsid);
	GIVES(MK1_INVALID_INPUT_REG(3), MK1_HANDLE, s.vmid, s.vpid, MK1_INVALID_ID);
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE, s.vmid, s.vpid, s.vsid);
	drop_second(s);
}

const struct call_test call_test = {
	.call = CALL_vs_run,
	.started = too_early,
	.exit = test,
};
