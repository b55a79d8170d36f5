// SPDX-License-Identifier: GPL-2.0-only
/* create_vp: in a VM, lowest id first, until there are none. */
#include "test/ext/lib/call.h"

#define MANY 0x10000

static void test(void)
{
	uint64_t vmid, first, count;

	REFUSES_IDS(1, MK1_HANDLE);
	VERIFY_STATUS(mk1_vm_create_vm(MK1_HANDLE, &vmid), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | vmid);
	first = out[0];
	for (count = 1; count < MANY; count++) {
		uint64_t vpid, of = count & 1 ? MK1_ROOT_VMID : vmid;

		if (mk1_vp_create_vp(MK1_HANDLE, of, &vpid) != MK1_SUCCESS)
			break;
		VERIFY(vpid == first + count);
	}
	VERIFY(first + count >= 256);
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE, vmid);
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE, MK1_ROOT_VMID);
	VERIFY_STATUS(mk1_vp_destroy_vp(MK1_HANDLE, first + 2), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, MK1_HANDLE, vmid);
	VERIFY(out[0] == first + 2);
	while (count-- > 0)
		VERIFY_STATUS(mk1_vp_destroy_vp(MK1_HANDLE, first + count), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vm_destroy_vm(MK1_HANDLE, vmid), MK1_SUCCESS);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, vmid);
}

const struct call_test call_test = {
	.call = CALL_vp_create_vp,
	.exit = test,
};
