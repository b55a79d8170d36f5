// SPDX-License-Identifier: GPL-2.0-only
/* destroy_vp: not while it is active, nor while it has VSs. */
#include "test/ext/lib/call.h"

static void test(void)
{
	uint64_t vpid = mk1_tls_vpid(), vsid = mk1_tls_vsid(), other, more;
	struct second s = make_second();

	REFUSES_IDS(1, MK1_HANDLE);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, vpid);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, HIGH16 | vpid);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vpid);
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, s.vmid, s.vpid, s.vsid), MK1_SUCCESS);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vpid);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, vpid);
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vs_create_vs(MK1_HANDLE, s.vpid, mk1_tls_ppid(), &more), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vs_destroy_vs(MK1_HANDLE, s.vsid), MK1_SUCCESS);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vpid);
	VERIFY_STATUS(mk1_vs_destroy_vs(MK1_HANDLE, more), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | s.vpid);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vpid);
	VERIFY_STATUS(mk1_vs_create_vs(MK1_HANDLE, s.vpid, mk1_tls_ppid(), &more),
		      MK1_INVALID_INPUT_REG(1));
	VERIFY_STATUS(mk1_vp_create_vp(MK1_HANDLE, s.vmid, &other), MK1_SUCCESS);
	VERIFY(other == s.vpid);
	GIVES(MK1_SUCCESS, MK1_HANDLE, other);
	VERIFY_STATUS(mk1_vm_destroy_vm(MK1_HANDLE, s.vmid), MK1_SUCCESS);
}

const struct call_test call_test = {
	.call = CALL_vp_destroy_vp,
	.exit = test,
};
