// SPDX-License-Identifier: GPL-2.0-only
/* advance_ip_and_set_active: what was active steps over its instruction, then another VS is. */
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
	uint64_t vpid = mk1_tls_vpid(), vsid = mk1_tls_vsid();
	struct second s = make_second();

	refuses_wrong_ids(s);
	VERIFY_STATUS(mk1_vs_write(MK1_HANDLE, s.vsid, REG(rip), 0x1000), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | s.vmid, HIGH16 | s.vpid, HIGH16 | s.vsid);
	VERIFY(is_active(s.vmid, s.vpid, s.vsid));
	VERIFY(read_reg(vsid, REG(rip)) == call_next);
	VERIFY(read_reg(s.vsid, REG(rip)) == 0x1000);
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid), MK1_SUCCESS);
	drop_second(s);
	/* the same VS: back, and over it once more */
	VERIFY_STATUS(mk1_vs_write(MK1_HANDLE, vsid, REG(rip), call_next - CPUID_LENGTH),
		      MK1_SUCCESS);
	GIVES(MK1_SUCCESS, MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid);
	VERIFY(read_reg(vsid, REG(rip)) == call_next);
	mk1_set_rcx(STEP_VERDICT);
	mk1_vs_run_current(MK1_HANDLE);
	UNREACHED("run_current came back");
}

const struct call_test call_test = {
	.call = CALL_vs_advance_ip_and_set_active,
	.bootstrap = nothing_active,
	.exit = test,
};
