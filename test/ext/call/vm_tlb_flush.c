// SPDX-License-Identifier: GPL-2.0-only
/* tlb_flush of a VM: what this PP has cached of the guest's translations. */
#include "test/ext/lib/call.h"

static void test(void)
{
	uint64_t vmid;

	REFUSES_IDS(1, MK1_HANDLE);
	VERIFY_STATUS(mk1_vm_create_vm(MK1_HANDLE, &vmid), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, MK1_HANDLE, vmid);
	VERIFY_STATUS(mk1_vm_destroy_vm(MK1_HANDLE, vmid), MK1_SUCCESS);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, vmid);
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | MK1_ROOT_VMID);
	/* AMD: the next VMRUN does it */
	if (is_svm)
		VERIFY(read_reg(mk1_tls_vsid(), MK1_AMD_tlb_control) == 1);
}

/* Nothing is active. */
static void bootstrap(void)
{
	GIVES(MK1_SUCCESS, MK1_HANDLE, MK1_ROOT_VMID);
}

const struct call_test call_test = {
	.call = CALL_vm_tlb_flush,
	.started = bootstrap,
	.bootstrap = bootstrap,
	.exit = test,
};
