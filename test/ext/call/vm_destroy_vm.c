// SPDX-License-Identifier: GPL-2.0-only
/* destroy_vm: not the root VM, nor one that is in use. */
#include "test/ext/lib/call.h"

static void test(void)
{
	uint64_t vpid = mk1_tls_vpid(), vsid = mk1_tls_vsid();
	struct second s = make_second();
	uint64_t vmid;

	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, MK1_ROOT_VMID);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, HIGH16 | MK1_ROOT_VMID);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vmid);
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, s.vmid, s.vpid, s.vsid), MK1_SUCCESS);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vmid);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, MK1_ROOT_VMID);
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid), MK1_SUCCESS);
	/* nothing of it is gone */
	VERIFY_STATUS(mk1_vs_clear(MK1_HANDLE, s.vsid), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vs_destroy_vs(MK1_HANDLE, s.vsid), MK1_SUCCESS);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vmid);
	VERIFY_STATUS(mk1_vp_destroy_vp(MK1_HANDLE, s.vpid), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | s.vmid);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vmid);
	VERIFY_STATUS(mk1_vp_create_vp(MK1_HANDLE, s.vmid, &vpid), MK1_INVALID_INPUT_REG(1));
	VERIFY_STATUS(mk1_vm_create_vm(MK1_HANDLE, &vmid), MK1_SUCCESS);
	VERIFY(vmid == s.vmid);
	GIVES(MK1_SUCCESS, MK1_HANDLE, vmid);
	REFUSES_IDS(1, MK1_HANDLE);
}

const struct call_test call_test = {
	.call = CALL_vm_destroy_vm,
	.exit = test,
};
