// SPDX-License-Identifier: GPL-2.0-only
/* create_vm: ids are given lowest first, until there are none. */
#include "test/ext/lib/call.h"

#define MANY 1024

static void test(void)
{
	uint64_t count = 0, first;

	GIVES(MK1_SUCCESS, MK1_HANDLE);
	first = out[0];
	VERIFY(first == 1);
	for (count = 1; count < MANY; count++) {
		uint64_t vmid;

		if (mk1_vm_create_vm(MK1_HANDLE, &vmid) != MK1_SUCCESS)
			break;
		VERIFY(vmid == first + count);
	}
	VERIFY(count >= 15); /* in addition to the root VM, as many as the reference has */
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE);
	VERIFY_STATUS(mk1_vm_destroy_vm(MK1_HANDLE, first + 3), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vm_destroy_vm(MK1_HANDLE, first + 5), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, MK1_HANDLE);
	VERIFY(out[0] == first + 3);
	GIVES(MK1_SUCCESS, MK1_HANDLE);
	VERIFY(out[0] == first + 5);
	while (count-- > 0)
		VERIFY_STATUS(mk1_vm_destroy_vm(MK1_HANDLE, first + count), MK1_SUCCESS);
}

const struct call_test call_test = {
	.call = CALL_vm_create_vm,
	.started = test,
	.bootstrap = test,
	.exit = test,
};
