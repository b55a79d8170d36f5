// SPDX-License-Identifier: GPL-2.0-only
/* migrate: to another PP, or this one; not Linux's, not what is active. */
#include "test/ext/lib/call.h"

static void test(void)
{
	uint64_t ppid = mk1_tls_ppid(), vpid = mk1_tls_vpid(), vsid = mk1_tls_vsid(), other;
	struct second s = make_second();

	REFUSES_IDS(1, MK1_HANDLE, 0, ppid);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, vsid, ppid);
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, s.vmid, s.vpid, s.vsid), MK1_SUCCESS);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vsid, ppid);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, vsid, ppid);
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid), MK1_SUCCESS);
	GIVES(MK1_INVALID_INPUT_REG(2), MK1_HANDLE, s.vsid, mk1_tls_online_pps());
	REFUSES_IDS(2, MK1_HANDLE, s.vsid);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, vsid, MK1_INVALID_ID);
	VERIFY_STATUS(mk1_vs_write(MK1_HANDLE, s.vsid, REG(rsp), 0x1111), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | s.vsid, HIGH16 | ppid);
	VERIFY(read_reg(s.vsid, REG(rsp)) == 0x1111);
	if (other_pp(&other)) {
		GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, other, ppid);
		GIVES(MK1_SUCCESS, MK1_HANDLE, s.vsid, other);
		VERIFY_STATUS(mk1_vs_clear(MK1_HANDLE, s.vsid), MK1_INVALID_INPUT_REG(1));
		/* no CPU has it in its caches: any PP may fetch it */
		GIVES(MK1_SUCCESS, MK1_HANDLE, s.vsid, ppid);
		VERIFY(read_reg(s.vsid, REG(rsp)) == 0x1111);
		GIVES(MK1_SUCCESS, MK1_HANDLE, s.vsid, other);
	}
	drop_second(s);
}

const struct call_test call_test = {
	.call = CALL_vs_migrate,
	.exit = test,
};
