// SPDX-License-Identifier: GPL-2.0-only
/* dump_vm: a line on a VM. */
#include "test/ext/lib/call.h"

static void started(void)
{
	EXPECT_PRINTED("vm 0: 0 VPs, active on 0 PPs\n");
	GIVES(MK1_SUCCESS, MK1_ROOT_VMID);
	GIVES(MK1_INVALID_INPUT_REG(0), 1);
}

static void test(void)
{
	uint64_t vpid = mk1_tls_vpid(), vsid = mk1_tls_vsid();
	struct second s = make_second();

	EXPECT_PRINTED("vm 0: %u VPs, active on [1-9][0-9]* PPs\n", mk1_tls_online_pps());
	GIVES(MK1_SUCCESS, HIGH16 | MK1_ROOT_VMID);
	EXPECT_PRINTED("vm %u: 1 VPs, active on 0 PPs\n", (unsigned int)s.vmid);
	GIVES(MK1_SUCCESS, s.vmid);
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, s.vmid, s.vpid, s.vsid), MK1_SUCCESS);
	EXPECT_PRINTED("vm %u: 1 VPs, active on 1 PPs\n", (unsigned int)s.vmid);
	GIVES(MK1_SUCCESS, s.vmid);
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid), MK1_SUCCESS);
	drop_second(s);
	REFUSES_IDS(0, 0);
	GIVES(MK1_INVALID_INPUT_REG(0), s.vmid);
}

const struct call_test call_test = {
	.call = CALL_debug_dump_vm,
	.started = started,
	.exit = test,
};
